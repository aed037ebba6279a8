"""The governed sample repository: every document valid, the packs the shipped ones, every manifest placed."""

from __future__ import annotations

import filecmp
import os
import subprocess
from pathlib import Path

import pytest

from maestro.config import load_config
from maestro.documents import parse
from tests.policy.packs.both_engines import PACKS
from tests.support.tools import tool

EXAMPLES = Path("examples")
DOCUMENTS = sorted(
    path for folder in ("manifests", "flags", "pools", "waivers") for path in EXAMPLES.glob(f"*/{folder}/*.yaml")
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_documents_are_valid(path: Path) -> None:
    parsed = parse(str(path), path.read_bytes())
    assert parsed.problems == ()
    assert [document.name for document in parsed.documents] == [path.stem]


@pytest.mark.parametrize("repository", ["governed", "sprint-plan"])
def test_maestro_yaml_is_valid(repository: str) -> None:
    path = EXAMPLES / repository / "maestro.yaml"
    assert load_config(str(path), path.read_bytes()).packs


def test_the_packs_are_the_shipped_ones() -> None:
    def same(comparison: filecmp.dircmp[str]) -> bool:
        _, mismatch, errors = filecmp.cmpfiles(
            comparison.left, comparison.right, comparison.common_files, shallow=False
        )
        lonely = comparison.left_only + comparison.right_only + mismatch + errors
        return not lonely and all(same(inner) for inner in comparison.subdirs.values())

    assert same(filecmp.dircmp(PACKS, EXAMPLES / "governed/policy/packs", ignore=["__pycache__"])), (
        "copy policy/packs to examples/governed/policy/packs"
    )


def test_the_conftest_pack_is_conftests() -> None:
    repository = EXAMPLES / "governed"
    argv = [tool("conftest"), "test", "--no-color", "-p", "policy/conftest", "k8s"]
    environ = {"PATH": os.defpath, "HOME": "/nonexistent"}
    done = subprocess.run(argv, cwd=repository, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "container log-shipper has no memory limit" in done.stdout
