"""The way to a part of a value: as steps (keys and positions), and as text (JSON pointer, RFC 6901)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from maestro.documents.json_value import Json

_POSITION = re.compile(r"0|[1-9][0-9]{0,8}")


def pointer_text(steps: Sequence[str | int]) -> str:
    """``("spec", "a/b", 0)`` becomes ``/spec/a~1b/0``; the whole document is the empty text."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def parse_pointer(value: Json) -> tuple[str | int, ...]:
    """Steps from a list of keys and positions, or from the text of a JSON pointer.

    A text cannot tell a position from a key of digits: it gives a position. Anything else gives no steps.
    """
    if isinstance(value, str):
        if not value.startswith("/"):
            return ()
        parts = (part.replace("~1", "/").replace("~0", "~") for part in value[1:].split("/"))
        return tuple(int(part) if _POSITION.fullmatch(part) else part for part in parts)
    if isinstance(value, list) and all(isinstance(part, str | int) and not isinstance(part, bool) for part in value):
        return tuple(part for part in value if isinstance(part, str | int))
    return ()


def step_into(value: Json, step: str | int) -> Json:
    """The part of ``value`` that one step names; a mapping takes a position for the key of its digits.

    Raises:
        KeyError: there is no such part.
    """
    if isinstance(value, dict) and str(step) in value:
        return value[str(step)]
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        return value[step]
    raise KeyError(step)


def resolve(value: Json, steps: Sequence[str | int]) -> Json:
    """The part of ``value`` that ``steps`` name.

    Raises:
        KeyError: there is no such part.
    """
    for step in steps:
        value = step_into(value, step)
    return value


def has(value: Json, steps: Sequence[str | int]) -> bool:
    """Whether ``value`` has the part that ``steps`` name."""
    try:
        resolve(value, steps)
    except KeyError:
        return False
    return True


def dotted(steps: Sequence[str | int]) -> str:
    """For people: ``spec.egress[0]``."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
