"""Whether an image is proven: the registry asked once what the name means, the trust policy asked about that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maestro.errors import MaestroError, SelectionError, ToolFailure, UsageError
from maestro.oci.attestations import attestations, unanswered
from maestro.oci.manifests import Manifest
from maestro.oci.reference import Reference
from maestro.oci.registry import Registry, resolved
from maestro.provenance.authenticate import Believed
from maestro.provenance.reasons import NotProven
from maestro.provenance.trust_policy import Artifact, TrustPolicy
from maestro.provenance.verify import Evidence, Subject, Verification, verify


@dataclass(frozen=True, slots=True)
class VerifiedImage:
    """One image. ``pinned``: its name by digest, what was judged; None where the registry's answer was of no use.

    ``verifications``: of the manifest itself, or one for each platform, or both, as trust.yaml asks.
    ``failure``: why it was not judged, where the reason does not lie in what the registry sent.
    ``manifest``: its bytes; ``evidence``: everything that was found beside it.
    """

    image: Reference
    pinned: Reference | None
    verifications: tuple[Verification, ...]
    failure: MaestroError | None = None
    manifest: bytes = b""
    evidence: tuple[Evidence, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether it may be used, by its digest."""
        return self.pinned is not None and all(one.proven for one in self.verifications)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """What was judged, and the image itself where that was judged by its platforms, all it consists of."""
        judged = tuple(one.subject for one in self.verifications)
        if self.pinned is None or any(one.sha256 == self.pinned.sha256 for one in judged):
            return judged
        return (Subject(self.image.name, self.pinned.sha256 or "", _label(self.image)), *judged)

    @property
    def exit_code(self) -> int:
        """0 proven; 10 not, whatever else is unknown; else that of what kept it from being judged."""
        if self.proven:
            return 0
        missing = self.pinned is None and self.failure is not None
        if not missing and any(one.refused for one in self.verifications):
            return NotProven.exit_code
        return self.failure.exit_code if self.failure is not None else ToolFailure.exit_code


_FINAL_LAST: Final = (0, ToolFailure.exit_code, SelectionError.exit_code, UsageError.exit_code, NotProven.exit_code)


def worst_exit_code(images: Sequence[VerifiedImage]) -> int:
    """One for all: the one that trying again helps least."""
    return max((one.exit_code for one in images), key=_FINAL_LAST.index)


def verify_image(
    image: Reference, registry: Registry, policy: TrustPolicy, believed: Believed, now: dt.datetime
) -> VerifiedImage:
    """The verdict on ``image``, whatever the registry does. A tag is looked up once; then digests are asked for."""
    try:
        manifest = resolved(image, registry)
    except NotProven as error:
        return _not_judged(image, error)
    except SelectionError as error:
        return _not_judged(image, NotProven("verify/image-missing", error.message, error.remedy), error)
    except MaestroError as error:
        return _not_judged(image, unanswered(error), error)
    pinned = image.pinned(manifest.sha256)
    whole, each = _split(policy, manifest, image.name)
    found: list[Verification] = []
    used: list[Evidence] = []
    failure: MaestroError | None = None

    def beside(sha256: str) -> list[Evidence]:
        nonlocal failure
        try:
            return attestations(registry, sha256, believed.keys)
        except UsageError as error:  # Docker's configuration, first read when the registry asks who we are
            failure = error
            return [Evidence("the registry", b"", unanswered(error))]

    if whole.artifacts or not each.artifacts:
        subject = Subject(image.name, manifest.sha256, _label(image))
        used += beside(subject.sha256)
        found += verify([subject], used, whole, believed, now)
    if each.artifacts:
        for subject, problem in _platforms(image, manifest):
            evidence = beside(subject.sha256) if problem is None else [Evidence("the index", b"", problem)]
            used += evidence
            found += verify([subject], evidence, each, believed, now)
    return VerifiedImage(image, pinned, tuple(found), failure, manifest.data, tuple(used))


def _not_judged(image: Reference, problem: NotProven, failure: MaestroError | None = None) -> VerifiedImage:
    subject = Subject(image.name, image.sha256 or "", str(image))
    return VerifiedImage(image, None, (Verification(subject, (), problem),), failure)


def _label(image: Reference) -> str:
    return image.name if image.tag is None else str(image)


def _split(policy: TrustPolicy, manifest: Manifest, name: str) -> tuple[TrustPolicy, TrustPolicy]:
    """The policy for the manifest that was named, and the one for each platform's in it."""
    entries = policy.artifacts_of(name)
    each = tuple(one for one in entries if manifest.is_index and one.of_an_index == "platforms")
    rest: tuple[Artifact, ...] = tuple(one for one in entries if one not in each) if entries else policy.artifacts
    return policy.model_copy(update={"artifacts": rest}), policy.model_copy(update={"artifacts": each})


def _platforms(image: Reference, index: Manifest) -> list[tuple[Subject, NotProven | None]]:
    """What an index lists, without the attestations that BuildKit puts beside (they run nowhere: unknown/unknown)."""
    children = [one for one in index.children if one.platform != "unknown/unknown"]
    found: list[tuple[Subject, NotProven | None]] = []
    for child in children:
        subject = Subject(image.name, child.sha256, f"{_label(image)} ({child.platform or 'no platform'})")
        problem = None
        if child.platform is None:
            problem = NotProven("verify/image-platforms", f"the index does not say what sha256:{child.sha256} is for")
        found.append((subject, problem))
    if not found:
        problem = NotProven("verify/image-platforms", "the index lists no platform")
        found = [(Subject(image.name, index.sha256, _label(image)), problem)]
    return found
