"""An author tries to put something where a pack judges without its being judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gates.governed import FLAG, MANIFEST, SETTINGS, WAIVER, Answer, check, governed
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

PACK = """\
# METADATA
# title: Enough replicas
# custom:
#   mode: enforce
#   match: ["k8s/**"]
package acme.replicas

# METADATA
# title: At least two
deny_too_few contains "fewer than two replicas" if input.spec.replicas < 2

# METADATA
# title: Not privileged
deny_privileged contains "privileged" if input.spec.privileged == true
"""
FLAGS = """\
# METADATA
# title: Flags
# custom:
#   mode: enforce
#   input: flag-change
package acme.flags

# METADATA
# title: Notes are a time
deny_notes contains "too early" if time.parse_rfc3339_ns(input.flag.notes) < 5

# METADATA
# title: No permissions
deny_permission contains "a permission" if input.flag.type == "permission"
"""
RULES = {"policy/packs/replicas/replicas.rego": PACK, "policy/packs/flags/flags.rego": FLAGS}
BAD = "metadata: {name: web}\nspec:\n  replicas: 1\n"
TOO_FEW = "acme.replicas/too_few"


def repository(folder: Path, files: dict[str, str] | None = None) -> GitRepo:
    return governed(folder / "r", {**RULES, **(files or {})})


def judged(repo: GitRepo) -> Answer:
    path = f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"
    return check(repo, "--head", "HEAD", environ={"PATH": path})


def test_a_link_in_place_of_a_judged_file_does_not_pass(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    repo.commit({"notes/prod.txt": BAD}, links={"k8s/prod.yaml": "../notes/prod.txt"})
    assert (judged(repo).code, judged(repo).rules()) == (10, ["mc.policy/unreadable"])


@pytest.mark.parametrize("target", ["../notes", "../../outside", "nowhere", "/etc", "../k8s"])
def test_a_link_in_place_of_a_judged_folder_does_not_pass(tmp_path: Path, target: str) -> None:
    repo = repository(tmp_path)
    repo.commit({"notes/prod.yaml": BAD}, links={"k8s/sub": target})
    assert (judged(repo).code, judged(repo).rules()) == (10, ["mc.policy/unreadable"])


def test_a_submodule_where_a_pack_judges_does_not_pass(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    repo.commit({}, submodules={"k8s/sub": "1" * 40})
    assert (judged(repo).code, judged(repo).rules()) == (10, ["mc.policy/unreadable"])


@pytest.mark.parametrize("target", ["base.yaml", "base", "../README.md", "./base/../base"])
def test_a_link_to_what_is_judged_anyway_is_free(tmp_path: Path, target: str) -> None:
    good = BAD.replace("1", "3")
    repo = repository(tmp_path, {"k8s/base.yaml": good, "k8s/base/a.yaml": good})
    repo.commit({}, links={"k8s/link" + (".yaml" if target.endswith("base.yaml") else ""): target})
    assert judged(repo).code == 0


def test_a_changed_link_is_no_existing_finding(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", RULES)
    repo.commit({"notes/a.txt": BAD, "notes/b.txt": BAD}, links={"k8s/prod.yaml": "../notes/a.txt"})
    repo.git("branch", "-f", "main", "HEAD")
    (repo.path / "k8s/prod.yaml").unlink()
    repo.commit({}, links={"k8s/prod.yaml": "../notes/b.txt"})
    assert judged(repo).code == 10


@pytest.mark.parametrize("name", ["k8s/prod.YAML", "k8s/prod.Yml", "k8s/prod.JSON"])
def test_the_case_of_an_ending_hides_nothing(tmp_path: Path, name: str) -> None:
    repo = repository(tmp_path)
    repo.commit({name: '{"spec": {"replicas": 1}}\n'})
    assert (judged(repo).code, judged(repo).rules()) == (10, [TOO_FEW])


def test_the_case_of_an_ending_hides_no_document(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    repo.commit({"flags/x.YAML": FLAG.replace("release", "permission")})
    assert "acme.flags/permission" in judged(repo).rules()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("spec:\n  privileged: yes\n", "acme.replicas/privileged"),
        ("spec:\n  privileged: On\n", "acme.replicas/privileged"),
        ("spec: &x {privileged: y}\n", "acme.replicas/privileged"),
        ("spec:\n  replicas: 0b1\n", TOO_FEW),
        ("spec:\n  replicas: 0_1\n", TOO_FEW),
        ("---\nspec: {}\n---\n- spec: {privileged: on}\n", "acme.replicas/privileged"),
    ],
)
def test_what_yaml_1_1_would_read_is_judged_too(tmp_path: Path, text: str, rule: str) -> None:
    repo = repository(tmp_path)
    repo.commit({"k8s/prod.yaml": text})
    answer = judged(repo)
    assert (answer.code, rule in answer.rules()) == (10, True)


def test_what_both_readings_deny_is_said_once(tmp_path: Path) -> None:
    repo = repository(tmp_path)
    repo.commit({"k8s/prod.yaml": BAD + "  privileged: yes\n  on: no\n"})
    assert sorted(judged(repo).rules()) == ["acme.replicas/privileged", TOO_FEW, *["mc.policy/yaml_1_1"] * 3]


@pytest.mark.parametrize("folder", ["waivers", "policy", "policy/packs"])
def test_nothing_that_packs_judge_comes_through_the_door_for_repairs(tmp_path: Path, folder: str) -> None:
    settings = SETTINGS.replace('"waivers/**"', '"waivers/**", "policy/**"')
    repo = repository(tmp_path, {"maestro.yaml": settings})
    repo.commit({f"{folder}/flag.yaml": FLAG + "  notes: garbage\n"})
    answer = judged(repo)
    assert (answer.code, answer.outcomes()["policy"]) == (1, "errored")


def test_a_broken_pack_lets_no_file_through_beside_its_repair(tmp_path: Path) -> None:
    broken = PACK.replace('"k8s/**"', '"**"').replace("replicas < 2", "replicas <")
    repo = repository(tmp_path, {"policy/packs/replicas/replicas.rego": broken})
    repo.commit({"policy/packs/replicas/replicas.rego": PACK})
    assert judged(repo).code == 0
    repo.commit({"policy/deploy.yaml": BAD})
    assert judged(repo).outcomes()["policy"] == "errored"
    repo.commit({"policy/deploy.yaml": None, "waivers/w.yaml": WAIVER, "manifests/nightly.yaml": MANIFEST})
    assert judged(repo).outcomes()["policy"] == "errored"


def test_a_document_that_could_not_be_read_is_judged_when_it_changes(tmp_path: Path) -> None:
    """As an existing finding it would stand for ever, and whatever it hides with it."""
    odd = FLAG + "  odd: 1\n"
    repo = repository(tmp_path, {"flags/odd.yaml": odd})
    repo.commit({"flags/odd.yaml": "# other comments\n" + odd})
    assert judged(repo).code == 0
    repo.commit({"flags/odd.yaml": odd.replace("release", "permission")})
    assert (judged(repo).code, judged(repo).rules()) == (10, ["mc.documents/unknown_key"])


def test_a_foreign_file_that_could_not_be_read_is_judged_when_it_changes(tmp_path: Path) -> None:
    torn = "spec:\n  replicas: 3\n  x: [\n"
    repo = repository(tmp_path, {"k8s/torn.yaml": torn})
    repo.commit({"k8s/torn.yaml": torn.replace("3", "1")})
    assert (judged(repo).code, judged(repo).rules()) == (10, ["mc.policy/unreadable"])


@pytest.mark.parametrize(
    "text", ["- spec: {replicas: A}\n- spec: {replicas: B}\n", "spec: {replicas: A}\n---\nspec: {replicas: B}\n"]
)
def test_repairing_one_object_of_a_file_does_not_pay_for_breaking_another(tmp_path: Path, text: str) -> None:
    repo = repository(tmp_path, {"k8s/list.yaml": text.replace("A", "1").replace("B", "3")})
    repo.commit({"k8s/list.yaml": "# a comment\n" + text.replace("A", "1").replace("B", "4")})
    assert judged(repo).code == 0, "what was there before is still an existing finding"
    repo.commit({"k8s/list.yaml": text.replace("A", "3").replace("B", "1")})
    assert (judged(repo).code, judged(repo).rules()) == (10, [TOO_FEW])


def test_a_foreign_object_keeps_its_existing_finding_where_others_move_around_it(tmp_path: Path) -> None:
    web = "kind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n"
    repo = repository(tmp_path, {"k8s/all.yaml": web})
    repo.commit({"k8s/all.yaml": web.replace("web", "api").replace("1", "2") + "---\n" + web})
    assert judged(repo).code == 0
    repo.commit({"k8s/all.yaml": web.replace("web", "api") + "---\n" + web.replace("1", "2")})
    assert judged(repo).code == 10


def test_a_foreign_file_does_not_borrow_the_name_that_was_waived(tmp_path: Path) -> None:
    waiver = WAIVER.replace("mc.documents/owner_unresolved", TOO_FEW)
    repo = repository(tmp_path, {"waivers/w.yaml": waiver, "manifests/nightly.yaml": MANIFEST})
    named = "apiVersion: maestro-conductor/v1\nkind: Manifest\nmetadata: {name: nightly-report}\n"
    repo.commit({"k8s/borrowed.yaml": named + "spec: {replicas: 1}\n"})
    [finding] = judged(repo).findings()
    assert (finding["subject"], finding["waived_by"]) == ("k8s/borrowed.yaml", None)


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12"


def test_a_pointer_in_place_of_a_judged_file_does_not_pass(tmp_path: Path) -> None:
    """Read as YAML it is one harmless text; whoever checks out with LFS gets what it stands for."""
    repo = repository(tmp_path)
    repo.commit({".gitattributes": "k8s/*.yaml filter=lfs\n", "k8s/prod.yaml": POINTER})
    assert (judged(repo).code, judged(repo).rules()) == (10, ["mc.policy/unreadable"])
    assert "Git LFS pointer" in judged(repo).findings()[0]["message"]


def test_a_link_that_goes_through_another_does_not_pass(tmp_path: Path) -> None:
    """`..` after a link leads to where that one leads, whatever the text says."""
    repo = repository(tmp_path, {"k8s/fine.yaml": BAD.replace("1", "3")})
    links = {"d": "other/sub", "k8s/link.yaml": "../d/../k8s/fine.yaml"}
    repo.commit({"other/k8s/fine.yaml": BAD, "other/sub/x": "x"}, links=links)
    assert (repo.path / "k8s/link.yaml").read_text() == BAD
    assert (judged(repo).code, judged(repo).rules()) == (10, ["mc.policy/unreadable"])


@pytest.mark.parametrize(
    ("row", "end", "rule"),
    [
        ("{a: 2, <<: *x}", "privileged: yes", "acme.replicas/privileged"),
        ("{a: 2, a: 2}", "privileged: .inf", "mc.policy/unreadable"),
    ],
)
def test_a_thousand_warnings_hide_nothing(tmp_path: Path, row: str, end: str, rule: str) -> None:
    repo = repository(tmp_path)
    flood = "x: &x {a: 1}\nq:\n" + f"- {row}\n" * 1001
    repo.commit({"k8s/prod.yaml": f"{flood}spec:\n  replicas: 3\n  {end}\n"})
    answer = judged(repo)
    assert answer.code == 10
    assert [one["rule"] for one in answer.findings() if one["mode"] == "enforce"] == [rule]
