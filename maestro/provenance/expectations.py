"""Whether one verified signature is what an entry of trust.yaml asks for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from maestro.evidence.statement import Statement
from maestro.provenance.authenticate import Authentic
from maestro.provenance.builders import Built, builder_of, ref_allowed
from maestro.provenance.claims import Claims, claims_of
from maestro.provenance.reasons import NotProven
from maestro.provenance.trust_policy import Artifact, Source


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an artifact comes from: by the certificate, or by the provenance where the builder's key signed it."""

    repository: str
    repository_id: str
    owner_id: str
    ref: str
    commit: str
    trigger: str
    runner: str


@dataclass(frozen=True, slots=True)
class Met:
    """An entry's demands, met by one signature.

    ``when``: the earliest time it certainly existed, if one is known. ``unlogged``: the root or key of trust.yaml that
    was believed without any log, as reports say it.
    """

    signer: str
    built: Built
    origin: Origin
    predicate_type: str | None
    when: dt.datetime | None
    unlogged: str | None = None


def meet(entry: Artifact, signed: Authentic, statement: Statement | None, now: dt.datetime) -> Met:
    """What the signature proves, if it is enough for ``entry``. Its subject has been compared before.

    Raises:
        NotProven: the first demand that it does not meet.
    """
    loosen = entry.loosen
    if signed.logged and not signed.included and not loosen.promise_without_proof:
        raise NotProven("verify/log-inclusion", "the log only promised to include the entry; no proof that it did")
    if statement is None and not loosen.plain_signatures:
        raise NotProven("verify/statement-missing", "only the file is signed: nothing says how it was built")
    if statement is not None and statement.predicate_type not in entry.predicate_types:
        wanted = " or ".join(entry.predicate_types)
        raise NotProven("verify/predicate-type", f"it is a {statement.predicate_type!r:.120}, wanted {wanted}")
    claims = claims_of(statement) if statement is not None else None
    built = builder_of(entry, signed, claims)
    if built.level < entry.minimum_level:
        message = f"the builder {built.name} is trusted for level {built.level} here, wanted {entry.minimum_level}"
        raise NotProven("verify/level", message)
    origin = _origin(signed, claims)
    _require_origin(entry, origin)
    if claims is not None and not loosen.any_external_parameters:
        _require_parameters(entry, claims)
    when = min(signed.times, default=None)
    if not loosen.any_age:
        _require_fresh(entry, when, now)
    kind = statement.predicate_type if statement is not None else None
    return Met(signed.signer, built, origin, kind, when, None if signed.logged else unlogged(signed))


def unlogged(signed: Authentic) -> str | None:
    """What lets a signature count that is in no log: a managed key, or a root that has none."""
    if signed.key is not None:
        return f"keys.{signed.key.id}: signed in no transparency log"
    return f"roots.{signed.root.name}: without_transparency" if signed.root is not None else None


def _origin(signed: Authentic, claims: Claims | None) -> Origin:
    identity = signed.identity
    if identity is not None:
        return Origin(
            repository=identity.source_repository_uri,
            repository_id=identity.source_repository_identifier,
            owner_id=identity.source_repository_owner_identifier,
            ref=identity.source_repository_ref,
            commit=identity.source_repository_digest,
            trigger=identity.build_trigger,
            runner=identity.runner_environment,
        )
    if claims is None:
        return Origin("", "", "", "", "", "", "")
    return Origin(
        claims.repository,
        claims.repository_id,
        claims.owner_id,
        claims.ref,
        claims.commit,
        claims.trigger,
        claims.runner,
    )


def _require_origin(entry: Artifact, origin: Origin) -> None:
    loosen = entry.loosen
    # Never believed, whatever the policy says: a stranger's change could have run there.
    if origin.ref.startswith("refs/pull/"):
        raise NotProven("verify/pull-request", f"built from the pull request {origin.ref!r:.80}")
    if origin.trigger == "pull_request_target":
        raise NotProven("verify/pull-request", "built on pull_request_target, which a stranger's pull request starts")
    if entry.source is not None:
        _require_source(entry, entry.source, origin)
    by_github = any(one.builder in ("slsa-github-generator", "github-artifact-attestations") for one in entry.builders)
    if (by_github or origin.runner) and origin.runner != "github-hosted" and not loosen.self_hosted_runners:
        said = origin.runner or "an unnamed"
        raise NotProven("verify/runner", f"built on a {said!r:.60} runner, wanted one that GitHub hosts")


def _require_source(entry: Artifact, source: Source, origin: Origin) -> None:
    loosen = entry.loosen
    if origin.repository != source.repository:
        raise NotProven("verify/repository", f"built from {origin.repository!r:.200}, wanted {source.repository}")
    for what, found, wanted in (
        ("repository", origin.repository_id, source.repository_id),
        ("owner", origin.owner_id, source.owner_id),
    ):
        if wanted is not None and found != str(wanted):
            message = f"{source.repository} is another one now: its {what}'s id is {found!r:.40}, wanted {wanted}"
            raise NotProven("verify/repository-id", message)
    if not ref_allowed(origin.ref, source.tags, source.branches) and not (
        loosen.any_ref and origin.ref.startswith(("refs/tags/", "refs/heads/"))
    ):
        wanted_refs = [f"tag {one}" for one in source.tags] + [f"branch {one}" for one in source.branches]
        raise NotProven("verify/ref", f"built from {origin.ref!r:.120}, wanted {' or '.join(wanted_refs)}")
    if origin.trigger and origin.trigger not in source.triggers and not loosen.any_trigger:
        raise NotProven("verify/trigger", f"built on {origin.trigger!r:.60}, wanted {' or '.join(source.triggers)}")


def _require_parameters(entry: Artifact, claims: Claims) -> None:
    for name, value in claims.parameters.items():
        if name not in entry.external_parameters:
            message = f"built with the parameter {name!r:.80} = {value!r:.80}, which trust.yaml does not name"
            raise NotProven("verify/external-parameters", message)
        if value not in entry.external_parameters[name]:
            wanted = " or ".join(entry.external_parameters[name])
            raise NotProven("verify/external-parameters", f"built with {name!r:.80} = {value!r:.80}, wanted {wanted}")
    for name in entry.external_parameters:
        if name not in claims.parameters:
            raise NotProven("verify/external-parameters", f"the provenance does not say the parameter {name!r}")


def _require_fresh(entry: Artifact, when: dt.datetime | None, now: dt.datetime) -> None:
    if when is None:
        raise NotProven("verify/too-old", "nobody but its signer says when it was signed, so it has no age")
    days = (now - when).days
    if now - when > dt.timedelta(days=entry.max_age_days):
        raise NotProven("verify/too-old", f"signed {days} days ago, at most {entry.max_age_days} are allowed")
