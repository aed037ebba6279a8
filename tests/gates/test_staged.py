"""Rules that harden on a date, seen through ``maestro check`` and ``maestro run``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.gates.governed import FLAG, MANIFEST, SETTINGS, Answer, governed, maestro
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

SETTINGS_WITH_PACKS = SETTINGS + "packs: [policy/packs/*]\n"
PACK = """\
# METADATA
# title: A job says how long it may take
# custom:
#   CUSTOM
#   owner: "@acme/platform"
#   input: manifest-change
package acme.timeouts

deny_no_timeout contains "it may run for ever" if not input.manifest.spec.timeout
"""
ON = "effective_on: 2026-12-01"
BEFORE = dt.datetime(2026, 11, 30, 23, 59, 59, tzinfo=dt.UTC)
DAY = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
WEST = dt.timezone(dt.timedelta(hours=-8))
PATH = "policy/packs/timeouts/timeouts.rego"


def staged(folder: Path, custom: str = ON, files: dict[str, str] | None = None) -> GitRepo:
    found = {"maestro.yaml": SETTINGS_WITH_PACKS, PATH: PACK.replace("CUSTOM", custom), **(files or {})}
    return governed(folder, found)


def checked(repo: GitRepo, *arguments: str, now: dt.datetime = BEFORE, form: str = "json") -> Answer:
    environ = {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}
    return maestro(repo, "check", "--format", form, "--engine", "conftest", *arguments, environ=environ, now=now)


def found(answer: Answer) -> list[tuple[str, str, object, str]]:
    return [
        (one["rule"], one["mode"], one["hardens"], one["message"])
        for one in answer.findings("policy")
        if one["rule"].startswith("acme.")
    ]


def test_it_warns_until_the_evening_before_and_blocks_from_the_day_on(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r")
    repo.write("manifests/nightly.yaml", MANIFEST)
    before, then = checked(repo), checked(repo, now=DAY)
    what = "it may run for ever"
    assert found(before) == [("acme.timeouts/no_timeout", "warn", {"on": "2026-12-01", "mode": "enforce"}, what)]
    assert found(then) == [("acme.timeouts/no_timeout", "enforce", None, what)]
    assert (before.code, then.code) == (0, 10)
    one, other = before.findings("policy")[0], then.findings("policy")[0]
    assert one["fingerprint"] == other["fingerprint"], "what is known stays known"
    assert "blocks from 2026-12-01 on" in checked(repo, form="terminal").err


def test_the_day_is_that_of_utc(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r")
    repo.write("manifests/nightly.yaml", MANIFEST)
    assert checked(repo, now=dt.datetime(2026, 11, 30, 16, tzinfo=WEST)).code == 10
    assert checked(repo, now=dt.datetime(2026, 11, 30, 15, 59, tzinfo=WEST)).code == 0


def test_what_was_there_before_the_day_stays_existing_after_it(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r", files={"manifests/nightly.yaml": MANIFEST})
    repo.write("manifests/nightly.yaml", MANIFEST + "  # touched\n")
    answer = checked(repo, now=DAY)
    assert answer.code == 0
    assert [one["existing"] for one in answer.findings("policy")] == [True]


def test_a_day_that_only_the_pull_request_brings_puts_nothing_off(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r", "mode: enforce")
    repo.write("manifests/nightly.yaml", MANIFEST)
    repo.write(PATH, PACK.replace("CUSTOM", "effective_on: 2027-06-01"))
    answer = checked(repo)
    assert answer.code == 10
    assert ("acme.timeouts/no_timeout", "enforce", None, "it may run for ever") in found(answer)
    milder = [one for one in answer.findings("governance") if one["rule"] == "mc.governance/milder_mode"]
    assert milder and "goes from enforce to warn" in milder[0]["message"]


def test_a_day_that_is_moved_back_is_milder(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r")
    repo.write(PATH, PACK.replace("CUSTOM", "effective_on: 2027-06-01"))
    [one] = checked(repo).findings("governance")
    assert one["rule"] == "mc.governance/milder_mode"
    assert one["message"] == ("pack acme.timeouts would be warn and not enforce on 2026-12-01 for every manifest")
    assert (one["location"]["path"], one["location"]["line"]) == (PATH, 4)


def test_a_stricter_mode_that_is_announced_for_later_is_given_up(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r")
    repo.write(PATH, PACK.replace("CUSTOM", "mode: warn"))
    [one] = checked(repo).findings("governance")
    assert "would be warn and not enforce on 2026-12-01" in one["message"]


@pytest.mark.parametrize("custom", ["effective_on: 2026-12-01", "effective_on: 2026-12-10"])
def test_a_day_that_is_brought_announces_whom_it_will_stop(tmp_path: Path, custom: str) -> None:
    repo = staged(tmp_path / "r", "mode: warn", {"manifests/nightly.yaml": MANIFEST})
    repo.write(PATH, PACK.replace("CUSTOM", custom))
    [one] = found(checked(repo))
    assert one[1:] == ("warn", {"on": custom[-10:], "mode": "enforce"}, "after the merge: it may run for ever")
    assert found(checked(repo, now=dt.datetime(2026, 12, 11, tzinfo=dt.UTC)))[0][2] is None


@pytest.mark.parametrize("text", ["effective_on: 2026-13-01", "efective_on: 2026-12-01"])
def test_a_day_that_is_none_is_found_in_the_pull_request_on_its_line(tmp_path: Path, text: str) -> None:
    repo = staged(tmp_path / "r", "mode: warn")
    repo.write(PATH, PACK.replace("CUSTOM", text))
    answer = checked(repo)
    [one] = [
        one for one in answer.findings("policy") if one["rule"] in ("mc.policy/effective_on", "mc.policy/metadata")
    ]
    assert (one["location"]["path"], one["location"]["line"]) == (PATH, 4)
    assert answer.code == 10


def test_a_day_that_is_none_at_the_target_lets_nothing_pass(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r", "effective_on: soon")
    repo.write("manifests/nightly.yaml", MANIFEST)
    answer = checked(repo)
    assert answer.code == 10
    assert f"{PATH}:4: effective_on is 'soon'" in answer.reason("policy")


def test_ahead_lists_by_owner_what_will_block_and_blocks_nobody(tmp_path: Path) -> None:
    flag = FLAG.replace("2027-02-01", "2026-12-05")
    flags = (
        PACK.replace("timeouts", "ends").replace("manifest-change", "flag-change").replace("CUSTOM", "mode: enforce")
    )
    flags = flags.replace("not input.manifest.spec.timeout", "input.flag.ttl < substring(input.now, 0, 10)")
    files = {
        "manifests/nightly.yaml": MANIFEST,
        "flags/checkout.yaml": flag,
        "policy/packs/ends/ends.rego": flags,
    }
    repo = staged(tmp_path / "r", files=files)
    answer = checked(repo, "--all", "--ahead", "14d", now=dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC))
    assert answer.code == 0
    ahead = answer.report["ahead"]
    assert (ahead["days"], ahead["as_of"], ahead["errors"]) == (14, "2026-12-07T12:00:00Z", [])
    assert [(one["subject_owner"], one["subject"], one["mode"], one["on"]) for one in ahead["findings"]] == [
        ("@acme/checkout", "Flag/checkout-v2", "enforce", None),
        ("@acme/data", "Manifest/nightly-report", "enforce", "2026-12-01"),
    ]
    near = checked(repo, "--all", "--ahead", "7d", now=dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC))
    assert near.report["ahead"]["findings"] == []
    text = checked(repo, "--all", "--ahead", "14d", form="terminal", now=dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC))
    assert "would begin to block by 2026-12-07 (14 days ahead): 2" in text.err
    assert "  @acme/data: 1\n" in text.err
    assert "(from 2026-12-01 on, already on the target branch)" in text.err
    page = checked(repo, "--all", "--ahead", "14d", form="markdown", now=dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC))
    assert "`@acme/checkout`: 1" in page.out


def test_ahead_knows_waivers_that_end_and_what_blocks_already(tmp_path: Path) -> None:
    waiver = (
        "apiVersion: maestro-conductor/v1\nkind: Waiver\nmetadata: {name: w}\nspec:\n"
        "  rule: acme.timeouts/no_timeout\n  subject: Manifest/nightly-report\n  until: UNTIL\n  reason: moving\n"
    )
    for until, expected in (("2026-12-05", ["Manifest/nightly-report"]), ("2026-12-31", [])):
        files = {"manifests/nightly.yaml": MANIFEST, "waivers/w.yaml": waiver.replace("UNTIL", until)}
        repo = staged(tmp_path / until, "mode: enforce", files)
        ahead = checked(repo, "--all", "--ahead", "10d", now=DAY).report["ahead"]
        assert [one["subject"] for one in ahead["findings"]] == expected
    repo = staged(tmp_path / "now", "mode: enforce", {"manifests/nightly.yaml": MANIFEST})
    assert checked(repo, "--all", "--ahead", "10d", now=DAY).report["ahead"]["findings"] == []


@pytest.mark.parametrize("text", ["14", "0d", "-1d", "2w", "367d", "14 d", "١٤d"])
def test_days_are_days(tmp_path: Path, text: str) -> None:
    answer = checked(staged(tmp_path / "r"), "--all", f"--ahead={text}")
    assert answer.code == 2
    assert "--ahead wants days, such as 14d" in answer.err


def test_the_policy_diff_shows_a_day_that_moves(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r", "mode: warn", {"manifests/nightly.yaml": MANIFEST})
    repo.write(PATH, PACK.replace("CUSTOM", ON))
    environ = {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}
    answer = maestro(repo, "policy", "diff", environ=environ, now=BEFORE)
    assert "mode of acme.timeouts: warn → warn, enforce from 2026-12-01 on" in answer.err
    assert "Manifest/nightly-report  @acme/data" in answer.err


def test_metrics_count_what_was_judged_and_not_what_it_was_compared_with(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r", files={"manifests/nightly.yaml": MANIFEST})
    repo.write("manifests/nightly.yaml", MANIFEST + "  # touched\n")
    checked(repo, "--metrics", "maestro.prom", "--ahead", "14d")
    text = (repo.path / "maestro.prom").read_text()
    assert 'mc_policy_decisions_total{mode="warn",outcome="warn",pack="acme.timeouts"} 1.0\n' in text
    assert "mc_policy_sim_ms_count 1.0\n" in text
    assert text.endswith("# EOF\n")
    answer = checked(repo, "--metrics", "no/such/folder/maestro.prom")
    assert answer.code == 1
    assert "the metrics could not be written" in answer.err


def test_simulation_tells_what_is_announced_and_counts(tmp_path: Path) -> None:
    repo = staged(tmp_path / "r", files={"manifests/nightly.yaml": MANIFEST})
    environ = {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}
    arguments = ("simulate", "-m", "manifests/nightly.yaml", "--metrics", "m.prom")
    before = maestro(repo, *arguments, environ=environ, now=BEFORE)
    assert (before.code, "[warn, enforce from 2026-12-01 on]" in before.err) == (0, True)
    assert 'outcome="warn"' in (repo.path / "m.prom").read_text()
    assert maestro(repo, *arguments, environ=environ, now=DAY).code == 10
    assert 'outcome="deny"' in (repo.path / "m.prom").read_text()
