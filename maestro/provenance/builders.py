"""The table of known builders: how each is told apart, and the SLSA build level it is trusted for.

| builder | told apart by | level |
|---|---|---|
| slsa-github-generator | its reusable workflow, at a release tag | 3 |
| github-artifact-attestations | the workflow that signs | 3 where it lies in another repository, else 2 |
| google-cloud-build | the key of Google's attestor, the builder's id | 3 |
| other | a key, or issuer and identity | what trust.yaml states, else 1 |

Level 3 asks that the build cannot forge its own provenance: a workflow in the caller's own repository can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from maestro.patterns import compile_patterns
from maestro.provenance.authenticate import Authentic
from maestro.provenance.certificate import Identity
from maestro.provenance.claims import Claims, require_one_story
from maestro.provenance.reasons import NotProven
from maestro.provenance.trust_policy import Artifact, Builder

GITHUB_ISSUER: Final = "https://token.actions.githubusercontent.com"
GITHUB: Final = "https://github.com/"
GENERATOR: Final = "slsa-framework/slsa-github-generator"
_GENERATOR_WORKFLOWS: Final = frozenset(
    f".github/workflows/{name}_slsa3.yml"
    for name in (
        "builder_bazel",
        "builder_container-based",
        "builder_docker-based",
        "builder_go",
        "builder_gradle",
        "builder_maven",
        "builder_nodejs",
        "delegator_generic",
        "delegator_lowperms-generic",
        "generator_container",
        "generator_generic",
    )
)
_RELEASE: Final = re.compile(r"refs/tags/v[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}")
GOOGLE_IDS: Final = (
    "https://cloudbuild.googleapis.com/GoogleHostedWorker",
    "https://cloudbuild.googleapis.com/GoogleHostedWorker@v1",
)


@dataclass(frozen=True, slots=True)
class Built:
    """Which builder of an entry vouches, by its place there, and at which level it is trusted."""

    index: int
    name: str
    level: int


def builder_of(entry: Artifact, signed: Authentic, claims: Claims | None) -> Built:
    """The builder of ``entry`` that signed; of several the first that fits.

    Raises:
        NotProven: none did; the reason is that of the one that came nearest.
    """
    nearest: NotProven | None = None
    for index, builder in enumerate(entry.builders):
        try:
            if builder.root is not None and (signed.root is None or signed.root.name != builder.root):
                raise NotProven("verify/issuer", f"no certificate of the root {builder.root} vouches for it")
            level = _TABLE[builder.builder](builder, entry, signed, claims)
        except NotProven as error:
            if nearest is None or _NEAR.index(error.code) > _NEAR.index(nearest.code):
                nearest = error
        else:
            return Built(index, builder.builder, level if claims is not None else 0)
    if nearest is not None:
        raise nearest
    return Built(0, "anyone", 0)


_NEAR: Final = (
    "verify/issuer",
    "verify/builder",
    "verify/builder-ref",
    "verify/predicate-malformed",
    "verify/predicate-contradiction",
)


def _github(signed: Authentic) -> Identity:
    identity = signed.identity
    if identity is None or identity.issuer != GITHUB_ISSUER:
        said = "a key" if identity is None else identity.issuer
        raise NotProven("verify/issuer", f"signed by {said!r:.120}, wanted a workflow that GitHub Actions vouches for")
    if identity.subject != identity.build_signer_uri:
        raise NotProven("verify/builder", "the certificate names another workflow as its subject than as its signer")
    return identity


def _workflow(identity: Identity, wanted: str) -> str:
    """The ref at which the wanted workflow (owner/repository/path) signed."""
    found, _, ref = identity.build_signer_uri.partition("@")
    if found != GITHUB + wanted:
        raise NotProven("verify/builder", f"signed by the workflow {found!r:.200}, wanted {GITHUB}{wanted}")
    return ref


def ref_allowed(ref: str, tags: Sequence[str], branches: Sequence[str]) -> bool:
    """Whether a whole ref (refs/tags/…, refs/heads/…) is one of these; nothing else ever is."""
    for prefix, patterns in (("refs/tags/", tags), ("refs/heads/", branches)):
        if ref.startswith(prefix):
            return bool(patterns) and compile_patterns(patterns)(ref.removeprefix(prefix))
    return False


def _generator(builder: Builder, entry: Artifact, signed: Authentic, claims: Claims | None) -> int:  # noqa: ARG001
    identity = _github(signed)
    found = identity.build_signer_uri.partition("@")[0].removeprefix(f"{GITHUB}{GENERATOR}/")
    if found not in _GENERATOR_WORKFLOWS:
        raise NotProven(
            "verify/builder",
            f"signed by {identity.build_signer_uri!r:.200}, which is no builder of {GENERATOR}",
        )
    ref = _workflow(identity, builder.workflow or f"{GENERATOR}/{found}")
    allowed = ref_allowed(ref, builder.tags, ()) if builder.tags else _RELEASE.fullmatch(ref) is not None
    if not allowed:
        wanted = ", ".join(builder.tags) or "a release tag like v2.1.0"
        raise NotProven("verify/builder-ref", f"the builder ran at {ref!r:.120}, wanted {wanted}")
    if claims is not None:
        require_one_story(claims, identity)
    return 3


def _attestations(builder: Builder, entry: Artifact, signed: Authentic, claims: Claims | None) -> int:
    identity = _github(signed)
    wanted = builder.workflow or ""
    ref = _workflow(identity, wanted)
    own = identity.source_repository_uri == GITHUB + "/".join(wanted.split("/")[:2])
    tags, branches = builder.tags, builder.branches
    if not tags and not branches and own and entry.source is not None:
        tags, branches = entry.source.tags, entry.source.branches
    if not ref_allowed(ref, tags, branches) and not (own and entry.loosen.any_ref):
        message = f"the workflow ran at {ref!r:.120}, wanted {', '.join((*tags, *branches)) or 'a ref that is named'}"
        raise NotProven("verify/builder-ref", message)
    if claims is not None:
        require_one_story(claims, identity)
    return 2 if own else 3


def _google(builder: Builder, entry: Artifact, signed: Authentic, claims: Claims | None) -> int:  # noqa: ARG001
    _require_key(builder, signed)
    if claims is None or claims.builder_id not in GOOGLE_IDS:
        said = claims.builder_id if claims is not None else "nothing"
        raise NotProven("verify/builder", f"the provenance says the builder is {said!r:.120}, wanted {GOOGLE_IDS[0]}")
    return 3


def _require_key(builder: Builder, signed: Authentic) -> None:
    if signed.key is None or signed.key.id != builder.key:
        who = f"the key {signed.key.id!r}" if signed.key is not None else "a certificate"
        raise NotProven("verify/builder", f"signed by {who}, wanted the key {builder.key!r}")


def _other(builder: Builder, entry: Artifact, signed: Authentic, claims: Claims | None) -> int:  # noqa: ARG001
    if builder.key is not None:
        _require_key(builder, signed)
    else:
        identity = signed.identity
        if identity is None or identity.issuer != builder.issuer:
            said = "a key" if identity is None else identity.issuer
            raise NotProven("verify/issuer", f"{said!r:.120} vouches for the signer, wanted {builder.issuer}")
        if identity.subject != builder.identity:
            raise NotProven("verify/builder", f"signed by {identity.subject!r:.200}, wanted {builder.identity}")
    if builder.id is not None and (claims is None or claims.builder_id != builder.id):
        said = claims.builder_id if claims is not None else "nothing"
        raise NotProven("verify/builder", f"the provenance says the builder is {said!r:.120}, wanted {builder.id}")
    return builder.level or 1


_TABLE: Final[dict[str, Callable[[Builder, Artifact, Authentic, Claims | None], int]]] = {
    "slsa-github-generator": _generator,
    "github-artifact-attestations": _attestations,
    "google-cloud-build": _google,
    "other": _other,
}
