"""The gate asks the packs of the policy revision; conftest answers here unless a test says otherwise."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.gates.governed import FLAG, MANIFEST, POOL, SETTINGS, Answer, check, governed
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

REPLICAS = """\
# METADATA
# title: Enough replicas
# custom:
#   mode: MODE
#   owner: "@acme/platform"
#   match: ["k8s/**"]
package acme.replicas

# METADATA
# title: At least two
deny_too_few contains {"msg": msg, "path": ["spec", "replicas"], "remedy": "ask for two", "fix": fix} if {
	input.spec.replicas < 2
	msg := sprintf("%v has %v replicas", [input.metadata.name, input.spec.replicas])
	fix := {"path": ["spec", "replicas"], "value": 2}
}
"""
WEB = """\
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1   # small
"""
SETTINGS_WITH_PACKS = SETTINGS + "packs: [policy/packs/*]\n"


def with_pack(folder: Path, mode: str = "enforce", files: dict[str, str] | None = None) -> GitRepo:
    pack = REPLICAS.replace("MODE", mode)
    return governed(
        folder,
        {"maestro.yaml": SETTINGS_WITH_PACKS, "policy/packs/replicas/replicas.rego": pack, **(files or {})},
    )


def conftest_check(repo: GitRepo, *arguments: str) -> Answer:
    binary = tool("conftest")
    environ = {"PATH": f"{Path(binary).parent}:{repo.environ['PATH']}"}
    return check(repo, "--engine", "conftest", *arguments, environ=environ)


def test_a_denied_document_is_found_at_the_line_with_a_fix(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/web.yaml", WEB)
    answer = conftest_check(repo)
    [finding] = answer.findings()
    assert answer.code == 10
    assert finding["rule"] == "acme.replicas/too_few"
    assert finding["message"] == "web has 1 replicas"
    assert finding["owner"] == "@acme/platform"
    assert finding["location"] == {"path": "k8s/web.yaml", "line": 5, "column": 13, "end_line": 5, "end_column": 14}
    assert finding["fix"]["edits"][0]["text"] == "2"


@pytest.mark.parametrize(("mode", "code"), [("enforce", 10), ("warn", 0), ("shadow", 0)])
def test_the_mode_says_what_a_deny_does(tmp_path: Path, mode: str, code: int) -> None:
    repo = with_pack(tmp_path / "r", mode)
    repo.write("k8s/web.yaml", WEB)
    answer = conftest_check(repo)
    assert answer.code == code
    assert [finding["mode"] for finding in answer.findings()] == [mode]


def test_a_change_cannot_bring_its_own_judge(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/web.yaml", WEB)
    repo.write("policy/packs/replicas/replicas.rego", REPLICAS.replace("MODE", "shadow"))
    answer = conftest_check(repo)
    assert ("acme.replicas/too_few", "enforce") in {(one["rule"], one["mode"]) for one in answer.findings("policy")}
    assert answer.code == 10


def test_a_branch_cut_before_the_rule_is_judged_by_the_rule(tmp_path: Path) -> None:
    repo = governed(
        tmp_path / "r",
        {
            "maestro.yaml": SETTINGS_WITH_PACKS,
            "policy/packs/x/x.rego": "package acme.x\n\ndeny_x contains 1 if false\n",
        },
    )
    repo.commit({"k8s/web.yaml": WEB})
    repo.checkout("main")
    repo.commit({"policy/packs/replicas/replicas.rego": REPLICAS.replace("MODE", "enforce")}, "Enforce replicas")
    repo.checkout("change")
    assert "acme.replicas/too_few" in conftest_check(repo).rules("policy")


def test_a_new_rule_announces_what_it_would_stop(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"maestro.yaml": SETTINGS, "k8s/web.yaml": WEB})
    repo.write("policy/packs/replicas/replicas.rego", REPLICAS.replace("MODE", "enforce"))
    repo.write("maestro.yaml", SETTINGS_WITH_PACKS)
    found = [one for one in conftest_check(repo).findings("policy") if one["rule"] == "acme.replicas/too_few"]
    assert [(one["mode"], one["message"]) for one in found] == [("warn", "after the merge: web has 1 replicas")]


@pytest.mark.parametrize(("before", "after"), [("shadow", "enforce"), ("shadow", "warn"), ("warn", "enforce")])
def test_a_stricter_mode_announces_whom_it_would_stop(tmp_path: Path, before: str, after: str) -> None:
    repo = with_pack(tmp_path / "r", before, {"k8s/web.yaml": WEB})
    repo.write("policy/packs/replicas/replicas.rego", REPLICAS.replace("MODE", after))
    found = [one for one in conftest_check(repo).findings("policy") if one["rule"] == "acme.replicas/too_few"]
    assert [(one["mode"], one["message"]) for one in found] == [("warn", "after the merge: web has 1 replicas")]


def test_a_milder_mode_has_nobody_to_announce(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r", "enforce", {"k8s/web.yaml": WEB})
    repo.write("policy/packs/replicas/replicas.rego", REPLICAS.replace("MODE", "warn"))
    assert conftest_check(repo).rules("policy") == []


def test_a_changed_pack_that_cannot_judge_is_one_finding(tmp_path: Path) -> None:
    files = {f"k8s/web-{number}.yaml": WEB for number in range(3)}
    repo = with_pack(tmp_path / "r", files=files)
    repo.write(
        "policy/packs/replicas/replicas.rego", REPLICAS.replace("MODE", "enforce") + "\ndeny_y contains x if y\n"
    )
    [finding] = conftest_check(repo).findings("policy")
    assert (finding["rule"], finding["location"]["path"]) == (
        "mc.policy/broken_pack",
        "policy/packs/replicas/replicas.rego",
    )


def test_a_pack_that_would_not_compile_is_stopped_before_the_merge(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write(
        "policy/packs/replicas/replicas.rego", REPLICAS.replace("MODE", "enforce") + "\ndeny_y contains x if y\n"
    )
    answer = conftest_check(repo)
    assert "mc.policy/broken_pack" in answer.rules("policy")
    assert answer.code == 10


def test_a_broken_pack_at_the_target_stops_changes_and_can_be_repaired(tmp_path: Path) -> None:
    broken = REPLICAS.replace("MODE", "enforce") + "\ndeny_y contains x if y\n"
    repo = with_pack(tmp_path / "r", files={"policy/packs/replicas/more.rego": "package acme.replicas\n"})
    repo.commit({"policy/packs/replicas/replicas.rego": broken})
    repo.git("branch", "-f", "main", "HEAD")
    repo.write("k8s/web.yaml", WEB)
    stopped = conftest_check(repo)
    assert (stopped.code, stopped.outcomes()["policy"]) == (1, "errored")
    (repo.path / "k8s/web.yaml").unlink()
    repo.write("policy/packs/replicas/replicas.rego", REPLICAS.replace("MODE", "enforce"))
    repaired = conftest_check(repo)
    assert repaired.outcomes()["policy"] in ("passed", "skipped")


def test_a_broken_pack_that_only_warns_does_not_stop_anybody(tmp_path: Path) -> None:
    broken = REPLICAS.replace("MODE", "warn") + "\ndeny_y contains x if y\n"
    repo = with_pack(tmp_path / "r", files={"policy/packs/replicas/replicas.rego": broken})
    repo.write("k8s/web.yaml", WEB)
    answer = conftest_check(repo)
    assert answer.code == 0
    assert answer.rules() == ["mc.policy/no_answer"]


def test_existing_denials_do_not_block_a_change_beside_them(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r", files={"k8s/web.yaml": WEB})
    repo.write("k8s/web.yaml", "# moved\n\n" + WEB)
    answer = conftest_check(repo)
    assert (answer.code, [one["existing"] for one in answer.findings()]) == (0, [True])


def test_the_same_denial_made_worse_is_a_new_one(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r", files={"k8s/web.yaml": WEB})
    repo.write("k8s/web.yaml", WEB.replace("replicas: 1", "replicas: 0"))
    assert conftest_check(repo).code == 10


def test_elements_of_a_list_and_several_documents_are_judged_each(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    one = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 1}}
    repo.write("k8s/list.json", json.dumps([one, {**one, "spec": {"replicas": 0}}]))
    repo.write("k8s/two.yaml", WEB + "---\n" + WEB.replace("web", "api"))
    assert len(conftest_check(repo).findings()) == 4


def test_an_unreadable_file_that_a_pack_judges_is_not_a_pass(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/chart.yaml", "replicas: {{ .Values.replicas }}\nname: [\n")
    answer = conftest_check(repo)
    assert (answer.code, set(answer.rules())) == (10, {"mc.policy/unreadable"})


def test_one_poisonous_document_spoils_only_itself(tmp_path: Path) -> None:
    strict = (
        REPLICAS.replace("MODE", "enforce") + '\ndeny_when contains "old" if time.parse_rfc3339_ns(input.when) < 5\n'
    )
    repo = with_pack(tmp_path / "r", files={"policy/packs/replicas/replicas.rego": strict})
    repo.write("k8s/web.yaml", WEB)
    repo.write("k8s/bad.yaml", "when: yesterday\n")
    answer = conftest_check(repo)
    assert answer.code == 10
    assert answer.rules() == ["acme.replicas/too_few"]
    assert answer.outcomes()["policy"] == "errored"
    assert "k8s/bad.yaml" in answer.reason("policy")


def test_scalars_that_yaml_1_1_reads_differently_are_noted(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/web.yaml", WEB.replace("replicas: 1", "replicas: 2\n  paused: yes"))
    answer = conftest_check(repo)
    assert (answer.code, answer.rules()) == (0, ["mc.policy/yaml_1_1"])


def test_conftest_policies_work_as_written(tmp_path: Path) -> None:
    policy = """\
package main

import rego.v1

deny contains msg if {
	input.kind == "Deployment"
	msg := "no deployments"
}

warn contains msg if {
	not input.metadata.labels
	msg := "no labels"
}
"""
    repo = governed(
        tmp_path / "r",
        {
            "maestro.yaml": SETTINGS + 'packs:\n  - {path: policy/conftest, namespace: main, match: ["k8s/**"]}\n',
            "policy/conftest/base.rego": policy,
        },
    )
    repo.write("k8s/web.yaml", WEB)
    ours = conftest_check(repo)
    theirs = json.loads(
        subprocess.run(
            [tool("conftest"), "test", "-p", "policy/conftest", "-o", "json", "k8s/web.yaml"],
            cwd=repo.path,
            capture_output=True,
            check=False,
        ).stdout
    )
    assert [one["message"] for one in ours.findings() if one["mode"] == "enforce"] == [
        one["msg"] for one in theirs[0]["failures"]
    ]
    assert [one["message"] for one in ours.findings() if one["mode"] == "warn"] == [
        one["msg"] for one in theirs[0]["warnings"]
    ]


def test_an_extra_input_is_judged_by_the_pack_it_names(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    (tmp_path / "plan.json").write_text(json.dumps({"metadata": {"name": "plan"}, "spec": {"replicas": 0}}))
    answer = conftest_check(repo, "--input", f"{tmp_path}/plan.json=acme.replicas")
    assert [one["message"] for one in answer.findings()] == ["plan has 0 replicas"]
    wrong = conftest_check(repo, "--input", f"{tmp_path}/plan.json=acme.nothing")
    assert (wrong.code, "there is no pack" in wrong.err) == (3, True)
    absent = conftest_check(repo, "--input", "absent.json=acme.replicas")
    assert absent.code == 3


def test_without_an_engine_that_may_judge_nothing_passes(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/web.yaml", WEB.replace("replicas: 1", "replicas: 3"))
    answer = check(repo, environ={"PATH": "/usr/bin:/bin"})
    assert (answer.code, answer.outcomes()["policy"]) == (1, "errored")
    assert "conftest" in json.dumps(answer.report)


def test_a_changed_pool_judges_every_manifest_again(tmp_path: Path) -> None:
    packs = Path("policy/packs/placement")
    files = {str(path): path.read_text() for path in packs.glob("*.rego") if not path.name.endswith("_test.rego")}
    repo = governed(tmp_path / "r", {"maestro.yaml": SETTINGS_WITH_PACKS, "manifests/n.yaml": MANIFEST, **files})
    repo.write("pools/here.yaml", POOL.replace("size: 4", "size: 4, drained: true"))
    found = conftest_check(repo).findings("policy")
    assert [one["subject"] for one in found] == ["Manifest/nightly-report"]
    assert found[0]["rule"].startswith("mc.placement/")


def test_a_flag_is_given_to_flag_packs_with_what_it_was_before(tmp_path: Path) -> None:
    pack = """\
# METADATA
# custom: {input: flag-change}
package acme.flags

deny_never_disable contains "a flag is not switched off here" if {
	input.before.state == "ENABLED"
	input.flag.state == "DISABLED"
}
"""
    enabled = FLAG + "  state: ENABLED\n"
    repo = governed(
        tmp_path / "r",
        {"maestro.yaml": SETTINGS_WITH_PACKS, "policy/packs/f/f.rego": pack, "flags/c.yaml": enabled},
    )
    repo.write("flags/c.yaml", enabled.replace("ENABLED", "DISABLED"))
    assert conftest_check(repo).rules() == ["acme.flags/never_disable"]


def test_two_teams_may_both_write_package_main(tmp_path: Path) -> None:
    def team(words: str) -> str:
        return f'package main\n\nimport rego.v1\n\ndeny contains "{words}" if input.kind == "Deployment"\n'

    entries = "packs:\n" + "".join(
        f'  - {{path: {name}/policy, namespace: main, name: {name}, match: ["k8s/**"]}}\n' for name in ("web", "data")
    )
    files = {
        "maestro.yaml": SETTINGS + entries,
        "web/policy/p.rego": team("web says no"),
        "data/policy/p.rego": team("data says no"),
    }
    repo = governed(tmp_path / "r", files)
    repo.write("k8s/web.yaml", WEB)
    found = {(one["rule"], one["message"]) for one in conftest_check(repo).findings("policy")}
    assert found == {("web/deny", "web says no"), ("data/deny", "data says no")}


def test_a_pack_cannot_take_the_name_of_a_gates_rules(tmp_path: Path) -> None:
    entry = 'packs: [{path: web/policy, namespace: main, name: mc.documents, match: ["k8s/**"]}]\n'
    rego = 'package main\n\nimport rego.v1\n\ndeny contains "no" if input.kind\n'
    repo = governed(tmp_path / "r", {"maestro.yaml": SETTINGS + entry, "web/policy/p.rego": rego})
    repo.write("k8s/web.yaml", WEB)
    answer = conftest_check(repo)
    assert answer.outcomes()["policy"] == "errored"
    assert "the gates' own" in answer.reason("policy")
