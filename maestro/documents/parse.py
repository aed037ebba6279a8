"""Bytes of a governed file to typed documents, with everything wrong in it said at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from maestro.documents import rules
from maestro.documents.document import Document, Parsed
from maestro.documents.fields import API_VERSION, NAME_PATTERN
from maestro.documents.flag import relative_days
from maestro.documents.kinds import KINDS, Kind, Model
from maestro.documents.locating import problem_of
from maestro.documents.pointer import dotted, pointer_text
from maestro.documents.problem import Problem
from maestro.documents.reading import RawDocument, read
from maestro.documents.refusal import Refusal, nearest, refusals
from maestro.documents.show import show
from maestro.findings import Edit, Fix

_NAME = re.compile(NAME_PATTERN.removesuffix("$"))


def parse(path: str, data: bytes) -> Parsed:
    """Read a governed file strictly and validate its documents. Never raises for content.

    ``documents`` holds those without a blocking problem; ``problems`` is in the order of the text.
    """
    reading = read(path, data, dialect="strict")
    documents: list[Document] = []
    problems = list(reading.problems)
    spoilt = {problem.document for problem in problems if problem.rule.mode == "enforce"}
    for raw in reading.documents:
        found = _validate(raw)
        if isinstance(found, Document):
            if raw.index not in spoilt and None not in spoilt:
                documents.append(found)
        else:
            problems.extend(found)
    if len(problems) > 1:
        problems.sort(key=lambda problem: (problem.location.line, problem.location.column))
    return Parsed(path, tuple(documents), tuple(problems))


def _validate(raw: RawDocument) -> Document | list[Problem]:
    value = raw.value
    if not isinstance(value, dict):
        message = f"a document is a mapping with apiVersion, kind, metadata and spec, but this is {show(value)}"
        return [Problem(rules.WRONG_TYPE, message, raw.start, pointer="", document=raw.index)]
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return [_unknown_kind(raw, value)]
    known: Kind = kind
    entry = KINDS[known]
    spec = value.get("spec")
    related = list(entry.relations(spec)) if entry.relations is not None and isinstance(spec, dict) else []
    refused: ValidationError | None = None
    try:
        model: Model = entry.model.model_validate(value)
    except ValidationError as error:
        refused = error
    else:
        if not related:
            metadata = model.metadata
            return Document(raw, known, metadata.name, metadata.owner, metadata.tenant, model)
    return list(_problems(raw, known, value, refused, related))


def _problems(
    raw: RawDocument, kind: Kind, value: dict[str, Any], refused: ValidationError | None, related: list[Any]
) -> Iterator[Problem]:
    from maestro.documents.schema import schema

    subject = _subject(kind, value)
    of_kind = schema(kind)
    found = list(refusals(refused, value, of_kind)) if refused is not None else []
    misspelt = {one.replacement for one in found if one.rule is rules.UNKNOWN_KEY and one.steps[:-1] == ("spec",)}
    taken = {one.steps for one in found}
    for relation in related:
        steps = ("spec", *relation.steps)
        # A misspelt key must not also be reported as absent, nor a field twice.
        if steps in taken or (relation.missing and misspelt & {"image", "command"}):
            continue
        rule = rules.MISSING_FIELD if relation.missing else rules.BAD_VALUE
        found.append(Refusal(rule, f"{dotted(steps)} {relation.words}", steps, remedy=relation.remedy))
    for one in found:
        days = relative_days(value["spec"]["ttl"]) if (kind, one.steps) == ("Flag", ("spec", "ttl")) else None
        if days is not None:
            yield _relative_ttl(raw, value, days, subject)
        else:
            yield problem_of(raw, one, of_kind, subject=subject)


def _relative_ttl(raw: RawDocument, value: dict[str, Any], days: int, subject: str | None) -> Problem:
    message = f"spec.ttl must be a date, but it is {show(value['spec']['ttl'])}: that never ends"
    location = raw.locate(("spec", "ttl"))
    return Problem(
        rules.RELATIVE_TTL, message, location, pointer="/spec/ttl", document=raw.index, subject=subject, days=days
    )


def _subject(kind: Kind, value: dict[str, Any]) -> str | None:
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{kind}/{name}" if isinstance(name, str) and _NAME.fullmatch(name) else None


def _unknown_kind(raw: RawDocument, value: dict[str, Any]) -> Problem:
    known = ", ".join(KINDS)
    if "kind" not in value:
        misspelt = next((key for key in value if nearest(key, ["kind"])), None)
        if misspelt is not None:
            location = raw.locate([misspelt], key=True)
            return Problem(
                rules.UNKNOWN_KEY,
                f"the key {show(misspelt)} is unknown at the top level; did you mean `kind`?",
                location,
                Fix("write kind", (Edit(location, "kind"),)),
                "rename it to `kind`",
                pointer_text([misspelt]),
                raw.index,
            )
        remedy = f"add `apiVersion: {API_VERSION}` and `kind:` with one of {known}"
        return Problem(rules.MISSING_FIELD, "kind is missing", raw.start, None, remedy, "/kind", raw.index)
    kind = value["kind"]
    location = raw.locate(["kind"])
    meant: str | None = nearest(kind, list(KINDS)) if isinstance(kind, str) else None
    fix = Fix(f"write {meant}", (Edit(location, meant),)) if meant is not None else None
    message = f"kind must be one of {known}, but it is {show(kind)}"
    cure = f"write {meant}" if meant is not None else None
    return Problem(rules.UNKNOWN_KIND, message, location, fix, cure, "/kind", raw.index)
