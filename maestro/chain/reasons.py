"""Why a chain of steps is refused: every code once, with what to do. docs/guides/release.md lists them."""

from __future__ import annotations

from typing import Final

from maestro.evidence.errors import BadEvidence

_RECORD: Final = "run the step again where it belongs and record it there (`maestro chain record`)"
_LAYOUT: Final = "have the owner write and sign a layout without it"
REASONS: Final = {
    "chain/malformed": "get the file again from the job that wrote it",
    "chain/layout-as-link": "take the link that the step's own job wrote: what lies there is a layout",
    "chain/inspection": "an inspection runs a command while it verifies: " + _LAYOUT,
    "chain/type": _LAYOUT,
    "chain/key-kind": "list RSA, ECDSA or Ed25519 keys in PEM, and no GnuPG keys",
    "chain/one-key-twice": "list each key once: two ids of one key would count as two signers",
    "chain/layout-signature": "have the layout signed by an owner whose key is listed",
    "chain/layout-expired": "have the owner sign a layout that is in force",
    "chain/link-missing": _RECORD,
    "chain/link-of-another-step": _RECORD,
    "chain/step-failed": "mend what failed, and " + _RECORD,
    "chain/link-signature": "each link is signed by the key that the layout names for its step: " + _RECORD,
    "chain/rule": "something was changed between two steps: build again from the commit",
    "chain/product": "take the file that the last step recorded, or run the chain again for this one",
    "chain/refused": "see what in-toto says, and run the chain again",
}
"""Code to remedy."""


class ChainRefused(BadEvidence):
    """A chain that proves nothing: ``code`` is one of ``REASONS`` and stays the same when words change."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, remedy=REASONS[code])
        self.code = code
