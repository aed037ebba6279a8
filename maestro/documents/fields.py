"""The scalar types of our documents, each with its JSON Schema and the words said when a value is refused.

The words are the schema's ``errorMessage``, which language servers for JSON and YAML show in an editor; validators
pass over it.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

API_VERSION = "maestro-conductor/v1"


class StrictModel(BaseModel):
    """Unknown keys are errors, nothing is converted, nothing changes afterwards."""

    # defer_build: a validator is built when its kind first occurs, so a command pays for the kinds it meets.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True, defer_build=True)


def _refused(words: str) -> PydanticCustomError:
    return PydanticCustomError("bad_value", "{words}", {"words": words})


_T = TypeVar("_T")


def refuse_null(value: object) -> object:
    """A field written without a value was forgotten, not left out."""
    if value is None:
        raise _refused("must have a value, or be left out")
    return value


Omittable = Annotated[_T | None, BeforeValidator(refuse_null)]
"""A field that may be left out (then it is None); written without a value it is an error."""


def text(pattern: str, words: str, *, longest: int | None = None) -> Any:  # noqa: ANN401 - a FieldInfo
    """The constraints of a text: a pattern both for pydantic and for editors, and the words when it does not match."""
    return Field(pattern=pattern, max_length=longest, json_schema_extra={"errorMessage": words})


NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
NAME_WORDS = "must be 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit"
Name = Annotated[str, text(NAME_PATTERN, NAME_WORDS)]
"""Of a document, tenant, region. YAML can fold nothing in it, so a file that uses it holds it letter for letter."""

OWNER_WORDS = 'must be an @user, an @org/team or a mail address, in quotes, like "@acme/data"'
Owner = Annotated[
    str,
    text(
        r"^(@[A-Za-z0-9][-A-Za-z0-9_]*(/[A-Za-z0-9][-A-Za-z0-9_.]*)?|[^\s@]+@[^\s@]+)$",
        OWNER_WORDS,
        longest=254,
    ),
]
Line = Annotated[
    str, text(r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$", "must be one line of text", longest=500)
]
Prose = Annotated[str, text(r"^[^\x00]*\S[^\x00]*$", "must be text that is not empty", longest=10_000)]


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise _refused("must not hold NUL")  # no process can be given it
    return value


Argument = Annotated[
    str,
    AfterValidator(_without_nul),
    Field(max_length=131_072, json_schema_extra={"pattern": r"^[^\x00]*$", "errorMessage": "must be text"}),
]
VariableName = Annotated[
    str,
    text(r"^[A-Za-z_][A-Za-z0-9_]*$", "must be a variable's name: letters, digits and underscores", longest=255),
]
LabelKey = Annotated[
    str,
    text(
        r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$",
        "must be letters, digits and the signs - _ . / between them",
        longest=253,
    ),
]
Image = Annotated[
    str,
    text(r"^[A-Za-z0-9]\S*$", "must be an image reference like ghcr.io/acme/report@sha256:…", longest=512),
]
Tag = Annotated[
    str,
    text(
        r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
        "must be a tag of letters, digits, dashes and dots, like eu or EAR99",
    ),
]
Host = Annotated[
    str,
    text(
        r"^(\*\.)?[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*(:[1-9][0-9]{0,4})?$",
        "must be a host with an optional port, like db.acme.example:5432",
        longest=260,
    ),
]
SecretSource = Annotated[
    str, text(r"^env:[A-Za-z_][A-Za-z0-9_]*$", "must say where the secret is, like env:DB_URL", longest=260)
]
RuleId = Annotated[
    str,
    text(
        r"^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*/[A-Za-z0-9_.-]+$",
        "must be a rule's id, like mc.flags/missing_ttl",
        longest=200,
    ),
]
VariantName = Annotated[str, text(r"^[^\x00-\x1f\x7f]+$", "must be one line of text", longest=200)]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DATE_WORDS = "must be a date like 2027-02-01"


def _date(value: object) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError as error:
            raise _refused("must be a day that the calendar has, like 2027-02-01") from error
    raise _refused(DATE_WORDS)


Date = Annotated[
    dt.date,
    BeforeValidator(_date),
    WithJsonSchema(
        {"type": "string", "format": "date", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "errorMessage": DATE_WORDS}
    ),
]
"""A calendar day, inclusive, UTC (RFC 3339 ``full-date``)."""

_CPU = re.compile(r"[1-9][0-9]{0,6}m")
CPU_WORDS = 'must be a number of cores like 2 or 0.5, or thousandths like "500m"'
_MOST_CORES = 10_000


def _millicpu(value: object) -> int:
    if isinstance(value, str) and _CPU.fullmatch(value):
        return int(value[:-1])
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MOST_CORES:
        thousandths = Decimal(str(value)) * 1000
        if thousandths == thousandths.to_integral_value():
            return int(thousandths)
    raise _refused(CPU_WORDS)


Millicpu = Annotated[
    int,
    PlainValidator(_millicpu),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": _MOST_CORES},
                {"type": "string", "pattern": r"^[1-9][0-9]{0,6}m$"},
            ],
            "errorMessage": CPU_WORDS,
        }
    ),
]
"""Thousandths of a core."""

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MEMORY = re.compile(r"([1-9][0-9]{0,9})(Ki|Mi|Gi|Ti|k|M|G|T)")
MEMORY_WORDS = "must be an amount with a unit, like 512Mi or 2Gi"


def _bytes(value: object) -> int:
    found = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _refused(MEMORY_WORDS)
    return int(found[1]) * _UNITS[found[2]]


Memory = Annotated[
    int,
    PlainValidator(_bytes),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[1-9][0-9]{0,9}(Ki|Mi|Gi|Ti|k|M|G|T)$", "errorMessage": MEMORY_WORDS}
    ),
]
"""Bytes."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_LONGEST_SECONDS = 30 * 86_400
DURATION_WORDS = "must be a time like 30s, 10m, 2h or 1d, at most 30 days"


def _seconds(value: object) -> int:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise _refused(DURATION_WORDS)
    return seconds


Duration = Annotated[
    int,
    PlainValidator(_seconds),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,4}[smhd]$", "errorMessage": DURATION_WORDS}),
]
"""Seconds."""
