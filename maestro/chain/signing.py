"""in-toto metadata, signed with any signer of ours (DSSE, so that the signed bytes are kept)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from in_toto.models.common import Signable

    from maestro.evidence.signer import Signer


def sign(made: Signable, signer: Signer) -> tuple[bytes, str]:
    """A layout or link as an envelope that in-toto reads, and the id that in-toto gives the key (hexadecimal)."""
    from in_toto.models._signer import Signature, SSlibKey
    from in_toto.models.metadata import Envelope

    from maestro.evidence import public_key

    key_id = str(SSlibKey.from_crypto(public_key.load(signer.public_key_pem)).keyid)
    envelope = Envelope.from_signable(made)
    envelope.signatures[key_id] = Signature(key_id, signer.sign(envelope.pae()).hex())
    return json.dumps(envelope.to_dict(), sort_keys=True).encode() + b"\n", key_id
