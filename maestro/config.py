"""maestro.yaml: what is governed, by which packs, and whose word counts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from maestro import __version__
from maestro.documents import rules
from maestro.documents.fields import Line, Omittable, Owner, StrictModel
from maestro.documents.flag import FlagType
from maestro.documents.pointer import dotted
from maestro.documents.problem import Problem
from maestro.documents.reading import RawDocument
from maestro.documents.refusal import Refusal
from maestro.documents.settings import Shape, read_settings, schema_of, usable
from maestro.documents.show import show
from maestro.findings import Mode
from maestro.ledger import address
from maestro.ledger.address import ORIGIN, Address
from maestro.patterns import PatternError, check

CONFIG_PATH = "maestro.yaml"

DEFAULT_TTL_DAYS: dict[FlagType, int] = {
    "release": 90,
    "experiment": 60,
    "operational": 180,
    "kill-switch": 365,
    "permission": 365,
}


def _pattern(value: str) -> str:
    try:
        check(value)
    except PatternError as error:
        raise PydanticCustomError("bad_value", "{words}", {"words": f"must {error}"}) from error
    return value


def _path(value: str) -> str:
    if any(char in value for char in "*?[") or "://" in value:
        words = "must be a path in the repository, without wildcards"
        raise PydanticCustomError("bad_value", "{words}", {"words": words})
    return _pattern(value).rstrip("/")


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z)?")
_TIME_WORDS = "must be a time in UTC like 2026-01-31T12:00:00Z, or a day like 2026-01-31"


def _time(value: object) -> dt.datetime:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            found = dt.datetime.fromisoformat(value)
        except ValueError as error:
            raise PydanticCustomError("bad_value", "{words}", {"words": _TIME_WORDS}) from error
        return found.replace(tzinfo=dt.UTC)
    raise PydanticCustomError("bad_value", "{words}", {"words": _TIME_WORDS})


Pattern = Annotated[str, AfterValidator(_pattern), Field(min_length=1, max_length=1000)]
RepositoryPath = Annotated[str, AfterValidator(_path), Field(min_length=1, max_length=1000)]
Time = Annotated[
    dt.datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME.pattern}$", "errorMessage": _TIME_WORDS}),
]
Certificate = Annotated[
    str,
    Field(
        pattern=r"^\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$",
        max_length=20_000,
        json_schema_extra={"errorMessage": "must be a certificate in PEM, from -----BEGIN CERTIFICATE----- on"},
    ),
]
Namespace = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
        max_length=200,
        json_schema_extra={"errorMessage": "must be a Rego package name, like main or acme.images"},
    ),
]


class PackEntry(StrictModel):
    """A pack, with what its own METADATA does not say."""

    path: Pattern = Field(description="Its folder, or a pattern of folders")
    namespace: Omittable[Namespace] = Field(default=None, description="The Rego package that judges")
    name: Omittable[Namespace] = Field(
        default=None,
        description="What rule ids begin with, where another pack has the same package (default: the package)",
    )
    mode: Omittable[Mode] = Field(default=None, description="shadow, warn or enforce")
    owner: Omittable[Owner] = Field(default=None, description="Who answers for it")
    match: Omittable[Annotated[tuple[Pattern, ...], Field(strict=False, min_length=1)]] = Field(
        default=None, description="The files it judges"
    )
    input: Omittable[Literal["document", "flag-change", "manifest-change", "placement-request"]] = Field(
        default=None, description="What it is given"
    )
    rego_version: Omittable[Literal["v0", "v1"]] = Field(default=None, description="The syntax it is written in")
    data: Omittable[Annotated[tuple[RepositoryPath, ...], Field(strict=False)]] = Field(
        default=None, description="Data files and folders it may read"
    )


def _form(value: object) -> str | None:
    if isinstance(value, str):
        return "[text]"
    return "[entry]" if isinstance(value, dict | PackEntry) else None


PackReference = Annotated[
    Annotated[Pattern, Tag("[text]")] | Annotated[PackEntry, Tag("[entry]")],
    Discriminator(_form),
    Field(json_schema_extra={"errorMessage": "must be a folder's path, or a mapping with `path`"}),
]


def _store(value: str) -> str:
    if "://" not in value:
        return _path(value)
    try:
        address.parse(value)
    except ValueError as error:
        raise PydanticCustomError("bad_value", "{words}", {"words": str(error)}) from error
    return value


LEDGER_FOLDER = ".maestro/ledger"
"""Where the ledger is kept, and where a run works that keeps it elsewhere."""


class Ledger(StrictModel):
    """Where evidence is kept, and who says when."""

    store: Annotated[str, AfterValidator(_store), Field(min_length=1, max_length=1000)] = Field(
        default=LEDGER_FOLDER,
        description="A folder of the repository, or s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, git+https://…, git+ssh://…",
    )
    origin: Omittable[
        Annotated[
            str,
            Field(
                pattern=f"^{ORIGIN.pattern}$",
                json_schema_extra={"errorMessage": "must be a name like example.com/ledger, without spaces"},
            ),
        ]
    ] = Field(default=None, description="The name of the ledger's log (default: made up when the log is started)")
    timestamp_authorities: Annotated[tuple[Certificate, ...], Field(strict=False)] = Field(
        default=(), description="Root certificates (PEM) of authorities whose timestamps on checkpoints are believed"
    )

    @property
    def address(self) -> Address:
        """The store, parsed."""
        return address.parse(self.store)

    @property
    def folder(self) -> str:
        """The folder of the repository in which runs work: the store, where that is one."""
        return self.store if self.address.kind == "folder" else LEDGER_FOLDER


TtlDays = Annotated[int, Field(ge=1, le=3650)]


def _with_defaults(value: dict[FlagType, int]) -> dict[FlagType, int]:
    return {**DEFAULT_TTL_DAYS, **value}


class FlagSettings(StrictModel):
    """How long flags may live."""

    maximum_ttl_days: Annotated[dict[FlagType, TtlDays], AfterValidator(_with_defaults)] = Field(
        default=DEFAULT_TTL_DAYS, description="Days from today, by type; types not given keep their default"
    )


class TrustedKey(StrictModel):
    """A key whose signature on verdicts and receipts is believed, for as long as it is valid."""

    id: Line = Field(description="How signatures name it")
    public_key: Annotated[
        str,
        Field(
            pattern=r"^\s*-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$",
            max_length=10_000,
            json_schema_extra={"errorMessage": "must be a public key in PEM, from -----BEGIN PUBLIC KEY----- on"},
        ),
    ] = Field(description="PEM (SubjectPublicKeyInfo)")
    valid_from: Time = Field(description="Signatures before it are not believed")
    valid_until: Omittable[Time] = Field(default=None, description="Signatures from then on are not believed")
    revoked_at: Omittable[Time] = Field(
        default=None,
        description="The key may have leaked: its signatures are believed only where a checkpoint known from elsewhere "
        "proves that they are older. To retire a key without harm use valid_until",
    )


class SignedBundle(StrictModel):
    """Packs that were built and signed elsewhere, and what must hold for them to judge here."""

    path: RepositoryPath = Field(description="The bundle's file")
    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9_-]*$",
            max_length=100,
            json_schema_extra={"errorMessage": "must be lower-case letters, digits, - and _"},
        ),
    ] = Field(default="policy", description="What the bundle calls itself")
    minimum_revision: Omittable[Annotated[int, Field(ge=1, le=2**53 - 1)]] = Field(
        default=None, description="No lower revision is loaded, whatever was seen before"
    )
    maximum_age_days: int = Field(default=180, ge=1, le=3650, description="How far ahead its expiry may lie")
    keys: Annotated[tuple[TrustedKey, ...], Field(strict=False, min_length=1)] = Field(
        description="Keys whose signature on this bundle is believed; those of `keys` sign no bundles"
    )


class ReleaseSettings(StrictModel):
    """What a release must consist of, and whose chain of steps it must have gone through."""

    requires: Annotated[
        tuple[Literal["artifacts", "images", "policy_bundles", "chain", "verdicts", "receipts"], ...],
        Field(strict=False),
    ] = Field(
        default=(),
        description="Kinds of parts that no release may be without; `releases` in trust.yaml names the parts",
        examples=[["artifacts", "chain"]],
    )
    layout_keys: Annotated[tuple[TrustedKey, ...], Field(strict=False)] = Field(
        default=(), description="Owners, one of whom must have signed the in-toto layout"
    )


class BreakGlass(StrictModel):
    """Executing in spite of a deny."""

    approvals: int = Field(ge=1, le=20, description="How many distinct people must approve")


class Config(StrictModel):
    """The settings of one governed repository."""

    model_config = ConfigDict(title="maestro.yaml")

    apiVersion: Literal["maestro-conductor/v1"] = Field(description="Always maestro-conductor/v1")  # noqa: N815
    requires: Omittable[Annotated[str, Field(max_length=200)]] = Field(
        default=None, description="Versions of the tool that may judge", examples=[">=0.1,<0.2"]
    )
    default_branch: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_./]*$",
            max_length=200,
            json_schema_extra={"errorMessage": "must be a branch's name, like main"},
        ),
    ] = Field(default="main", description="The branch that counts as merged")
    documents: Annotated[tuple[Pattern, ...], Field(strict=False, min_length=1)] = Field(
        default=("manifests/**", "flags/**", "pools/**", "waivers/**"), description="Patterns of the governed documents"
    )
    packs: Annotated[tuple[PackReference, ...], Field(strict=False)] = Field(
        default=("policy/packs/*",), description="Folders of Rego packs"
    )
    bundles: Annotated[tuple[SignedBundle, ...], Field(strict=False)] = Field(
        default=(), description="Signed bundles whose packs judge here as well"
    )
    existing: Literal["warn", "block"] = Field(
        default="warn", description="Whether findings that the target branch already has block"
    )
    ledger: Ledger = Field(default=Ledger())
    owners: Annotated[tuple[Owner, ...], Field(strict=False)] = Field(
        default=(), description="Owners that documents may name besides those of CODEOWNERS"
    )
    allowed_signers: RepositoryPath = Field(
        default="policy/allowed_signers", description="SSH keys of those who may approve (ssh-keygen's format)"
    )
    approvals: int = Field(default=1, ge=1, le=20, description="How many distinct people must approve what decides")
    flags: FlagSettings = Field(default=FlagSettings())
    keys: Annotated[tuple[TrustedKey, ...], Field(strict=False)] = Field(
        default=(), description="Keys whose signatures on verdicts and receipts are believed"
    )
    release: ReleaseSettings = Field(default=ReleaseSettings())
    break_glass: BreakGlass | None = Field(default=None, description="null: never")


def load_config(path: str, data: bytes, *, of_the_past: bool = False) -> Config:
    """The settings in ``data``; with ``of_the_past`` whichever version of the tool they were written for.

    Raises:
        UsageError: everything wrong with it, each with its line and column; or this tool is not one of ``requires``.
    """
    return usable(read_config(path, data, of_the_past=of_the_past))


def config_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of maestro.yaml."""
    return schema_of(Config)


def read_config(path: str, data: bytes, *, of_the_past: bool = False) -> Config | tuple[Problem, ...]:
    """The settings, or everything that is wrong with them. Never raises for content."""
    # Another version may know keys that this one does not: nothing else would be worth reading.
    shape = Shape(config_schema, _SMALLEST) if of_the_past else Shape(config_schema, _SMALLEST, _other_version)
    return read_settings(path, data, Config, shape, _relations)


_SMALLEST = "the smallest is one line: `apiVersion: maestro-conductor/v1`"


def _relations(config: Config) -> Iterator[Refusal]:
    yield from _keys(config.keys, ("keys",))
    yield from _keys(config.release.layout_keys, ("release", "layout_keys"))
    for field in ("name", "path"):
        met: set[str] = set()
        for index, bundle in enumerate(config.bundles):
            steps = ("bundles", index, field)
            value = getattr(bundle, field)
            if value in met:
                yield Refusal(rules.BAD_VALUE, f"{dotted(steps)} is also the {field} of a bundle before it", steps)
            met.add(value)
    for index, bundle in enumerate(config.bundles):
        yield from _keys(bundle.keys, ("bundles", index, "keys"))


def _keys(keys: tuple[TrustedKey, ...], above: tuple[str | int, ...]) -> Iterator[Refusal]:
    ids: set[str] = set()
    for index, key in enumerate(keys):
        steps = (*above, index)
        if key.id in ids:
            yield Refusal(
                rules.BAD_VALUE, f"{dotted((*steps, 'id'))} is also the id of a key before it", (*steps, "id")
            )
        ids.add(key.id)
        if key.valid_until is not None and key.valid_until <= key.valid_from:
            message = f"{dotted((*steps, 'valid_until'))} must be later than valid_from"
            yield Refusal(rules.BAD_VALUE, message, (*steps, "valid_until"))


_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|~=|>|<)\s*([0-9]{1,6}(?:\.[0-9]{1,6}){0,5})\s*")


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else (0,)


def admits(requires: str, version: str) -> bool:
    """Whether ``version`` is one of ``requires`` (PEP 440 comparisons on release numbers, all clauses must hold).

    Raises:
        ValueError: ``requires`` is not a list of comparisons.
    """
    mine = _release(version)
    results = []
    for clause in requires.split(","):
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            raise ValueError(clause.strip())
        wanted = _release(found[2])
        if found[1] == "~=" and len(wanted) < 2:
            raise ValueError(clause.strip())
        width = max(len(mine), len(wanted))
        one, other = ((*parts, *[0] * (width - len(parts))) for parts in (mine, wanted))
        results.append(
            {
                ">=": one >= other,
                "<=": one <= other,
                ">": one > other,
                "<": one < other,
                "==": one == other,
                "!=": one != other,
                "~=": one >= other and mine[: len(wanted) - 1] == wanted[:-1],
            }[found[1]]
        )
    return all(results)


def _other_version(raw: RawDocument, value: dict[str, Any]) -> Problem | None:
    requires = value.get("requires")
    if not isinstance(requires, str):
        return None
    location = raw.locate(["requires"])
    try:
        if admits(requires, __version__):
            return None
    except ValueError as error:
        message = f'requires must be comparisons like ">=0.1,<0.2", but it has {show(str(error))}'
        return Problem(rules.BAD_VALUE, message, location, pointer="/requires")
    return Problem(
        rules.BAD_VALUE,
        f"this repository requires maestro-conductor {requires}, but this is {__version__}",
        location,
        remedy=f"install it: `uv tool install 'maestro-conductor{requires.replace(' ', '')}'`",
        pointer="/requires",
    )
