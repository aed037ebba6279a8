"""A pull request tries to make regopy judge what it judges wrongly, by the lock it brings along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policy.engines import choose
from policy.parity.lock import LOCK_PATH
from tests.gates.governed import Answer, check, governed, maestro
from tests.gates.test_policy_parity import FILES, MODULE, SIZE, conftest, repository, write
from tests.policy.engines.lying import Lying, loses_deny
from tests.support.git_repo import GitRepo
from tests.support.ssh_keys import key

LARGE = "k8s/large.yaml"
ODD = "policy/packs/size/fixtures/odd.yaml"
OWNERS = "/policy/ @acme/platform\n/maestro.yaml @acme/platform\n"
SIGNERS = f'dev@acme.example,@acme/platform namespaces="maestro-approval" {key("alice").public}\n'
OWNED = {".github/CODEOWNERS": OWNERS, "policy/allowed_signers": SIGNERS}


def owned(folder: Path) -> GitRepo:
    repo = repository(folder)
    repo.checkout("main")
    repo.commit(OWNED, "Owners")
    repo.checkout("change")
    repo.git("reset", "-q", "--hard", "main")
    return repo


def judged(repo: GitRepo, *arguments: str, with_conftest: bool = False) -> Answer:
    environ = conftest(repo) if with_conftest else None
    answer = check(repo, "--target", "main", "--head", "HEAD", *arguments, environ=environ)
    assert answer.out, answer.err
    return answer


def test_without_conftest_the_lock_of_the_target_judges(tmp_path: Path) -> None:
    repo = owned(tmp_path / "r")
    repo.commit({LARGE: "size: 9\n"})
    answer = judged(repo)
    assert (answer.code, answer.rules("policy")) == (10, ["acme.size/large"])


def test_a_lock_that_only_the_change_has_lets_nothing_judge(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", FILES)
    repo.commit({LOCK_PATH: write(repo), LARGE: "size: 9\n"})
    answer = judged(repo)
    assert answer.code == 1 or answer.outcomes()["policy"] == "errored"
    assert "there is none where policy is read" in answer.reason("policy")
    remedy = next(one["remedy"] for one in answer.report["verdicts"] if one["gate"] == "policy")
    assert "maestro policy parity --write" in remedy and "install conftest: " in remedy


def test_pack_fixtures_lock_and_manifest_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The author knows of a rule that regopy reads otherwise (here: made to), drops the fixture that shows it, writes
    a lock that is honest about the rest, and brings the document that is to slip through."""
    monkeypatch.setattr(choose, "unlocked_regopy", lambda: loses_deny(lambda value: value.get("odd") == "one"))
    repo = owned(tmp_path / "r")
    repo.checkout("main")
    repo.commit({ODD: "name: odd\ninput: {size: 9, odd: one}\nexpect: {deny: [acme.size/large]}\n"})
    repo.checkout("change")
    repo.git("reset", "-q", "--hard", "main")
    other = SIZE.replace("input.size > 3", "input.size >= 4")
    repo.commit({MODULE: other, ODD: None, LARGE: "size: 9\nodd: one\n"})
    lock = write(repo)
    assert json.loads(lock)["packs"]["acme.size"]["alike"] is True, "nothing of what is left shows it"
    repo.commit({LOCK_PATH: lock})

    answer = judged(repo, with_conftest=True)
    assert answer.code == 10
    assert answer.rules("policy") == ["acme.size/large"], "the target's pack judges the document"
    assert answer.rules("policy-parity") == ["mc.policy-parity/untrue"], "what was a fixture is asked all the same"
    assert {"mc.governance/parity_changed", "mc.governance/pack_changed"} <= set(answer.rules("governance"))
    assert '"odd": "one"' in answer.findings("policy-parity")[0]["message"]

    without = judged(repo)
    assert without.code in (1, 10)
    assert without.rules("policy-parity") == ["mc.policy-parity/not_recomputed"]


def test_governance_covers_the_lock(tmp_path: Path) -> None:
    repo = owned(tmp_path / "r")
    value: dict[str, Any] = json.loads((repo.path / LOCK_PATH).read_text())
    value["packs"]["acme.size"]["program"] = "sha256:" + "1" * 64
    repo.commit({LOCK_PATH: json.dumps(value)})
    [finding] = judged(repo, with_conftest=True).findings("governance")
    assert (finding["rule"], finding["mode"]) == ("mc.governance/parity_changed", "enforce")
    assert "acme.size may be judged by regopy, acme.size as it was no longer" in finding["message"]
    repo.git("reset", "-q", "--hard", "main")
    (repo.path / LOCK_PATH).unlink()
    (repo.path / LOCK_PATH).symlink_to("packs/size/size.rego")
    repo.commit({}, "Link")
    assert judged(repo, with_conftest=True).rules("governance") == ["mc.governance/link"]


def test_a_repair_of_the_settings_does_not_bring_its_own_lock(tmp_path: Path) -> None:
    """The head's settings judge where the target's cannot be read; its lock is believed no more than before."""
    repo = governed(tmp_path / "r", {**FILES, "maestro.yaml": "garbage: [\n"})
    repo.commit({"maestro.yaml": FILES["maestro.yaml"]})
    lock = write(repo)
    repo.commit({LOCK_PATH: lock})
    answer = judged(repo, "--all")
    assert "there is none where policy is read" in json.dumps(answer.report)


def test_a_preview_uses_the_heads_lock_as_it_uses_its_settings(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    repo.commit({"README.md": "acme\n"})
    repo.branch("change")
    repo.commit(dict(FILES))
    repo.commit({LOCK_PATH: write(repo), LARGE: "size: 9\n"})
    answer = judged(repo)
    assert (answer.code, answer.rules("policy")) == (0, ["acme.size/large"])


def test_simulation_uses_the_folders_lock(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    (repo.path / "k8s/large.yaml").write_text("size: 9\n")
    assert maestro(repo, "simulate", "-m", "k8s/large.yaml").code == 10
    (repo.path / MODULE).write_text(SIZE.replace("> 3", "> 30"))
    answer = maestro(repo, "simulate", "-m", "k8s/large.yaml", "--format", "json")
    assert answer.code == 1
    assert "does not name this one as it is now" in answer.report["decisions"][0]["error"]


def test_two_engines_that_disagree_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = owned(tmp_path / "r")
    repo.commit({LARGE: "size: 9\nother: [x]\n"})
    monkeypatch.setattr(choose, "unlocked_regopy", lambda: loses_deny(lambda value: True))
    answer = judged(repo, "--engine", "both", with_conftest=True)
    assert (answer.code, answer.rules("policy")) == (10, ["mc.policy/engines_disagree"])
    [finding] = answer.findings("policy")
    assert 'the smallest input that shows it: {"size": 9}' in finding["message"]
    assert finding["location"]["path"] == LARGE
    said = maestro(repo, "simulate", "-m", LARGE, "--engine", "both", "--format", "json", environ=conftest(repo))
    assert said.code == 10
    assert said.report["decisions"][0]["disagreement"]["smallest_input"] == {"size": 9}
    monkeypatch.setattr(choose, "unlocked_regopy", lambda: Lying(lambda value: None))
    assert judged(repo, "--engine", "both", with_conftest=True).rules("policy") == ["acme.size/large"]


def test_a_pack_that_only_warns_warns_of_a_disagreement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = governed(tmp_path / "r", {**FILES, MODULE: SIZE.replace("mode: enforce", "mode: warn")})
    repo.commit({LARGE: "size: 9\n"})
    monkeypatch.setattr(choose, "unlocked_regopy", lambda: loses_deny(lambda value: True))
    answer = judged(repo, "--engine", "both", with_conftest=True)
    [finding] = answer.findings("policy")
    assert (finding["rule"], finding["mode"]) == ("mc.policy/engines_disagree", "warn")
