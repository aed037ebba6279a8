"""How a program is recognised in ``policy/parity.lock``, and the regopy that the lock must have been made with."""

from __future__ import annotations

from importlib import metadata

from maestro import canonical_json
from policy.engines.engine import Program
from policy.rego_text import read_text


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
