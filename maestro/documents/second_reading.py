"""A second opinion on edited text: ruamel.yaml, whose parser shares no code with ours, must read the same.

What is written into somebody's file is the one place where a slip of ours could change what a document means without
anybody asking for it. So `maestro fix` writes only what two parsers agree on (docs/adr/0004).
"""

from __future__ import annotations

import math
from typing import Any

from maestro.documents.json_value import Json
from maestro.documents.reading import Dialect, read


def agreed(path: str, text: str, *, dialect: Dialect = "strict") -> bool:
    """Whether ``text`` can be read, and both readers see the same documents in it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    ours = read(path, text.encode("utf-8"), dialect=dialect)
    if any(problem.rule.mode == "enforce" for problem in ours.problems):
        return False
    parser = YAML(typ="safe", pure=True)
    parser.version = (1, 2)
    try:
        theirs = [_plain(value) for value in parser.load_all(text)]
    except (YAMLError, ValueError, RecursionError):
        return False
    return len(theirs) == len(ours.documents) and all(
        same(document.value, value) for document, value in zip(ours.documents, theirs, strict=True)
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    """ruamel.yaml resolves timestamps, which YAML 1.2's core schema does not have: a date is its text."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def same(one: Json, other: Any) -> bool:  # noqa: ANN401
    """Equal in value and type: 1, 1.0 and true are three things."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(left, right) for left, right in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and one == other
