"""The calls of computed builtins that one worker's program has made: what stands beside the input.

The helper ``asked`` (``policy.preflight.helpers``) looks a call up under a digest of it, in an object for each two
digits that digests begin with: regopy looks through an object from its start, and copies what it finds.
"""

from __future__ import annotations

from collections.abc import Sequence

from policy.engines.engine import UNDEFINED, Broken
from policy.preflight.computed.table import compute
from policy.preflight.computed.values import Fails, Unsure, Value, is_array, read, write


class Calls:
    """What is known, as Rego terms: by digest the call, and its value unless it is undefined."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, tuple[str, str | None]]] = {}
        self._count = 0
        self._text = b""

    def beside(self, question: bytes) -> bytes:
        """The input, with what is known beside it."""
        return b'{"input":' + question + self._text + b"}"

    def forget(self, most: int) -> None:
        """Begin anew if there are more than so many."""
        if self._count > most:
            self._entries, self._count, self._text = {}, 0, b""

    def learn(self, lines: Sequence[str], most: int) -> Broken | None:
        """Compute what was asked; why the input is broken instead, or None."""
        before = self._count
        for line in lines:
            try:
                key, call = _question(line)
                self._add(key, call)
            except Fails as error:
                return Broken(f"an error inside a builtin: {line[:200]}: {error}", "builtin")
            except (Unsure, ValueError) as error:
                return Broken(f"a call whose answer is not proven: {line[:200]}: {error}", "unsupported")
        if self._count == before:
            return Broken("a call that was answered is asked again", "unsupported")
        if self._count > most:
            return Broken(f"more than {most} calls of computed builtins", "unsupported")
        self._text = "".join(f',"{near}":{{{_rows(entries)}}}' for near, entries in self._entries.items()).encode()
        return None

    def _add(self, key: str, call: Value) -> None:
        term = write(call)
        entries = self._entries.setdefault(key[:2], {})
        if key in entries:
            if entries[key][0] != term:
                raise Unsure("two calls with one digest: a set and an array of the same members")
            return
        answer = compute(call[1], call[2][1:])
        entries[key] = term, None if answer is UNDEFINED else write(answer)
        self._count += 1


def _question(line: str) -> tuple[str, Value]:
    value = read(line)
    if not is_array(value) or len(value) != 3 or not isinstance(value[1], str) or not is_array(value[2]):
        raise ValueError("no question")
    return value[1], value[2]


def _rows(entries: dict[str, tuple[str, str | None]]) -> str:
    return ",".join(
        f'"{key}":[{call}]' if value is None else f'"{key}":[{call},{value}]' for key, (call, value) in entries.items()
    )
