from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.engines.engine import Program
from policy.engines.proven import program_digest, regopy_version
from policy.parity.lock import ABSENT, LARGEST, LOCK_PATH, Entry, Lock, lock_at, read_lock, render
from tests.policy.engines.test_smallest import JSON
from tests.policy.memory_files import MemoryFiles

PROGRAM = Program({"a.rego": b"package a\nx := 1\n"}, {}, ("data.a.x",))
OTHER = replace(PROGRAM, modules={"a.rego": b"package a\nx := 2\n"})
NOBODY = "sha256:" + "0" * 64


def entry(program: Program = PROGRAM, **fields: Any) -> Entry:
    given: dict[str, Any] = {
        "program": program_digest(program),
        "alike": True,
        "inputs": NOBODY,
        "asked": 3,
        "equal": 2,
        "refused": 1,
        "reached": 1,
        "bodies": 1,
    }
    return Entry(**{**given, **fields})


def lock(**packs: Entry) -> Lock:
    return Lock("1.22.2", regopy_version(), 1, packs)


def edited(**members: Any) -> bytes:
    value = json.loads(render(lock(a=entry())))
    return json.dumps({**value, **members}).encode()


def test_what_is_named_is_judged_and_nothing_else() -> None:
    assert lock(a=entry()).objection(PROGRAM) is None
    assert "does not name this one" in str(lock(a=entry()).objection(OTHER))
    assert "there is none" in str(ABSENT.objection(PROGRAM))
    different = entry(alike=False, why="they disagree")
    assert "they disagree" in str(lock(a=different).objection(PROGRAM))
    assert lock(a=different, b=entry()).objection(PROGRAM) is None, "the same rules under two names"


def test_comments_and_modes_change_nothing_and_everything_else_does() -> None:
    named = lock(a=entry())
    assert named.objection(replace(PROGRAM, modules={"b.rego": b"# mode: warn\npackage a\nx := 1\n"})) is None
    for other in (
        replace(PROGRAM, data={"d": b"{}"}),
        replace(PROGRAM, entrypoints=("data.a.y",)),
        replace(PROGRAM, strict_builtin_errors=False),
        replace(PROGRAM, rego_version="v0"),
    ):
        assert named.objection(other) is not None


def test_another_regopy_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policy.parity.lock.regopy_version", lambda: "1.5.3")
    assert "was made with regopy 1.5.2, and 1.5.3 is installed" in str(lock(a=entry()).objection(PROGRAM))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is not JSON"),
        (b"garbage", "it is not JSON"),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"[]", "it is no parity lock"),
        (b"null", "it is no parity lock"),
        (b'{"schema": 1}', "it is no parity lock"),
        (edited(schema="maestro-conductor/parity-lock/v2"), "written by another version of Maestro"),
        (edited(schema="maestro-conductor/packs/v1"), "it is no parity lock"),
        (edited(packs=[]), "`packs` an object"),
        (edited(packs={"a": 1}), "the entry 'a' is not an object"),
        (edited(packs={"a": {}}), "the entry 'a' has no 'program'"),
        (edited(engines={"opa": "1"}), "engines has no 'regopy'"),
        (edited(engines={"opa": 1, "regopy": 2}), "versions of engines are texts"),
        (edited(method=True), "`method` is a number"),
        (edited(more=1), "has a member 'more' that is not known"),
        (b'{"schema": "x", "schema": "maestro-conductor/parity-lock/v1"}', "a member stands twice: 'schema'"),
        (render(lock(a=entry())).replace(b'"asked": 3', b'"asked": NaN'), "NaN is no number"),
        (render(lock(a=entry())).replace(b'"asked": 3', b'"asked": -1'), "counts are numbers"),
        (render(lock(a=entry())).replace(b'"asked": 3', b'"asked": ' + b"9" * 5000), "not JSON as we read it"),
        (render(lock(a=entry())).replace(b'"alike": true', b'"alike": 1'), "`alike` is true or false"),
        (render(lock(a=entry())).replace(b'"alike": true', b'"alike": false'), "`why` says why"),
        (render(lock(a=entry())).replace(b"sha256:0", b"sha512:0"), "a digest is sha256"),
        (b"[" * 100_000, "it is not JSON"),
        (b" " * (LARGEST + 1), "it has 4,194,305 bytes"),
    ],
)
def test_a_lock_that_is_none_names_nothing(data: bytes, says: str) -> None:
    found = read_lock(data)
    assert says in str(found.problem)
    assert found.packs == {}
    assert "cannot be used" in str(found.objection(PROGRAM))


def test_an_entry_that_stands_twice_is_refused() -> None:
    one = json.dumps(json.loads(render(lock(a=entry())))["packs"]["a"])
    data = edited(packs="@").replace(b'"@"', f'{{"a": {one}, "a": {one}}}'.encode())
    assert read_lock(data).problem == "a member stands twice: 'a'"


def test_where_the_json_breaks() -> None:
    assert read_lock(b'{\n"schema": "x",\n,}').line == 3


def test_a_link_is_not_followed() -> None:
    assert "link" in str(lock_at(MemoryFiles({LOCK_PATH: render(lock(a=entry()))}, links=[LOCK_PATH])).problem)
    assert lock_at(MemoryFiles({})) is ABSENT
    assert lock_at(MemoryFiles({LOCK_PATH: render(lock(a=entry()))})).objection(PROGRAM) is None


entries = st.builds(
    lambda why, shown, counts: entry(
        alike=why is None,
        why=why,
        shown_by=shown,
        **dict(zip(("asked", "equal", "refused", "reached", "bodies"), counts, strict=True)),
    ),
    st.none() | st.text(),
    st.none() | st.tuples(JSON, st.dictionaries(st.text(max_size=3), JSON, max_size=2)),
    st.tuples(*[st.integers(0, 1 << 30)] * 5),
)


@given(st.dictionaries(st.text(max_size=5), entries, max_size=3))
def test_what_is_written_is_read(packs: dict[str, Entry]) -> None:
    made = lock() if not packs else replace(lock(), packs=packs)
    data = render(made)
    assert read_lock(data) == made
    assert render(read_lock(data)) == data
    assert data.isascii(), "nothing in it hides from a reviewer"
    assert render(replace(made, packs=dict(reversed(packs.items())))) == data


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_a_problem(data: bytes) -> None:
    assert read_lock(data).problem is not None
