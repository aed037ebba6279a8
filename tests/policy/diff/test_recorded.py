from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import UsageError
from policy.diff.recorded import Recorded, Unusable, pack_of, read_recorded


def lines(*texts: str | bytes) -> list[Recorded | Unusable]:
    data = b"".join((text.encode() if isinstance(text, str) else text) + b"\n" for text in texts)
    return list(read_recorded(io.BytesIO(data), "log.jsonl"))


def test_ours_and_opas() -> None:
    event = {"decision_id": "1", "path": "/mc/flags/deny", "input": {"a": 1}, "result": True, "labels": {}}
    ours, named, opas = lines('{"input": {"a": 1}}', "", '{"pack": "mc.flags", "input": null}', json.dumps(event))[:3]
    assert ours == Recorded(1, {"a": 1})
    assert named == Recorded(3, None, "mc.flags")
    assert opas == Recorded(4, {"a": 1}, None, ("mc", "flags", "deny"))


def test_what_was_erased_or_masked_is_known() -> None:
    event = {
        "path": "mc/flags",
        "input": {"a": 1},
        "erased": ["/input/user/pass~1word", "/result/x"],
        "masked": ["/input/t~0k/0"],
    }
    [found] = lines(json.dumps(event))
    assert isinstance(found, Recorded)
    assert found.altered == (("user", "pass/word"), ("t~k", "0"))


@pytest.mark.parametrize(
    "event",
    [
        {"path": "a/b", "input": {}, "erased": ["/input"]},
        {"path": "a/b", "decision_id": "x"},
        {"query": "data.a.b", "input": {}},
        {"path": "/", "input": {}},
    ],
)
def test_events_that_cannot_be_asked_are_counted(event: dict[str, Any]) -> None:
    [found] = lines(json.dumps(event))
    assert isinstance(found, Unusable)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"input": ', "log.jsonl:2:"),
        ('{"input": 1} x', "log.jsonl:2:14"),
        ("[1]", "log.jsonl:2:1"),
        ("1", "log.jsonl:2:1"),
        ('{"inptu": 1}', "log.jsonl:2:1"),
        ("{}", "log.jsonl:2:1"),
        ('{"input": 1, "pack": 2}', "log.jsonl:2:1"),
        ('{"input": NaN}', "log.jsonl:2:1"),
        ('{"input": {"a": 1, "a": 2}}', "log.jsonl:2:1"),
        ('{"input": "\\ud800"}', "log.jsonl:2:1"),
        ('{"input": "\0"}', "log.jsonl:2:"),
        ('{"input": ' + "9" * 5000 + "}", "log.jsonl:2:1"),
        ('{"input": 1e99999}', "log.jsonl:2:1"),
        ('{"input": ' + "[" * 100_000 + "]" * 100_000 + "}", "log.jsonl:2:1"),
        (b'{"input": "\xff"}', "log.jsonl:2:12"),
        ('{"path": "a", "input": 1, "erased": "/input/a"}', "log.jsonl:2:1"),
    ],
)
def test_a_line_that_is_wrong_is_named(text: str | bytes, place: str) -> None:
    with pytest.raises(UsageError) as caught:
        lines('{"input": 1}', text)
    assert (caught.value.where or "").startswith(place)
    assert caught.value.remedy


def test_values_are_kept_exactly() -> None:
    [found] = lines('{"input": [9007199254740993, 1e400, "\\u0000", "\\ud83d\\ude00", "é", -0.5]}')
    assert isinstance(found, Recorded)
    assert found.value == [9007199254740993, 10**400, "\0", "😀", "é", -0.5]


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policy.diff.recorded.LINE_LIMIT", 100)
    with pytest.raises(UsageError, match="longer than 100 bytes"):
        lines('{"input": "' + "x" * 200 + '"}')


def test_lines_are_read_one_at_a_time() -> None:
    def endless() -> Any:
        yield from [b'{"input": 1}\n', b'{"input": 2}\n']
        raise AssertionError("read ahead")

    class Stream:
        def __init__(self) -> None:
            self.rows = endless()

        def readline(self, _: int) -> bytes:
            row: bytes = next(self.rows)
            return row

    reading = read_recorded(Stream(), "x")  # type: ignore[arg-type]
    assert [next(reading), next(reading)] == [Recorded(1, 1), Recorded(2, 2)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("mc/flags/deny", "mc.flags"),
        ("mc/flags", "mc.flags"),
        ("mc", None),
        ("mc/flagship", None),
        ("main/deny", "main"),
    ],
)
def test_the_pack_of_a_path(path: str, expected: str | None) -> None:
    assert pack_of(tuple(path.split("/")), frozenset({"mc.flags", "main"})) == expected


@given(st.binary(max_size=200))
def test_any_bytes_give_lines_or_an_error_with_a_place(data: bytes) -> None:
    try:
        for found in read_recorded(io.BytesIO(data), "log"):
            assert isinstance(found, Recorded | Unusable)
    except UsageError as error:
        assert (error.where or "").startswith("log:")
