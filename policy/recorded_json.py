"""Recorded decisions as JSON lines: one object a line, exactly the members of ``RecordedDecision``."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn, get_args

from maestro.canonical_json import dumps
from maestro.errors import UsageError
from maestro.findings import MILDNESS
from policy.recorded_decision import Phase, RecordedDecision, RecordedReason

LINE_LIMIT = 1 << 20
"""Bytes of one line."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_BLANK = " \t\n\r"
_MEMBERS = tuple(RecordedDecision.__dataclass_fields__)


def to_line(decision: RecordedDecision) -> bytes:
    """One line, canonical JSON, its newline included."""
    value = {name: getattr(decision, name) for name in _MEMBERS}
    moment = decision.made_at.astimezone(dt.UTC)
    value["made_at"] = moment.replace(tzinfo=None).isoformat() + "Z"
    value["reasons"] = [{"rule": reason.rule, "mode": reason.mode} for reason in decision.reasons]
    return dumps(value) + b"\n"


def read_lines(stream: BinaryIO, name: str) -> Iterator[RecordedDecision]:
    """The decisions of a file, one at a time; empty lines are passed over.

    Raises:
        UsageError: a line is none; it names ``name``, line and column.
    """
    number = 0
    while data := stream.readline(LINE_LIMIT + 1):
        number += 1
        if data.strip():
            yield _Line(name, number, data).decision()


class _Line:
    """One line, and where its members stand."""

    def __init__(self, name: str, number: int, data: bytes) -> None:
        self._name = name
        self._number = number
        self._columns: dict[str, int] = {}
        if len(data) > LINE_LIMIT:
            self._wrong(f"the line is longer than {LINE_LIMIT} bytes")
        try:
            self._text = data.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            self._wrong(f"byte {error.start + 1} is not UTF-8", error.start)

    def decision(self) -> RecordedDecision:
        """What the line says, every member checked."""
        value = self._members()
        for key in value:
            if key not in _MEMBERS:
                self._wrong(f"a recorded decision has no member {key!r}", self._columns[key])
        missing = [key for key in _MEMBERS if key not in value]
        if missing:
            self._wrong(f"{missing[0]} is missing")
        texts = {key: self._of(value, key, str) for key in ("engine", "subject", "path", "pack", "mode", "phase")}
        owner, error = (None if value[key] is None else self._of(value, key, str) for key in ("owner", "error"))
        allow = self._of(value, "allow", bool)
        if texts["phase"] not in get_args(Phase):
            self._member("phase", "one of " + ", ".join(get_args(Phase)))
        if texts["mode"] not in MILDNESS:
            self._member("mode", "one of " + ", ".join(MILDNESS))
        if error is not None and allow:
            self._wrong("what has an error allows nothing", self._columns["allow"])
        for key in ("commit", "policy_revision"):
            if not _COMMIT.fullmatch(self._of(value, key, str)):
                self._member(key, "a commit: 40 hexadecimal digits")
        for key in ("pack_digest", "input_digest"):
            # A pack that could not be read has no digest, nor has an input that is no JSON.
            if not _DIGEST.fullmatch(self._of(value, key, str)) and not (error is not None and value[key] == ""):
                self._member(key, "sha256: and 64 hexadecimal digits")
        return RecordedDecision(
            made_at=self._time(self._of(value, "made_at", str)),
            phase=texts["phase"],
            commit=value["commit"],
            policy_revision=value["policy_revision"],
            pack=texts["pack"],
            pack_digest=value["pack_digest"],
            mode=texts["mode"],
            engine=texts["engine"],
            subject=texts["subject"],
            path=texts["path"],
            owner=owner,
            input_digest=value["input_digest"],
            allow=allow,
            reasons=tuple(self._reason(one) for one in self._of(value, "reasons", list)),
            error=error,
        )

    def _reason(self, value: Any) -> RecordedReason:  # noqa: ANN401
        sound = isinstance(value, dict) and set(value) == {"rule", "mode"} and isinstance(value["rule"], str)
        if not sound or value["mode"] not in ("enforce", "warn", "shadow"):
            self._member("reasons", 'a list of {"rule": …, "mode": …}')
        return RecordedReason(value["rule"], value["mode"])

    def _time(self, text: str) -> dt.datetime:
        wanted = "a time in UTC like 2026-12-01T09:00:00Z"
        if not _TIME.fullmatch(text):
            self._member("made_at", wanted)
        try:
            return dt.datetime.fromisoformat(text)
        except ValueError:  # February has no 30th
            self._member("made_at", wanted)

    def _of(self, value: dict[str, Any], key: str, kind: type) -> Any:  # noqa: ANN401
        if type(value[key]) is not kind:
            self._member(key, {str: "a text", bool: "true or false", list: "a list"}[kind])
        return value[key]

    def _members(self) -> dict[str, Any]:
        """The object's members; where each value begins is kept."""
        decoder = json.JSONDecoder()
        out: dict[str, Any] = {}
        text = self._text
        try:
            decoder.decode(text)  # sound as a whole, so the walk below needs no care
            at = self._past(0)
            if text[at] != "{":
                self._wrong("a line holds one JSON object")
            at = self._past(at + 1)
            while text[at] != "}":
                key_at = at
                key, at = decoder.raw_decode(text, at)
                if key in out:
                    self._wrong(f"{key!r} stands twice", key_at)
                begin = self._past(self._past(at) + 1)
                out[key], at = decoder.raw_decode(text, begin)
                self._columns[key] = begin
                at = self._past(at)
                if text[at] == ",":
                    at = self._past(at + 1)
            if "\\u" in text:
                json.dumps(out, ensure_ascii=False).encode("utf-8")
        except json.JSONDecodeError as error:
            self._wrong(f"not JSON: {error.msg}", error.pos)
        except UnicodeEncodeError:
            self._wrong("text with half of a surrogate pair is no Unicode")
        except (ValueError, RecursionError) as error:
            self._wrong(f"not JSON: {error}")
        return out

    def _past(self, at: int) -> int:
        while self._text[at : at + 1] and self._text[at] in _BLANK:
            at += 1
        return at

    def _member(self, key: str, wanted: str) -> NoReturn:
        self._wrong(f"{key}: {wanted} is wanted", self._columns[key])

    def _wrong(self, message: str, at: int = 0) -> NoReturn:
        raise UsageError(message, where=f"{self._name}:{self._number}:{at + 1}")
