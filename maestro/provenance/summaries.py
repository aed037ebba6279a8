"""Whether a verification summary may stand in for verifying again: SLSA's rules for verifiers of one, and trust.yaml's.

Source: https://slsa.dev/spec/v1.1/verification_summary, "How to verify". Its time is its verifier's own word.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import Statement
from maestro.evidence.summary import DECIDED_BY, LOOSENED, DecidedBy
from maestro.evidence.types import SUMMARY
from maestro.evidence.verify import instant
from maestro.provenance import bundle as bundles
from maestro.provenance import statement as statements
from maestro.provenance.authenticate import CLOCK_SKEW, Authentic, Believed, authenticate
from maestro.provenance.bundle import MessageSignature
from maestro.provenance.expectations import unlogged
from maestro.provenance.loosening import Loosened
from maestro.provenance.reasons import NotProven
from maestro.provenance.trust_policy import TRUST_PATH, Summaries, TrustPolicy
from maestro.provenance.verify import UNANSWERED, Evidence

NO_SUMMARY: Final = "verify/predicate-type"
_LEVEL: Final = re.compile(r"SLSA_BUILD_LEVEL_([0-3])")


@dataclass(frozen=True, slots=True)
class Summarised:
    """A summary that is believed.

    Attributes:
        entry: of trust.yaml.
        when: it was verified (aware, UTC).
        level: the SLSA build level.
        given_up: what the policy that it was verified by had loosened, in its verifier's words.
        decided_by: the names of the documents that decided, as far as it says.
        unlogged: in words, why no log has the signature; None where one has.
    """

    entry: Summaries
    when: dt.datetime
    level: int
    given_up: tuple[str, ...]
    decided_by: tuple[str, ...] = ()
    unlogged: str | None = None

    def loosened(self) -> Loosened:
        """What trust.yaml gives up for it."""
        fields = self.entry.loosened()
        return Loosened(self.entry.name, fields if self.unlogged is None else (*fields, self.unlogged))


def judge_summary(
    data: bytes,
    policy: TrustPolicy,
    believed: Believed,
    *,
    decides: DecidedBy,
    sha256: str,
    resource: str,
    now: dt.datetime,
) -> Summarised:
    """What the summary in a bundle is worth for one artifact.

    Args:
        data: the bundle's bytes.
        policy: whose summaries are believed.
        believed: its roots and keys.
        decides: the documents that would decide here.
        sha256: of the artifact, hexadecimal.
        resource: the URI that it must be about.
        now: aware.

    Raises:
        NotProven: it does not stand in for verifying.
    """
    bundle = bundles.parse(data)
    if isinstance(bundle.content, MessageSignature):
        raise NotProven("verify/statement-missing", "only the file is signed: it is no summary")
    signed = authenticate(data, bundle, "", believed, now)
    if signed.logged and not signed.included:
        raise NotProven("verify/log-inclusion", "the log only promised to include the entry; no proof that it did")
    said = statements.parse(bundle.content)
    if said.predicate_type != SUMMARY:
        raise NotProven(NO_SUMMARY, f"it is a {said.predicate_type!r:.120}, wanted {SUMMARY}")
    entries = [one for one in policy.summaries if _signed_by(one, signed)]
    if not entries:
        raise NotProven("verify/summary-signer", f"no entry of summaries in trust.yaml means {signed.signer!r:.200}")
    statements.require_subject(said, sha256)
    refused: NotProven | None = None
    for entry in entries:
        try:
            accepted = _accepted(entry, said, decides, resource, now)
            return replace(accepted, unlogged=None if signed.logged else unlogged(signed))
        except NotProven as error:
            refused = refused or error
    raise refused or NotProven("verify/summary-signer", "no entry of summaries means it")


def judge_summaries(
    evidence: Sequence[Evidence],
    policy: TrustPolicy,
    believed: Believed,
    *,
    decides: DecidedBy,
    sha256: str,
    resource: str,
    now: dt.datetime,
) -> Summarised | NotProven:
    """The first of what lies beside an artifact that stands in for verifying it; else why none does.

    Args:
        evidence: all of it; what is no summary is passed over.
    """
    refused: list[NotProven] = []
    for one in evidence:
        try:
            if one.problem is not None:
                raise one.problem
            return judge_summary(one.data, policy, believed, decides=decides, sha256=sha256, resource=resource, now=now)
        except NotProven as error:
            refused.append(error)
    return max(refused, key=_tells_most)


def _tells_most(error: NotProven) -> tuple[bool, bool, bool]:
    """What could not be asked might be the summary; then what was looked at longest."""
    return error.code == UNANSWERED, error.stage == "summary", error.code != NO_SUMMARY


def _signed_by(entry: Summaries, signed: Authentic) -> bool:
    if entry.key is not None:
        return signed.key is not None and signed.key.id == entry.key
    identity, root = signed.identity, signed.root
    if identity is None or (entry.root is not None and (root is None or root.name != entry.root)):
        return False
    return identity.issuer == entry.issuer and identity.subject == entry.identity


def _accepted(entry: Summaries, said: Statement, decides: DecidedBy, resource: str, now: dt.datetime) -> Summarised:
    predicate = said.predicate
    verifier = _member(predicate, "verifier", "id")
    if verifier != entry.verifier:
        raise NotProven("verify/summary-verifier", f"it comes from {verifier!r:.200}, wanted {entry.verifier}")
    about = predicate.get("resourceUri")
    if about != resource:
        raise NotProven("verify/summary-resource", f"it is about {about!r:.200}, wanted {resource!r:.200}")
    if not any(_means(one, resource) for one in entry.resources):
        allowed = " or ".join(entry.resources)
        raise NotProven(
            "verify/summary-resource", f"{entry.name} may speak of {allowed:.200}, not of {resource!r:.200}"
        )
    documents = _documents(predicate)
    if not entry.loosen.any_policy:
        _require_policy(entry.policies, predicate, documents, decides)
    if predicate.get("verificationResult") != "PASSED":
        result = predicate.get("verificationResult")
        raise NotProven("verify/summary-failed", f"it does not say PASSED but {result!r:.40}")
    level = _level(predicate.get("verifiedLevels"))
    if level < entry.minimum_level:
        raise NotProven("verify/summary-level", f"it says level {level}, wanted {entry.minimum_level}")
    return Summarised(entry, _fresh(entry, predicate, now), level, _given_up(predicate), tuple(documents))


def _documents(predicate: Mapping[str, Any]) -> dict[str, str]:
    """The names of the documents that decided, with their digests; none where it does not say."""
    listed = _member(predicate, DECIDED_BY, "documents")
    found: dict[str, str] = {}
    for one in listed if isinstance(listed, list) else ():
        name, digest = _member(one, "uri"), _member(one, "digest", "sha256")
        if not isinstance(name, str) or not isinstance(digest, str) or name in found:
            raise NotProven("verify/predicate-malformed", f"the summary's {DECIDED_BY} is no list of documents")
        found[name] = digest
    return found


def _require_policy(
    policies: tuple[str, ...], predicate: Mapping[str, Any], documents: Mapping[str, str], decides: DecidedBy
) -> None:
    """That it was verified by one of ``policies``, or by what would decide here, in every document."""
    digest = _member(predicate, "policy", "digest", "sha256")
    if policies:
        if digest not in policies:
            wanted = " or ".join(f"{one[:16]}…" for one in policies)
            raise NotProven("verify/summary-policy", f"verified by the policy {str(digest)[:16]!r}…, wanted {wanted}")
        return
    if TRUST_PATH not in documents:
        words = f"it does not say which documents decided, {TRUST_PATH} among them: an older version's did not"
        raise NotProven("verify/summary-policy", words)
    if digest != DecidedBy(documents).sha256:
        raise NotProven("verify/summary-policy", "its policy's digest is not that of the documents that it names")
    for name, found in documents.items():
        own = decides.documents.get(name)
        if own is None:
            raise NotProven("verify/summary-policy", f"{name!r:.80} decided, too, and there is none here")
        if found != own:
            words = f"verified by another {name} ({found[:16]!r}…, wanted {own[:16]}…)"
            raise NotProven("verify/summary-policy", words)


def _member(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _means(pattern: str, resource: str) -> bool:
    return resource.startswith(pattern[:-1]) if pattern.endswith("*") else resource == pattern


def _level(levels: object) -> int:
    if not isinstance(levels, list) or len(levels) != 1 or not isinstance(levels[0], str):
        raise NotProven("verify/summary-level", "it names not exactly one level")
    named = _LEVEL.fullmatch(levels[0])
    if named is None:
        raise NotProven("verify/summary-level", f"it says {levels[0]!r:.60}, which is no SLSA build level")
    return int(named[1])


def _fresh(entry: Summaries, predicate: Mapping[str, Any], now: dt.datetime) -> dt.datetime:
    try:
        when = instant(predicate.get("timeVerified"), "the summary's timeVerified")
    except (BadEvidence, OverflowError) as error:
        raise NotProven("verify/predicate-malformed", f"the summary's timeVerified is no time: {error}") from error
    if when > now + CLOCK_SKEW:
        message = f"it says that it was verified at {when:%Y-%m-%d %H:%M:%S} UTC, which is yet to come"
        raise NotProven("verify/summary-future", message)
    if now - when > dt.timedelta(days=entry.max_age_days):
        message = f"verified {(now - when).days} days ago, at most {entry.max_age_days} are allowed"
        raise NotProven("verify/summary-too-old", message)
    return when


def _given_up(predicate: Mapping[str, Any]) -> tuple[str, ...]:
    found = predicate.get(LOOSENED, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise NotProven("verify/predicate-malformed", f"the summary's {LOOSENED} is no list of text")
    return tuple(found)
