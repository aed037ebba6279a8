from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from policy.engines import prove
from policy.engines.choose import choose
from policy.engines.engine import Program
from policy.engines.proven import is_proven, program_digest, shipped
from tests.policy.engines.conftest_here import conftest_engine
from tests.policy.memory_files import pack_of
from tests.support.tools import tool

ROOT = Path(__file__).parents[3]


def test_the_list_is_what_asking_both_engines_gives() -> None:
    """In full where REQUIRE_TOOLS=1 (CI); elsewhere a sample of the questions, and the same packs must come out."""
    environ = {"PATH": str(Path(tool("conftest")).parent)}
    if os.environ.get("REQUIRE_TOOLS") == "1":
        text = prove.render(prove.proofs(ROOT, environ))
        assert (ROOT / "policy" / "proven.json").read_text() == text, "run python -m policy.engines.prove"
        return
    found = prove.proofs(ROOT, environ, most=150)
    assert [proof.difference for proof in found if proof.pack.startswith("mc.")] == [None] * 3
    assert {proof.digest for proof in found if proof.difference is None} == set(shipped()["programs"])


def test_a_pack_that_regopy_answers_otherwise_is_not_proven() -> None:
    pack = pack_of('package p\nimport rego.v1\ndeny contains "x" if count(regex.split("[.]", input.v)) > 2\n')
    other = choose("both", {"PATH": str(Path(tool("conftest")).parent)})
    second = getattr(other, "second")  # noqa: B009
    proof = prove.prove(pack, [{"v": "1.10.0"}], conftest_engine(), second)
    assert proof.difference is not None
    assert "1.10.0" in proof.difference
    assert '"programs": {}' in prove.render([proof])
    assert prove.prove(pack, [], conftest_engine(), second).difference == "it has no fixtures"


def test_mutations_leave_out_nothing() -> None:
    found: list[Any] = list(prove.mutations({"a": [1], "b": {}}))
    assert found[0] == {"a": [1], "b": {}}
    wanted: list[Any] = [None, {"b": {}}, {"a": [], "b": {}}, {"a": [None], "b": {}}, {"a": [1], "b": None}]
    for expected in wanted:
        assert expected in found


def test_what_counts_as_the_same_program() -> None:
    def of(source: bytes, **changes: Any) -> str:
        fields: dict[str, Any] = {"modules": {"a.rego": source}, "data": {}, "entrypoints": ("data.a.x",), **changes}
        return program_digest(Program(**fields))

    base = of(b"package a\nx := 1\n")
    assert of(b"# mode: warn\npackage a\nx := 1\n") == of(b"# mode: enforce\npackage a\nx := 1\n")
    assert of(b'package a\nx := "# 1"\n') != of(b'package a\nx := "# 2"\n')
    assert of(b"package a\nx := `\n# 1\n`\n") != of(b"package a\nx := `\n# 2\n`\n")
    for changes in (
        {"data": {"d": b"{}"}},
        {"entrypoints": ("data.a.y",)},
        {"strict_builtin_errors": False},
        {"rego_version": "v0"},
    ):
        assert of(b"package a\nx := 1\n", **changes) != base


def test_the_list_holds_for_the_installed_regopy_only(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = next(iter(shipped()["programs"]))
    monkeypatch.setattr("policy.engines.proven.program_digest", lambda _: digest)
    program = Program({}, {}, ())
    assert is_proven(program)
    monkeypatch.setattr("policy.engines.proven.regopy_version", lambda: "1.5.3")
    assert not is_proven(program)
