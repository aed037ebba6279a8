from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from maestro.cli import dispatch
from maestro.errors import UsageError
from maestro.world import World

EXAMPLE = Path(__file__).parents[3] / "examples" / "governed"


def listed(*argv: str, cwd: Path = EXAMPLE) -> tuple[int, str]:
    out = io.StringIO()
    code = dispatch(["policy", "list", *argv], World(environ={}, cwd=cwd, stdout=out))
    return code, out.getvalue()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "maestro.yaml").write_text(
        "apiVersion: maestro-conductor/v1\n"
        "packs: ['policy/packs/*', {path: policy/c, namespace: main, match: ['k8s/**']}]\n"
    )
    for path, text in {
        "policy/packs/p/p.rego": (
            '# METADATA\n# title: "evil \\e[31m\\u202e"\n# custom: {mode: enfroce}\n'
            "package p\ndeny_a contains 1\nwarn contains 1\n"
        ),
        "policy/c/main.rego": "package main\ndeny contains 1\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_what_a_person_sees(repository: Path, snapshot: SnapshotAssertion) -> None:
    code, text = listed(cwd=repository)
    assert code == 10
    assert text == snapshot
    assert "\x1b" not in text and "\u202e" not in text


def test_json(repository: Path, snapshot: SnapshotAssertion) -> None:
    code, text = listed("--format", "json", "--repo", str(repository))
    assert code == 10
    value = json.loads(text)
    for pack in value["packs"]:
        assert pack.pop("digest").startswith("sha256:")
    assert value == snapshot


def test_the_example_is_sound() -> None:
    code, text = listed()
    assert code == 0
    assert "mc.flags/missing_owner" in text


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no maestro\.yaml"):
        listed(cwd=tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        listed("--repo", "absent", cwd=tmp_path)
