"""A file of settings (maestro.yaml, trust.yaml): one YAML document, one model, everything wrong said at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from maestro.documents import rules
from maestro.documents.locating import problem_of
from maestro.documents.problem import Problem
from maestro.documents.reading import RawDocument, read
from maestro.documents.refusal import Refusal, refusals
from maestro.documents.show import show
from maestro.errors import UsageError
from maestro.findings import Location

_Model = TypeVar("_Model", bound=BaseModel)


class Shape(NamedTuple):
    """What a settings file must be, besides its model.

    Attributes:
        schema: the model's JSON Schema; made only when there is something to say.
        smallest: what to write into an empty file, as a remedy.
        other_version: the one problem to report when the file is written for another version of the tool.
    """

    schema: Callable[[], dict[str, Any]]
    smallest: str
    other_version: Callable[[RawDocument, dict[str, Any]], Problem | None] = lambda _raw, _value: None


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema (2020-12) of a settings file."""
    from maestro.documents.schema import DIALECT, ExactSchema

    return {"$schema": DIALECT, **model.model_json_schema(by_alias=True, schema_generator=ExactSchema)}


def read_settings(
    path: str, data: bytes, model: type[_Model], shape: Shape, relations: Callable[[_Model], Iterable[Refusal]]
) -> _Model | tuple[Problem, ...]:
    """The settings, or everything that is wrong with them. Never raises for content."""
    reading = read(path, data, dialect="strict")
    blocking = tuple(problem for problem in reading.problems if problem.rule.mode == "enforce")
    if not reading.documents:
        return blocking or (Problem(rules.EMPTY, f"{path} holds no settings", Location(path), remedy=shape.smallest),)
    raw = reading.documents[0]
    if len(reading.documents) > 1:
        message = "settings are one YAML document, but here a second one begins"
        return (*blocking, Problem(rules.SYNTAX, message, reading.documents[1].start, remedy="remove the `---`"))
    if not isinstance(raw.value, dict):
        message = f"settings are a mapping, but this is {show(raw.value)}"
        return (*blocking, Problem(rules.WRONG_TYPE, message, raw.start, remedy=shape.smallest))
    outside = shape.other_version(raw, raw.value)
    if outside is not None:
        # Another version may know keys that this one does not: nothing else would be worth reading.
        return (outside,)
    try:
        settings = model.model_validate(raw.value)
    except ValidationError as error:
        schema = shape.schema()
        found = [problem_of(raw, refusal, schema) for refusal in refusals(error, raw.value, schema)]
    else:
        found = [problem_of(raw, refusal, {}) for refusal in relations(settings)]
    problems = sorted((*blocking, *found), key=lambda problem: (problem.location.line, problem.location.column))
    return tuple(problems) if problems else settings


def usable(found: _Model | tuple[Problem, ...]) -> _Model:
    """What :func:`read_settings` found, where that can be used.

    Raises:
        UsageError: everything wrong with the file, each with its line and column.
    """
    if not isinstance(found, tuple):
        return found
    first, *others = found
    lines = [f"\n  {_where(problem.location)}: {problem.message}" for problem in others]
    remedy = first.remedy or first.rule.remedy
    raise UsageError(first.message + "".join(lines), where=_where(first.location), remedy=remedy)


def _where(location: Location) -> str:
    return f"{location.path}:{location.line}:{location.column}"
