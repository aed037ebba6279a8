from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from maestro.cli import dispatch
from maestro.errors import SelectionError, ToolFailure, UsageError
from maestro.world import World
from tests.policy.engines.conftest_here import fake_conftest
from tests.support.tools import tool

EXAMPLE = Path(__file__).parents[3] / "examples" / "governed"
HEAD = '# METADATA\n# custom: {mode: warn, match: ["x/**"]}\n'
GOOD = HEAD + 'package good\n\ndeny_owner contains "no owner" if not input.owner\n'
BAD = HEAD + (
    "package bad\n\n"
    'deny_owner contains "no \\u202eowner" if not input.owner\n\n'
    'deny_size contains sprintf("%d is too much", [input.size]) if input.size > limit\n\n'
    "default limit := 3\n\n"
    "limit := 9 if input.large else := 5 if {\n\tinput.medium\n}\n"
)
FILES = {
    "maestro.yaml": "apiVersion: maestro-conductor/v1\npacks: ['packs/*']\n",
    "packs/good/good.rego": GOOD,
    "packs/good/fixtures/ok.yaml": "name: owned\ninput: {owner: a}\nexpect: {deny: []}\n",
    "packs/good/fixtures/bad.yaml": "name: not owned\ninput: {}\nexpect: {deny: [good/owner]}\n",
    "packs/bad/bad.rego": BAD,
    "packs/bad/bad_test.rego": (
        "package bad_test\n\nimport data.bad\n\n"
        "test_owner if count(bad.deny_owner) == 1 with input as {}\n\n"
        "test_wrong if count(bad.deny_owner) == 2 with input as {}\n\n"
        "todo_test_later if false\n"
    ),
    "packs/bad/fixtures/a.yaml": "name: too large\ninput: {size: 4}\nexpect: {deny: [bad/size]}\n",
    "packs/bad/fixtures/b.yaml": "name: large\ninput: {size: 7, owner: a, large: true}\nexpect: {deny: [bad/size]}\n",
    "packs/bad/fixtures/c.yaml": "name: misspelt\ninput: {}\nexpect: {deny: [bad/ovner]}\n",
    "packs/none/none.rego": GOOD.replace("package good", "package none"),
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write(tmp_path / "repository", FILES)


def outcome(*argv: str, cwd: Path, path: str | None = None) -> tuple[int, str]:
    out = io.StringIO()
    environ = {"PATH": str(Path(tool("conftest")).parent) if path is None else path}
    code = dispatch(["policy", "test", *argv], World(environ=environ, cwd=cwd, stdout=out))
    return code, out.getvalue().replace("conftest dev", "conftest 0.71.1")


def test_what_a_person_sees(repository: Path, snapshot: SnapshotAssertion) -> None:
    code, text = outcome(cwd=repository)
    assert code == 10
    assert text == snapshot
    assert "\u202e" not in text


def test_json(repository: Path, snapshot: SnapshotAssertion) -> None:
    code, text = outcome("bad", "--format", "json", cwd=repository)
    assert code == 10
    value = json.loads(text)
    assert value.pop("engine")
    assert value == snapshot


def test_our_packs_pass() -> None:
    code, text = outcome(cwd=EXAMPLE)
    assert code == 0, text
    assert "all as expected" in text
    assert text.count("reached by nothing") == text.count("policy/conftest/deployment.rego")


def test_packs_are_chosen_by_name_or_folder(repository: Path) -> None:
    code, text = outcome("good", "./packs/good/", cwd=repository)
    assert code == 0
    assert text.count("good  passed") == 1
    with pytest.raises(SelectionError, match="there is no pack 'goood'") as caught:
        outcome("goood", cwd=repository)
    assert caught.value.remedy == "did you mean good?"


def test_a_pack_that_nothing_tests_does_not_pass(repository: Path) -> None:
    code, text = outcome("none", cwd=repository)
    assert code == 10
    assert "nothing shows that it is right: it has neither fixtures nor _test.rego" in text


def test_a_pack_as_init_wrote_it_is_tested_elsewhere_until_it_is_changed(tmp_path: Path) -> None:
    from gates.commands.init import shipped_packs

    images = {f"packs/{path}": data.decode() for path, data in shipped_packs().items() if path.startswith("images/")}
    write(tmp_path, {"maestro.yaml": "apiVersion: maestro-conductor/v1\npacks: [packs/*]\n", **images})
    code, text = outcome(cwd=tmp_path)
    assert code == 0
    assert "mc.images  passed  (packs/images)\n  unchanged since `maestro init` wrote it" in text
    write(tmp_path, {"packs/images/images.rego": images["packs/images/images.rego"].replace("ghcr.io", "ghcr.com")})
    code, text = outcome(cwd=tmp_path)
    assert code == 10
    assert "→ write a fixture into packs/images/fixtures/" in text


def test_a_pack_that_cannot_be_loaded_is_no_answer(repository: Path) -> None:
    write(repository, {"packs/good/good.rego": GOOD.replace("warn", "wran")})
    code, text = outcome(cwd=repository)
    assert code == 1
    assert "packs/good/good.rego:2:18: the pack cannot judge: mode 'wran' is none of enforce, warn, shadow" in text
    assert outcome("good", cwd=repository)[0] == 1


def test_a_pack_that_does_not_compile_says_so_once(repository: Path) -> None:
    write(repository, {"packs/good/good.rego": GOOD + "\nlimit := unknown(1)\n"})
    code, text = outcome("good", cwd=repository)
    assert code == 10
    assert text.count("undefined function unknown") <= 2
    assert "no fixture gets an answer" in text


def test_what_an_unanswered_fixture_reaches_is_not_known(repository: Path) -> None:
    write(repository, {"packs/good/good.rego": GOOD + '\ndeny_n contains "n" if to_number(input.n) > 3\n'})
    write(repository, {"packs/good/fixtures/n.yaml": "name: garbage\ninput: {n: x}\nexpect: {deny: []}\n"})
    code, text = outcome("good", cwd=repository)
    assert code == 10
    assert "not known: packs/good/good.rego:7:1 deny_n" in text
    assert "not known by fixtures: 1 of 3 got no answer" in text
    assert "reached by nothing" not in text


def test_without_conftest_nothing_is_claimed(repository: Path) -> None:
    code, text = outcome("bad", cwd=repository, path="/nonexistent")
    assert code == 1
    assert "the Rego tests were not run: conftest is not on PATH" in text
    assert "bodies    not known" in text
    with pytest.raises(ToolFailure, match="conftest is not on PATH"):
        outcome("--engine", "conftest", cwd=repository, path="/nonexistent")


def test_a_conftest_known_to_answer_wrongly_is_not_asked(repository: Path, tmp_path: Path) -> None:
    fake_conftest(tmp_path / "bin", "exit 1", opa="1.21.1")
    with pytest.raises(ToolFailure, match="answers wrongly"):
        outcome("--engine", "conftest", cwd=repository, path=str(tmp_path / "bin"))


def test_a_conftest_that_fails_is_no_answer(repository: Path, tmp_path: Path) -> None:
    fake_conftest(tmp_path / "bin", "echo boom >&2; exit 4")
    code, text = outcome("good", cwd=repository, path=str(tmp_path / "bin"))
    assert code == 1
    assert "good  errored" in text


def test_no_repository_and_no_packs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no maestro\.yaml"):
        outcome(cwd=tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        outcome("--repo", "absent", cwd=tmp_path)
    write(tmp_path, {"maestro.yaml": "apiVersion: maestro-conductor/v1\npacks: []\n"})
    with pytest.raises(SelectionError, match="there is no pack here"):
        outcome(cwd=tmp_path)


def test_a_few_processes_for_a_pack_however_many_the_fixtures(repository: Path, tmp_path: Path) -> None:
    many = "---\n".join(f"name: f{number}\ninput: {{owner: a}}\nexpect: {{deny: []}}\n" for number in range(200))
    write(repository, {"packs/good/fixtures/many.yaml": many})
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "conftest"
    wrapper.write_text(f'#!/bin/sh\necho "$1" >> {log}\nexec {tool("conftest")} "$@"\n')
    wrapper.chmod(0o755)
    code, text = outcome("good", cwd=repository, path=f"{tmp_path / 'bin'}{os.pathsep}/usr/bin")
    assert code == 0
    assert "202 of 202 as expected" in text
    assert log.read_text().split() == ["--version", "test", "test"]
