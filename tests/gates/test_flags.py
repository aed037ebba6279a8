from __future__ import annotations

from pathlib import Path

import pytest

from tests.gates.governed import FLAG, NOW, SETTINGS, check, governed

EXTENDED = '  extensions: [{to: 2027-02-10, reason: "the launch moved"}]\n'


def test_no_flag_touched_is_skipped(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"flags/checkout.yaml": FLAG})
    repo.write("README.md", "acme, again\n")
    assert check(repo).outcomes()["flags"] == "skipped"


def test_a_sound_flag_passes(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/checkout.yaml", FLAG)
    assert check(repo).outcomes()["flags"] == "passed"


def test_an_owner_nobody_is(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/checkout.yaml", FLAG.replace("@acme/checkout", "@acme/chekout"))
    [finding] = check(repo).findings()
    assert finding["rule"] == "mc.flags/owner_unresolved"
    assert finding["location"]["line"] == 5
    assert "did you mean @acme/checkout?" in finding["remedy"]


@pytest.mark.parametrize(
    ("kind", "ttl", "found"),
    [
        ("release", "2027-02-21", False),
        ("release", "2027-02-22", True),
        ("experiment", "2027-01-22", False),
        ("experiment", "2027-01-23", True),
        ("kill-switch", "2027-11-23", False),
        ("kill-switch", "2027-11-24", True),
    ],
)
def test_the_last_day_a_type_allows_is_the_last(tmp_path: Path, kind: str, ttl: str, found: bool) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/checkout.yaml", FLAG.replace("release", kind).replace("2027-02-01", ttl))
    assert check(repo).rules() == (["mc.flags/ttl_too_long"] if found else [])


def test_the_maximum_is_the_targets_not_the_changes(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("maestro.yaml", SETTINGS + "flags: {maximum_ttl_days: {release: 1000}}\n")
    repo.write("flags/checkout.yaml", FLAG.replace("2027-02-01", "2028-02-01"))
    assert "mc.flags/ttl_too_long" in check(repo).rules("flags")


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (FLAG.replace("2027-02-01", "2027-02-10"), True),
        (FLAG.replace("  ttl: 2027-02-01\n", ""), True),
        (FLAG.replace("2027-02-01", "2027-02-10") + EXTENDED, False),
        (FLAG.replace("2027-02-01", "2027-02-11") + EXTENDED, True),
        (FLAG.replace("2027-02-01", "2027-01-10"), False),
        (FLAG.replace("checkout", "check-out"), False),
    ],
    ids=["later", "taken away", "with reason", "reason for another day", "earlier", "another flag"],
)
def test_a_longer_life_needs_a_reason(tmp_path: Path, after: str, found: bool) -> None:
    repo = governed(tmp_path / "r", {"flags/checkout.yaml": FLAG})
    repo.write("flags/checkout.yaml", after)
    assert ("mc.flags/ttl_extended" in check(repo).rules()) is found


def test_moving_the_flag_to_another_file_hides_nothing(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"flags/checkout.yaml": FLAG})
    (repo.path / "flags/checkout.yaml").unlink()
    repo.write("flags/moved.yaml", FLAG.replace("2027-02-01", "2027-02-10"))
    assert check(repo).rules("flags") == ["mc.flags/ttl_extended"]


def test_a_key_used_twice_is_one_finding(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"flags/checkout.yaml": FLAG})
    repo.write("flags/again.yaml", FLAG)
    [finding] = check(repo).findings()
    assert (finding["rule"], finding["location"]["path"]) == ("mc.flags/duplicate_key", "flags/again.yaml")


def test_the_clock_set_back_finds_the_flag_too_long(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/checkout.yaml", FLAG)
    assert check(repo, now=NOW.replace(year=2025)).rules() == ["mc.flags/ttl_too_long"]
