"""The gate keeps the lock true, with conftest by asking again, without by saying that it cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policy.parity.lock import LOCK_PATH
from tests.gates.governed import SETTINGS, Answer, check, governed, maestro
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

MODULE = "policy/packs/size/size.rego"
FIXTURE = "policy/packs/size/fixtures/large.yaml"
SIZE = """\
# METADATA
# custom: {mode: enforce, owner: "@acme/platform", match: ["k8s/**"]}
package acme.size

import rego.v1

deny_large contains "too large" if input.size > 3
"""
STRICTER = SIZE.replace("> 3", "> 2")
FILES: Mapping[str, str | bytes | None] = {
    "maestro.yaml": SETTINGS + "packs: [policy/packs/*]\n",
    MODULE: SIZE,
    FIXTURE: "name: large\ninput: {size: 7}\nexpect: {deny: [acme.size/large]}\n",
    "k8s/one.yaml": "size: 1\n",
}


def conftest(repo: GitRepo) -> dict[str, str]:
    return {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}


def write(repo: GitRepo) -> str:
    """The lock as both engines give it now; not committed."""
    answer = maestro(repo, "policy", "parity", "--write", environ=conftest(repo))
    assert answer.code == 0, answer.err
    return (repo.path / LOCK_PATH).read_text()


def repository(folder: Path, *, locked: bool = True) -> GitRepo:
    """Governed, with a true lock on main; on the branch `change`."""
    repo = governed(folder, FILES)
    if locked:
        repo.checkout("main")
        write(repo)
        repo.commit({LOCK_PATH: (repo.path / LOCK_PATH).read_bytes()}, "Lock")
        repo.checkout("change")
        repo.git("reset", "-q", "--hard", "main")
    return repo


def judged(repo: GitRepo, *arguments: str, with_conftest: bool = True) -> Answer:
    environ = conftest(repo) if with_conftest else None
    answer = check(repo, "--target", "main", "--head", "HEAD", "--gate", "policy-parity", *arguments, environ=environ)
    assert answer.out, answer.err
    return answer


def told(answer: Answer) -> list[tuple[str, str]]:
    return [(finding["rule"].partition("/")[2], finding["mode"]) for finding in answer.findings("policy-parity")]


def test_what_touches_no_pack_is_not_in_scope(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({"k8s/one.yaml": "size: 2\n"})
    assert judged(repo, with_conftest=False).outcomes() == {"policy-parity": "skipped"}
    assert judged(repo, "--all", with_conftest=False).outcomes() == {"policy-parity": "passed"}


def test_without_a_lock_there_is_nothing_to_keep_true(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", locked=False)
    repo.commit({MODULE: STRICTER})
    answer = judged(repo, with_conftest=False)
    assert answer.outcomes() == {"policy-parity": "skipped"}
    assert "there is no policy/parity.lock" in answer.reason("policy-parity")


def test_a_pack_without_its_entry_and_the_cure(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: STRICTER})
    for with_conftest in (True, False):
        answer = judged(repo, with_conftest=with_conftest)
        assert (answer.code, told(answer)) == (10, [("stale", "enforce")]), "a digest needs no engine"
        [finding] = answer.findings()
        assert "about other rules or data than the pack has now" in finding["message"]
        assert "maestro policy parity --write acme.size" in finding["remedy"]
        assert finding["subject"] == "Pack/acme.size" and finding["owner"] == "@acme/platform"
    write(repo)
    repo.commit({LOCK_PATH: (repo.path / LOCK_PATH).read_bytes()})
    assert judged(repo).outcomes() == {"policy-parity": "passed"}
    answer = judged(repo, with_conftest=False)
    assert (answer.code, told(answer)) == (10, [("not_recomputed", "enforce")]), "never passed in silence"
    assert "conftest is not on PATH" in answer.findings()[0]["message"]


def test_a_mode_or_a_comment_needs_no_new_entry(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: "# ours\n\n" + SIZE.replace("enforce", "warn")})
    assert judged(repo, with_conftest=False).outcomes() == {"policy-parity": "passed"}


def test_fixtures_that_change_what_is_asked(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({"policy/packs/size/fixtures/small.yaml": "name: small\ninput: {size: 1, a: b}\nexpect: {deny: []}\n"})
    answer = judged(repo, with_conftest=False)
    assert told(answer) == [("stale", "enforce")]
    assert "about other inputs than the fixtures give now" in answer.findings()[0]["message"]


def edited(repo: GitRepo, **changes: Any) -> str:
    value = json.loads((repo.path / LOCK_PATH).read_text())
    for key, change in changes.items():
        value["packs"]["acme.size"][key] = change
    return json.dumps(value, indent=2) + "\n"


def test_an_edited_lock_is_not_believed(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({LOCK_PATH: edited(repo, bodies={"of": 1, "reached": 0})})
    answer = judged(repo)
    assert told(answer) == [("untrue", "enforce")]
    assert "says 26 equal, 11 refused, 0 of 1 bodies; asking gives 26, 11, 1 of 1" in answer.findings()[0]["message"]
    assert told(judged(repo, with_conftest=False)) == [("not_recomputed", "enforce")]


def test_an_entry_that_says_alike_of_what_is_not(tmp_path: Path) -> None:
    """The digests are right, so only asking tells."""
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: SIZE + 'deny_old contains "old" if count(regex.split("[.]", input.v)) < 3\n'})
    write(repo)
    value = json.loads((repo.path / LOCK_PATH).read_text())
    entry = value["packs"]["acme.size"]
    assert entry["alike"] is False
    repo.commit({LOCK_PATH: json.dumps(value)})
    assert judged(repo).code == 0, "honestly not alike: conftest judges it, and regopy does not"
    entry["alike"] = True
    del entry["why"]
    repo.commit({LOCK_PATH: json.dumps(value)})
    answer = judged(repo)
    assert told(answer) == [("untrue", "enforce")]
    assert "regex.split is not proven" in answer.findings()[0]["message"]


@pytest.mark.parametrize("with_conftest", [True, False])
def test_pack_fixtures_lock_and_manifest_together_wave_nothing_through(tmp_path: Path, with_conftest: bool) -> None:
    """The manifest is judged by main's pack, by an engine that main's lock allows; the pack needs its owner."""
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: SIZE.replace("> 3", "> 30"), FIXTURE: FILES[FIXTURE].replace("7", "70")})  # type: ignore[union-attr,arg-type]
    write(repo)
    repo.commit({LOCK_PATH: (repo.path / LOCK_PATH).read_bytes(), "k8s/two.yaml": "size: 7\n"})
    environ = conftest(repo) if with_conftest else None
    answer = check(repo, "--target", "main", "--head", "HEAD", environ=environ)
    assert answer.code == 10, answer.err
    stopped = {finding["rule"]: finding.get("location", {}).get("path") for finding in answer.findings()}
    assert stopped["acme.size/large"] == "k8s/two.yaml", stopped
    assert "mc.governance/pack_changed" in stopped
    assert ("mc.policy-diff/deny_to_allow" if with_conftest else "mc.policy-parity/not_recomputed") in stopped


@pytest.mark.parametrize(
    ("content", "rule", "says"),
    [
        ("garbage\n", "unreadable", "it is not JSON"),
        ('{\n "schema": "maestro-conductor/parity-lock/v2"}\n', "unreadable", "another version of Maestro"),
        ('{"packs": {}, "packs": {}}', "unreadable", "a member stands twice: 'packs'"),
        (" " * (5 << 20), "unreadable", "it has 5,242,880 bytes"),
        ("1.5.2→1.5.3", "stale", "was made with regopy 1.5.3, and here 1.5.2 would judge"),
        ('"method": 1→"method": 2', "stale", "asks other inputs"),
        ("acme.size→acme.sizes", "stale", "has no entry for this pack"),
    ],
)
def test_bad_locks(tmp_path: Path, content: str, rule: str, says: str) -> None:
    repo = repository(tmp_path / "r")
    if "→" in content:
        old, new = content.split("→")
        content = (repo.path / LOCK_PATH).read_text().replace(old, new)
    repo.commit({LOCK_PATH: content})
    answer = judged(repo, with_conftest=False)
    assert answer.code == 10
    assert (rule, "enforce") in told(answer)
    assert says in answer.findings()[0]["message"]
    assert "maestro policy parity --write" in answer.findings()[0]["remedy"]


def test_another_packs_digest(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    other = "policy/packs/other/other.rego"
    repo.commit({other: SIZE.replace("acme.size", "acme.other")})
    value = json.loads((repo.path / LOCK_PATH).read_text())
    value["packs"]["acme.other"] = value["packs"]["acme.size"]
    repo.commit({LOCK_PATH: json.dumps(value)})
    answer = judged(repo)
    assert told(answer) == [("stale", "enforce")]
    assert answer.findings()[0]["subject"] == "Pack/acme.other"


def test_an_entry_of_a_pack_that_is_gone(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: None, FIXTURE: None, "maestro.yaml": SETTINGS})
    answer = judged(repo, with_conftest=False)
    assert told(answer) == [("stale", "enforce")]
    assert "acme.size, which is no pack that judges here" in answer.findings()[0]["message"]


def test_a_lock_taken_away_is_said(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({LOCK_PATH: None})
    answer = judged(repo, with_conftest=False)
    assert (answer.code, told(answer)) == (0, [("removed", "warn")])


def test_a_preview_decides_nothing(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    repo.commit({"README.md": "acme\n"})
    repo.branch("change")
    repo.commit(dict(FILES) | {LOCK_PATH: "garbage"})
    assert judged(repo, with_conftest=False).outcomes() == {"policy-parity": "skipped"}
