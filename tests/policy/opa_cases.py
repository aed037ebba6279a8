"""OPA's own test cases, as they come inside its Go module."""

from __future__ import annotations

import json
from typing import Any

from ruamel.yaml import YAML

from tests.support.tools import opa_case_files


def opa_cases(version: str, step: int) -> list[dict[str, Any]]:
    """The cases of every ``step``-th file of ``v0`` or ``v1`` that have modules and an input that is JSON."""
    yaml = YAML(typ="safe", pure=True)
    out = []
    for path in opa_case_files(version)[::step]:
        out += [
            json.loads(json.dumps({**case, "file": path.name}, default=str))
            for case in yaml.load(path.read_text())["cases"][:6]
            if case.get("modules") and not case.get("input_term") and "test.sleep" not in str(case["modules"])
        ]
    return out
