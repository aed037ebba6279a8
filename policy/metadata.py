"""OPA's METADATA blocks: the YAML in them, and what they are attached to.

Source: https://www.openpolicyagent.org/docs/policy-language#annotations and v1/ast/parser.go, v1/ast/annotations.go.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from maestro.documents.reading import RawDocument, read
from maestro.findings import Location, Rule
from policy import pack_rules
from policy.rego_text import Block, Comment, Head, Text, is_metadata

TOP_KEYS = (
    "authors",
    "compile",
    "custom",
    "description",
    "entrypoint",
    "labels",
    "organizations",
    "related_resources",
    "schemas",
    "scope",
    "title",
)
PACKAGE_KEYS = ("mode", "effective_on", "owner", "input", "match", "rego", "builtin_errors")
RULE_KEYS = ("mode", "effective_on")


@dataclass(frozen=True)
class Annotation:
    """A block as read. ``target``: the package, a head (index into the module's heads), or None: something else."""

    scope: str
    title: str | None
    custom: dict[str, Any]
    line: int
    target: Head | None
    on_package: bool
    place: Callable[[str], Location] = field(compare=False, repr=False)
    """Where the value of a member of ``custom`` stands in the module."""


@dataclass(frozen=True)
class Complaint:
    """Something wrong in a block."""

    rule: Rule
    message: str
    location: Location


def read_blocks(path: str, text: Text, heads: list[Head]) -> tuple[list[Annotation], list[Complaint]]:
    """Every block of a module with what it belongs to, and what is wrong with blocks or would-be blocks."""
    found: list[Annotation] = []
    complaints = list(_misspelt(path, text))
    by_token = {head.token: head for head in heads}
    for block in text.blocks:
        where = Location(path, block.line)
        raw, problem = _yaml(path, block)
        if problem is not None:
            complaints.append(Complaint(pack_rules.METADATA, problem, where))
        elif raw is not None:
            annotation, more = _annotation(raw, block, text, by_token, where)
            complaints += more
            found.append(annotation)
    return found, complaints


def _yaml(path: str, block: Block) -> tuple[RawDocument | None, str | None]:
    if not block.yaml.strip():
        return None, "the METADATA block is empty: its lines must follow directly, each beginning with # in column 1"
    reading = read(path, block.yaml.encode("utf-8", "surrogatepass"), dialect="strict")
    if reading.problems:
        problem = reading.problems[0]
        return None, f"the METADATA block is not valid YAML: {problem.message} (its line {problem.location.line})"
    if len(reading.documents) != 1 or not isinstance(reading.documents[0].value, dict):
        return None, "the METADATA block is not a mapping of keys to values"
    return reading.documents[0], None


def _annotation(
    raw: RawDocument, block: Block, text: Text, heads: dict[int, Head], where: Location
) -> tuple[Annotation, list[Complaint]]:
    value = cast("dict[str, Any]", raw.value)
    indents = {one.line: 2 if one.text.startswith(" ") else 1 for one in text.comments}

    def at(*pointer: str, key: bool = False) -> Location:
        """A place in the block as one in the module: behind the # and the blank after it."""
        found = raw.locate(pointer, key=key)
        line = block.line + found.line
        end = None if found.end_line is None else block.line + found.end_line
        column = found.column + indents.get(line, 0)
        end_column = None if found.end_column is None else found.end_column + indents.get(end or line, 0)
        return Location(where.path, line, column, end, end_column)

    on_package = text.package is not None and block.token == 0
    head = heads.get(block.token)
    complaints = []
    if not on_package and block.token == 0:
        complaints.append(Complaint(pack_rules.METADATA, "the METADATA block stands before no package", where))
    for key in value:
        if key not in TOP_KEYS:
            hint = _unknown_key(key, (*TOP_KEYS, *PACKAGE_KEYS))
            if hint:
                message = f"METADATA has no key {key!r}: {hint}"
                complaints.append(Complaint(pack_rules.METADATA, message, at(key, key=True)))
    custom = value.get("custom") or {}
    if not isinstance(custom, dict):
        complaints.append(Complaint(pack_rules.METADATA, "custom is not a mapping of keys to values", at("custom")))
        custom = {}
    known = PACKAGE_KEYS if on_package else RULE_KEYS
    for key in custom:
        if not on_package and head is not None and key in PACKAGE_KEYS and key not in RULE_KEYS:
            message = f"custom.{key} belongs to the block before `package`; on a rule it has no effect"
            complaints.append(Complaint(pack_rules.METADATA, message, at("custom", key, key=True)))
        elif key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.7)
            if near:
                message = f"custom has no key {key!r}: did you mean {near[0]!r}?"
                complaints.append(Complaint(pack_rules.METADATA, message, at("custom", key, key=True)))
    scope = value.get("scope")
    if scope is None:
        scope = "package" if on_package else "document" if value.get("entrypoint") is True else "rule"
    allowed = ("package", "subpackages") if on_package else ("rule", "document")
    if scope not in allowed and (on_package or head is not None):
        message = f"scope {scope!r} does not fit what follows the block: {' or '.join(allowed)} would"
        complaints.append(Complaint(pack_rules.METADATA, message, at("scope")))
    title = value.get("title")
    title = title if isinstance(title, str) else None
    return Annotation(
        str(scope), title, custom, block.line, head, on_package, lambda key: at("custom", key)
    ), complaints


def _unknown_key(key: str, known: tuple[str, ...]) -> str | None:
    if key in PACKAGE_KEYS:
        return f"it belongs under custom, as `custom: {{{key}: …}}`"
    near = difflib.get_close_matches(key, known, 1, 0.7)
    return f"did you mean {near[0]!r}?" if near else None


def _misspelt(path: str, text: Text) -> Iterator[Complaint]:
    """Comments that look like the first line of a block and are none, so that what they say would be lost."""
    for comment in text.comments:
        if is_metadata(comment) or _behind_code(comment, text):
            continue
        where = Location(path, comment.line, comment.column)
        if comment.text.strip() == "METADATA":
            message = "`# METADATA` counts only when its # stands in column 1"
            yield Complaint(pack_rules.METADATA, message, where)
        elif _nearly_metadata(comment):
            message = f"`#{comment.text.rstrip()}` is no METADATA block: did you mean `# METADATA`?"
            yield Complaint(pack_rules.METADATA, message, where)


def _behind_code(comment: Comment, text: Text) -> bool:
    before = text.tokens[comment.after - 1] if comment.after else None
    return before is not None and before.line + before.text.count("\n") == comment.line


def _nearly_metadata(comment: Comment) -> bool:
    word = comment.text.strip().rstrip(":")
    if not word or " " in word or len(word) > 12:
        return False
    return bool(difflib.get_close_matches(word.upper(), ["METADATA"], 1, 0.75))
