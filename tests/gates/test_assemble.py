"""What decides, when what decides changes: a changed setting judges everything that depends on it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gates.governed import FLAG, MANIFEST, SETTINGS, Answer, check, governed
from tests.support.git_repo import GitRepo

UNREADABLE = SETTINGS + "documnets: []\n"


def ahead(answer: Answer) -> list[tuple[str, str, str]]:
    """(rule, subject, mode) of what is announced for after the merge."""
    return [
        (one["rule"], one["subject"], one["mode"])
        for one in answer.findings()
        if one["message"].startswith("after the merge: ")
    ]


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return governed(
        tmp_path / "r",
        {
            "flags/c.yaml": FLAG,
            "manifests/n.yaml": MANIFEST,
            ".github/CODEOWNERS": "/docs/ @acme/docs\n",
            "manifests/d.yaml": MANIFEST.replace("nightly-report", "doc-report").replace("@acme/data", "@acme/docs"),
        },
    )


def test_an_owner_taken_from_maestro_yaml_is_announced_for_whoever_has_it(repo: GitRepo) -> None:
    repo.write("maestro.yaml", SETTINGS.replace('"@acme/checkout", "@acme/data", ', ""))
    answer = check(repo)
    assert ahead(answer) == [
        ("mc.documents/owner_unresolved", "Manifest/nightly-report", "warn"),
        ("mc.flags/owner_unresolved", "Flag/checkout-v2", "warn"),
    ]
    assert answer.code == 0


def test_an_owner_taken_from_codeowners_is_announced(repo: GitRepo) -> None:
    repo.write(".github/CODEOWNERS", "/docs/ @acme/platform\n")
    assert ahead(check(repo)) == [("mc.documents/owner_unresolved", "Manifest/doc-report", "warn")]


def test_a_shorter_life_is_announced_for_flags_that_live_longer(repo: GitRepo) -> None:
    repo.write("maestro.yaml", SETTINGS + "flags: {maximum_ttl_days: {release: 30}}\n")
    assert ahead(check(repo)) == [("mc.flags/ttl_too_long", "Flag/checkout-v2", "warn")]


def test_wider_patterns_announce_what_they_would_govern(repo: GitRepo) -> None:
    repo.commit({"more/flags.yaml": FLAG.replace("@acme/checkout", "@nobody").replace("checkout-v2", "more")})
    repo.git("branch", "-f", "main", "HEAD")
    repo.write("maestro.yaml", SETTINGS.replace('"flags/**"', '"flags/**", "more/**"'))
    assert ahead(check(repo)) == [("mc.flags/owner_unresolved", "Flag/more", "warn")]


def test_what_stands_already_is_not_announced_again(repo: GitRepo) -> None:
    repo.commit({"flags/old.yaml": FLAG.replace("checkout-v2", "old").replace("@acme/checkout", "@nobody")})
    repo.git("branch", "-f", "main", "HEAD")
    repo.write("maestro.yaml", SETTINGS + "flags: {maximum_ttl_days: {release: 91}}\n")
    answer = check(repo)
    assert ahead(answer) == []
    repo.write(
        "flags/old.yaml", FLAG.replace("checkout-v2", "old").replace("@acme/checkout", "@nobody") + "  notes: x\n"
    )
    assert [(one["rule"], one["existing"]) for one in check(repo).findings("flags")] == [
        ("mc.flags/owner_unresolved", True)
    ]


def test_a_comment_in_the_settings_announces_nothing(repo: GitRepo) -> None:
    repo.write("maestro.yaml", "# why\n" + SETTINGS)
    answer = check(repo)
    assert (answer.code, answer.findings()) == (0, [])


# A target whose maestro.yaml cannot be read.


@pytest.fixture
def stuck(tmp_path: Path) -> GitRepo:
    return governed(tmp_path / "r", {"maestro.yaml": UNREADABLE, "flags/c.yaml": FLAG})


@pytest.mark.parametrize(
    "files",
    [
        {"flags/c.yaml": FLAG + "  notes: x\n"},
        {"flags/c.yaml": FLAG + "  notes: x\n", "maestro.yaml": SETTINGS},
        {"README.md": "x\n"},
        {"maestro.yaml": UNREADABLE + "# still\n"},
        {},
    ],
)
def test_any_change_but_its_repair_is_2(stuck: GitRepo, files: dict[str, str]) -> None:
    stuck.commit(files)
    answer = check(stuck)
    assert (answer.code, answer.out) == (2, "")
    assert "maestro.yaml:4:1: the target's maestro.yaml cannot be read" in answer.err
    assert "a pull request that touches only maestro.yaml, policy/ or waivers/" in answer.err


def test_its_repair_is_judged_and_governance_still_asks(stuck: GitRepo) -> None:
    stuck.commit({"maestro.yaml": SETTINGS})
    answer = check(stuck)
    assert (answer.code, answer.report["preview"]) == (0, False)
    assert answer.rules("governance") == ["mc.governance/settings_changed"]
    assert answer.findings("governance")[0]["mode"] == "warn"


def test_where_somebody_is_named_the_repair_needs_them(tmp_path: Path) -> None:
    repo = governed(
        tmp_path / "r", {"maestro.yaml": UNREADABLE, ".github/CODEOWNERS": "/maestro.yaml @acme/platform\n"}
    )
    repo.commit({"maestro.yaml": SETTINGS})
    answer = check(repo)
    assert (answer.code, answer.rules("governance")) == (10, ["mc.governance/settings_changed"])


def test_a_removed_maestro_yaml_is_judged_by_the_one_that_decides(repo: GitRepo) -> None:
    repo.commit({"maestro.yaml": None, "flags/c.yaml": FLAG.replace("@acme/checkout", "@nobody")})
    answer = check(repo)
    assert (answer.code, answer.report["preview"]) == (10, False)
    assert "mc.governance/settings_changed" in answer.rules("governance")
    assert "mc.flags/owner_unresolved" in answer.rules("flags")


def test_the_settings_of_the_target_decide_not_those_on_the_disk(repo: GitRepo) -> None:
    repo.write(
        "maestro.yaml", SETTINGS.replace('documents: ["manifests/**", "flags/**", ', 'documents: ["manifests/**", ')
    )
    repo.write("flags/c.yaml", FLAG.replace("@acme/checkout", "@nobody"))
    answer = check(repo)
    assert "mc.flags/owner_unresolved" in answer.rules("flags")
    assert "mc.governance/narrower_documents" in answer.rules("governance")
