"""The attestations beside an image: its referrers (or the tag that stands in for them), and cosign's ``.att`` tag.

What is found proves nothing yet. One that cannot be used, or not be had, is handed on with the reason, so that reports
show it, and the others are judged without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from maestro.errors import MaestroError, ToolFailure
from maestro.evidence.trust import Trust
from maestro.oci.legacy import ENVELOPE, bundle_of
from maestro.oci.manifests import Descriptor, Manifest
from maestro.oci.registry import UNTOLD, Registry
from maestro.provenance.reasons import NotProven
from maestro.provenance.verify import UNANSWERED, Evidence

BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
_MOST = 64
"""Attestations of one image; more would be there to keep us busy."""


def attestations(registry: Registry, sha256: str, keys: Trust) -> list[Evidence]:
    """Everything that is attached to the manifest ``sha256``; never empty: at least the reason why there is nothing.

    Args:
        registry: the repository that the manifest lies in.
        sha256: of the manifest's bytes, hexadecimal.
        keys: those that may have signed an attestation of the old form.
    """
    found = [*_guarded(f"referrers of sha256:{sha256[:12]}", _bundles(registry, sha256))]
    found += _guarded(f"tag sha256-{sha256[:12]}….att", _legacy(registry, sha256, keys))
    if not found:
        problem = NotProven("verify/image-unattested", "no attestation lies beside it")
        return [Evidence("the registry", b"", problem)]
    return found


def _guarded(what: str, evidence: Iterator[Evidence]) -> Iterator[Evidence]:
    """The evidence, and instead of what is malformed or not to be had the reason. A listing that ends so ends there."""
    try:
        yield from evidence
    except NotProven as error:
        yield Evidence(what, b"", error)
    except ToolFailure as error:
        yield Evidence(what, b"", unanswered(error))


def unanswered(error: MaestroError) -> NotProven:
    """The reason that an outage is: no verdict, and what may help."""
    place = f"{error.where}: " if error.where else ""
    return NotProven(UNANSWERED, place + error.message, error.remedy)


def _limited(found: list[Descriptor] | tuple[Descriptor, ...]) -> list[Descriptor]:
    if len(found) > _MOST:
        raise NotProven("verify/image-listing", f"{len(found):,} attestations are listed, at most {_MOST} are read")
    return list(found)


def _bundles(registry: Registry, sha256: str) -> Iterator[Evidence]:
    listed = registry.referrers(sha256, BUNDLE)
    if listed is None:
        fallback = registry.manifest(f"sha256-{sha256}")
        if fallback is not None and not fallback.is_index:
            raise NotProven("verify/image-listing", "the tag that stands in for the list of referrers is no index")
        listed = [one for one in fallback.children if one.artifact_type in (BUNDLE, *UNTOLD)] if fallback else []
    for descriptor in _limited(list({one.sha256: one for one in listed}.values())):
        name = f"referrer sha256:{descriptor.sha256[:12]}"
        yield from _guarded(name, _in_referrer(registry, descriptor, sha256, name))


def _in_referrer(registry: Registry, descriptor: Descriptor, subject: str, name: str) -> Iterator[Evidence]:
    manifest = registry.manifest(f"sha256:{descriptor.sha256}", descriptor.sha256)
    if manifest is None:
        raise NotProven("verify/image-attestation", "it is listed, and is not there")
    if descriptor.artifact_type != BUNDLE and manifest.artifact_type != BUNDLE:
        return
    if manifest.subject != subject:
        said = f"sha256:{manifest.subject}" if manifest.subject is not None else "nothing"
        raise NotProven("verify/image-subject", f"it was attached to {said}, not to sha256:{subject}")
    for layer in _layers(manifest, BUNDLE):
        yield Evidence(name, _blob(registry, layer))


def _legacy(registry: Registry, sha256: str, keys: Trust) -> Iterator[Evidence]:
    manifest = registry.manifest(f"sha256-{sha256}.att")
    if manifest is None:
        return
    for layer in _limited(_layers(manifest, ENVELOPE)):
        name = f"cosign's sha256:{layer.sha256[:12]}"
        yield from _guarded(name, _in_layer(registry, layer, keys, name))


def _in_layer(registry: Registry, layer: Descriptor, keys: Trust, name: str) -> Iterator[Evidence]:
    yield Evidence(name, bundle_of(_blob(registry, layer), layer.annotations, keys))


def _layers(manifest: Manifest, media_type: str) -> list[Descriptor]:
    found = [one for one in manifest.layers if one.media_type == media_type]
    if manifest.is_index or not found or len(found) < len(manifest.layers):
        kinds = ", ".join(sorted({one.media_type for one in manifest.layers})) or "no layer"
        raise NotProven("verify/image-attestation", f"it holds {kinds:.200}, wanted {media_type}")
    return found


def _blob(registry: Registry, layer: Descriptor) -> bytes:
    data = registry.blob(layer)
    if data is None:
        raise NotProven("verify/image-attestation", "its content is not there")
    return data
