"""``maestro verify image``: whether images are proven to come from where trust.yaml says they must."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from maestro.errors import UsageError
from maestro.provenance.deciding import add_policy_arguments, decided_by
from maestro.world import World

if TYPE_CHECKING:
    from maestro.evidence.trust import Trust
    from maestro.oci.credentials import KnownCredentials
    from maestro.oci.images import VerifiedImage
    from maestro.oci.reference import Reference
    from maestro.oci.registry import Registry
    from maestro.provenance.deciding import Decider
    from maestro.provenance.verify import Evidence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Images, the policy, how the registry is spoken to."""
    parser.add_argument(
        "images", nargs="+", metavar="REF", help="REGISTRY/REPOSITORY@sha256:… or REGISTRY/REPOSITORY:TAG"
    )
    add_plain_http(parser)
    add_policy_arguments(parser)


def add_plain_http(parser: argparse.ArgumentParser) -> None:
    """How the registry is spoken to."""
    parser.add_argument(
        "--plain-http", action="store_true", help="speak http to registries elsewhere, too; whoever listens can read it"
    )


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 all proven; else the worst of 10 not proven, 2 Docker's configuration is malformed, 3 there is no such image,
    1 the registry cannot be asked. Each image has its verdict, whatever becomes of the others.

    Raises:
        UsageError: no usable trust.yaml, a name that is none.
    """
    from maestro.oci.credentials import credentials_of
    from maestro.oci.images import worst_exit_code
    from maestro.oci.reference import parse_reference
    from maestro.provenance.report import tell

    images = [parse_reference(name) for name in arguments.images]
    decides = decided_by(arguments, world)
    known = credentials_of(world.environ)
    found = [verified(image, decides, world, known, plain_http=arguments.plain_http) for image in images]
    verifications = [one for image in found for one in image.verifications]
    tell(verifications, world, policy=decides.said, form=arguments.format)
    if arguments.format == "terminal":
        for one in found:
            if one.proven and one.image.tag is not None:
                # The tag may mean something else by the time that it is used.
                world.stderr.write(f"use it as {one.pinned}\n")
    return worst_exit_code(found)


def verified(
    image: Reference, decides: Decider, world: World, known: KnownCredentials, *, plain_http: bool = False
) -> VerifiedImage:
    """The verdict on one image, by its registry."""
    from maestro.oci.images import verify_image

    registry = registry_of(image, world, known, plain_http=plain_http)
    return verify_image(image, registry, decides.policy, decides.believed, world.now())


def registry_of(image: Reference, world: World, known: KnownCredentials, *, plain_http: bool) -> Registry:
    """The registry of an image, spoken to as this user may."""
    from maestro.oci.registry import Registry
    from maestro.oci.transport import Transport

    return Registry(image, Transport(plain_http=plain_http, environ=world.environ), known)


def beside_image(
    name: str, world: World, keys: Trust, *, plain_http: bool, of_a_file: str
) -> tuple[Reference, list[Evidence]]:
    """An image by the digest that its name means now (said where that was a tag), and everything that lies beside it.

    Args:
        name: as the user wrote it.
        world: where the credentials are.
        keys: those that may have signed an attestation of the old form.
        plain_http: whether other machines are spoken to by http.
        of_a_file: what to do where a file is meant.

    Raises:
        UsageError: it is no name of an image; Docker's configuration is malformed.
        SelectionError, NotProven, ToolFailure: as :func:`maestro.oci.registry.resolved`.
    """
    from maestro.oci.attestations import attestations
    from maestro.oci.credentials import credentials_of
    from maestro.oci.reference import parse_reference
    from maestro.oci.registry import resolved

    try:
        image = parse_reference(name)
    except UsageError as error:
        error.remedy = f"{error.remedy}; of a file, {of_a_file}"
        raise
    registry = registry_of(image, world, credentials_of(world.environ), plain_http=plain_http)
    sha256 = resolved(image, registry).sha256
    if image.tag is not None:
        # The tag may mean something else by the time that it is used.
        world.stderr.write(f"{image} is {image.pinned(sha256)}\n")
    return image.pinned(sha256), attestations(registry, sha256, keys)
