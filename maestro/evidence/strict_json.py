"""Reading JSON that an attacker may have written: one meaning for every reader, or none."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from maestro.evidence.errors import BadEvidence

SIZE_LIMIT = 16 << 20
"""Bytes; a segment of 10,000 receipts is 1.5 MB."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""One half of a pair, escaped: bytes that are UTF-8 hold none otherwise. A lone one has no UTF-8 form."""
_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_finite)


def loads(data: bytes, *, what: str) -> dict[str, Any]:
    """The JSON object in ``data``. Refused are duplicate keys, NaN, infinity, lone surrogates, bytes not in UTF-8.

    Raises:
        BadEvidence: naming ``what`` (words for the message) and what is wrong with it.
    """
    if len(data) > SIZE_LIMIT:
        raise BadEvidence(f"{what} is larger than {SIZE_LIMIT} bytes")
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise BadEvidence(f"{what} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise BadEvidence(f"{what} is not a JSON object")
    return value
