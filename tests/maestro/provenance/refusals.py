"""What must be refused: each case is one change to a valid bundle, its signer, its root or the policy."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from maestro.evidence.trust import Trust
from maestro.provenance import trusted_root
from maestro.provenance.authenticate import Believed
from maestro.provenance.trust_policy import Artifact, Builder, Source, TrustPolicy
from maestro.provenance.verify import Evidence, Subject, Verification, verify
from tests.support.private_sigstore.authority import CertificateLog
from tests.support.private_sigstore.instance import SIGNED, PrivateSigstore
from tests.support.private_sigstore.log import b64, canonical
from tests.support.private_sigstore.workflow import Run, statement

DATA = b"the artifact"
SHA256 = hashlib.sha256(DATA).hexdigest()
NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
RUN = Run()
SIGSTORE = PrivateSigstore()
OTHER = PrivateSigstore()
Json = dict[str, Any]


def entry(**changes: Any) -> Artifact:
    """What the policy asks of the artifact: strict defaults, one builder, one source."""
    values: Json = {
        "name": "api",
        "match": ("api.tar.gz",),
        "builders": (
            Builder(
                builder="github-artifact-attestations", workflow="acme/build/.github/workflows/build.yml", tags=("v*",)
            ),
        ),
        "source": Source(
            repository="https://github.com/acme/api", repository_id=712345678, owner_id=4242, tags=("v*",)
        ),
    }
    return Artifact(**(values | changes))


@dataclass
class Tried:
    """What is handed to the judges."""

    bundle: Json
    raw: bytes | None = None
    root: Json = field(default_factory=SIGSTORE.trusted_root)
    entry: Artifact = field(default_factory=entry)
    run: Run = RUN
    now: dt.datetime = NOW
    predicate_type: str = "https://slsa.dev/provenance/v1"

    @property
    def data(self) -> bytes:
        return self.raw if self.raw is not None else json.dumps(self.bundle).encode()


def judge(tried: Tried) -> Verification:
    """Our answer."""
    root = trusted_root.load(json.dumps(tried.root).encode(), name="private", where="root.json")
    policy = TrustPolicy(apiVersion="maestro-conductor/v1", kind="TrustPolicy", artifacts=(tried.entry,))
    believed = Believed([root], Trust({}))
    [found] = verify([Subject("api.tar.gz", SHA256)], [Evidence("b.json", tried.data)], policy, believed, tried.now)
    return found


def attested(run: Run = RUN, **changes: Any) -> Tried:
    """Provenance of ``run``, whose predicate says what the certificate says."""
    return Tried(SIGSTORE.attest(statement(run.provenance_v1(), SHA256), SIGSTORE.signer(run), **changes), run=run)


def says(change: Callable[[Json], None], **options: Any) -> Tried:
    """A statement changed before it was signed."""
    value = copy.deepcopy(statement(RUN.provenance_v1(), SHA256))
    change(value)
    return Tried(SIGSTORE.attest(value, SIGSTORE.signer(RUN), **options), predicate_type=str(value["predicateType"]))


def changed(change: Callable[[Json], None], **options: Any) -> Tried:
    """A bundle changed after it was signed."""
    tried = attested(**options)
    change(tried.bundle)
    return tried


def promised(bundle: Json) -> Json:
    """As v0.1 has it: the log's promise, without the proof."""
    value = copy.deepcopy(bundle)
    material = value["verificationMaterial"]
    del material["tlogEntries"][0]["inclusionProof"]
    material["x509CertificateChain"] = {"certificates": [material.pop("certificate")]}
    return {**value, "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"}


def rooted(change: Callable[[Json], None], **options: Any) -> Tried:
    """A trusted root changed."""
    tried = attested(**options)
    change(tried.root)
    return tried


def _ended(section: str) -> Callable[[Json], None]:
    def end(root: Json) -> None:
        for one in root[section]:
            span = one["validFor"] if "validFor" in one else one["publicKey"]["validFor"]
            span["end"] = "2026-06-01T00:00:00Z"

    return end


def _entry_of(bundle: Json) -> Json:
    found: Json = bundle["verificationMaterial"]["tlogEntries"][0]
    return found


def _set(path: str, value: object) -> Callable[[Json], None]:
    *steps, last = path.split("/")

    def change(target: Json) -> None:
        here: Any = target
        for step in steps:
            here = here[int(step)] if step.isdigit() else here[step]
        here[int(last) if last.isdigit() else last] = value

    return change


def _duplicate() -> Tried:
    payload = canonical(statement(RUN.provenance_v1(), SHA256))
    twice = payload.replace(b'{"_type"', b'{"predicateType":"https://slsa.dev/provenance/v1","_type"', 1)
    return Tried(SIGSTORE.attest(twice, SIGSTORE.signer(RUN)))


def _bundle_twice() -> Tried:
    tried = attested()
    return replace(tried, raw=tried.data.replace(b'{"mediaType"', b'{"mediaType": "x", "mediaType"', 1))


def _borrowed(bundle: Json) -> None:
    other = attested(replace(RUN, commit="2e" * 20)).bundle
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]


def _signature(bundle: Json) -> None:
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = attested().bundle["dsseEnvelope"]["signatures"][0]["sig"]


def _payload(bundle: Json) -> None:
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(b"acme/api", b"evil/api")
    bundle["dsseEnvelope"]["payload"] = b64(payload)


def _unlogged(log: Any) -> Tried:
    signer = SIGSTORE.signer(RUN, log=log)
    return Tried(SIGSTORE.attest(statement(RUN.provenance_v1(), SHA256), signer))


def _late() -> Tried:
    signer = SIGSTORE.signer(RUN)
    value = statement(RUN.provenance_v1(), SHA256)
    return Tried(SIGSTORE.attest(value, signer, at=SIGNED + dt.timedelta(days=1)))


def _one_bad_time() -> Tried:
    tried = attested(stamp=True)
    signature = base64.b64decode(tried.bundle["dsseEnvelope"]["signatures"][0]["sig"])
    late = SIGSTORE.timestamps.respond(signature, SIGNED + dt.timedelta(days=1))
    stamps = tried.bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    stamps.append({"signedTimestamp": b64(late)})
    return tried


def _elsewhere() -> Tried:
    return Tried(OTHER.attest(statement(RUN.provenance_v1(), SHA256), OTHER.signer(RUN)))


def _uninvited() -> Tried:
    def add(value: Json) -> None:
        value["predicate"]["buildDefinition"]["externalParameters"]["inputs"] = {"variant": "debug"}

    return says(add)


def _twice(*, inside: bool) -> Tried:
    """What was chosen, hidden by another parameter whose name has a dot."""

    def add(value: Json) -> None:
        external = value["predicate"]["buildDefinition"]["externalParameters"]
        if inside:
            external["inputs"] = {"variant": "debug"}
            external["inputs.variant"] = "release"
        else:
            external["source.variant"] = "debug"
            external["workflow"]["variant"] = "release"

    name = "inputs.variant" if inside else "source.variant"
    return replace(says(add), entry=entry(external_parameters={name: ("release",)}))


def _two_sources() -> Tried:
    def add(value: Json) -> None:
        external = value["predicate"]["buildDefinition"]["externalParameters"]
        external["buildConfigSource"] = {**external["workflow"], "repository": "https://github.com/acme/api-evil"}

    return says(add)


def _absent() -> Tried:
    return replace(attested(), entry=entry(external_parameters={"inputs.variant": ("release",)}))


def _own_workflow() -> Tried:
    run = replace(RUN, signer="acme/api/.github/workflows/release.yml@refs/tags/v1.2.0")
    builder = Builder(builder="github-artifact-attestations", workflow="acme/api/.github/workflows/release.yml")
    return replace(attested(run), entry=entry(builders=(builder,)))


def _generator(ref: str) -> Tried:
    name = "slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml"
    run = replace(RUN, signer=f"{name}@{ref}")
    value = statement(run.provenance_v0_2(), SHA256, kind="https://slsa.dev/provenance/v0.2")
    asked = entry(
        builders=(Builder(builder="slsa-github-generator"),), predicate_types=("https://slsa.dev/provenance/v0.2",)
    )
    bundle = SIGSTORE.attest(value, SIGSTORE.signer(run), kind="intoto")
    return Tried(bundle, entry=asked, run=run, predicate_type="slsaprovenance02")


def _two_signers() -> Tried:
    two = (entry().builders[0], Builder(builder="other", issuer=RUN.issuer, identity=RUN.signer_uri))
    return replace(attested(), entry=entry(builders=two, signers=2))


def _weak(value: Json) -> None:
    value["subject"] = [{"name": "api.tar.gz", "digest": {"sha1": hashlib.sha1(DATA).hexdigest()}}]


GOOD: dict[str, Callable[[], Tried]] = {
    "Rekor v1, dsse": attested,
    "Rekor v1, intoto": lambda: attested(kind="intoto"),
    "Rekor v1 and a timestamp": lambda: attested(stamp=True),
    "Rekor v2": lambda: attested(log=2),
    "slsa-github-generator at a release": lambda: _generator("refs/tags/v2.1.0"),
}

CASES: dict[str, tuple[str, str, Callable[[], Tried]]] = {
    # identity
    "another builder": (
        "Identity",
        "verify/builder",
        lambda: attested(replace(RUN, signer="acme/other/.github/workflows/build.yml@refs/tags/v3")),
    ),
    "the builder at a branch instead of a tag": (
        "Identity",
        "verify/builder-ref",
        lambda: attested(replace(RUN, signer="acme/build/.github/workflows/build.yml@refs/heads/main")),
    ),
    "the generator at a branch instead of a release": (
        "Identity",
        "verify/builder-ref",
        lambda: _generator("refs/heads/main"),
    ),
    "a look-alike repository, longer at its end": (
        "Identity",
        "verify/repository",
        lambda: attested(replace(RUN, repository="acme/api-evil")),
    ),
    "a look-alike repository, longer at its beginning": (
        "Identity",
        "verify/repository",
        lambda: attested(replace(RUN, repository="evil-acme/api")),
    ),
    "a recycled repository name (another numeric id)": (
        "Identity",
        "verify/repository-id",
        lambda: attested(replace(RUN, repository_id="999")),
    ),
    "a recycled owner's name": ("Identity", "verify/repository-id", lambda: attested(replace(RUN, owner_id="666"))),
    "a branch where tags are wanted": (
        "Identity",
        "verify/ref",
        lambda: attested(replace(RUN, ref="refs/heads/main")),
    ),
    "a pull request's ref": (
        "Identity",
        "verify/pull-request",
        lambda: attested(replace(RUN, ref="refs/pull/7/merge", trigger="pull_request")),
    ),
    "pull_request_target": (
        "Identity",
        "verify/pull-request",
        lambda: attested(replace(RUN, trigger="pull_request_target")),
    ),
    "an event that is not allowed": (
        "Identity",
        "verify/trigger",
        lambda: attested(replace(RUN, trigger="issue_comment")),
    ),
    "a self-hosted runner": ("Identity", "verify/runner", lambda: attested(replace(RUN, runner="self-hosted"))),
    "another issuer": (
        "Identity",
        "verify/issuer",
        lambda: attested(replace(RUN, issuer="https://gitlab.example")),
    ),
    "a workflow of the caller's own, where level 3 is wanted": ("Identity", "verify/level", _own_workflow),
    # content
    "a changed artifact": (
        "Content",
        "verify/subject-mismatch",
        lambda: says(_set("subject/0/digest/sha256", "00" * 32)),
    ),
    "a subject with a weak digest alone": ("Content", "verify/subject-weak-digest", lambda: says(_weak)),
    "another predicate type": (
        "Content",
        "verify/predicate-type",
        lambda: says(_set("predicateType", "https://spdx.dev/Document")),
    ),
    "another payload type (text/plain)": (
        "Content",
        "verify/payload-type",
        lambda: attested(payload_type="text/plain"),
    ),
    "a key twice in the statement": ("Content", "verify/statement-malformed", _duplicate),
    "a key twice in the bundle": ("Content", "verify/bundle-malformed", _bundle_twice),
    "a statement version that is not allowed": (
        "Content",
        "verify/statement-version",
        lambda: says(_set("_type", "https://in-toto.io/Statement/v2")),
    ),
    "provenance that contradicts the certificate (commit)": (
        "Content",
        "verify/predicate-contradiction",
        lambda: says(_set("predicate/buildDefinition/resolvedDependencies/0/digest/gitCommit", "2e" * 20)),
    ),
    "provenance that contradicts the certificate (builder)": (
        "Content",
        "verify/predicate-contradiction",
        lambda: says(_set("predicate/runDetails/builder/id", "https://github.com/acme/build/x.yml@refs/tags/v3")),
    ),
    "provenance without a builder": (
        "Content",
        "verify/predicate-malformed",
        lambda: says(_set("predicate/runDetails", {})),
    ),
    "an external parameter that nobody named": ("Content", "verify/external-parameters", _uninvited),
    "an external parameter behind another of its name": (
        "Content",
        "verify/predicate-malformed",
        lambda: _twice(inside=True),
    ),
    "a parameter of the source behind another of its name": (
        "Content",
        "verify/predicate-malformed",
        lambda: _twice(inside=False),
    ),
    "provenance with two sources": ("Content", "verify/predicate-malformed", _two_sources),
    "an external parameter that is wanted and absent": ("Content", "verify/external-parameters", _absent),
    # evidence
    "a changed payload": ("Evidence", "verify/signature-invalid", lambda: changed(_payload)),
    "the signature replaced": ("Evidence", "verify/signature-invalid", lambda: changed(_signature)),
    "the log entry of another envelope": ("Evidence", "verify/log-other-entry", lambda: changed(_borrowed)),
    "no log entry": (
        "Evidence",
        "verify/log-missing",
        lambda: changed(lambda bundle: bundle["verificationMaterial"].pop("tlogEntries")),
    ),
    "a log's promise with another time": (
        "Evidence",
        "verify/log-promise",
        lambda: changed(lambda bundle: _entry_of(bundle).update(integratedTime="1795176001")),
    ),
    "an inclusion proof with another place": (
        "Evidence",
        "verify/log-inclusion",
        lambda: changed(lambda bundle: _entry_of(bundle)["inclusionProof"].update(logIndex="4")),
    ),
    "a checkpoint of another size": (
        "Evidence",
        "verify/log-checkpoint",
        lambda: changed(lambda bundle: _entry_of(bundle)["inclusionProof"].update(treeSize="12")),
    ),
    "a certificate that no log knows": ("Evidence", "verify/certificate-not-logged", lambda: _unlogged("none")),
    "a certificate logged elsewhere": (
        "Evidence",
        "verify/certificate-not-logged",
        lambda: _unlogged(CertificateLog()),
    ),
    "signed after the certificate ended": ("Evidence", "verify/certificate-expired", _late),
    "one of several times outside of the certificate's": ("Evidence", "verify/certificate-expired", _one_bad_time),
    "a certificate authority out of service": (
        "Evidence",
        "verify/certificate-authority-retired",
        lambda: rooted(_ended("certificateAuthorities")),
    ),
    "a log key out of service": ("Evidence", "verify/log-retired", lambda: rooted(_ended("tlogs"))),
    "a certificate log's key out of service": (
        "Evidence",
        "verify/certificate-not-logged",
        lambda: rooted(_ended("ctlogs")),
    ),
    "a timestamp authority out of service": (
        "Evidence",
        "verify/timestamp-untrusted",
        lambda: rooted(_ended("timestampAuthorities"), log=2),
    ),
    "no time (Rekor v2 without timestamp)": (
        "Evidence",
        "verify/timestamp-missing",
        lambda: changed(lambda bundle: bundle["verificationMaterial"].pop("timestampVerificationData"), log=2),
    ),
    "another instance's certificate": ("Evidence", "verify/certificate-untrusted", _elsewhere),
    # freshness
    "signed too long ago": (
        "Freshness",
        "verify/too-old",
        lambda: replace(attested(), entry=entry(max_age_days=3)),
    ),
    "signed in a future (our clock a day behind)": (
        "Freshness",
        "verify/timestamp-future",
        lambda: replace(attested(), now=SIGNED - dt.timedelta(days=1)),
    ),
    # several signatures
    "one signer under two names": ("Several signers", "verify/signers", _two_signers),
    "a bare signature where a statement is wanted": (
        "Several signers",
        "verify/statement-missing",
        lambda: Tried(SIGSTORE.sign(DATA, SIGSTORE.signer(RUN))),
    ),
}
