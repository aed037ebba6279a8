"""OPA's own test cases, as they come inside its Go module."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

MODULE = "github.com/open-policy-agent/opa@v1.22.2"


@cache
def _folder() -> Path | None:
    go = shutil.which("go")
    if go is None:
        return None
    done = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, timeout=60, check=False)
    folder = Path(done.stdout.strip()) / MODULE / "v1/test/cases/testdata"
    return folder if folder.is_dir() else None


def opa_cases(version: str, step: int) -> list[dict[str, Any]]:
    """The cases of every ``step``-th file of ``v0`` or ``v1`` that have modules and an input that is JSON."""
    folder = _folder()
    if folder is None:
        message = f"the cases of OPA are not here: go mod download {MODULE}"
        if os.environ.get("REQUIRE_TOOLS") == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    yaml = YAML(typ="safe", pure=True)
    out = []
    for path in sorted((folder / version).rglob("*.yaml"))[::step]:
        out += [
            json.loads(json.dumps({**case, "file": path.name}, default=str))
            for case in yaml.load(path.read_text())["cases"][:6]
            if case.get("modules") and not case.get("input_term") and "test.sleep" not in str(case["modules"])
        ]
    return out
