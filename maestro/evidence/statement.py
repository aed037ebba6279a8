"""in-toto Statement v1: what a signature is about (in-toto attestation framework, spec/v1/statement.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maestro.canonical_json import dumps
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.evidence.types import STATEMENT


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing the statement speaks of: a name for people, digests (algorithm → lower-case hex) for matching."""

    name: str
    digest: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """Subjects and one predicate about them."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The bytes to be signed (canonical JSON; a verifier never needs to make them again)."""
        return dumps(
            {
                "_type": STATEMENT,
                "subject": [{"name": subject.name, "digest": dict(subject.digest)} for subject in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )


def _subject(value: object) -> Subject:
    if not isinstance(value, dict) or not isinstance(value.get("digest"), dict) or not value["digest"]:
        raise BadEvidence("a subject of the statement has no digest")
    name, digest = value.get("name", ""), value["digest"]
    if not isinstance(name, str) or not all(isinstance(text, str) for text in digest.values()):
        raise BadEvidence("a subject of the statement has a name or digest that is not text")
    return Subject(name, digest)


def parse(payload: bytes, *, predicate_type: str) -> Statement:
    """The statement in signed bytes.

    Raises:
        BadEvidence: not a Statement v1, no subjects, or about something other than ``predicate_type``.
    """
    value = loads(payload, what="the signed statement")
    if value.get("_type") != STATEMENT:
        raise BadEvidence(f"the payload is not an in-toto Statement v1 but {value.get('_type')!r}")
    if value.get("predicateType") != predicate_type:
        raise BadEvidence(f"the statement is a {value.get('predicateType')!r}, wanted {predicate_type!r}")
    subjects, predicate = value.get("subject"), value.get("predicate")
    if not isinstance(subjects, list) or not subjects:
        raise BadEvidence("the statement has no subject")
    if not isinstance(predicate, dict):
        raise BadEvidence("the statement has no predicate")
    return Statement(tuple(_subject(subject) for subject in subjects), predicate_type, predicate)
