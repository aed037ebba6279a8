"""The gate blocks what would be let pass, until the pack's owner agrees; and says the rest once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.gates.governed import Answer, check, governed, maestro
from tests.gates.test_decision_diff import ENFORCED, MODULE, REPLICAS, WITH_PACKS, web
from tests.support.git_repo import GitRepo
from tests.support.ssh_keys import key
from tests.support.tools import tool

FIXTURE = "policy/packs/replicas/fixtures/bad-one.yaml"
CODEOWNERS = "/policy/ @acme/platform\n"


def signers(*names: tuple[str, str]) -> str:
    return "".join(f'{who} namespaces="maestro-approval" {key(name).public}\n' for name, who in names)


PEOPLE = signers(("alice", "dev@acme.example,@acme/platform"), ("bob", "ops@acme.example,@acme/data"))


def repository(folder: Path, files: Mapping[str, str | bytes | None] | None = None) -> GitRepo:
    start = {
        "maestro.yaml": WITH_PACKS,
        MODULE: ENFORCED,
        "k8s/one.yaml": web(1),
        "k8s/three.yaml": web(3),
        ".github/CODEOWNERS": CODEOWNERS,
        "policy/allowed_signers": PEOPLE,
    }
    return governed(folder, {**start, **(files or {})})


def with_conftest(repo: GitRepo) -> dict[str, str]:
    return {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}


def judged(repo: GitRepo, *arguments: str) -> Answer:
    return check(
        repo, "--target", "main", "--head", "HEAD", "--engine", "conftest", *arguments, environ=with_conftest(repo)
    )


def found(answer: Answer) -> list[dict[str, Any]]:
    return answer.findings("policy-diff")


def approve(repo: GitRepo, name: str, *arguments: str) -> Answer:
    command = ("approve", "--target", "main", "--key", str(key(name).private), "--yes", *arguments)
    answer = maestro(repo, *command, environ=with_conftest(repo))
    assert answer.code == 0, answer.err
    repo.commit({}, "Approve")
    return answer


def test_what_would_be_let_pass_blocks_until_the_owner_approves(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 1")})
    [finding] = found(judged(repo))
    assert (finding["rule"], finding["mode"]) == ("mc.policy-diff/deny_to_allow", "enforce")
    assert "k8s/one.yaml (@acme/data)" in finding["message"]
    assert finding["owner"] == "@acme/platform"
    digest = finding["message"].rpartition("decision diff ")[2]
    assert digest.startswith("sha256:")
    shown = approve(repo, "alice").err
    assert digest in shown
    assert "1 deny→allow" in shown
    answer = judged(repo)
    assert found(answer) == []
    assert answer.code == 0
    assert f"decision diff {digest}); approved by dev@acme.example" in answer.reason("policy-diff")


def test_the_approval_is_of_this_head_only(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 1")})
    approve(repo, "alice")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 0")})
    assert [one["rule"] for one in found(judged(repo))] == ["mc.policy-diff/deny_to_allow"]


def test_owning_the_files_is_not_owning_the_pack(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", {".github/CODEOWNERS": "/policy/ @acme/data\n"})
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 1")})
    approve(repo, "bob")
    answer = judged(repo)
    assert [one["rule"] for one in found(answer)] == ["mc.policy-diff/deny_to_allow"]
    assert answer.outcomes()["governance"] == "passed"


def test_a_change_cannot_appoint_its_own_approver(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit(
        {
            MODULE: ENFORCED.replace("< 2", "< 1").replace("@acme/platform", "@acme/data"),
            ".github/CODEOWNERS": "/policy/ @acme/data\n",
            "policy/allowed_signers": signers(("bob", "ops@acme.example,@acme/platform")),
        }
    )
    assert {one["rule"] for one in found(judged(repo))} == {"mc.policy-diff/deny_to_allow"}
    assert found(judged(repo))[0]["owner"] == "@acme/platform"


def test_a_pack_without_an_owner_is_its_files_owners(tmp_path: Path) -> None:
    orphan = ENFORCED.replace('#   owner: "@acme/platform"\n', "")
    repo = repository(tmp_path / "r", {MODULE: orphan, ".github/CODEOWNERS": "/policy/ @acme/data\n"})
    repo.commit({MODULE: orphan.replace("< 2", "< 1")})
    assert [one["mode"] for one in found(judged(repo))] == ["enforce"]
    approve(repo, "bob")
    assert found(judged(repo)) == []


def test_where_nobody_is_named_it_warns(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.checkout("main")
    repo.commit({".github/CODEOWNERS": None, "policy/allowed_signers": None})
    repo.branch("other")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 1")})
    [finding] = found(judged(repo))
    assert finding["mode"] == "warn"
    assert "nobody is named" in finding["remedy"]


@pytest.mark.parametrize(
    "after",
    [
        ENFORCED.replace("< 2", "< 5"),
        ENFORCED.replace("deny_too_few", "deny_few"),
        ENFORCED.replace("%v replicas", "only %v replicas"),
        ENFORCED + "\n# a comment\n",
    ],
)
def test_what_does_not_loosen_is_not_its_business(tmp_path: Path, after: str) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: after})
    answer = judged(repo)
    assert found(answer) == []
    assert answer.outcomes()["policy-diff"] == "passed"


def test_whom_a_rule_off_trial_would_stop_is_said_once_and_counted(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", {MODULE: REPLICAS.replace("MODE", "shadow")})
    repo.commit({MODULE: ENFORCED})
    answer = judged(repo)
    assert [one["message"] for one in answer.findings("policy")] == ["after the merge: 1 replicas"]
    assert found(answer) == []
    assert "1 mode flip" in answer.reason("policy-diff")


def test_a_repair_is_never_held_up(tmp_path: Path) -> None:
    broken = ENFORCED.replace("input.spec.replicas < 2", 'to_number(input.spec.kind) < 2\n\tcount("x", 1) == 2')
    repo = repository(tmp_path / "r", {MODULE: broken})
    repo.commit({MODULE: ENFORCED})
    answer = judged(repo)
    assert found(answer) == []
    assert "error→" in answer.reason("policy-diff")


def test_an_error_that_only_a_fixture_shows_is_told(tmp_path: Path) -> None:
    fixture = "name: text\ninput: {spec: {replicas: five, of: x}}\nexpect: {deny: []}\n"
    repo = repository(tmp_path / "r", {FIXTURE: fixture})
    repo.commit({MODULE: ENFORCED + '\ndeny_of contains "x" if to_number(input.spec.of) > 1\n'})
    [finding] = found(judged(repo))
    assert (finding["rule"], finding["mode"]) == ("mc.policy-diff/no_answer", "warn")
    assert "1 fixture (allow → error)" in finding["message"]


def test_it_is_in_scope_only_when_a_pack_changes(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({"k8s/one.yaml": web(0), FIXTURE: "name: x\ninput: {}\nexpect: {deny: []}\n"})
    answer = judged(repo)
    assert (answer.outcomes()["policy-diff"], answer.reason("policy-diff")) == ("skipped", "no pack changes")


def test_without_an_engine_that_may_judge_nothing_slips_through(tmp_path: Path) -> None:
    """The embedded engine has not been proven for these packs: what it cannot say could have been a deny."""
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 1")})
    answer = check(repo, "--target", "main", "--head", "HEAD", "--engine", "regopy")
    assert answer.code in (1, 10)
    assert "without an answer on either side" in answer.reason("policy-diff")


def test_a_removed_pack_needs_its_owner(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: None, "maestro.yaml": WITH_PACKS.replace("packs: [policy/packs/*]", "packs: []")})
    [finding] = found(judged(repo))
    assert finding["rule"] == "mc.policy-diff/deny_to_allow"
    assert finding["location"]["path"] == "maestro.yaml"
