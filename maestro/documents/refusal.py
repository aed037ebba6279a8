"""From a model's refusal to problems a person understands: what the field must be, what it is, and where.

The words come from the JSON Schema of the field, so the schema, the editor and the message say the same.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from maestro.documents import rules
from maestro.documents.json_value import Json
from maestro.documents.meant import Meant, meant
from maestro.documents.pointer import dotted, has, resolve
from maestro.documents.scalars import resolve as resolve_scalar
from maestro.documents.show import show, show_text
from maestro.findings import Rule

_KEY_STEP = "[key]"  # how pydantic marks that a key, not its value, was refused
_FORMS = ("[text]", "[entry]")  # tags of alternatives
_SHOWN_KEYS = 12


class Refusal(NamedTuple):
    """One thing wrong with a value; places are steps, not yet lines."""

    rule: Rule
    message: str
    steps: tuple[str | int, ...]
    at_key: bool = False
    remedy: str | None = None
    replacement: str | None = None
    """What to write in this place instead, as YAML text."""


def refusals(error: ValidationError, value: Json, schema: Mapping[str, Any]) -> Iterator[Refusal]:
    """Everything in ``error``, which validating ``value`` against a model with this JSON Schema raised."""
    errors = error.errors(include_url=False, include_input=False)
    located = [(_steps(one["loc"], value), one["type"]) for one in errors]
    said = {
        steps: one["ctx"]["words"] for (steps, kind), one in zip(located, errors, strict=True) if kind == "bad_value"
    }
    renamed: set[tuple[str | int, ...]] = set()
    moved: set[tuple[str | int, ...]] = set()
    out: list[Refusal] = []
    for steps, kind in located:
        if kind == "extra_forbidden":
            refusal, near = _unknown_key(steps, value, schema)
            if near is not None:
                renamed.add((*steps[:-1], near))
            moved.add((_home(steps, schema),))
            out.append(refusal)
    seen: set[tuple[str | int, ...]] = set()
    for steps, kind in located:
        if kind == "extra_forbidden" or steps in seen:
            continue
        if kind == "too_short" and any(other[: len(steps)] == steps != other for other, _ in located):
            continue  # pydantic does not count the entries it refused
        seen.add(steps)
        if kind == "missing":
            # A misspelt key, or one beside its section, is one defect, not a missing field besides.
            if steps not in renamed and steps not in moved:
                out.append(
                    Refusal(rules.MISSING_FIELD, f"{dotted(steps)} is missing", steps, remedy=_add(steps, schema))
                )
        elif steps and steps[-1] == _KEY_STEP:
            words = _words(schema_at(schema, steps[:-2]).get("propertyNames", {}), None)
            place = steps[:-1]
            message = f"the key {show_text(str(place[-1]))} in {dotted(place[:-1])} {words}"
            out.append(Refusal(rules.BAD_VALUE, message, place, at_key=True))
        else:
            out.append(_bad(steps, value, schema, said.get(steps)))
    yield from out


def schema_at(schema: Mapping[str, Any], steps: Sequence[str | int]) -> Mapping[str, Any]:
    """The part of a JSON Schema that speaks of the value at ``steps``; empty where nothing does."""
    here = _dereferenced(schema, schema)
    for step in steps:
        following: Any
        here = _mapping_form(schema, here)
        if isinstance(step, int):
            following = here.get("items", {})
        else:
            patterns = here.get("patternProperties", {})
            following = here.get("properties", {}).get(step) or next(iter(patterns.values()), None)
            following = following or here.get("additionalProperties", {})
        here = _dereferenced(schema, following if isinstance(following, Mapping) else {})
    return here


def _mapping_form(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of alternatives, the one with keys."""
    for form in node.get("oneOf", node.get("anyOf", ())):
        if "properties" in (inner := _dereferenced(schema, form)):
            return inner
    return node


def _dereferenced(schema: Mapping[str, Any], here: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in here:
        here = schema["$defs"][here["$ref"].rpartition("/")[2]]
    return here


def _steps(loc: Sequence[str | int], value: Json) -> tuple[str | int, ...]:
    """Pydantic's place without what it adds for alternatives."""
    steps: list[str | int] = []
    for step in loc:
        if step in _FORMS:
            continue
        parent = resolve(value, steps) if has(value, steps) else None
        if step == _KEY_STEP or isinstance(parent, dict) or (isinstance(parent, list) and isinstance(step, int)):
            steps.append(step)
    return tuple(steps)


def _add(steps: Sequence[str | int], schema: Mapping[str, Any]) -> str:
    node = schema_at(schema, steps)
    if shown := _example(steps, node):
        return f"add it, {shown}"
    if required := node.get("required"):
        return f"add it, with at least {' and '.join(f'`{name}`' for name in required)} in it"
    what = node.get("description", "").replace("`", "").rstrip(".")
    return f"add it ({what[0].lower()}{what[1:]})" if what else "add it"


def _example(steps: Sequence[str | int], node: Mapping[str, Any]) -> str:
    example = node.get("examples")
    named = steps and isinstance(steps[-1], str)
    return f"for example `{f'{steps[-1]}: ' if named else ''}{_yaml(example[0])}`" if example else ""


def _yaml(value: Json) -> str:
    import json

    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][-A-Za-z0-9_./]*", value)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _unknown_key(steps: tuple[str | int, ...], value: Json, schema: Mapping[str, Any]) -> tuple[Refusal, str | None]:
    key = str(steps[-1])
    parent = steps[:-1]
    here = resolve(value, parent)
    present = set(here) if isinstance(here, dict) else set()
    known = list(_mapping_form(schema, schema_at(schema, parent)).get("properties", {}))
    near = nearest(key, [name for name in known if name not in present])
    where = f"in {dotted(parent)}" if parent else "at the top level"
    message = f"the key {show_text(key)} is unknown {where}"
    if near is not None:
        refusal = Refusal(
            rules.UNKNOWN_KEY, f"{message}; did you mean `{near}`?", steps, True, f"rename it to `{near}`", near
        )
        return refusal, near
    home = _home(steps, schema)
    if home:
        remedy = f"move it to `{home}`"
    elif known:
        more = "" if len(known) <= _SHOWN_KEYS else f" and {len(known) - _SHOWN_KEYS} more (see `maestro schema`)"
        remedy = f"remove it; known here: {', '.join(known[:_SHOWN_KEYS])}{more}"
    else:
        remedy = "remove it"
    return Refusal(rules.UNKNOWN_KEY, message, steps, True, remedy), None


def _home(steps: Sequence[str | int], schema: Mapping[str, Any]) -> str:
    """The section that has a key by this name, where it is not the one that the key stands in; else empty."""
    sections = [name for name in ("metadata", "spec") if name != steps[0]]
    return next((name for name in sections if steps[-1] in schema_at(schema, [name]).get("properties", {})), "")


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant."""
    folded = {name.lower().replace("-", "_"): name for name in known}
    found = difflib.get_close_matches(word.lower().replace("-", "_")[:100], folded, 1, 0.6)
    return folded[found[0]] if found else None


_TYPES = {
    "string": "must be text",
    "boolean": "must be true or false",
    "array": "must be a list",
    "object": "must be a mapping",
    "number": "must be a number",
    "integer": "must be a whole number",
}


def _words(node: Mapping[str, Any], value: Json) -> str:
    if isinstance(value, str) and len(value) > node.get("maxLength", len(value)):
        return f"must have at most {node['maxLength']} characters"
    if "errorMessage" in node:
        return str(node["errorMessage"])
    if "const" in node:
        return f"must be {node['const']}"
    if "enum" in node:
        return f"must be one of {', '.join(str(one) for one in node['enum'])}"
    kind = node.get("type", "")
    words = _TYPES.get(kind, "is not allowed")
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        words += f" from {low} to {high}"
    elif low is not None:
        words += f", at least {low}"
    elif high is not None:
        words += f", at most {high}"
    if kind == "array" and node.get("minItems"):
        words += " of at least one entry" if node["minItems"] == 1 else f" of at least {node['minItems']} entries"
    return words


def _bad(steps: tuple[str | int, ...], value: Json, schema: Mapping[str, Any], said: str | None) -> Refusal:
    node = schema_at(schema, steps)
    here = resolve(value, steps) if has(value, steps) else None
    words = said if said is not None and here is not None else _words(node, here)
    message = f"{dotted(steps) or 'the document'} {words}, but it is {show(here)}"
    rule = rules.BAD_VALUE if _has_type(here, node) else rules.WRONG_TYPE
    replacement = _replacement(here, node)
    remedy: str | None
    guess = Meant(replacement, certain=True) if replacement is not None else meant(here, node)
    if guess is not None:
        remedy = f"write {guess.text}" if guess.certain else f"write `{guess.text}`, if that is meant"
    elif here is None:
        remedy = "give it a value, or remove the key"
    else:
        remedy = f"write, {shown}" if (shown := _example(steps, node)) else None
    return Refusal(
        rule, message, steps, replacement=guess.text if guess is not None and guess.certain else None, remedy=remedy
    )


def _has_type(value: Json, node: Mapping[str, Any]) -> bool:
    kinds = {one.get("type") for one in node.get("anyOf", [node])}
    if "const" in node or "enum" in node:
        kinds = {"string"}
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, int):
        return bool(kinds & {"integer", "number"})
    return {str: "string", float: "number", list: "array", dict: "object"}.get(type(value)) in kinds


def _replacement(value: Json, node: Mapping[str, Any]) -> str | None:
    """What was probably meant, as YAML text; only where there is one clear answer."""
    if isinstance(value, str):
        if "enum" in node:
            return nearest(value, [str(one) for one in node["enum"]])
        if "const" in node:
            return str(node["const"])
        if node.get("type") == "boolean":
            return {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}.get(
                value.lower()
            )
        if node.get("type") == "integer" and re.fullmatch(r"[0-9]{1,9}", value):
            number = resolve_scalar(value)
            fits = isinstance(number, int) and node.get("minimum", number) <= number <= node.get("maximum", number)
            return str(number) if fits else None
    return None
