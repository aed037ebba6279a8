"""`maestro policy parity`: what it says, what it writes, what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from maestro.cli import main
from maestro.world import World
from policy.engines import choose
from policy.engines.regopy_engine import RegopyEngine
from policy.parity.lock import LOCK_PATH, read_lock
from tests.policy.engines.lying import loses_deny
from tests.support.tools import tool

SETTINGS = "apiVersion: maestro-conductor/v1\npacks: [policy/packs/*]\n"
SIZE = """\
# METADATA
# custom: {mode: enforce, match: ["k8s/**"]}
package acme.size

import rego.v1

deny_large contains msg if {
	input.size > 3
	msg := sprintf("%v is too large", [input.size])
}
"""
NAMES = """\
# METADATA
# custom: {mode: warn, match: ["k8s/**"]}
package acme.names

import rego.v1

deny_old contains "old" if count(regex.split("[.]", input.version)) < 3
"""
FILES = {
    "maestro.yaml": SETTINGS,
    "policy/packs/size/size.rego": SIZE,
    "policy/packs/size/fixtures/large.yaml": "name: large\ninput: {size: 7}\nexpect: {deny: [acme.size/large]}\n",
    "policy/packs/names/names.rego": NAMES,
    "policy/packs/names/fixtures/old.yaml": 'name: old\ninput: {version: "1.8.0"}\nexpect: {deny: [acme.names/old]}\n',
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def parity(repo: Path, *arguments: str, conftest: bool = True) -> tuple[int, str, str]:
    path = str(Path(tool("conftest")).parent) if conftest else "/nowhere"
    out, err = io.StringIO(), io.StringIO()
    world = World(environ={"PATH": path}, cwd=repo, stdout=out, stderr=err)
    code = main(["policy", "parity", *arguments], world)
    return code, out.getvalue(), err.getvalue()


def test_written_checked_and_read(repo: Path, snapshot: SnapshotAssertion) -> None:
    code, out, err = parity(repo, "--write")
    assert (code, err) == (0, "policy/parity.lock is written\n")
    assert out == snapshot(name="said")
    data = (repo / LOCK_PATH).read_bytes()
    assert data.decode() == snapshot(name="lock")
    assert parity(repo, "--write")[2] == "policy/parity.lock was like this already\n"
    assert parity(repo, "--check")[::2] == (0, "policy/parity.lock says the same\n")
    report = json.loads(parity(repo, "--format", "json")[1])
    assert report["packs"] == json.loads(data)["packs"]
    assert report["differs"] == []
    assert (repo / LOCK_PATH).read_bytes() == data
    assert sorted(path.name for path in (repo / "policy").iterdir()) == ["packs", "parity.lock"]


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("policy/packs/size/size.rego", SIZE.replace("> 3", "> 4"), "acme.size: the lock is about other rules"),
        ("policy/packs/size/fixtures/b.yaml", "name: b\ninput: {}\nexpect: {deny: []}\n", "about other inputs than"),
        (LOCK_PATH, None, "there is no policy/parity.lock"),
        (LOCK_PATH, "garbage", "policy/parity.lock cannot be used: it is not JSON"),
        ("maestro.yaml", SETTINGS.replace("*", "size"), "acme.names: is in the lock, and no pack here"),
    ],
)
def test_what_differs(repo: Path, path: str, text: str | None, says: str) -> None:
    parity(repo, "--write")
    if text is None:
        (repo / path).unlink()
    else:
        (repo / path).write_text(text)
    code, _, err = parity(repo, "--check")
    assert code == 10
    assert says in err
    assert "maestro policy parity --write" in err


def test_an_edited_count_or_verdict(repo: Path) -> None:
    parity(repo, "--write")
    path = repo / LOCK_PATH
    text = path.read_text()
    path.write_text(text.replace('"reached": 1', '"reached": 2'))
    code, _, err = parity(repo, "--check")
    assert code == 10 and "acme.size: the lock says alike" in err
    value = json.loads(text)
    value["packs"]["acme.names"].update(alike=True)
    del value["packs"]["acme.names"]["why"]
    path.write_text(json.dumps(value))
    code, _, err = parity(repo, "--check")
    assert code == 10 and "acme.names: the lock says alike" in err and "regex.split" in err


def test_comments_and_modes_need_no_new_lock(repo: Path) -> None:
    parity(repo, "--write")
    module = repo / "policy/packs/size/size.rego"
    module.write_text(SIZE.replace("mode: enforce", "mode: warn").replace("import", "# why\n\nimport"))
    assert parity(repo, "--check")[0] == 0


def test_one_pack_keeps_the_rest(repo: Path) -> None:
    parity(repo, "--write")
    before = read_lock((repo / LOCK_PATH).read_bytes())
    (repo / "policy/packs/size/size.rego").write_text(SIZE.replace("> 3", "> 4"))
    code, out, _ = parity(repo, "acme.size", "--write")
    assert code == 0 and "acme.names" not in out
    after = read_lock((repo / LOCK_PATH).read_bytes())
    assert after.packs["acme.names"] == before.packs["acme.names"]
    assert after.packs["acme.size"] != before.packs["acme.size"]
    assert parity(repo, "policy/packs/size/", "--check")[0] == 0
    (repo / LOCK_PATH).write_text("garbage")
    code, _, err = parity(repo, "acme.size", "--write")
    assert code == 2 and "cannot be kept" in err
    assert parity(repo, "--write")[0] == 0


def test_a_difference_is_shown(repo: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    monkeypatch.setattr(choose, "unlocked_regopy", lambda: loses_deny(lambda value: value.get("size") == 7))
    code, out, _ = parity(repo, "acme.size")
    assert code == 0
    assert out == snapshot


def test_without_conftest_nothing_is_known(repo: Path) -> None:
    code, out, err = parity(repo, "--check", conftest=False)
    assert (code, out) == (1, "")
    assert "conftest is not on PATH" in err and "make tools" in err


def test_bad_use(repo: Path) -> None:
    assert parity(repo, "--repo", "nowhere")[0] == 2
    assert parity(repo, "--write", "--check")[0] == 2
    code, _, err = parity(repo, "acme.sizes")
    assert code == 3 and "acme.size" in err
    (repo / "maestro.yaml").write_text(SETTINGS.replace("[policy/packs/*]", "[]"))
    assert parity(repo)[0] == 3
    (repo / "maestro.yaml").unlink()
    assert parity(repo)[0] == 2
    (repo / "maestro.yaml").write_text(SETTINGS)
    (repo / "policy/packs/size/size.rego").write_text("no package\n")
    code, _, err = parity(repo)
    assert code == 1 and "policy/packs/size/size.rego" in err


def test_no_file_is_written_through_a_link(repo: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    (repo / LOCK_PATH).symlink_to(outside)
    code, _, err = parity(repo, "acme.size", "--write")
    assert code == 2 and "link" in err
    code, _, err = parity(repo, "--write")
    assert code == 2 and "link" in err
    assert outside.read_text() == "mine"


def test_the_engine_is_not_kept_to_a_lock_while_the_lock_is_made() -> None:
    assert isinstance(choose.unlocked_regopy(), RegopyEngine)
