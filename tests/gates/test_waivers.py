from __future__ import annotations

from pathlib import Path

import pytest

from tests.gates.governed import MANIFEST, WAIVER, check, governed


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (("", ""), []),
        (("owner_unresolved", "owner_unresolvd"), ["mc.waivers/unknown_rule"]),
        (("2026-12-31", "2027-05-22"), []),
        (("2026-12-31", "2027-05-23"), ["mc.waivers/too_long"]),
        (("2026-12-31", "2026-11-23"), []),
        (("2026-12-31", "2026-11-22"), ["mc.waivers/expired"]),
    ],
    ids=["sound", "unknown rule", "last day", "too long", "today", "yesterday"],
)
def test_a_waiver(tmp_path: Path, change: tuple[str, str], rules: list[str]) -> None:
    repo = governed(tmp_path / "r", {"manifests/nightly.yaml": MANIFEST})
    repo.write("waivers/nightly.yaml", WAIVER.replace(*change))
    assert check(repo).rules("waivers") == rules


def test_an_unknown_rule_names_the_nearest_and_offers_it(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"manifests/nightly.yaml": MANIFEST})
    repo.write("waivers/nightly.yaml", WAIVER.replace("owner_unresolved", "owner_unresolvd"))
    [finding] = check(repo).findings("waivers")
    assert finding["fix"]["edits"][0]["text"] == "mc.documents/owner_unresolved"
    assert finding["location"]["line"] == 5


def test_a_waiver_of_what_does_not_exist_is_a_reference_to_nothing(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("waivers/nightly.yaml", WAIVER)
    assert check(repo).rules("documents") == ["mc.documents/reference"]


def test_two_waivers_of_one_finding(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"manifests/nightly.yaml": MANIFEST, "waivers/a.yaml": WAIVER})
    repo.write("waivers/b.yaml", WAIVER.replace("nightly-owner", "nightly-owner-2"))
    assert check(repo).rules("waivers") == ["mc.waivers/duplicate"]
