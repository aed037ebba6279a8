"""Programs on which regopy was shown to answer as conftest does: the list, and how a program is recognised in it."""

from __future__ import annotations

import json
from importlib import metadata, resources
from typing import Any

from maestro import canonical_json
from policy.engines.engine import Program
from policy.rego_text import read_text

LIST = "proven.json"
"""In the folder ``policy``; written by ``python -m policy.engines.prove``."""


def program_digest(program: Program) -> str:
    """What evaluation depends on, comments left out: a pack's mode may change without a new proof."""
    code = sorted(read_text(source.decode("utf-8", "replace")).code_digest_text for source in program.modules.values())
    return canonical_json.digest(
        {
            "code": code,
            "data": sorted(canonical_json.digest_of_bytes(content) for content in program.data.values()),
            "entrypoints": sorted(program.entrypoints),
            "rego": program.rego_version,
            "strict": program.strict_builtin_errors,
        }
    )


def regopy_version() -> str:
    """The installed regopy's version, without importing it."""
    return metadata.version("regopy")


def is_proven(program: Program) -> bool:
    """Whether the program stands in the list, and the list was made with the regopy that is installed."""
    listed = shipped()
    return listed.get("regopy") == regopy_version() and program_digest(program) in listed.get("programs", {})


def shipped() -> dict[str, Any]:
    """The list as shipped: ``{"regopy": version, "opa": version, "programs": {digest: {"pack": name, …}}}``."""
    try:
        value = json.loads(resources.files("policy").joinpath(LIST).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
