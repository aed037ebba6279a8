"""``maestro verify image``: whether images are proven to come from where trust.yaml says they must."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from maestro.provenance.deciding import add_policy_arguments, decided_by
from maestro.world import World

if TYPE_CHECKING:
    from maestro.oci.images import VerifiedImage
    from maestro.oci.reference import Reference
    from maestro.provenance.deciding import Decider


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Images, the policy, how the registry is spoken to."""
    parser.add_argument(
        "images", nargs="+", metavar="REF", help="REGISTRY/REPOSITORY@sha256:… or REGISTRY/REPOSITORY:TAG"
    )
    parser.add_argument(
        "--plain-http", action="store_true", help="speak http to registries elsewhere, too; whoever listens can read it"
    )
    add_policy_arguments(parser)


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 all proven, 10 not.

    Raises:
        UsageError: no usable trust.yaml, a name that is none, Docker's configuration malformed.
        SelectionError: an image that is not there.
        ToolFailure: a registry that cannot be asked: nothing is known about its image.
    """
    from maestro.oci.reference import parse_reference
    from maestro.provenance.report import tell

    images = [parse_reference(name) for name in arguments.images]
    decides = decided_by(arguments, world)
    found = [verified(image, decides, world, plain_http=arguments.plain_http) for image in images]
    verifications = [one for image in found for one in image.verifications]
    tell(verifications, world, policy=decides.said, form=arguments.format)
    if arguments.format == "terminal":
        for one in found:
            if one.proven and one.image.tag is not None:
                # The tag may mean something else by the time that it is used.
                world.stderr.write(f"use it as {one.pinned}\n")
    return 0 if all(one.proven for one in found) else 10


def verified(image: Reference, decides: Decider, world: World, *, plain_http: bool = False) -> VerifiedImage:
    """The verdict on one image, by its registry.

    Raises:
        UsageError, SelectionError, ToolFailure: as :func:`run`.
    """
    from maestro.oci.credentials import credentials_for
    from maestro.oci.images import verify_image
    from maestro.oci.registry import Registry
    from maestro.oci.transport import Transport

    transport = Transport(plain_http=plain_http)
    registry = Registry(image, transport, lambda name: credentials_for(name, world.environ))
    return verify_image(image, registry, decides.policy, decides.believed, world.now())
