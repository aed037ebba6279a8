"""Every pack of this repository, wherever it lies: strict, formatted, tested, and its metadata read as OPA reads it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from policy.metadata import read_blocks
from policy.rego_text import heads, read_text
from tests.support.tools import tool

OLD = Path("examples/sprint-plan")
"""Shown exactly as the sprint plan has it: old syntax, and not as `opa fmt` would write it."""
FOLDERS = sorted({path.parent for top in ("policy", "examples", "gates") for path in Path(top).rglob("*.rego")})


def opa(*argv: str) -> str:
    done = subprocess.run([tool("opa"), *argv], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def modules(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.glob("*.rego"))]


def test_all_of_them_are_known() -> None:
    assert {"policy/packs/flags", "examples/governed/policy/conftest"} <= {str(folder) for folder in FOLDERS}
    assert len(FOLDERS) >= 9


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_strict_and_formatted(folder: Path) -> None:
    if folder.is_relative_to(OLD):
        opa("check", "--v0-compatible", *modules(folder))
        return
    opa("check", "--strict", *modules(folder))
    opa("fmt", "--fail", "--list", *modules(folder))


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if not folder.is_relative_to(OLD)], ids=str)
def test_tested_by_its_own_tests(folder: Path) -> None:
    assert any(path.endswith("_test.rego") for path in modules(folder))
    results = json.loads(opa("test", "--format", "json", *modules(folder)))
    assert len(results) >= 2


def inspected(path: str) -> list[dict[str, Any]]:
    """What ``opa inspect`` says of every block of a module, in the order of the file."""
    flags = ["--v0-compatible"] if Path(path).is_relative_to(OLD) else []
    found = json.loads(opa("inspect", "-a", "-f", "json", *flags, path)).get("annotations") or []
    blocks = [{"row": one["location"]["row"], **one["annotations"]} for one in found if one.get("annotations")]
    return sorted(blocks, key=lambda block: block["row"])


@pytest.mark.parametrize("path", [path for folder in FOLDERS for path in modules(folder)])
def test_metadata_is_what_opa_reads(path: str) -> None:
    text = read_text(Path(path).read_text())
    found, complaints = read_blocks(path, text, heads(text, v1=not Path(path).is_relative_to(OLD)))
    assert complaints == []
    theirs = inspected(path)
    assert [(block.scope, block.title, dict(block.custom)) for block in found] == [
        (one["scope"], one.get("title"), one.get("custom", {})) for one in theirs
    ]
