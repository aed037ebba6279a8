"""``maestro policy stage``: proposes when the evidence allows, and edits the METADATA in place."""

from __future__ import annotations

import datetime as dt
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from policy.recorded_decision import RecordedDecision, RecordedReason
from policy.recorded_json import to_line
from tests.gates.governed import MANIFEST, Answer, maestro
from tests.gates.test_staged import PACK, PATH, staged
from tests.policy.memory_files import load, pack_of
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

COMMENTED = PACK.replace("CUSTOM", "mode:  shadow   # on trial")
TIMELY = MANIFEST.rstrip() + "\n  timeout: 10m\n"


def decision(source: str, mode: str, day: int, **changes: object) -> RecordedDecision:
    base = RecordedDecision(
        made_at=dt.datetime(2026, 11, 1 + day % 20, 9, tzinfo=dt.UTC),
        phase="merge",
        commit="1" * 40,
        policy_revision="2" * 40,
        pack="acme.timeouts",
        pack_digest=load({PATH: source}).packs[0].digest,
        mode=mode,
        engine="conftest",
        subject=f"Manifest/job-{day % 13}",
        path="manifests/job.yaml",
        owner=None,
        input_digest="sha256:" + "0" * 64,
        allow=True,
        reasons=(RecordedReason("acme.timeouts/no_timeout", mode),) if day % 10 == 0 else (),
        error=None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def record(repo: GitRepo, decisions: list[RecordedDecision]) -> None:
    repo.write("../decisions.jsonl", b"".join(map(to_line, decisions)).decode())


def stage(repo: GitRepo, *arguments: str, name: str = "acme.timeouts") -> Answer:
    environ = {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}
    return maestro(repo, "policy", "stage", name, "--decisions", "../decisions.jsonl", *arguments, environ=environ)


def repository(folder: Path, source: str, manifest: str = MANIFEST) -> GitRepo:
    return staged(folder, "", {PATH: source, "manifests/nightly.yaml": manifest})


def test_too_little_is_refused_with_what_is_lacking(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", COMMENTED)
    old = decision(COMMENTED, "shadow", 1, pack_digest="sha256:" + "e" * 64)
    record(repo, [decision(COMMENTED, "shadow", day % 3) for day in range(41)] + [old] * 500)
    answer = stage(repo)
    assert (answer.code, answer.out) == (10, "")
    assert "not yet: 41 of 100 decisions; 3 of 7 days\n" in answer.err
    assert "500 by another version or in another mode, which prove nothing" in answer.err
    assert "  @acme/data: 1\n    manifests/nightly.yaml:1  Manifest/nightly-report" in answer.err


def test_enough_is_a_patch_that_git_applies_and_nothing_else_moves(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", COMMENTED)
    record(repo, [decision(COMMENTED, "shadow", day) for day in range(100)])
    answer = stage(repo)
    assert answer.code == 0
    assert "recorded: 100 decisions about 13 subjects on 20 days; it spoke in 10" in answer.err
    assert (repo.path / PATH).read_text() == COMMENTED
    subprocess.run(["git", "apply"], cwd=repo.path, input=answer.out.encode(), check=True)
    assert (repo.path / PATH).read_text() == COMMENTED.replace("shadow ", "warn ")
    repo.write(PATH, COMMENTED)
    assert stage(repo, "--write").code == 0
    assert (repo.path / PATH).read_text() == COMMENTED.replace("shadow ", "warn ")


def test_enforcing_waits_for_those_it_would_block_or_for_a_day(tmp_path: Path) -> None:
    warned = COMMENTED.replace("shadow", "warn")
    repo = repository(tmp_path / "r", warned)
    record(repo, [decision(warned, "warn", day) for day in range(100)])
    answer = stage(repo)
    assert answer.code == 10
    assert "not yet: 1 document would be blocked at once" in answer.err
    assert "--on DATE" in answer.err
    assert stage(repo, "--blocked", "1").code == 0
    assert stage(repo, "--on", "2027-01-15", "--write").code == 0
    text = (repo.path / PATH).read_text()
    assert "#   mode:  enforce   # on trial\n" in text
    assert text.count("effective_on") == 1
    pack = pack_of(text)
    assert (pack.mode, pack.effective_on) == ("enforce", dt.date(2027, 1, 15))
    again = stage(repo)
    assert again.code == 0
    assert "warn, and enforce from 2027-01-15 on: nothing to do" in again.err
    repo.write("manifests/nightly.yaml", TIMELY)
    repo.write(PATH, warned)
    assert stage(repo).code == 0


def test_a_past_day_goes_with_its_mode(tmp_path: Path) -> None:
    source = PACK.replace("CUSTOM", "mode: warn\n#   effective_on: 2026-11-01  # announced")
    repo = repository(tmp_path / "r", source, TIMELY)
    record(repo, [decision(source, "warn", day) for day in range(100)])
    assert stage(repo, "--write").code == 0
    assert (repo.path / PATH).read_text() == PACK.replace("CUSTOM", "mode: enforce")


def test_no_answer_is_no_evidence(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", COMMENTED)
    bad = decision(COMMENTED, "shadow", 1, allow=False, error="it broke")
    record(repo, [decision(COMMENTED, "shadow", day) for day in range(100)] + [bad])
    answer = stage(repo)
    assert answer.code == 10
    assert "not yet: 1 decision had no answer" in answer.err


RULE = COMMENTED.replace("mode:  shadow   # on trial", "mode: warn").replace(
    "deny_no_timeout", "# METADATA\r\n# custom: {mode: shadow}\r\ndeny_no_timeout"
)


def test_one_rule_is_staged_in_its_own_block_up_to_its_pack(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", RULE)
    record(repo, [decision(RULE, "warn", day) for day in range(100)])
    assert stage(repo, "--write", name="acme.timeouts/no_timeout").code == 0
    assert (repo.path / PATH).read_bytes().decode() == RULE.replace("{mode: shadow}", "{mode: warn}")
    answer = stage(repo, name="acme.timeouts/no_timeout")
    assert answer.code == 2
    assert "its pack is warn" in answer.err


@pytest.mark.parametrize(
    ("name", "arguments", "code", "words"),
    [
        ("acme.timeout", (), 3, "did you mean acme.timeouts?"),
        ("acme.timeouts/no_timeout", (), 2, "has the mode of its pack, shadow"),
        ("acme.timeouts", ("--on", "2026-11-23"), 2, "leaves nobody a day to prepare"),
        ("acme.timeouts", ("--on", "20270115"), 2, "--on wants a date"),
        ("acme.timeouts", ("--decisions", "none.jsonl"), 3, "there is no such file"),
        ("acme.timeouts", ("--min-days", "-1"), 2, "is no number"),
    ],
)
def test_what_cannot_be(tmp_path: Path, name: str, arguments: tuple[str, ...], code: int, words: str) -> None:
    repo = repository(tmp_path / "r", COMMENTED)
    record(repo, [])
    answer = stage(repo, *arguments, name=name)
    assert (answer.code, words in answer.err) == (code, True), answer.err


def test_a_mode_in_maestro_yaml_is_edited_there(tmp_path: Path) -> None:
    settings = (
        "apiVersion: maestro-conductor/v1\ndocuments: ['manifests/**']\npacks:\n"
        "  - {path: policy/conftest, namespace: main, mode: shadow, match: ['k8s/**']}  # theirs\n"
    )
    source = 'package main\n\ndeny_x contains "x" if input.x\n'
    repo = staged(
        tmp_path / "r",
        "",
        {"maestro.yaml": settings, "policy/conftest/x.rego": source, "manifests/nightly.yaml": MANIFEST},
    )
    repo.write("../decisions.jsonl", "")
    answer = stage(repo, "--min-decisions", "0", "--min-days", "0", "--write", name="main")
    assert answer.code == 0, answer.err
    assert (repo.path / "maestro.yaml").read_text() == settings.replace("mode: shadow", "mode: warn")
    dated = stage(repo, "--min-decisions", "0", "--min-days", "0", "--on", "2027-01-15", name="main")
    assert dated.code == 2
    assert "no METADATA block" in dated.err
