from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from maestro.cli import dispatch
from maestro.errors import ToolFailure, UsageError
from maestro.world import World
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

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


def test_the_last_change_of_each_pack(repository: Path) -> None:
    repo = GitRepo.init(repository)
    one = repo.commit({})
    two = repo.commit({"policy/c/main.rego": "package main\ndeny contains 2\n"})
    code, text = listed(cwd=repository)
    assert code == 10
    assert re.findall(r"last change \d{4}-\d{2}-\d{2}, ([0-9a-f]+)", text) == [one[:7], two[:7]]
    value = json.loads(listed("--format", "json", cwd=repository)[1])
    commits = {pack["name"]: pack["last_change"]["commit"] for pack in value["packs"]}
    assert commits == {"p": one[:7], "main": two[:7]}


def test_the_last_change_seen_from_a_folder_inside(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    one = repo.commit({f"inner/{path.relative_to(EXAMPLE)}": path.read_text() for path in EXAMPLE.rglob("*.rego")})
    two = repo.commit({"inner/maestro.yaml": (EXAMPLE / "maestro.yaml").read_text(), "policy/packs/flags/x": ""})
    assert one != two
    value = json.loads(listed("--format", "json", "--repo", "inner", cwd=tmp_path / "r")[1])
    assert {pack["last_change"]["commit"] for pack in value["packs"]} == {one[:7]}


def test_coverage_when_asked_for() -> None:
    path = str(Path(tool("conftest")).parent)
    out = io.StringIO()
    assert dispatch(["policy", "list", "--coverage"], World(environ={"PATH": path}, cwd=EXAMPLE, stdout=out)) == 0
    assert "fixtures reach 19 of 19 bodies" in out.getvalue()
    with pytest.raises(ToolFailure, match="conftest is not on PATH"):
        listed("--coverage")
    assert "bodies" not in listed()[1].replace("as in conftest", "")


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no maestro\.yaml"):
        listed(cwd=tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        listed("--repo", "absent", cwd=tmp_path)
