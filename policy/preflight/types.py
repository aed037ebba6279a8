"""Static types as OPA's checker has them (v1/types, v1/ast/check.go), in the form of the capabilities file:
``{"type": "array", "static": […], "dynamic": …}``. Only as wide as needed to refuse whatever OPA's checker might
refuse. ``arguments`` of an ``any``: OPA has no type for it yet. They are the names of the function's arguments that it
is the type of (``policy.preflight.argument_types``); there are none where it is what ``set()`` holds. ``typed``: what
stands beside them in a union, which to OPA is then the whole of it. ``each`` of a set: of its elements one by one,
where it is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from policy.preflight.tree import Scalar

Type: TypeAlias = dict[str, Any]
ANY: Type = {"type": "any"}
STRING: Type = {"type": "string"}
NUMBER: Type = {"type": "number"}
BOOLEAN: Type = {"type": "boolean"}
NULL: Type = {"type": "null"}
UNTYPED: Type = {"type": "any", "arguments": []}
NOTHING: Type = {"type": "any", "of": []}
"""No value has it."""


def alternatives(of: Type) -> list[Type] | None:
    """What a type may be; None for anything."""
    if of["type"] != "any":
        return [of]
    if "of" not in of:
        return None
    found: list[Type] = []
    for member in of["of"]:
        inner = alternatives(member)
        if inner is None:
            return None
        found += inner
    return found


def union(types: list[Type]) -> Type:
    """What is one of these."""
    found: list[Type] = []
    for one in types:
        inner = alternatives(one)
        if inner is None:
            return _untyped_union(types)
        found += [member for member in inner if member not in found]
    return found[0] if len(found) == 1 else {"type": "any", "of": found}


def plain(of: Type, *, untyped: Type = UNTYPED) -> Type:
    """The same, without naming arguments; ``untyped`` in the place of what ``set()`` holds."""
    return _untyped_as(of, lambda part: ANY if part["arguments"] else untyped)


def closed(of: Type) -> Type:
    """As a comprehension has it: what has no type yet gets none from what it is compared with."""
    return _untyped_as(of, lambda part: part if "typed" in part else {**part, "of": []})


def _untyped_as(of: Type, change: Callable[[Type], Type]) -> Type:
    if "arguments" in of:
        return change(of)
    found: Type = dict(of)
    if isinstance(of.get("of"), list):
        found["of"] = [_untyped_as(member, change) for member in of["of"]]
    elif "of" in of:
        found["of"] = _untyped_as(of["of"], change)
        if "each" in of:
            found["each"] = [_untyped_as(element, change) for element in of["each"]]
    if of["type"] == "object":
        static = of.get("static", [])
        found["static"] = [{"key": one["key"], "value": _untyped_as(one["value"], change)} for one in static]
        if "dynamic" in of:
            found["dynamic"] = {name: _untyped_as(inner, change) for name, inner in of["dynamic"].items()}
    elif of["type"] == "array":
        found["static"] = [_untyped_as(element, change) for element in of.get("static", [])]
        if "dynamic" in of:
            found["dynamic"] = _untyped_as(of["dynamic"], change)
    return found


def is_untyped(of: Type) -> bool:
    """Whether OPA has no type for it, or for a part of it (types.Nil)."""
    if of["type"] == "any":
        members = of["typed"] if "typed" in of else of.get("of", [])
        return ("arguments" in of and "typed" not in of) or any(is_untyped(member) for member in members)
    if of["type"] == "object":
        inner = [entry["value"] for entry in of.get("static", [])] + list(of.get("dynamic", {}).values())
    elif of["type"] == "array":
        inner = [*of.get("static", []), *([of["dynamic"]] if "dynamic" in of else [])]
    else:
        inner = [of.get("of", ANY)] if of["type"] == "set" else []
    return any(is_untyped(one) for one in inner)


def parts(one: Type, other: Type) -> list[tuple[Type, Type]]:
    """What two arrays, sets or objects hold, side by side."""
    loose, free = (of.get("dynamic", {}) if of["type"] == "object" else {} for of in (one, other))
    return _held(one, other) + ([(loose["key"], free["key"])] if loose and free else [])


def _held(one: Type, other: Type) -> list[tuple[Type, Type]]:
    """The same without the keys that may be any, which OPA does not compare."""
    if one["type"] == "set":
        first, second = one.get("of", ANY), other.get("of", ANY)
        pairs = [(element, second) for element in one.get("each", [first])]
        return pairs + [(first, element) for element in other.get("each", [])]
    if one["type"] == "array":
        longest = max(len(one.get("static", [])), len(other.get("static", [])))
        return [(_element(one, at), _element(other, at)) for at in range(longest + 1)]
    if one["type"] == "object":
        left = {entry["key"]: entry["value"] for entry in one.get("static", [])}
        right = {entry["key"]: entry["value"] for entry in other.get("static", [])}
        loose, free = (of.get("dynamic", {}).get("value", ANY) for of in (one, other))
        return [(left.get(key, loose), right.get(key, free)) for key in left | right] + [(loose, free)]
    return []


def _untyped_union(types: list[Type]) -> Type:
    names: set[str] = set()
    typed: list[Type] = []
    for one in types:
        inner = stated(one)
        if inner is None and "arguments" not in one:
            return ANY
        names |= set(one.get("arguments", ()))
        typed += [member for member in inner or () if member not in typed]
    found: Type = {"type": "any", "arguments": sorted(names)}
    return {**found, "typed": typed} if typed else found


def stated(of: Type) -> list[Type] | None:
    """What OPA says that it may be, which is less than what it may be where an argument has no type yet."""
    return of["typed"] if "typed" in of else alternatives(of)


def kinds(of: Type) -> set[str] | None:
    """The names of the alternatives; None for anything."""
    found = alternatives(of)
    return None if found is None else {member["type"] for member in found}


def only(of: Type, *names: str) -> bool:
    """Whether it can be nothing else than these."""
    found = kinds(of)
    return found is not None and bool(found) and found <= set(names)


def overlap(one: Type, other: Type) -> bool:
    """Whether some value has both types, as far as the checker sees."""
    left, right = stated(one), stated(other)
    if left is None or right is None:
        return True
    return any(_overlap(first, second) for first in left for second in right)


def _overlap(one: Type, other: Type) -> bool:
    if one["type"] != other["type"]:
        return False
    lacking = one["type"] in ("array", "object") and (_lacks(one, other) or _lacks(other, one))
    return not lacking and all(overlap(first, second) for first, second in _held(one, other))


def _lacks(one: Type, other: Type) -> bool:
    """Whether an array or object has no place for what the other has for certain."""
    if "dynamic" in one:
        return False
    if one["type"] == "array":
        return len(other.get("static", [])) > len(one.get("static", []))
    return bool({entry["key"] for entry in other.get("static", [])} - {entry["key"] for entry in one.get("static", [])})


def _element(of: Type, at: int) -> Type:
    static: list[Type] = of.get("static", [])
    found: Type = static[at] if at < len(static) else of.get("dynamic", ANY)
    return found


def values(of: Type) -> Type | None:
    """What iterating gives; None when it can give nothing."""
    members = alternatives(of)
    if members is None:
        return ANY
    found: list[Type] = []
    for member in members:
        if member["type"] == "set":
            found.append(member.get("of", ANY))
        elif member["type"] == "array":
            found += member.get("static", [])
            found += [member["dynamic"]] if "dynamic" in member else []
        elif member["type"] == "object":
            found += [entry["value"] for entry in member.get("static", [])]
            found += [member["dynamic"]["value"]] if "dynamic" in member else []
    return union(found) if found else None


def keys(of: Type) -> Type:
    """The keys that iterating gives."""
    members = alternatives(of)
    if members is None:
        return ANY
    found: list[Type] = []
    for member in members:
        if member["type"] == "set":
            found.append(member.get("of", ANY))
        elif member["type"] == "array":
            found.append(NUMBER)
        elif member["type"] == "object":
            found += [STRING] if member.get("static") else []
            found += [member["dynamic"]["key"]] if "dynamic" in member else []
    return union(found) if found else ANY


def at_key(of: Type, key: Scalar) -> Type | None:
    """What a constant key gives; None when OPA would refuse it."""
    members = alternatives(of)
    if members is None:
        return ANY
    found = [inner for member in members if (inner := _at_key(member, key)) is not None]
    return union(found) if any(alternatives(inner) != [] for inner in found) else None


def _at_key(of: Type, key: Scalar) -> Type | None:
    if of["type"] == "object":
        for entry in of.get("static", []):
            if entry["key"] == key:
                value: Type = entry["value"]
                return value
        if "dynamic" in of and isinstance(key, str) and overlap(of["dynamic"]["key"], STRING):
            dynamic: Type = of["dynamic"]["value"]
            return dynamic
        return None
    if of["type"] == "array":
        if isinstance(key, (str, bool)) or key is None or key < 0 or key != int(key):
            return None
        static = of.get("static", [])
        if key < len(static):
            element: Type = static[int(key)]
            return element
        later: Type | None = of.get("dynamic")
        return later
    if of["type"] == "set" and isinstance(key, str):
        inner: Type = of.get("of", ANY)
        return inner if overlap(inner, STRING) else None
    return None


def fits(of: Type, wanted: Type) -> bool:
    """Whether every value of a type is one that a builtin takes."""
    taken = alternatives(wanted)
    if taken is None:
        return True
    found = alternatives(of)
    if found is None:
        return False
    anything = {
        member["type"]
        for member in taken
        if alternatives(member.get("of", ANY)) is None
        and "static" not in member
        and alternatives(member["dynamic"] if member["type"] == "array" else ANY) is None
    }
    return all(member["type"] in anything for member in found)
