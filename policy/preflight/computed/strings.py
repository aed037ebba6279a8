"""Text: after ``v1/topdown/strings.go``, ``encoding.go``, ``parse_bytes.go``, ``uri.go``, ``template_string.go``."""

from __future__ import annotations

import base64
import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

from policy.preflight.computed.values import Fails, Unsure, Value, array, is_array, is_set, members, text, whole

_UNITS = {"": 1}
for _at, _letter in enumerate("kmgtpe", 1):
    _UNITS |= {_letter: 1000**_at, f"{_letter}b": 1000**_at, f"{_letter}i": 1024**_at, f"{_letter}ib": 1024**_at}
_AMOUNT = re.compile(r"([0-9.]+)(|[a-df-z][a-z]*|e[a-z]*)")
_URI = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*)://([A-Za-z0-9.-]+)(?::([0-9]+))?)?(/[A-Za-z0-9._~-][A-Za-z0-9._~/-]*|/)?"
    r"(?:\?([A-Za-z0-9=&._~/-]*))?(?:#([A-Za-z0-9._~/-]*))?"
)
_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*", re.DOTALL)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")


def parse_bytes(value: Value) -> Value:
    """units.parse_bytes: with Go's big.Float of 64 bits."""
    given = text(value)
    if not given.isascii() or not given.isprintable():
        raise Unsure("a unit beyond ASCII")
    given = given.lower().replace('"', "")
    if " " in given or not given:
        raise Fails("no amount of bytes")
    found = _AMOUNT.fullmatch(given)
    if found is None:
        if given[0].isalpha() and given[0] != "e":
            raise Fails("no amount of bytes")
        raise Unsure("an amount of bytes with a sign or an exponent")
    if found[2] not in _UNITS or found[1].count(".") > 1 or found[1] == ".":
        raise Fails("no amount of bytes")
    if len(found[1]) > 40:
        raise Unsure("an amount of bytes of many digits")
    return int(_rounded(_rounded(Fraction(Decimal(found[1]))) * _UNITS[found[2]]))


def _rounded(number: Fraction) -> Fraction:
    """To 64 bits, half to even."""
    if not number:
        return number
    shift = 64 - (number.numerator.bit_length() - number.denominator.bit_length())
    for by in (shift - 1, shift, shift + 1):
        scaled = number * Fraction(2) ** by
        if 1 << 63 <= scaled < 1 << 64:
            return Fraction(round(scaled)) / Fraction(2) ** by
    raise Unsure("a number that cannot be rounded")


def split_n(value: Value, delimiter: Value, count: Value) -> Value:
    """strings.split_n"""
    given, by, n = text(value), text(delimiter), whole(count)
    if abs(n) > 1 << 31:
        raise Unsure("a count beyond 2^31")
    if n < 0:
        parts = given.split(by) if by else list(given)
        return array(parts[max(len(parts) + n, 0) :])
    parts = given.split(by, n) if by else [*given[:n], *([given[n:]] if given[n:] else [])]
    return array(parts[:n])


def replace_n(patterns: Value, value: Value) -> Value:
    """strings.replace_n: at each place the first pattern, in the order of keys."""
    given = text(value)
    if not isinstance(patterns, dict) or not all(isinstance(new, str) for new in patterns.values()):
        raise Fails("no patterns")
    if "" in patterns:
        raise Unsure("an empty pattern")
    found, at = [], 0
    while at < len(given):
        old = next((key for key in sorted(patterns) if given.startswith(key, at)), None)
        found.append(given[at] if old is None else patterns[old])
        at += 1 if old is None else len(old)
    return "".join(found)


def indexof_n(value: Value, wanted: Value) -> Value:
    """indexof_n"""
    given, search = text(value), text(wanted)
    if not search:
        raise Fails("an empty search")
    return array([at for at in range(len(given)) if given.startswith(search, at)])


def format_int(value: Value, base: Value) -> Value:
    """format_int"""
    number = whole(value)
    form = {2: "b", 8: "o", 10: "d", 16: "x"}.get(whole(base))
    if form is None:
        raise Fails("a base that is none of 2, 8, 10, 16")
    return format(number, form)


def base64_decode(value: Value) -> Value:
    """base64.decode"""
    given = text(value)
    if "\n" in given or "\r" in given:
        raise Unsure("base64 over several lines")
    if not _BASE64.fullmatch(given):
        raise Fails("no base64")
    return _utf8(base64.b64decode(given))


def base64url_decode(value: Value) -> Value:
    """base64url.decode"""
    given = text(value)
    if not re.fullmatch(r"[A-Za-z0-9_-]*={0,2}", given) or len(given.rstrip("=")) % 4 == 1:
        raise Unsure("something else than base64url")
    if "=" in given and len(given) % 4:
        raise Unsure("wrong padding")
    return _utf8(base64.urlsafe_b64decode(given.rstrip("=") + "=" * (-len(given.rstrip("=")) % 4)))


def base64_is_valid(value: Value) -> Value:
    """base64.is_valid"""
    if isinstance(value, str) and ("\n" in value or "\r" in value):
        raise Unsure("base64 over several lines")
    return isinstance(value, str) and _BASE64.fullmatch(value) is not None


def hex_decode(value: Value) -> Value:
    """hex.decode"""
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", text(value)):
        raise Fails("no hexadecimal text")
    return _utf8(bytes.fromhex(value))


def _utf8(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Unsure("bytes that are no text") from error


def query_encode(value: Value) -> Value:
    """urlquery.encode"""
    return quote_plus(text(value))


def query_decode(value: Value) -> Value:
    """urlquery.decode"""
    if not _ESCAPED.fullmatch(text(value)):
        raise Fails("a percent sign without two digits")
    return _utf8(unquote_to_bytes(value.replace("+", " ")))


def query_encode_object(value: Value) -> Value:
    """urlquery.encode_object"""
    if not isinstance(value, dict):
        raise Fails("an argument that is no object")
    pairs = []
    for key in sorted(value):
        found = [value[key]] if isinstance(value[key], str) else value[key]
        if isinstance(found, list) and found[:1] in (["a"], ["s"]) and not isinstance(value[key], str):
            found = members(found)
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise Fails("a value that is neither text nor a list of texts")
        pairs += [f"{quote_plus(key)}={quote_plus(each)}" for each in found]
    return "&".join(pairs)


def query_decode_object(value: Value) -> Value:
    """urlquery.decode_object"""
    found: dict[str, list[Value]] = {}
    for part in text(value).split("&"):
        if ";" in part:
            raise Fails("a semicolon")
        if part:
            key, _, member = part.partition("=")
            found.setdefault(query_decode(key), []).append(query_decode(member))
    return {key: array(values) for key, values in found.items()}


def uri_parse(value: Value) -> Value:
    """uri.parse, of what is written plainly."""
    found = _URI.fullmatch(text(value))
    if found is None:
        raise Unsure("a URI that is not written plainly")
    scheme, host, port, path, query, fragment = found.groups()
    parts = {"scheme": scheme.lower() if scheme else "", "hostname": host, "port": port, "path": path,
             "raw_path": path, "raw_query": query, "fragment": fragment}  # fmt: skip
    return {name: part for name, part in parts.items() if part}


def uri_is_valid(value: Value) -> Value:
    """uri.is_valid"""
    if not isinstance(value, str) or not value:
        return False
    uri_parse(value)
    return True


def template(value: Value) -> Value:
    """internal.template_string"""
    if not is_array(value):
        raise Fails("a template that is none")
    found = []
    for part in members(value):
        if is_set(part):
            if len(part) > 2:
                raise Fails("a template with several outputs")
            found.append(_shown(part[1], outermost=True) if len(part) == 2 else "<undefined>")
        elif isinstance(part, (list, dict)):
            raise Fails("a template of something else")
        else:
            found.append(_shown(part, outermost=True))
    return "".join(found)


def _shown(value: Value, *, outermost: bool = False) -> str:
    """As OPA writes a term (v1/ast/term.go)."""
    if isinstance(value, str):
        if outermost:
            return value
        if not value.isascii() or not value.isprintable():
            raise Unsure("text within a template's list or object that is not plain")
        return json.dumps(value)
    if isinstance(value, list):
        inner = ", ".join(_shown(member) for member in value[1:])
        if is_array(value):
            return f"[{inner}]"
        return f"{{{inner}}}" if inner else "set()"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(value[key])}" for key in sorted(value)) + "}"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def marshal(value: Value) -> Value:
    """json.marshal: Go escapes what HTML would."""
    return _json(value, None, "", "")


def marshal_with(value: Value, options: Value) -> Value:
    """json.marshal_with_options"""
    if not isinstance(options, dict) or options.keys() - {"prefix", "indent", "pretty"}:
        raise Fails("options that do not exist")
    prefix, indent = text(options.get("prefix", "")), text(options.get("indent", "\t"))
    pretty = options.get("pretty", bool(options.keys() & {"prefix", "indent"}))
    if not isinstance(pretty, bool):
        raise Fails("`pretty` is no boolean")
    return prefix + _json(value, indent, prefix, "") if pretty else marshal(value)


def _json(value: Value, indent: str | None, prefix: str, level: str) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (list, dict)):
        deeper = level + (indent or "")
        if isinstance(value, list):
            rows, (opening, closing) = [_json(member, indent, prefix, deeper) for member in value[1:]], "[]"
        else:
            colon = ":" if indent is None else ": "
            rows = [f"{_quoted(key)}{colon}{_json(value[key], indent, prefix, deeper)}" for key in sorted(value)]
            opening, closing = "{}"
        if indent is None or not rows:
            return opening + ",".join(rows) + closing
        between = f",\n{prefix}{deeper}"
        return f"{opening}\n{prefix}{deeper}{between.join(rows)}\n{prefix}{level}{closing}"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _quoted(value: str) -> str:
    if any(ord(ch) < 0x20 and ch not in "\n\r\t" for ch in value):
        raise Unsure("a control character in JSON")
    written = json.dumps(value, ensure_ascii=False)
    for ch in "<>&\u2028\u2029":
        written = written.replace(ch, f"\\u{ord(ch):04x}")
    return written


def unmarshal(value: Value) -> Value:
    """json.unmarshal, of numbers that are written as they come out."""
    return _marked(_loaded(text(value)))


def json_is_valid(value: Value) -> Value:
    """json.is_valid"""
    if not isinstance(value, str):
        return False
    try:
        _loaded(value)
    except Fails:
        return False
    return True


def _loaded(given: str) -> Any:
    try:
        return json.loads(given, parse_float=_fraction, parse_int=_integer, parse_constant=_constant)
    except RecursionError as error:
        raise Unsure("JSON nested deeply") from error
    except ValueError as error:
        raise Fails("no JSON") from error


def _fraction(number: str) -> Decimal:
    if not _JSON_NUMBER.fullmatch(number) or len(number) > 17:
        raise Unsure("a number with an exponent, or many digits")
    return Decimal(number)


def _integer(number: str) -> int:
    if number == "-0" or len(number) > 1000:
        raise Unsure("minus zero, or a thousand digits")
    return int(number)


def _constant(name: str) -> Any:
    raise Fails(name)


def _marked(value: Any, depth: int = 0) -> Value:
    if depth > 100:
        raise Unsure("JSON nested deeply")
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        raise Unsure("half a character")
    if isinstance(value, list):
        return array([_marked(member, depth + 1) for member in value])
    if isinstance(value, dict):
        return {_marked(key): _marked(member, depth + 1) for key, member in value.items()}
    return value
