"""The digest that OPA's signatures give of a file (opa, v1/bundle/hash.go and bundle.go: IsStructuredDoc).

Data and manifest are hashed as JSON with sorted keys, compact, numbers spelled as they are; everything else as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from policy.bundle.reasons import Refused

STRONG: Final = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512", "SHA-512-256": "sha512_256"}
"""OPA's names of the algorithms that we accept; it takes MD5, SHA-1 and SHA-224 as well."""
_STRUCTURED = (".manifest", "data.json")
_YAML = ("data.yaml", "data.yml")


def is_structured(name: str) -> bool:
    """Whether the file is hashed as JSON."""
    return name.rpartition("/")[2] in _STRUCTURED


def digest_of(name: str, data: bytes, algorithm: str) -> str:
    """The file's digest in lower-case hexadecimal.

    Raises:
        Refused: the algorithm is weak or unknown, JSON that cannot be read in one way only, or YAML.
    """
    if algorithm not in STRONG:
        raise Refused("file-hash-weak", f"{name!r:.120} is listed with {algorithm!r:.30}")
    if name.rpartition("/")[2] in _YAML:
        raise Refused("contents", f"{name!r:.120} is YAML, which a bundle's readers do not read alike: write data.json")
    return hashlib.new(STRONG[algorithm], canonical(name, data) if is_structured(name) else data).hexdigest()


class _Number(str):
    """A number as it is spelled."""

    __slots__ = ()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_Number, parse_int=_Number, parse_constant=_constant)
_STRING = json.JSONEncoder(ensure_ascii=False).encode


def canonical(name: str, data: bytes) -> bytes:
    """JSON as it is hashed.

    Raises:
        Refused: it is not JSON, has a key twice, or is nested too deeply.
    """
    try:
        value = _DECODER.decode(data.decode("utf-8"))
        return "".join(_written(value)).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Refused("contents", f"{name!r:.120} cannot be read as JSON: {error}") from error


def _written(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(value, _Number):
        yield value
    elif isinstance(value, str):
        # Go's encoder also escapes the two separators that JavaScript takes for ends of lines.
        yield _STRING(value).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    elif isinstance(value, dict):
        mark = "{"
        for key in sorted(value):
            yield mark
            yield from _written(key)
            yield ":"
            yield from _written(value[key])
            mark = ","
        yield "}" if value else "{}"
    elif isinstance(value, list):
        mark = "["
        for item in value:
            yield mark
            yield from _written(item)
            mark = ","
        yield "]" if value else "[]"
    else:
        yield {None: "null", True: "true", False: "false"}[value]
