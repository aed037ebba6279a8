"""An author tries to change what decides without anybody's agreement."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gates.governed import FLAG, SETTINGS, WAIVER, check, governed
from tests.security.test_what_is_judged import PACK
from tests.support.git_repo import GitRepo

EVERYTHING = SETTINGS.replace('["manifests/**", "flags/**", "pools/**", "waivers/**"]', '["**"]')
REPLICAS = "policy/packs/replicas/replicas.rego"


def blocked_by(repo: GitRepo) -> list[str]:
    answer = check(repo, "--head", "HEAD", "--gate", "governance")
    assert answer.code in (0, 10)
    return [one["rule"].removeprefix("mc.governance/") for one in answer.findings() if one["mode"] == "enforce"]


@pytest.mark.parametrize("place", [".github/CODEOWNERS", "CODEOWNERS"])
def test_a_second_codeowners_needs_the_owners_of_the_one_in_force(tmp_path: Path, place: str) -> None:
    """GitHub's order makes it replace the other, whose own line does not name the new place."""
    owners = "/docs/ @acme/security\n/policy/ @acme/security\n"
    repo = governed(tmp_path / "r", {REPLICAS: PACK, "docs/CODEOWNERS": owners})
    repo.commit({place: "* @acme/checkout\n"})
    assert blocked_by(repo) == ["owners_changed"]


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("maestro.yaml", SETTINGS + "packs: []\n", "pack_removed"),
        ("maestro.yaml", SETTINGS + "allowed_signers: flags/mine\n", "trust_changed"),
        ("maestro.yaml", SETTINGS + "break_glass: {approvals: 1}\n", "milder_setting"),
        ("waivers/w.yaml", WAIVER, "waiver_changed"),
        (".github/workflows/x.yml", "on: push\n", "workflow_changed"),
        (".circleci/config.yml", "version: 2.1\n", "workflow_changed"),
        ("Jenkinsfile", "pipeline {}\n", "workflow_changed"),
        ("CODEOWNERS", "* @acme/checkout\n", "owners_changed"),
    ],
)
def test_whoever_is_named_for_one_file_that_decides_is_not_passed_by_through_another(
    tmp_path: Path, path: str, text: str, rule: str
) -> None:
    repo = governed(tmp_path / "r", {REPLICAS: PACK, "CODEOWNERS": "/policy/ @acme/security\n"})
    repo.commit({path: text})
    assert blocked_by(repo) == [rule]


def test_owners_of_ordinary_files_answer_for_nothing_that_decides(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {REPLICAS: PACK, "CODEOWNERS": "/src/ @acme/checkout\n"})
    repo.commit({REPLICAS: PACK.replace("< 2", "< 1")})
    assert blocked_by(repo) == [], "nobody is named for what decides: it warns and says how to name somebody"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("approvals/w.yaml", WAIVER),
        ("approvals/deep/w.yml", WAIVER),
        ("approvals/w.YAML", WAIVER),
        ("approvals/f.yaml", FLAG),
        ("approvals/evil/x.rego", PACK.replace("acme.replicas", "acme.other")),
    ],
)
def test_the_folder_that_signatures_leave_out_holds_nothing_that_counts(tmp_path: Path, path: str, text: str) -> None:
    settings = EVERYTHING + 'packs: ["policy/packs/*", "approvals/*"]\n'
    repo = governed(tmp_path / "r", {"maestro.yaml": settings, REPLICAS: PACK})
    repo.commit({path: text})
    assert blocked_by(repo) == ["no_approval"]


def test_what_counts_for_nothing_may_lie_there(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"CODEOWNERS": "* @acme/security\n"})
    repo.commit({"approvals/README.md": "what maestro approve writes\n", "approvals/notes.yaml": "kind: Note\n"})
    assert blocked_by(repo) == []


def test_a_waiver_does_not_hide_behind_its_namesake(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"waivers/z.yaml": WAIVER, "CODEOWNERS": "* @acme/security\n"})
    repo.commit(
        {"waivers/z.yaml": "# a comment\n" + WAIVER, "waivers/a.yaml": WAIVER.replace("nightly-report", "another")}
    )
    assert "waiver_changed" in blocked_by(repo)


def test_capitals_make_no_second_settings_or_owners(tmp_path: Path) -> None:
    """Only the names that GitHub and we read decide; on a disk that folds case git shows one file as changed."""
    repo = governed(tmp_path / "r", {"CODEOWNERS": "* @acme/security\n", "flags/bad.yaml": FLAG})
    repo.commit_tree(
        {
            "maestro.yaml": ("100644", SETTINGS),
            "CODEOWNERS": ("100644", "* @acme/security\n"),
            "MAESTRO.YAML": ("100644", SETTINGS.replace("flags/**", "none/**")),
            ".github/codeowners": ("100644", "* @acme/checkout\n"),
            "flags/bad.yaml": ("100644", FLAG.replace("@acme/checkout", "@acme/nobody")),
        }
    )
    answer = check(repo, "--head", "HEAD", "--gate", "flags")
    assert answer.rules() == ["mc.flags/owner_unresolved"]


TOO_NEW = 'requires: ">=9"\n'


def test_a_repair_needs_as_many_as_the_settings_that_it_repairs(tmp_path: Path) -> None:
    """A tool that is too old for the target's maestro.yaml, or a slip in it, makes every change a repair."""
    for fault in (TOO_NEW, "nonsense: 1\n"):
        repo = governed(
            tmp_path / fault[:4], {"maestro.yaml": SETTINGS + "approvals: 3\n" + fault, "CODEOWNERS": "* @acme/p\n"}
        )
        repo.commit({"maestro.yaml": SETTINGS})
        [finding] = check(repo, "--head", "HEAD").findings("governance")
        assert (finding["mode"], finding["remedy"].startswith("3 people of @acme/p")) == ("enforce", True)


def test_a_repair_needs_the_signers_that_the_settings_name(tmp_path: Path) -> None:
    signers = "dev@acme.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
    text = SETTINGS + "allowed_signers: security/signers\n" + TOO_NEW
    repo = governed(tmp_path / "r", {"maestro.yaml": text, "security/signers": signers})
    repo.commit({"maestro.yaml": SETTINGS})
    assert blocked_by(repo) == ["settings_changed"]
