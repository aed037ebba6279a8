"""Changes to a file that somebody outside hands in: of its bytes, of the JSON in it, of what base64 in that hides."""

from __future__ import annotations

import base64
import binascii
import copy
import gzip
import json
import random
import zlib
from collections.abc import Callable, Sequence
from typing import Any

_MARK = "\ue000raw:"
"""Begins a text that stands for itself, without quotes, once the JSON is written."""
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, 10**18, -(2**63), 0.5, 1e308, -0.0,
    "", " ", "a", "0", "-1", "9" * 30, "\x00", "\n", "é", "\u202e", "\U0001f600", "a" * 5000, "../../x", "/etc/passwd",
    "2026-11-25T12:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "sha256:" + "0" * 64, "AAAA", "====",
    [], {}, [[]], [{}], {"": ""}, [None], ["a", "a"], _MARK + "1e999", _MARK + "NaN", _MARK + "9" * 5000,
    _MARK + "[" * 3000 + "]" * 3000, _MARK + '{"a":' * 3000 + "1" + "}" * 3000, _MARK + '"\\ud800"', _MARK + "",
    _MARK + '{"a":1,"a":2}',
)  # fmt: skip
_BYTES = (b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b" ", b'"', b"}", b"\\")
_STYLES: tuple[dict[str, Any], ...] = ({}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False})


class Mutator:
    """Draws changes; equal seeds draw the same ones."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def mutate(self, data: bytes, others: Sequence[bytes]) -> bytes:
        """``data``, changed in one to three places; ``others`` are what parts may be taken from."""
        for _ in range(self.dice.choice((1, 1, 1, 2, 3))):
            data = self.dice.choice((self._bytes, self._structure, self._structure))(data, others)
        return data

    def _structure(self, data: bytes, others: Sequence[bytes]) -> bytes:
        if data[:2] == b"\x1f\x8b":
            return self._unpacked(data, others)
        value = _json(data)
        if not isinstance(value, dict | list) or not value:
            return self._lines(data, others)
        changed = self._json(copy.deepcopy(value), _json(self.dice.choice(others)), others)
        return self._written(changed)

    def _unpacked(self, data: bytes, others: Sequence[bytes]) -> bytes:
        try:
            inner = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return self._bytes(data, others)
        changed = bytearray(self._bytes(inner, [inner]) if self.dice.random() < 0.3 else inner)
        header = self.dice.randrange(0, max(1, len(changed) // 512)) * 512
        for _ in range(self.dice.randrange(3)):  # a field of a tar's header, or a byte of what is in it
            at = header + self.dice.choice((0, 1, 50, 100, 124, 130, 135, 136, 148, 156, 157, 257, 263, 345))
            if at < len(changed):
                changed[at] = self.dice.choice((0, 0x20, 0x2E, 0x2F, 0x30, 0x31, 0x37, 0x78, 0x80, 0xFF))
        if self.dice.random() < 0.8:
            for block in range(0, len(changed) - 511, 512):
                if changed[block + 257 : block + 262] == b"ustar":  # its checksum, so that the change is looked at
                    changed[block + 148 : block + 156] = b" " * 8
                    changed[block + 148 : block + 156] = b"%06o\0 " % sum(changed[block : block + 512])
        return gzip.compress(bytes(changed), mtime=0)

    def _lines(self, data: bytes, others: Sequence[bytes]) -> bytes:
        lines = data.split(b"\n")
        other = self.dice.choice(others).split(b"\n")
        at = self.dice.randrange(len(lines))
        kind = self.dice.randrange(6)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, self.dice.choice(lines))
        elif kind == 2:
            lines.insert(at, self.dice.choice(other))
        elif kind == 3:
            lines[at] = self._text(lines[at].decode("utf-8", "replace")).encode("utf-8", "replace")
        elif kind == 4:
            words = lines[at].split(b" ")
            words[self.dice.randrange(len(words))] = str(self.dice.choice(_VALUES)).encode("utf-8")[:6000]
            lines[at] = b" ".join(words)
        else:
            self.dice.shuffle(lines)
        return b"\n".join(lines)

    def _bytes(self, data: bytes, others: Sequence[bytes]) -> bytes:
        made = bytearray(data)
        at = self.dice.randrange(len(made) + 1)
        length = self.dice.choice((1, 1, 2, 4, 16, 256))
        kind = self.dice.randrange(8)
        if kind <= 1 and at < len(made):
            made[at] ^= 1 << self.dice.randrange(8)
        elif kind == 2:
            del made[at : at + length]
        elif kind == 3:
            made[at:at] = self.dice.randbytes(length)
        elif kind == 4:
            made[at:at] = made[at : at + length]
        elif kind == 5:
            del made[at:]
        elif kind == 6:
            other = self.dice.choice(others)
            where = self.dice.randrange(len(other) + 1)
            made[at : at + length] = other[where : where + length]
        else:
            made[at:at] = self.dice.choice(
                (b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b" ", b'"', b"}", b"\\")
            )
        return bytes(made)

    def _json(self, value: Any, other: Any, others: Sequence[bytes]) -> Any:
        places = list(_places(value))
        parent, key = self.dice.choice(places)
        kind = self.dice.randrange(9)
        if kind == 0:
            del parent[key]
        elif kind == 1:
            parent[key] = copy.deepcopy(self.dice.choice(_VALUES))
        elif kind == 2:
            holder, name = self.dice.choice(places)
            parent[key] = copy.deepcopy(holder[name])
        elif kind == 3 and (elsewhere := list(_places(other))):
            holder, name = self.dice.choice(elsewhere)
            parent[key] = copy.deepcopy(holder[name])
        elif kind == 4 and isinstance(parent, list):
            parent.insert(self.dice.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
        elif kind == 4:
            parent[self.dice.choice(("", "x", "__proto__", str(key).upper(), f"{key}\x00"))] = parent.pop(key)
        elif kind == 5:
            parent[key] = [parent[key]] if self.dice.random() < 0.5 else {"value": parent[key]}
        elif isinstance(parent[key], str):
            parent[key] = self._text(parent[key], others)
        elif isinstance(parent[key], int | float):
            parent[key] = self.dice.choice((str(parent[key]), -parent[key], parent[key] + 1, parent[key] * 10**9))
        return value

    def _text(self, text: str, others: Sequence[bytes] = (b"",)) -> str:
        kind = self.dice.randrange(6)
        if kind <= 2 and len(text) >= 16:  # what is behind the base64
            for decode, encode in _CODINGS:
                try:
                    inner = decode(text)
                except (ValueError, binascii.Error):
                    continue
                return encode(self.dice.choice((self._bytes, self._structure))(inner, others))
        at = self.dice.randrange(len(text) + 1)
        if kind == 3:
            return text[:at]
        if kind == 4:
            return text[:at] + self.dice.choice(("\x00", " ", "é", "\n", "/", ".", "=", "\u2028", "A")) + text[at:]
        if kind == 5:
            return text.swapcase()
        return text[:at] + self.dice.choice(("0", "x", "-", "")) + text[at + 1 :]

    def _written(self, value: Any) -> bytes:
        style: dict[str, Any] = self.dice.choice(
            ({}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False})
        )
        text = json.dumps(value, **style)
        for raw in _VALUES:
            if isinstance(raw, str) and raw.startswith(_MARK):
                text = text.replace(json.dumps(raw, **style), raw.removeprefix(_MARK))
        if self.dice.random() < 0.05 and text.startswith("{"):
            text = '{"' + self.dice.choice(("_type", "mediaType", "payload", "x")) + '": 1,' + text[1:]
        return text.encode("utf-8", "surrogatepass")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _places(value: Any) -> Any:
    """Every (holder, key) in the value, from the outside in."""
    rest = [value]
    while rest:
        holder = rest.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            rest.append(holder[key])


def _url_decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _url_encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_CODINGS: tuple[tuple[Callable[[str], bytes], Callable[[bytes], str]], ...] = (
    (lambda text: base64.b64decode(text, validate=True), lambda data: base64.b64encode(data).decode()),
    (_url_decode, _url_encode),
)
