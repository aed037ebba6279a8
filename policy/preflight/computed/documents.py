"""Collections and numbers: after ``v1/topdown/json.go``, ``subset.go``, ``walk.go``, ``aggregates.go``, ``bits.go``."""

from __future__ import annotations

import functools
from typing import Any

from policy.engines.engine import UNDEFINED
from policy.engines.regopy_values import compare
from policy.preflight.computed.values import (
    Fails,
    Unsure,
    Value,
    array,
    is_array,
    is_set,
    members,
    whole,
)

_ABSENT: Any = object()
_BITS = 4096


def subset(value: Value, sub: Value) -> Value:
    """object.subset"""
    if isinstance(value, dict) and isinstance(sub, dict):
        return _object_subset(value, sub)
    if is_set(value) and is_set(sub):
        return _set_subset(value, sub)
    if is_array(value) and is_array(sub):
        return _array_subset(value, sub)
    if is_array(value) and is_set(sub):
        raise Unsure("a set within an array")
    raise Fails("arguments of two kinds")


def _object_subset(value: Value, sub: Value) -> bool:
    for key, member in sub.items():
        if key not in value:
            return False
        found = value[key]
        if compare(found, member):
            inner = (
                _object_subset if isinstance(found, dict) and isinstance(member, dict)
                else _set_subset if is_set(found) and is_set(member)
                else _array_subset if is_array(found) and is_array(member)
                else None
            )  # fmt: skip
            if inner is None or not inner(found, member):
                return False
    return True


def _set_subset(value: Value, sub: Value) -> bool:
    return all(any(not compare(member, found) for found in value[1:]) for member in sub[1:])


def _array_subset(value: Value, sub: Value) -> bool:
    """A row within the other. OPA's search goes on after the first failure from the next element, as here."""
    whole_row, row = value[1:], sub[1:]
    return any(
        not compare(array(whole_row[at : at + len(row)]), sub) for at in range(len(whole_row) - len(row) + 1)
    )  # fmt: skip


def _paths(value: Value) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in members(value):
        if path == "":
            continue
        if isinstance(path, str):
            steps = [step.replace("~1", "/").replace("~0", "~") for step in path.lstrip("/").split("/")]
        elif is_array(path):
            steps = members(path)
        else:
            raise Fails("a path that is neither text nor an array")
        if not all(isinstance(step, str) for step in steps):
            raise Unsure("a step that is no text")
        node: Any = root
        for step in steps[:-1]:
            node = node.setdefault(step, {})
            if node is None:
                break
        if node is not None and steps:
            node[steps[-1]] = None
    return root


def remove(value: Value, paths: Value) -> Value:
    """json.remove"""
    if not isinstance(value, dict):
        raise Fails("an argument that is no object")
    return _removed(value, _paths(paths))


def _removed(value: Value, paths: Any) -> Value:
    if paths is _ABSENT:
        return value
    if paths is None:
        return _ABSENT
    if is_set(value):
        raise Unsure("a set")
    if isinstance(value, dict):
        pairs = ((key, _removed(member, paths.get(key, _ABSENT))) for key, member in value.items())
        return {key: member for key, member in pairs if member is not _ABSENT}
    if is_array(value):
        kept = [_removed(member, paths.get(str(at), _ABSENT)) for at, member in enumerate(value[1:])]
        return array([member for member in kept if member is not _ABSENT])
    return value


def keep(value: Value, paths: Value) -> Value:
    """json.filter"""
    if not isinstance(value, dict):
        raise Fails("an argument that is no object")
    return _kept(value, _paths(paths))


def _kept(value: Value, paths: Any) -> Value:
    if paths is None:
        return value
    if is_set(value):
        raise Unsure("a set")
    if isinstance(value, dict):
        return {key: _kept(member, paths[key]) for key, member in value.items() if key in paths}
    if is_array(value):
        return array([_kept(member, paths[str(at)]) for at, member in enumerate(value[1:]) if str(at) in paths])
    return value


def walk(value: Value) -> Value:
    """walk, as an array of what it gives."""
    found: list[Value] = []

    def visit(path: list[Value], at: Value) -> None:
        found.append(array([array(path), at]))
        if len(found) > 100_000:
            raise Unsure("a document of more than 100,000 values")
        if isinstance(at, dict):
            for key in sorted(at):
                visit([*path, key], at[key])
        elif is_array(at):
            for index, member in enumerate(at[1:]):
                visit([*path, index], member)
        elif is_set(at):
            for member in at[1:]:
                visit([*path, member], member)

    visit([], value)
    return array(found)


def member(key: Value, value: Value, collection: Value) -> Value:
    """internal.member_3: `key, value in collection`."""
    if isinstance(collection, dict):
        return isinstance(key, str) and key in collection and not compare(collection[key], value)
    if is_array(collection):
        at = key if isinstance(key, int) and not isinstance(key, bool) else -1
        return 0 <= at < len(collection) - 1 and not compare(collection[at + 1], value)
    if is_set(collection):
        return not compare(key, value) and any(not compare(each, value) for each in members(collection))
    return False


def largest(value: Value) -> Value:
    """max"""
    found = members(value)
    return max(found, key=functools.cmp_to_key(compare)) if found else UNDEFINED


def smallest(value: Value) -> Value:
    """min"""
    found = members(value)
    return min(found, key=functools.cmp_to_key(compare)) if found else UNDEFINED


def in_order(value: Value) -> Value:
    """sort"""
    return array(sorted(members(value), key=functools.cmp_to_key(compare)))


def divide(value: Value, by: Value) -> Value:
    """div, where nothing is left over."""
    number, divisor = whole(value), whole(by)
    if not divisor:
        raise Fails("divided by zero")
    if number % divisor:
        raise Unsure("a quotient with a fraction")
    return number // divisor


def shift_left(value: Value, by: Value) -> Value:
    """bits.lsh"""
    return whole(value) << _distance(by)


def shift_right(value: Value, by: Value) -> Value:
    """bits.rsh"""
    return whole(value) >> _distance(by)


def _distance(by: Value) -> int:
    distance = whole(by)
    if distance < 0:
        raise Fails("a negative distance")
    if distance > _BITS:
        raise Unsure(f"more than {_BITS} bits")
    return distance


def patch(value: Value, operations: Value) -> Value:
    """json.patch: additions, removals and replacements below objects."""
    if not is_array(operations):
        raise Fails("operations that are no array")
    for operation in members(operations):
        if not isinstance(operation, dict):
            raise Fails("an operation that is no object")
        value = _patched(value, operation)
    return value


def _patched(value: Value, operation: dict[str, Value]) -> Value:
    op, path = operation.get("op"), operation.get("path")
    if op not in ("add", "remove", "replace") or not isinstance(path, str) or not path.startswith("/"):
        raise Unsure("an operation that is not written plainly")
    if op != "remove" and "value" not in operation:
        raise Fails("an operation without a value")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]
    return _changed(value, steps, op, operation.get("value"))


def _changed(value: Value, steps: list[str], op: str, new: Value) -> Value:
    if not isinstance(value, dict):
        raise Unsure("a path through something else than objects")
    step = steps[0]
    if (len(steps) > 1 or op != "add") and step not in value:
        raise Fails("a path that leads nowhere")
    if len(steps) > 1:
        return {**value, step: _changed(value[step], steps[1:], op, new)}
    return {key: member for key, member in value.items() if key != step} if op == "remove" else {**value, step: new}
