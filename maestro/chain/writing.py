"""A layout document as in-toto's layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from maestro.chain.layout_document import ArtifactRule, LayoutDocument
from maestro.evidence.errors import KeyProblem

if TYPE_CHECKING:
    from in_toto.models.layout import Layout


def layout_of(document: LayoutDocument, keys: Mapping[str, bytes]) -> Layout:
    """The layout, unsigned.

    Args:
        document: what its owner wrote.
        keys: the PEM of every public key that it names, by path.

    Raises:
        KeyProblem: a key that no functionary can use.
    """
    from in_toto.models.layout import Layout, Step

    listed = {path: functionary_key(path, pem) for path, pem in keys.items()}
    steps = [
        Step(
            name=step.name,
            pubkeys=[listed[path]["keyid"] for path in step.keys],
            threshold=step.threshold or len(step.keys),
            expected_materials=_rules(step.materials),
            expected_products=_rules(step.products),
        )
        for step in document.steps
    ]
    return Layout(
        steps=steps,
        keys={key["keyid"]: key for key in listed.values()},
        expires=document.expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        readme=document.readme,
    )


def functionary_key(path: str, pem: bytes) -> dict[str, Any]:
    """A public key as layouts list it.

    Raises:
        KeyProblem: not a public key in PEM, or of a kind that in-toto does not know.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from in_toto.models._signer import SSlibKey

    try:
        key = SSlibKey.from_crypto(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        if b"PRIVATE KEY" in pem:
            message, remedy = "this is a private key", f"list the public one: `openssl pkey -in {path} -pubout`"
        else:
            message, remedy = "not an RSA, ECDSA or Ed25519 public key in PEM", "write it with `openssl pkey -pubout`"
        raise KeyProblem(message, where=path, remedy=remedy) from error
    return {**key.to_dict(), "keyid": key.keyid}


def _rules(rules: tuple[ArtifactRule, ...]) -> list[list[str]]:
    # REQUIRE looks only at what no rule before it has taken, so these stand first.
    required = dict.fromkeys(name for rule in rules if (name := rule.required()))
    return [*(["REQUIRE", name] for name in required), *(rule.unpacked() for rule in rules), ["DISALLOW", "*"]]
