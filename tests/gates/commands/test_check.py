"""`maestro check` as its users call it: what it answers, with which exit code, where each report goes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator
from syrupy.assertion import SnapshotAssertion

from maestro.canonical_json import digest_of_bytes
from maestro.evidence.trust import Trust, trust_of
from maestro.evidence.verdict import read_attested
from tests.gates.governed import FLAG, MANIFEST, SETTINGS, Answer, check, governed, maestro
from tests.maestro.evidence.keys import pem, row
from tests.support.git_repo import GitRepo
from tests.support.terminals import Terminal
from tests.support.tools import tool

REPORT = Draft202012Validator(json.loads((Path(__file__).parents[3] / "docs/schema/report.v1.json").read_text()))
FORMATS = ("terminal", "json", "sarif", "junit", "github", "markdown")
NOBODY = FLAG.replace("@acme/checkout", "@acme/chekout")
NEVER = "package main\n\nimport rego.v1\n\ndeny contains 1 if false\n"
BROKEN_PACK = """\
# METADATA
# title: Broken
# custom: {mode: enforce, match: ["flags/**"]}
package acme.broken

deny contains x if y
"""
WITH_PACKS = SETTINGS + "packs: [policy/packs/*]\n"
NO_CONFTEST = {"PATH": "/usr/bin:/bin"}


def scrubbed(text: str) -> str:
    """Without what differs from run to run: seconds."""
    return re.sub(r"\d+\.\d\d s", "0.00 s", text)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return governed(tmp_path / "r", {"flags/c.yaml": FLAG})


# Exit codes and words.


def test_a_sound_change_passes(repo: GitRepo, snapshot: SnapshotAssertion) -> None:
    repo.write("manifests/n.yaml", MANIFEST)
    answer = maestro(repo, "check")
    assert (answer.code, answer.out) == (0, "")
    assert scrubbed(answer.err) == snapshot


def test_a_change_of_nothing_governed_passes_and_says_so(repo: GitRepo, snapshot: SnapshotAssertion) -> None:
    repo.write("README.md", "more words\n")
    answer = maestro(repo, "check")
    assert answer.code == 0
    assert "This change touches nothing that is governed" in answer.err
    assert scrubbed(answer.err) == snapshot


def test_what_blocks_is_10_and_shown_with_its_line(repo: GitRepo, snapshot: SnapshotAssertion) -> None:
    repo.write("flags/c.yaml", NOBODY)
    answer = maestro(repo, "check")
    assert answer.code == 10
    assert scrubbed(answer.err) == snapshot


def test_a_gate_that_could_not_judge_is_1(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    repo = governed(
        tmp_path / "r", {"maestro.yaml": WITH_PACKS, "policy/packs/broken/broken.rego": BROKEN_PACK, "flags/c.yaml": ""}
    )
    repo.write("flags/c.yaml", FLAG)
    answer = maestro(repo, "check", environ=NO_CONFTEST)
    assert answer.code == 1
    assert scrubbed(answer.err) == snapshot


def test_findings_that_block_go_before_errors(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"maestro.yaml": WITH_PACKS, "policy/packs/broken/broken.rego": BROKEN_PACK})
    repo.write("flags/c.yaml", NOBODY)
    answer = check(repo, environ=NO_CONFTEST)
    assert (answer.code, answer.outcomes()["policy"]) == (10, "errored")
    assert answer.report["summary"]["errored"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "xml"), "terminal, json, sarif, junit, github, markdown"),
        (("--format", "json="), "--format"),
        (("--gate", "flag"), "the gates are: documents, flags"),
        (("--engine", "opa"), "invalid choice"),
        (("--target", "mian"), "mian"),
        (("--head", "no-such"), "no-such"),
        (("--input", "plan.json"), "FILE=PACK"),
        (("surplus",), "surplus"),
        (("--al",), "--al"),
    ],
)
def test_a_wrong_command_line_is_2(repo: GitRepo, arguments: tuple[str, ...], words: str) -> None:
    answer = maestro(repo, "check", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert answer.err.startswith("maestro: ")
    assert "\n  → " in answer.err


def test_patterns_that_match_nothing_at_all_are_3(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    repo.commit({"maestro.yaml": SETTINGS, "README.md": "acme\n"})
    answer = maestro(repo, "check")
    assert (answer.code, answer.out) == (3, "")
    assert "match nothing in the whole repository" in answer.err


def test_a_pack_that_matches_something_is_a_selection(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    settings = SETTINGS + 'packs:\n  - {path: p, namespace: main, match: ["k8s/**"]}\n'
    repo.commit(
        {
            "maestro.yaml": settings,
            "p/p.rego": NEVER,
            "k8s/a.yaml": "a: 1\n",
        }
    )
    assert check(repo, "--gate", "documents").code == 0
    repo.commit({"k8s/a.yaml": None})
    assert check(repo, "--gate", "documents").code == 3


def test_an_input_that_is_not_there_is_3(repo: GitRepo) -> None:
    answer = maestro(repo, "check", "--input", "plan.json=acme.plan")
    assert answer.code == 3
    assert "plan.json" in answer.err


# Reports and where they go.


def test_the_json_report_is_what_its_schema_says(repo: GitRepo) -> None:
    repo.write("flags/c.yaml", NOBODY)
    repo.write("manifests/n.yaml", MANIFEST + "  colour: red\n")
    answer = check(repo)
    REPORT.validate(answer.report)
    assert answer.report["head"] == "worktree"
    assert answer.report["policy_revision"] == answer.report["change_base"] == repo.git("rev-parse", "main")
    assert answer.report["summary"]["blocking"] == 2
    assert answer.err == ""


@pytest.mark.parametrize("name", FORMATS)
def test_a_machine_has_standard_output_to_itself_and_a_person_standard_error(repo: GitRepo, name: str) -> None:
    repo.write("flags/c.yaml", NOBODY)
    answer = maestro(repo, "check", "--format", name)
    spoken, silent = (answer.err, answer.out) if name == "terminal" else (answer.out, answer.err)
    assert (answer.code, silent) == (10, "")
    assert "@acme/chekout" in spoken


def test_several_formats_at_once_each_to_its_place(repo: GitRepo, tmp_path: Path) -> None:
    repo.write("flags/c.yaml", NOBODY)
    files = {name: tmp_path / f"report.{name}" for name in FORMATS}
    options = [option for name, file in files.items() for option in ("--format", f"{name}={file}")]
    answer = maestro(repo, "check", "--format", "terminal", "--format", "github", *options)
    assert answer.code == 10
    assert answer.out.startswith("::error file=flags/c.yaml,line=")
    assert "1 finding blocks this change" in answer.err
    REPORT.validate(json.loads(files["json"].read_text()))
    assert json.loads(files["sarif"].read_text())["version"] == "2.1.0"
    assert ElementTree.fromstring(files["junit"].read_text()).tag == "testsuites"
    assert files["markdown"].read_text().startswith("### ❌ 1 finding blocks this change")
    assert files["github"].read_text() == answer.out
    assert "\x1b" not in files["terminal"].read_text()


def test_a_relative_file_lies_where_the_caller_stands(repo: GitRepo, tmp_path: Path) -> None:
    answer = maestro(repo, "check", "--repo", str(repo.path), "--format", "json=out.json", cwd=tmp_path)
    assert (answer.code, answer.out) == (0, "")
    REPORT.validate(json.loads((tmp_path / "out.json").read_text()))


def test_the_step_summary_keeps_what_others_wrote_into_it(repo: GitRepo, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("what an earlier command said\n")
    answer = maestro(repo, "check", "--format", f"markdown={summary}", environ={"GITHUB_STEP_SUMMARY": str(summary)})
    assert answer.code == 0
    text = summary.read_text()
    assert text.startswith("what an earlier command said\n")
    assert "### ✅" in text


def test_a_report_that_cannot_be_written_is_1_and_takes_no_other_with_it(repo: GitRepo, tmp_path: Path) -> None:
    written = tmp_path / "report.json"
    absent = tmp_path / "no-folder" / "report.xml"
    answer = maestro(
        repo, "check", "--format", f"junit={absent}", "--format", f"json={written}", "--format", "terminal"
    )
    assert answer.code == 1
    assert f"maestro: {absent}: the junit report could not be written: No such file or directory" in answer.err
    assert "gates" in answer.err
    REPORT.validate(json.loads(written.read_text()))


def test_quiet_is_only_what_blocks_and_the_last_line(repo: GitRepo) -> None:
    repo.write("README.md", "x\n")
    assert maestro(repo, "check", "--quiet").err.count("\n") == 1
    repo.write("flags/c.yaml", NOBODY)
    answer = maestro(repo, "check", "--quiet")
    assert answer.code == 10
    assert "@acme/chekout" in answer.err
    assert "gates\n" not in answer.err


@pytest.mark.parametrize(("environ", "painted"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_a_terminal_is_painted_unless_it_asks_not_to_be(repo: GitRepo, environ: dict[str, str], painted: bool) -> None:
    import io

    from maestro.cli import main
    from maestro.world import World
    from tests.gates.governed import NOW

    screen = Terminal()
    world = World({**repo.environ, **environ}, repo.path, io.StringIO(), screen, lambda: NOW)
    assert main(["check"], world) == 0
    assert ("\x1b[" in screen.getvalue()) is painted


def test_only_the_gates_asked_for(repo: GitRepo) -> None:
    repo.write("flags/c.yaml", NOBODY)
    assert list(check(repo, "--gate", "waivers", "--gate", "documents").outcomes()) == ["documents", "waivers"]
    assert check(repo, "--gate", "documents").code == 0
    assert check(repo, "--gate", "flags").code == 10


def test_it_writes_nothing_and_leaves_the_repository_alone(repo: GitRepo) -> None:
    repo.write("flags/c.yaml", NOBODY)
    before = repo.git("status", "--porcelain"), sorted(path.name for path in repo.path.iterdir())
    check(repo, "--all")
    assert before == (repo.git("status", "--porcelain"), sorted(path.name for path in repo.path.iterdir()))


# What is judged.


def test_a_clean_default_branch_is_judged_whole_and_says_so(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"flags/c.yaml": NOBODY})
    repo.checkout("main")
    answer = check(repo)
    assert answer.code == 0
    assert [finding["existing"] for finding in answer.findings()] == [True]
    words = maestro(repo, "check").err
    assert "everything in your working tree" in words
    assert "note: every document: nothing differs from main" in words


def test_uncommitted_work_is_judged_and_what_git_ignores_is_not(repo: GitRepo) -> None:
    repo.commit({".gitignore": "*.draft.yaml\n"})
    repo.write("flags/new.yaml", NOBODY.replace("checkout-v2", "new"))
    repo.write("flags/other.draft.yaml", "nonsense: [\n")
    answer = check(repo)
    assert [finding["location"]["path"] for finding in answer.findings()] == ["flags/new.yaml"]
    repo.checkout("main")
    assert check(repo).code == 10


def test_existing_findings_block_where_the_target_says_so(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"maestro.yaml": SETTINGS + "existing: block\n", "flags/c.yaml": NOBODY})
    repo.write("flags/c.yaml", NOBODY + "  notes: soon\n")
    assert check(repo).code == 10
    repo.commit({"maestro.yaml": SETTINGS})
    repo.git("branch", "-f", "main", "HEAD")
    repo.write("flags/c.yaml", NOBODY + "  notes: later\n")
    answer = check(repo)
    assert (answer.code, answer.report["summary"]["existing"]) == (0, 1)


# Preview.


def ungoverned(folder: Path) -> GitRepo:
    repo = GitRepo.init(folder)
    repo.commit({"README.md": "acme\n", "flags/old.yaml": NOBODY.replace("checkout-v2", "old")})
    repo.branch("change")
    return repo


def test_before_it_is_merged_everything_warns(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    repo = ungoverned(tmp_path / "r")
    repo.commit({"maestro.yaml": SETTINGS, "flags/c.yaml": NOBODY})
    answer = check(repo)
    assert (answer.code, answer.report["preview"]) == (0, True)
    assert {finding["mode"] for finding in answer.findings()} == {"warn"}
    assert answer.report["summary"]["blocking"] == 0
    person = maestro(repo, "check")
    assert person.err.startswith("preview: takes effect after merge\n")
    assert scrubbed(person.err) == snapshot
    markdown = maestro(repo, "check", "--format", "markdown").out
    assert "preview: takes effect after merge" in markdown.splitlines()[0]


@pytest.mark.parametrize("name", FORMATS)
def test_an_error_in_a_preview_is_plain_although_nothing_stops(tmp_path: Path, name: str) -> None:
    repo = ungoverned(tmp_path / "r")
    repo.commit({"maestro.yaml": WITH_PACKS, "policy/packs/broken/broken.rego": BROKEN_PACK, "flags/c.yaml": FLAG})
    answer = maestro(repo, "check", "--format", name, environ=NO_CONFTEST)
    assert answer.code == 0
    text = answer.out + answer.err
    assert re.search("could not judge|errored|<error ", text)
    assert "acme.broken" in text
    if name in ("terminal", "markdown"):
        assert "preview: takes effect after merge" in text
        assert "✅" not in text


def test_a_pack_that_judges_nothing_yet_is_tried_all_the_same(tmp_path: Path) -> None:
    repo = ungoverned(tmp_path / "r")
    pack = BROKEN_PACK.replace("flags/", "k8s/")
    repo.commit({"maestro.yaml": WITH_PACKS, "policy/packs/broken/broken.rego": pack, "flags/c.yaml": FLAG})
    environ = {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}
    answer = check(repo, "--engine", "conftest", environ=environ)
    assert [(one["rule"], one["mode"]) for one in answer.findings("policy")] == [("mc.policy/broken_pack", "warn")]


def test_a_preview_without_a_readable_maestro_yaml_is_2(tmp_path: Path) -> None:
    repo = ungoverned(tmp_path / "r")
    none = maestro(repo, "check")
    assert none.code == 2
    assert "maestro init" in none.err
    repo.write("maestro.yaml", "apiVersion: maestro-conductor/v1\ndocumnets: []\n")
    answer = maestro(repo, "check")
    assert answer.code == 2
    assert "maestro.yaml:2:1" in answer.err
    assert "documents" in answer.err


# Attesting.


def trust(*names: str) -> Trust:
    return trust_of(row(name) for name in names)


def attested(repo: GitRepo, tmp_path: Path, *arguments: str, environ: dict[str, str] | None = None) -> Answer:
    key = tmp_path / "key.pem"
    key.write_bytes(pem())
    key.chmod(0o600)
    verdict = str(tmp_path / "verdict.json")
    return check(repo, "--attest", verdict, "--key", str(key), *arguments, environ=environ)


def test_a_verdict_is_about_the_heads_tree_and_allows_it(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"manifests/n.yaml": MANIFEST})
    assert attested(repo, tmp_path, "--target", "main", "--head", "change").code == 0
    data = (tmp_path / "verdict.json").read_bytes()
    verdict = read_attested(data, trust("release"))
    assert verdict.allowed
    assert verdict.tree == repo.git("rev-parse", "change^{tree}")
    assert verdict.policy_revision == repo.git("rev-parse", "main")
    assert verdict.gates["documents"] == "passed"
    assert verdict.digest == digest_of_bytes(verdict.statement().to_bytes())


def test_a_verdict_on_the_working_tree_is_about_what_lies_there(repo: GitRepo, tmp_path: Path) -> None:
    repo.write("manifests/n.yaml", MANIFEST)
    assert attested(repo, tmp_path).code == 0
    verdict = read_attested((tmp_path / "verdict.json").read_bytes(), trust("release"))
    repo.commit()
    assert verdict.tree == repo.git("rev-parse", "HEAD^{tree}")


def test_what_blocks_is_attested_as_not_allowed(repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"flags/c.yaml": NOBODY})
    assert attested(repo, tmp_path).code == 10
    verdict = read_attested((tmp_path / "verdict.json").read_bytes(), trust("release"))
    assert (verdict.allowed, verdict.gates["flags"], verdict.summary["blocking"]) == (False, "failed", 1)


def test_an_error_is_attested_as_not_allowed(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"maestro.yaml": WITH_PACKS, "policy/packs/broken/broken.rego": BROKEN_PACK})
    repo.write("flags/c.yaml", FLAG)
    assert attested(repo, tmp_path, environ=NO_CONFTEST).code == 1
    verdict = read_attested((tmp_path / "verdict.json").read_bytes(), trust("release"))
    assert (verdict.allowed, verdict.gates["policy"]) == (False, "errored")


def test_a_preview_is_never_attested_as_allowed(tmp_path: Path) -> None:
    repo = ungoverned(tmp_path / "r")
    repo.commit({"maestro.yaml": SETTINGS, "flags/c.yaml": FLAG})
    assert attested(repo, tmp_path).code == 0
    assert not read_attested((tmp_path / "verdict.json").read_bytes(), trust("release")).allowed


def test_less_than_every_gate_is_not_attested_nor_judged(repo: GitRepo, tmp_path: Path) -> None:
    answer = attested(repo, tmp_path, "--gate", "flags")
    assert (answer.code, answer.out) == (2, "")
    assert "--attest with --gate" in answer.err
    assert not (tmp_path / "verdict.json").exists()


def test_without_a_key_nothing_is_judged_in_vain(repo: GitRepo, tmp_path: Path) -> None:
    answer = check(repo, "--attest", str(tmp_path / "verdict.json"))
    assert answer.code == 2
    assert answer.out == ""
    assert "--key" in answer.err
    assert not (tmp_path / "verdict.json").exists()


def test_a_verdict_that_cannot_be_written_is_1(repo: GitRepo, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pem())
    key.chmod(0o600)
    answer = check(repo, "--attest", str(tmp_path / "absent" / "v.json"), "--key", str(key))
    assert answer.code == 1
    assert "the verdict could not be written" in answer.err
