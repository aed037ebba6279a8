"""What a change of packs does to decisions, from repositories; conftest answers unless a test says otherwise."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gates.assemble import assemble
from gates.decision_diff import Recordings, decision_diff
from maestro import canonical_json
from maestro.change import open_change
from maestro.repository import Repository
from maestro.selection import SelectionOptions, select
from policy.decide import Decision, Reason
from policy.diff.result import PolicyDiff
from policy.pack import Pack
from tests.gates.governed import FLAG, MANIFEST, NOW, SETTINGS, Answer, governed, maestro
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

WITH_PACKS = SETTINGS + "packs: [policy/packs/*]\n"
MODULE = "policy/packs/replicas/replicas.rego"
REPLICAS = """\
# METADATA
# custom:
#   mode: MODE
#   owner: "@acme/platform"
#   match: ["k8s/**"]
package acme.replicas

deny_too_few contains msg if {
	input.spec.replicas < 2
	msg := sprintf("%v replicas", [input.spec.replicas])
}

warn_many contains "more than ten" if input.spec.replicas > 10
"""
ENFORCED = REPLICAS.replace("MODE", "enforce")


def web(replicas: int) -> str:
    return f'kind: Deployment\nmetadata: {{name: web, owner: "@acme/data"}}\nspec: {{replicas: {replicas}}}\n'


def repository(folder: Path, files: Mapping[str, str | bytes | None] | None = None) -> GitRepo:
    start = {"maestro.yaml": WITH_PACKS, MODULE: ENFORCED, "k8s/one.yaml": web(1), "k8s/three.yaml": web(3)}
    return governed(folder, {**start, **(files or {})})


def conftest(repo: GitRepo) -> dict[str, str]:
    return {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}


def run(repo: GitRepo, *arguments: str) -> Answer:
    return maestro(repo, "policy", "diff", "--format", "json", *arguments, environ=conftest(repo))


def diff(repo: GitRepo, *arguments: str) -> dict[str, Any]:
    answer = run(repo, "--engine", "conftest", *arguments)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = json.loads(answer.out)
    return found


def rows(found: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(row["change"], row["rule"], row["count"]) for pack in found["packs"] for row in pack["rows"]]


def test_who_would_be_stopped_and_who_let_pass(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", {"k8s/twelve.yaml": web(12)})
    repo.write(MODULE, ENFORCED.replace("< 2", "== 3").replace("> 10", "> 20"))
    found = diff(repo)
    assert rows(found) == [
        ("deny-to-allow", "acme.replicas/too_few", 1),
        ("allow-to-deny", "acme.replicas/too_few", 1),
        ("warning-removed", "acme.replicas/many", 1),
    ]
    [example] = found["packs"][0]["rows"][0]["examples"]
    assert example == {
        "origin": "document",
        "name": "k8s/one.yaml",
        "place": "k8s/one.yaml:1",
        "owner": "@acme/data",
        "text": "1 replicas",
    }
    assert found["packs"][0]["loosened"]["count"] == 1


def test_an_edit_of_the_document_in_the_same_change_hides_nothing(tmp_path: Path) -> None:
    """Pack, fixture and document together, so as to wave itself through."""
    fixture = "policy/packs/replicas/fixtures/bad-one.yaml"
    repo = repository(tmp_path / "r", {fixture: "name: one\ninput: {spec: {replicas: 1}}\nexpect: {deny: [x]}\n"})
    repo.commit({fixture: None, MODULE: ENFORCED.replace("< 2", "< 0"), "k8s/one.yaml": web(3), "k8s/new.yaml": web(0)})
    [pack] = diff(repo)["packs"]
    assert [row["of"] for row in pack["rows"]] == [{"document": 1, "fixture": 1, "recorded": 0}]
    assert {one["name"] for one in pack["loosened"]["examples"]} == {"k8s/new.yaml", "one"}


def test_a_narrower_match_and_a_removed_pack_let_pass(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.write(MODULE, ENFORCED.replace("k8s/**", "other/**"))
    [pack] = diff(repo)["packs"]
    assert pack["loosened"]["count"] == 1
    assert {(flow["before"], flow["after"]) for flow in pack["flows"]} == {("deny", "none"), ("allow", "none")}
    repo.commit({MODULE: None, "maestro.yaml": SETTINGS + "packs: []\n"})
    [pack] = diff(repo)["packs"]
    assert (pack["after"], pack["loosened"]["count"]) == (None, 1)


def test_a_mode_only_in_maestro_yaml_is_a_change(tmp_path: Path) -> None:
    entry = "packs: [{path: policy/packs/replicas, mode: MODE, match: ['k8s/**']}]\n"
    plain = ENFORCED.replace("#   mode: enforce\n", "")
    repo = repository(tmp_path / "r", {"maestro.yaml": SETTINGS + entry.replace("MODE", "shadow"), MODULE: plain})
    repo.write("maestro.yaml", SETTINGS + entry.replace("MODE", "enforce"))
    [pack] = diff(repo)["packs"]
    assert pack["mode_changes"][0] == {
        "subject": "acme.replicas",
        "before": "shadow",
        "after": "enforce",
        "hardens_before": None,
        "hardens_after": None,
    }
    assert [(row["change"], row["detail"]) for row in pack["rows"]] == [("mode-flip", "shadow → enforce")]
    assert pack["before"]["digest"] == pack["after"]["digest"]


def test_metadata_only_in_the_pull_request(tmp_path: Path) -> None:
    bare = ENFORCED[ENFORCED.index("package") :]
    entry = "packs: [{path: policy/packs/replicas, match: ['k8s/**']}]\n"
    repo = repository(tmp_path / "r", {"maestro.yaml": SETTINGS + entry, MODULE: bare})
    repo.write(MODULE, REPLICAS.replace("MODE", "warn").replace('#   match: ["k8s/**"]\n', ""))
    [pack] = diff(repo)["packs"]
    assert (pack["owner"], pack["loosened"]["count"]) == (None, 1), "an owner brought by the change approves nothing"


@pytest.mark.parametrize("broken", ["\ndeny_y contains x if y\n", "\n}}}\n", "\0"])
def test_a_pack_that_cannot_judge_on_either_side(tmp_path: Path, broken: str) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: ENFORCED + broken})
    [pack] = diff(repo)["packs"]
    assert {row["detail"] for row in pack["rows"]} == {"allow → error", "deny → error"}
    assert pack["loosened"]["count"] == 0
    repo.checkout("main")
    repo.commit({MODULE: ENFORCED + broken}, "break it")
    repo.branch("repair")
    repo.commit({MODULE: ENFORCED})
    [pack] = diff(repo)["packs"]
    assert {row["detail"] for row in pack["rows"]} == {"error → allow", "error → deny"}
    assert pack["loosened"]["count"] == 0
    repo.commit({MODULE: ENFORCED + broken + "\n# another comment\n"})
    found = diff(repo)
    assert rows(found) == []
    assert [pack["unanswered"] for pack in found["packs"]] or "cannot judge on either side" in found["notes"][0]


def test_two_packs_with_one_namespace(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.write("policy/packs/another/x.rego", ENFORCED)
    [pack] = diff(repo)["packs"]
    assert {row["detail"] for row in pack["rows"]} == {"allow → error", "deny → error"}
    assert "acme.replicas" in pack["after"]["problem"]


def test_flags_are_asked_as_if_added_and_the_digest_does_not_age(tmp_path: Path) -> None:
    module = "policy/packs/flags/flags.rego"
    pack = """\
# METADATA
# custom: {mode: enforce, input: flag-change, owner: "@acme/platform"}
package acme.flags

deny_kill contains "no kill switches" if input.flag.type == "TYPE"
"""
    repo = repository(tmp_path / "r", {module: pack.replace("TYPE", "release"), "flags/checkout.yaml": FLAG})
    repo.write(module, pack.replace("TYPE", "kill-switch"))
    found = diff(repo)
    assert rows(found) == [("deny-to-allow", "acme.flags/kill", 1)]
    assert found["packs"][0]["rows"][0]["examples"][0]["name"] == "Flag/checkout-v2"
    later = maestro(
        repo,
        *("policy", "diff", "--format", "json", "--engine", "conftest"),
        environ=conftest(repo),
        now=NOW.replace(hour=23),
    )
    assert json.loads(later.out)["digest"] == found["digest"]


def test_unreached_rules_and_equal_packs(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r", {"policy/packs/other/x.rego": ENFORCED.replace("acme.replicas", "acme.other")})
    repo.write(MODULE, ENFORCED + "\n# a comment\n")
    found = diff(repo)
    assert found["unchanged"] == ["acme.other"]
    assert rows(found) == []
    assert found["packs"][0]["unreached"] == ["acme.replicas/many"]


def test_a_preview_shows_whom_the_first_packs_would_stop(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    repo.commit({"README.md": "acme\n", "k8s/one.yaml": web(1)})
    repo.branch("change")
    repo.commit({"maestro.yaml": WITH_PACKS, MODULE: ENFORCED})
    found = diff(repo, "--target", "main")
    assert rows(found) == [("allow-to-deny", "acme.replicas/too_few", 1)]
    assert found["packs"][0]["before"] is None


# Recorded inputs.


def recorded(repo: GitRepo, *lines: object) -> str:
    repo.write("decisions.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return "decisions.jsonl"


def test_recordings_ours_and_opas_with_what_was_erased(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 0")})
    one = {"spec": {"replicas": 1}}
    masked = {"path": "acme/replicas/deny_too_few", "input": one, "masked": ["/input/spec/replicas"]}
    harmless = {"path": "acme/replicas", "input": {"spec": {"replicas": 0}}, "erased": ["/input/metadata/secret"]}
    file = recorded(
        repo,
        {"input": one},
        {"input": one, "pack": "acme.replicas"},
        {"input": one, "pack": "acme.gone"},
        masked,
        harmless,
        {"path": "acme/replicas", "decision_id": "x"},
    )
    found = diff(repo, "--corpus", file)
    [pack] = found["packs"]
    assert pack["asked"] == {"document": 2, "fixture": 0, "recorded": 2}
    assert (pack["repeats"], pack["unusable"], found["recorded_lines"]) == (1, 1, 6)
    assert [row["of"]["recorded"] for row in pack["rows"]] == [2]
    assert any("no pack here" in note for note in found["notes"])
    assert any("unusable" in note for note in found["notes"])


def test_odd_values_reach_the_rules_unchanged(tmp_path: Path) -> None:
    odd = """\
# METADATA
# custom: {mode: enforce, match: ["none/**"], owner: "@acme/platform"}
package acme.odd

deny_odd contains "exact" if input.n == 9007199254740993
deny_odd contains "name" if input.name == "a\\u0000é"
deny_odd contains "huge" if input.huge > 100
"""
    module = "policy/packs/odd/odd.rego"
    repo = repository(tmp_path / "r", {module: odd})
    repo.commit({module: odd.replace("9007199254740993", "9007199254740992").replace("é", "x").replace("> 100", "< 0")})
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    lines = [{"n": 9007199254740993}, {"name": "a\0é"}, {"deep": deep}]
    file = recorded(repo, *({"input": line, "pack": "acme.odd"} for line in lines))
    with (repo.path / file).open("a") as stream:
        stream.write('{"input": {"huge": 1e400}, "pack": "acme.odd"}\n')
    found = diff(repo, "--corpus", file)
    assert rows(found) == [("deny-to-allow", "acme.odd/odd", 3)]


@pytest.mark.parametrize(
    ("line", "words"), [("{", "decisions.jsonl:2:"), ("[]", "decisions.jsonl:2:1"), ('{"x": 1}', "no `input`")]
)
def test_a_wrong_line_is_a_usage_error(tmp_path: Path, line: str, words: str) -> None:
    repo = repository(tmp_path / "r")
    repo.write(MODULE, ENFORCED + "\n#\n")
    repo.write("decisions.jsonl", '{"input": 1}\n' + line + "\n")
    answer = run(repo, "--corpus", "decisions.jsonl")
    assert answer.code == 2
    assert words in answer.err or "x" in answer.err
    assert "decisions.jsonl:2:" in answer.err


def test_what_is_not_there_is_a_wrong_selection(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    assert run(repo, "--corpus", "no.jsonl").code == 3
    assert run(repo, "--pack", "acme.no").code == 3
    assert run(repo, "--format", "pdf").code == 2
    assert run(repo, "--pack", "acme.replicas").code == 0


def test_several_formats_and_files(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.write(MODULE, ENFORCED.replace("< 2", "< 4"))
    answer = run(repo, "--format", "terminal", "--format", "html=diff.html", "--format", "markdown=diff.md")
    assert "allow→deny" in answer.err
    assert "<svg" in (repo.path / "diff.html").read_text()
    assert "| 🛑 allow→deny | 1 document |" in (repo.path / "diff.md").read_text()


# Without an engine: a judge that is a function of pack and input.


def invented(pack: Pack, inputs: Sequence[Any]) -> list[Decision]:
    """Decisions as good as random, the same whenever asked."""
    out = []
    for value in inputs:
        seed = hashlib.sha256(pack.digest.encode() + canonical_json.dumps(value)).digest()
        reasons = [
            Reason(f"{pack.name}/{rule.suffix}", pack.mode_of(rule), f"m{seed[at] % 2}")
            for at, rule in enumerate(pack.rules)
            if seed[at] % 3 == 0
        ]
        error = "boom" if seed[31] % 7 == 0 else None
        out.append(Decision(pack.name, pack.mode, "invented", False, None, tuple(reasons), pack.digest, "", error))
    return out


@contextmanager
def scene_of(repo: GitRepo) -> Any:
    with Repository.open(repo.path, repo.environ) as opened:
        selection = select(SelectionOptions(target="main", head="HEAD"), repo.environ, None)
        change = open_change(opened, selection)
        yield assemble(change, now=NOW, decide=invented, approvals=lambda: (), gate_ids=()).scene


def shown(result: PolicyDiff) -> PolicyDiff:
    return replace(result, engine=None)


BASE = {f"k8s/{n}.yaml": web(n) for n in range(6)} | {"manifests/report.yaml": MANIFEST, "flags/checkout.yaml": FLAG}
BODIES = ["", "\n# a comment\n", "\ndeny_more contains 1 if input.x\n"]
INPUTS = ["document", "flag-change", "manifest-change"]
PACK = st.none() | st.tuples(
    st.sampled_from(BODIES),
    st.sampled_from(["enforce", "warn", "shadow"]),
    st.sampled_from(["k8s/**", "manifests/**", "k8s/1.yaml"]),
    st.sampled_from(INPUTS),
)


def written(name: str, chosen: Any) -> str | None:
    if chosen is None:
        return None
    body, mode, match, kind = chosen
    head = f"# METADATA\n# custom: {{mode: {mode}, match: [{match!r}], input: {kind}}}\npackage acme.{name}\n"
    return f"{head}\ndeny_a contains 1 if input.x\n\nwarn_b contains 1 if input.x\n{body}"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=st.tuples(PACK, PACK, PACK), data=st.data())
def test_skipping_equal_packs_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, before: tuple[Any, ...], data: st.DataObject
) -> None:
    after = tuple(data.draw(st.sampled_from([one, one]) | PACK) for one in before)
    paths = [f"policy/packs/p{n}/p.rego" for n in range(3)]
    old = {path: written(f"p{n}", one) for n, (path, one) in enumerate(zip(paths, before, strict=True))}
    new = {path: written(f"p{n}", one) for n, (path, one) in enumerate(zip(paths, after, strict=True))}
    patterns = data.draw(st.sampled_from([WITH_PACKS, WITH_PACKS.replace('"flags/**", ', "")]))
    repo = governed(
        tmp_path_factory.mktemp("r"),
        {**BASE, "maestro.yaml": WITH_PACKS, **{path: text for path, text in old.items() if text}},
    )
    gone = {path: None for path in paths if old[path] and not new[path]}
    repo.commit({**gone, "maestro.yaml": patterns, **{path: text for path, text in new.items() if text}})
    with scene_of(repo) as scene:
        short, full = decision_diff(scene), decision_diff(scene, skip_unchanged=False)
    assert shown(short) == shown(full)
    assert set(short.unchanged).isdisjoint(pack.name for pack in short.packs)


def test_old_and_new_packs_are_never_asked_together(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 3")})
    asked: list[str] = []

    def watching(pack: Pack, inputs: Sequence[Any]) -> list[Decision]:
        asked.append(pack.digest)
        return invented(pack, inputs)

    with scene_of(repo) as scene:
        found = decision_diff(replace(scene, decide=watching))
    [pack] = found.packs
    assert pack.before is not None
    assert pack.after is not None
    assert asked == [pack.before.digest, pack.after.digest]


def silent(pack: Pack, inputs: Sequence[Any]) -> list[Decision]:
    return [Decision(pack.name, pack.mode, "e", True, None, (), pack.digest, "")] * len(inputs)


def written_corpus(file: Path, lines: int, padding: int) -> Recordings:
    with file.open("w") as stream:
        for number in range(lines):
            stream.write(f'{{"input": {{"spec": {{"replicas": {number}}}, "padding": "{"x" * padding}"}}}}\n')
    return Recordings("big.jsonl", file)


def test_a_hundred_thousand_recorded_inputs_are_asked_in_batches(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 3")})
    sizes: set[int] = set()

    def watching(pack: Pack, inputs: Sequence[Any]) -> list[Decision]:
        sizes.add(len(inputs))
        return silent(pack, inputs)

    recordings = written_corpus(tmp_path / "big.jsonl", 100_000, 10)
    with scene_of(repo) as scene:
        found = decision_diff(replace(scene, decide=watching), recordings=[recordings])
    assert found.packs[0].asked == {"document": 2, "recorded": 100_000}
    assert sizes == {2, 2000}


def test_recorded_inputs_are_not_kept(tmp_path: Path) -> None:
    repo = repository(tmp_path / "r")
    repo.commit({MODULE: ENFORCED.replace("< 2", "< 3")})
    recordings = written_corpus(tmp_path / "big.jsonl", 10_000, 4_000)
    with scene_of(repo) as scene:
        tracemalloc.start()
        decision_diff(replace(scene, decide=silent), recordings=[recordings])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    # All inputs together are 40 MB; a batch is 8 MB, and a digest of each stays.
    assert peak < 20 << 20


def test_one_page_that_cannot_be_written_takes_no_other_with_it(tmp_path: Path) -> None:
    from tests.gates.governed import governed, maestro

    repo = governed(tmp_path / "r")
    answer = maestro(repo, "policy", "diff", "--format", "markdown=missing/x.md", "--format", "json=diff.json")
    assert (answer.code, "missing/x.md" in answer.err) == (1, True)
    assert (repo.path / "diff.json").exists()
