"""From what an attestation claims to the entry of trust.yaml that would allow exactly that. Nothing is verified here.

The entry is as narrow as can be: this file, this repository, this ref, this builder. A person widens it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from maestro.errors import SelectionError, UsageError
from maestro.provenance import bundle as bundles
from maestro.provenance import certificate
from maestro.provenance import statement as statements
from maestro.provenance.builders import GENERATOR, GITHUB, GITHUB_ISSUER, GOOGLE_IDS
from maestro.provenance.bundle import MessageSignature
from maestro.provenance.certificate import Identity
from maestro.provenance.claims import Claims, claims_of
from maestro.provenance.trust_policy import SLSA_V1, STRICT_TRIGGERS, Artifact
from maestro.provenance.verify import Subject

Json = dict[str, Any]
_REF: Final = {"refs/tags/": "tags", "refs/heads/": "branches"}
_NOT_NAME: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry of ``artifacts``, as the values of its fields, and what was claimed, each with who claims it."""

    entry: Json
    claimed: tuple[tuple[str, str], ...]


def propose(subject: Subject, data: bytes) -> Proposal:
    """The entry that would allow what the bundle in ``data`` claims about ``subject``.

    Raises:
        NotProven: the bundle cannot be read.
        SelectionError: it says nothing about the subject.
        UsageError: it claims what no trust.yaml can allow.
    """
    read = bundles.parse(data)
    if isinstance(read.content, MessageSignature):
        raise SelectionError(
            "the bundle is a signature over a file and says nothing about how it was built",
            remedy="propose from an attestation: `gh attestation download`, or the .sigstore.json beside the release",
        )
    statement = statements.parse(read.content)
    if subject.sha256 not in statements.digests(statement):
        raise SelectionError(
            f"the bundle says nothing about {subject.name} (sha256:{subject.sha256[:16]}…)",
            remedy="name the file that it is about",
        )
    claims = claims_of(statement)
    signing = certificate.load(read) if read.key_hint is None else None
    identity = certificate.identity(signing) if signing is not None else None
    name = _NOT_NAME.sub("-", subject.name.rpartition("/")[2].lower()).strip("-")[:60] or "artifact"
    entry: Json = {"name": name, "match": [subject.name]}
    if statement.predicate_type != SLSA_V1:
        entry["predicate_types"] = [statement.predicate_type]
    builder, level = _builder(identity, read.key_hint, claims)
    entry["builders"] = [builder]
    source, loosen = _source(identity, claims)
    if source:
        entry["source"] = source
    if level < 3:
        entry["minimum_level"] = level if claims is not None else 0
    if claims is not None and claims.parameters:
        entry["external_parameters"] = {key: [value] for key, value in claims.parameters.items()}
    if read.entry is None and not read.timestamps:
        loosen["any_age"] = True
    if loosen:
        entry["loosen"] = loosen
    try:
        Artifact.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"what it claims cannot stand in trust.yaml: {'.'.join(map(str, first['loc']))}: {first['msg']}",
            remedy="write the entry by hand, after the guide",
        ) from error
    return Proposal(entry, tuple(_claimed(identity, read.key_hint, claims, statement.predicate_type)))


def _builder(identity: Identity | None, hint: str | None, claims: Claims | None) -> tuple[Json, int]:
    """The row, and the level that the table of builders gives it."""
    if identity is None:
        google = claims is not None and claims.builder_id in GOOGLE_IDS
        return {"builder": "google-cloud-build" if google else "other", "key": hint}, 3 if google else 1
    uri, _, ref = identity.build_signer_uri.partition("@")
    if identity.issuer != GITHUB_ISSUER or not uri.startswith(GITHUB):
        return {"builder": "other", "issuer": identity.issuer, "identity": identity.subject}, 1
    if uri.startswith(f"{GITHUB}{GENERATOR}/"):
        return {"builder": "slsa-github-generator"}, 3
    row: Json = {"builder": "github-artifact-attestations", "workflow": uri.removeprefix(GITHUB)}
    own = uri.startswith(identity.source_repository_uri + "/")
    return (row, 2) if own else (row | _refs(ref), 3)


def _refs(ref: str) -> dict[str, list[str]]:
    for prefix, field in _REF.items():
        if ref.startswith(prefix):
            return {field: [ref.removeprefix(prefix)]}
    raise UsageError(
        f"it claims to come from {ref!r:.80}, which is neither a branch nor a tag: no trust.yaml allows that",
        remedy="attest what a tag or branch was built into",
    )


def _source(identity: Identity | None, claims: Claims | None) -> tuple[Json, dict[str, bool]]:
    repository = identity.source_repository_uri if identity else claims.repository if claims else ""
    loosen: dict[str, bool] = {}
    runner = identity.runner_environment if identity else ""
    if runner and runner != "github-hosted":
        loosen["self_hosted_runners"] = True
    if not repository:
        return {}, loosen
    trigger = (identity.build_trigger if identity else claims.trigger if claims else "") or ""
    if trigger == "pull_request_target":
        raise UsageError(
            "it claims to be built on pull_request_target: no trust.yaml allows that",
            remedy="attest what a push, a release or a dispatched workflow has built",
        )
    identifier = identity.source_repository_identifier if identity else claims.repository_id if claims else ""
    owner = identity.source_repository_owner_identifier if identity else claims.owner_id if claims else ""
    source: Json = {"repository": repository}
    if identifier.isdigit():
        source["repository_id"] = int(identifier)
    else:
        loosen["repository_by_name"] = True
    if owner.isdigit():
        source["owner_id"] = int(owner)
    source |= _refs(identity.source_repository_ref if identity else claims.ref if claims else "")
    if trigger and trigger not in STRICT_TRIGGERS:
        source["triggers"] = [trigger]
    return source, loosen


def _claimed(
    identity: Identity | None, hint: str | None, claims: Claims | None, predicate_type: str
) -> Iterator[tuple[str, str]]:
    if identity is not None:
        yield "signed by", f"{identity.subject}, vouched for by {identity.issuer or 'nobody'}"
    else:
        yield "signed by", f"a key with the hint {hint}"
    yield "says", predicate_type
    if claims is not None:
        yield "builder", claims.builder_id
        yield "built from", f"{claims.repository or 'nowhere named'} at {claims.ref or 'no ref'}"
        yield "commit", claims.commit or "none"


def as_yaml(entry: Mapping[str, Any]) -> str:
    """The entry as an item of ``artifacts``. Whatever was claimed is quoted, so that it stays a value."""
    lines = []
    for key, value in entry.items():
        if key == "builders":
            lines.append("    builders:")
            lines += [f"      - {_flow(one)}" for one in value]
        else:
            lines.append(f"    {key}: {_flow(value)}")
    return "artifacts:\n" + "\n".join(lines).replace("    ", "  - ", 1) + "\n"


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", value):
        return value
    return json.dumps(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[a-z][a-z_]*", key) else json.dumps(key)
