"""trust.yaml: whose word about an artifact is believed. Read at the policy revision; what it does not allow is refused.

Whatever lets more through than the default has a name of its own (``loosen``, a level below 3, …): reports show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from maestro.config import Pattern, RepositoryPath, Time, TrustedKey
from maestro.documents import rules
from maestro.documents.fields import Line, Name, Omittable, StrictModel, text
from maestro.documents.pointer import dotted
from maestro.documents.problem import Problem
from maestro.documents.refusal import Refusal
from maestro.documents.settings import Shape, read_settings, schema_of, usable
from maestro.evidence.types import VERIFIER
from maestro.patterns import compile_patterns

TRUST_PATH = "trust.yaml"
SLSA_V1 = "https://slsa.dev/provenance/v1"
SLSA_V0_2 = "https://slsa.dev/provenance/v0.2"
STRICT_LEVEL = 3
STRICT_AGE_DAYS = 365
STRICT_SUMMARY_AGE_DAYS = 30
STRICT_TRIGGERS = ("push", "release", "workflow_dispatch")

Sha256 = Annotated[str, text(r"^[0-9a-f]{64}$", "must be a SHA-256 digest: 64 hexadecimal digits in lower case")]
Uri = Annotated[str, text(r"^[a-z][a-z0-9+.-]*:[^\s]+$", "must be a URI", longest=500)]
RepositoryUri = Annotated[
    str,
    text(
        r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9_.-]+){2,}$",
        "must be a repository's whole address like https://github.com/acme/api",
        longest=500,
    ),
]
Resources = Annotated[
    str,
    text(
        r"^[a-z][a-z0-9+.-]*:[^\s*]+\*?$",
        "must be a URI, or the beginning of one with * at its end, like pkg:generic/api@*",
        longest=500,
    ),
]
Number = Annotated[int, Field(ge=1, le=10**18)]
Patterns = Annotated[tuple[Pattern, ...], Field(strict=False)]


class Root(StrictModel):
    """A Sigstore trusted root: certificate authorities, logs and timestamp authorities, in one pinned file."""

    id: Name = Field(description="What reports call it", examples=["sigstore"])
    path: RepositoryPath = Field(
        description="The trusted_root.json in the repository", examples=["trust/sigstore.json"]
    )
    sha256: Sha256 = Field(description="The file's digest: another file is not believed")
    stale_after: Omittable[Time] = Field(default=None, description="From then on `maestro doctor` asks for a newer one")
    without_transparency: bool = Field(
        default=False,
        description="This instance operates no logs (GitHub's, for private repositories): its timestamps have to do",
    )


class Source(StrictModel):
    """The repository that an artifact is built from, and the refs and events that may build it."""

    repository: RepositoryUri = Field(
        description="Its whole address, exactly", examples=["https://github.com/acme/api"]
    )
    repository_id: Omittable[Number] = Field(
        default=None,
        description="Its numeric id: a repository made anew under the same name has another",
        examples=[712345678],
    )
    owner_id: Omittable[Number] = Field(default=None, description="The numeric id of its owner")
    tags: Annotated[tuple[Pattern, ...], Field(strict=False)] = Field(
        default=(), description="Tags that may be built", examples=[["v*"]]
    )
    branches: Annotated[tuple[Pattern, ...], Field(strict=False)] = Field(
        default=(), description="Branches that may be built", examples=[["main"]]
    )
    triggers: Annotated[tuple[Line, ...], Field(strict=False, min_length=1)] = Field(
        default=STRICT_TRIGGERS, description="Events that may start the build; pull_request_target never"
    )


class Builder(StrictModel):
    """Who may vouch for an artifact: a row of the table of builders, or one described here."""

    builder: Literal["slsa-github-generator", "github-artifact-attestations", "google-cloud-build", "other"] = Field(
        description="A row of the table of known builders; other: by the rules given here"
    )
    root: Omittable[Name] = Field(default=None, description="The root that vouches for its certificates; any if absent")
    workflow: Omittable[
        Annotated[
            str,
            text(
                r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+\.ya?ml$",
                "must be a workflow's path with its repository, like acme/build/.github/workflows/build.yml",
                longest=500,
            ),
        ]
    ] = Field(default=None, description="The workflow that signs: owner/repository/.github/workflows/FILE")
    tags: Annotated[tuple[Pattern, ...], Field(strict=False)] = Field(
        default=(), description="Tags of that workflow's repository; of the generator: releases (vX.Y.Z) unless given"
    )
    branches: Annotated[tuple[Pattern, ...], Field(strict=False)] = Field(
        default=(), description="Branches of that workflow's repository"
    )
    key: Omittable[Line] = Field(default=None, description="The id of the managed key that signs")
    issuer: Omittable[Uri] = Field(default=None, description="other: who issued the identity")
    identity: Omittable[Line] = Field(default=None, description="other: the certificate's identity, exactly")
    id: Omittable[Uri] = Field(default=None, description="other: the builder's id in the provenance")
    level: Omittable[Annotated[int, Field(ge=1, le=3)]] = Field(
        default=None, description="other: the SLSA build level you have convinced yourselves of"
    )


class Loosen(StrictModel):
    """What of the strict rules is given up for one kind of artifact. Each stands in every report."""

    anyone: bool = Field(default=False, description="Whoever the roots know may sign: this proves integrity alone")
    repository_by_name: bool = Field(default=False, description="The repository's numeric id is not compared")
    any_repository: bool = Field(default=False, description="Built from any repository")
    any_ref: bool = Field(default=False, description="Built from any tag or branch; never from a pull request")
    any_trigger: bool = Field(default=False, description="Built on any event but pull_request_target")
    self_hosted_runners: bool = Field(default=False, description="Built on a machine that somebody else keeps")
    any_external_parameters: bool = Field(default=False, description="Parameters of the build that nobody named")
    any_age: bool = Field(default=False, description="However old the signature is")
    plain_signatures: bool = Field(default=False, description="A signature over the file alone, without a statement")
    promise_without_proof: bool = Field(
        default=False, description="A log's promise to include an entry, without the proof that it did"
    )


class Artifact(StrictModel):
    """What must be proven of the artifacts that some patterns mean. Where several entries match, all must hold."""

    name: Name = Field(description="What reports call this entry", examples=["api"])
    match: Annotated[tuple[Pattern, ...], Field(strict=False, min_length=1)] = Field(
        description="Files and images it is about", examples=[["dist/api-*.tar.gz", "ghcr.io/acme/api"]]
    )
    of_an_index: Literal["index", "platforms"] = Field(
        default="index",
        description="Of a multi-architecture image: whether its index must be proven, or each platform's image in it",
    )
    predicate_types: Annotated[tuple[Uri, ...], Field(strict=False, min_length=1)] = Field(
        default=(SLSA_V1,), description="Kinds of statement that count"
    )
    builders: Annotated[tuple[Builder, ...], Field(strict=False)] = Field(
        default=(), description="Who may vouch for it"
    )
    signers: int = Field(default=1, ge=1, le=20, description="How many distinct ones of them must have")
    source: Omittable[Source] = Field(default=None, description="What it must be built from")
    minimum_level: int = Field(
        default=STRICT_LEVEL, ge=0, le=3, description="The SLSA build level that its builder must have"
    )
    external_parameters: dict[Line, Annotated[tuple[Line, ...], Field(strict=False, min_length=1)]] = Field(
        default={},
        description="Parameters that the provenance must have, each with the values allowed",
        examples=[{"variant": ["release"]}],
    )
    max_age_days: int = Field(default=STRICT_AGE_DAYS, ge=1, le=3650, description="Days after which it is too old")
    loosen: Loosen = Field(default=Loosen(), description="Strict rules given up here")

    def loosened(self) -> tuple[str, ...]:
        """What this entry lets through beyond the strict defaults, field by field, as reports say it."""
        said = [f"loosen.{name}" for name in type(self.loosen).model_fields if getattr(self.loosen, name)]
        if self.minimum_level < STRICT_LEVEL:
            said.append(f"minimum_level: {self.minimum_level}")
        if self.max_age_days > STRICT_AGE_DAYS:
            said.append(f"max_age_days: {self.max_age_days}")
        if self.source is not None:
            said += [f"source.triggers: {one}" for one in self.source.triggers if one not in STRICT_TRIGGERS]
        elif self.builders and not self.loosen.any_repository:
            said.append("source: from whatever it is built")
        if self.builders and self.signers < len(self.builders):
            said.append(f"signers: {self.signers} of {len(self.builders)} builders")
        for one in self.builders:
            if one.level is not None:
                said.append(f"builders.level: {one.level}, which this file states")
            if one.builder == "slsa-github-generator" and one.tags:
                said.append(f"builders.tags: {', '.join(one.tags)} instead of a release of the generator")
            if one.branches:
                said.append(f"builders.branches: {', '.join(one.branches)}, which move")
        return tuple(said)


class LoosenRelease(StrictModel):
    """What of the strict rules is given up for one release. Each stands in every report."""

    any_parts: bool = Field(default=False, description="Whatever release.yaml names will do, one part alone as well")
    several_commits: bool = Field(default=False, description="Its parts may come from different commits")
    any_version: bool = Field(
        default=False, description="The tags that its parts were built at need not name its version"
    )


class ReleaseParts(StrictModel):
    """What a release must consist of at least: release.yaml comes with the release, and could leave it out."""

    name: Name = Field(description="The release's name, as release.yaml says it", examples=["api"])
    artifacts: Patterns = Field(
        default=(),
        description="For each of these there is a file: its path as release.yaml writes it",
        examples=[["dist/api-*.tar.gz"]],
    )
    images: Patterns = Field(
        default=(),
        description="For each of these there is an image: its name without the digest",
        examples=[["ghcr.io/acme/api"]],
    )
    policy_bundles: Patterns = Field(default=(), description="For each of these there is a policy bundle")
    requires: Annotated[tuple[Literal["chain", "verdicts", "receipts"], ...], Field(strict=False)] = Field(
        default=(), description="What else it may not be without", examples=[["chain", "receipts"]]
    )
    loosen: LoosenRelease = Field(default=LoosenRelease(), description="Strict rules given up here")

    def loosened(self) -> tuple[str, ...]:
        """What this entry lets through beyond the strict defaults, as reports say it."""
        return tuple(f"loosen.{name}" for name in type(self.loosen).model_fields if getattr(self.loosen, name))


class LoosenSummary(StrictModel):
    """What of the strict rules is given up for one verifier's summaries. Each stands in every report."""

    any_policy: bool = Field(default=False, description="Whatever policy it was verified by")


class Summaries(StrictModel):
    """Whose verification summaries (SLSA VSA) are believed instead of verifying again, about what."""

    name: Name = Field(description="What reports call this entry", examples=["release-gate"])
    verifier: Uri = Field(default=VERIFIER, description="The verifier's id in the summary, exactly")
    key: Omittable[Line] = Field(default=None, description="The id of the key that signs it, of `keys`")
    root: Omittable[Name] = Field(default=None, description="The root that vouches for its certificates; any if absent")
    issuer: Omittable[Uri] = Field(default=None, description="Who issued the identity that signs it")
    identity: Omittable[Line] = Field(default=None, description="That identity, exactly")
    resources: Annotated[tuple[Resources, ...], Field(strict=False, min_length=1)] = Field(
        description="What it may speak of: URIs, or beginnings of some with * at the end",
        examples=[["pkg:generic/api@*"]],
    )
    policies: Annotated[tuple[Sha256, ...], Field(strict=False)] = Field(
        default=(),
        description="Digests of the policies that it may have verified by; what would decide here unless given",
    )
    minimum_level: int = Field(
        default=STRICT_LEVEL, ge=0, le=3, description="The SLSA build level that it must say at least"
    )
    max_age_days: int = Field(
        default=STRICT_SUMMARY_AGE_DAYS, ge=1, le=3650, description="Days after which it has to be verified again"
    )
    loosen: LoosenSummary = Field(default=LoosenSummary(), description="Strict rules given up here")

    def loosened(self) -> tuple[str, ...]:
        """What this entry lets through beyond the strict defaults, as reports say it."""
        said = [f"loosen.{name}" for name in type(self.loosen).model_fields if getattr(self.loosen, name)]
        if self.minimum_level < STRICT_LEVEL:
            said.append(f"minimum_level: {self.minimum_level}")
        if self.max_age_days > STRICT_SUMMARY_AGE_DAYS:
            said.append(f"max_age_days: {self.max_age_days}")
        return tuple(said)


class TrustPolicy(StrictModel):
    """Whose word about an artifact is believed."""

    model_config = ConfigDict(title="trust.yaml")

    apiVersion: Literal["maestro-conductor/v1"] = Field(description="Always maestro-conductor/v1")  # noqa: N815
    kind: Literal["TrustPolicy"] = Field(description="What this document is")
    roots: Annotated[tuple[Root, ...], Field(strict=False)] = Field(default=(), description="Sigstore trusted roots")
    keys: Annotated[tuple[TrustedKey, ...], Field(strict=False)] = Field(
        default=(),
        description="Public keys that somebody keeps and that may sign attestations: a release key, a key service's",
    )
    artifacts: Annotated[tuple[Artifact, ...], Field(strict=False)] = Field(
        default=(), description="What must be proven, of what"
    )
    summaries: Annotated[tuple[Summaries, ...], Field(strict=False)] = Field(
        default=(), description="Whose verification summaries are believed; nobody's unless given"
    )
    releases: Annotated[tuple[ReleaseParts, ...], Field(strict=False)] = Field(
        default=(), description="What releases must consist of; where there are any, no other release is let out"
    )

    def artifacts_of(self, name: str) -> tuple[Artifact, ...]:
        """The entries whose patterns mean an artifact, in the file's order."""
        return tuple(one for one in self.artifacts if compile_patterns(one.match)(name))


_SMALLEST = "the smallest is two lines: `apiVersion: maestro-conductor/v1` and `kind: TrustPolicy`"


def trust_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of trust.yaml."""
    return schema_of(TrustPolicy)


def read_trust_policy(path: str, data: bytes) -> TrustPolicy | tuple[Problem, ...]:
    """The trust policy, or everything that is wrong with it. Never raises for content."""
    return read_settings(path, data, TrustPolicy, Shape(trust_schema, _SMALLEST), _relations)


def load_trust_policy(path: str, data: bytes) -> TrustPolicy:
    """The trust policy in ``data``.

    Raises:
        UsageError: everything wrong with it, each with its line and column.
    """
    return usable(read_trust_policy(path, data))


def _bad(steps: tuple[str | int, ...], words: str, remedy: str | None = None) -> Refusal:
    return Refusal(rules.BAD_VALUE, f"{dotted(steps)} {words}", steps, remedy=remedy)


def _missing(steps: tuple[str | int, ...], words: str, remedy: str) -> Refusal:
    return Refusal(rules.MISSING_FIELD, f"{dotted(steps)} {words}", steps, remedy=remedy)


def _relations(policy: TrustPolicy) -> Iterator[Refusal]:
    for field, names in (
        ("roots", [one.id for one in policy.roots]),
        ("keys", [one.id for one in policy.keys]),
        ("artifacts", [one.name for one in policy.artifacts]),
        ("summaries", [one.name for one in policy.summaries]),
        ("releases", [one.name for one in policy.releases]),
    ):
        label = "id" if field in ("roots", "keys") else "name"
        for index, name in enumerate(names):
            if name in names[:index]:
                yield _bad((field, index, label), "also names an entry before it")
    for index, key in enumerate(policy.keys):
        if key.valid_until is not None and key.valid_until <= key.valid_from:
            yield _bad(("keys", index, "valid_until"), "must be later than valid_from")
    for index, artifact in enumerate(policy.artifacts):
        yield from _artifact(policy, artifact, ("artifacts", index))
    for index, release in enumerate(policy.releases):
        yield from _release(release, ("releases", index))
    for index, summaries in enumerate(policy.summaries):
        yield from _summaries(policy, summaries, ("summaries", index))


def _summaries(policy: TrustPolicy, entry: Summaries, steps: tuple[str | int, ...]) -> Iterator[Refusal]:
    yield from _believed(policy, entry, steps)
    yield from _one_signer(entry, steps)
    if entry.policies and entry.loosen.any_policy:
        yield _bad((*steps, "loosen", "any_policy"), "contradicts the policies that are named", "keep one of the two")


def _release(release: ReleaseParts, steps: tuple[str | int, ...]) -> Iterator[Refusal]:
    named = release.artifacts or release.images or release.policy_bundles or release.requires
    if not named and not release.loosen.any_parts:
        remedy = "name its artifacts or images; `loosen: {any_parts: true}` asks for none, and reports show it"
        yield _missing(steps, "asks for nothing: a release of any one part would do", remedy)
    if named and release.loosen.any_parts:
        yield _bad((*steps, "loosen", "any_parts"), "contradicts the parts that are named", "keep one of the two")


def _artifact(policy: TrustPolicy, artifact: Artifact, steps: tuple[str | int, ...]) -> Iterator[Refusal]:
    loosen, source = artifact.loosen, artifact.source
    if not artifact.builders and not loosen.anyone:
        yield _missing(
            (*steps, "builders"),
            "names nobody, and an artifact that everybody may sign proves nothing",
            "name who may vouch for it; `loosen: {anyone: true}` says that everybody may, and reports show it in red",
        )
    if artifact.builders and loosen.anyone:
        yield _bad((*steps, "loosen", "anyone"), "makes the builders above it meaningless", "keep one of the two")
    if artifact.signers > max(1, len(artifact.builders)) and not loosen.anyone:
        words = f"is {artifact.signers}, but only {len(artifact.builders)} may sign"
        yield _bad((*steps, "signers"), words, "name as many builders, or ask for fewer")
    for index, builder in enumerate(artifact.builders):
        yield from _builder(policy, builder, (*steps, "builders", index))
    by_repository = any(one.builder != "other" for one in artifact.builders)
    if source is None:
        if by_repository and not loosen.any_repository:
            remedy = "add source with repository, repository_id and the tags or branches that may be built"
            yield _missing((*steps, "source"), "is missing: these builders build for everybody", remedy)
        return
    if loosen.any_repository:
        yield _bad((*steps, "loosen", "any_repository"), "contradicts source", "keep one of the two")
    if source.repository_id is None and not loosen.repository_by_name:
        remedy = "add it (`gh api repos/OWNER/NAME --jq .id`); `loosen: {repository_by_name: true}` does without"
        yield _missing((*steps, "source", "repository_id"), "is missing: a name can be taken over, its id not", remedy)
    if not source.tags and not source.branches and not loosen.any_ref:
        yield _missing((*steps, "source"), "allows no ref", 'add tags, like `tags: ["v*"]`, or branches')
    for field, patterns in (("tags", source.tags), ("branches", source.branches)):
        for index, pattern in enumerate(patterns):
            if not pattern.strip("*/") and not loosen.any_ref:
                remedy = "name a beginning, like v*; `loosen: {any_ref: true}` allows every ref"
                yield _bad((*steps, "source", field, index), "means every ref", remedy)
    for index, trigger in enumerate(source.triggers):
        if trigger == "pull_request_target":
            words = "is pull_request_target, which runs with secrets on a stranger's change: never believed"
            yield _bad((*steps, "source", "triggers", index), words, "remove it")


def _builder(policy: TrustPolicy, builder: Builder, steps: tuple[str | int, ...]) -> Iterator[Refusal]:
    yield from _believed(policy, builder, steps)
    wanted: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "slsa-github-generator": ((), ("root", "workflow", "tags")),
        "github-artifact-attestations": (("workflow",), ("root", "tags", "branches")),
        "google-cloud-build": (("key",), ()),
        "other": ((), ("root", "key", "issuer", "identity", "id", "level")),
    }
    needed, possible = wanted[builder.builder]
    for name in needed:
        if getattr(builder, name) is None:
            yield _missing((*steps, name), f"is missing: {builder.builder} is told apart by it", "add it")
    for name in type(builder).model_fields:
        if name not in ("builder", *needed, *possible) and getattr(builder, name):
            yield _bad((*steps, name), f"has no meaning for {builder.builder}", "remove it")
    if builder.builder == "other":
        yield from _one_signer(builder, steps)


def _believed(policy: TrustPolicy, signer: Builder | Summaries, steps: tuple[str | int, ...]) -> Iterator[Refusal]:
    if signer.root is not None and signer.root not in [one.id for one in policy.roots]:
        yield _bad((*steps, "root"), "names no entry of roots")
    if signer.key is not None:
        if signer.key not in [one.id for one in policy.keys]:
            yield _bad((*steps, "key"), "names no entry of keys")
    elif not policy.roots:
        yield _missing(("roots",), "is missing: certificates need a root", "add a trusted root with its digest")


def _one_signer(signer: Builder | Summaries, steps: tuple[str | int, ...]) -> Iterator[Refusal]:
    by_certificate = signer.issuer is not None and signer.identity is not None
    if (signer.key is not None) == (signer.issuer is not None or signer.identity is not None):
        yield _missing(steps, "needs either a key, or issuer and identity", "say who signs")
    elif signer.key is None and not by_certificate:
        yield _missing(steps, "needs issuer and identity together", "an identity is only what its issuer says")
