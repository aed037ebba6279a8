"""Bundles as we write them are read without a JSON parser: as one would read them, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maestro.evidence import bundle
from maestro.evidence.dsse import Envelope
from maestro.evidence.errors import BadEvidence
from maestro.evidence.types import BUNDLE, PAYLOAD

OURS = bundle.to_bytes(Envelope(PAYLOAD, b'{"a":1}' * 9, b"signature", "aGludA=="))
PIECES = [
    *(
        b'"',
        b"\\",
        b"\\/",
        b"\\u0041",
        b'","x":"',
        b'","payload":"e30=',
        b"\n",
        b" ",
        b"=",
        b"A",
        b"\x7f",
        b"\xff",
        b"\0",
    ),
    "é".encode(),
    f'","payloadType":"{PAYLOAD}","signatures":[{{"sig":"'.encode(),
    f'"}}]}},"mediaType":"{BUNDLE}","verificationMaterial":{{"publicKey":{{"hint":"'.encode(),
    b'"}}}\n',
    b"",
]


def _read(data: bytes) -> Envelope | None:
    try:
        return bundle.parse(data)
    except BadEvidence:
        return None


def test_what_we_write_is_read_as_it_was() -> None:
    assert bundle.parse(OURS) == Envelope(PAYLOAD, b'{"a":1}' * 9, b"signature", "aGludA==")
    assert bundle._ours(OURS) is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=500)
@given(st.lists(st.tuples(st.integers(0, len(OURS)), st.integers(0, 12), st.sampled_from(PIECES)), max_size=3))
@example([(len(OURS) - 13, 8, b"")])
def test_it_is_read_as_a_json_parser_reads_it(edits: list[tuple[int, int, bytes]]) -> None:
    data = OURS
    for at, length, new in edits:
        data = data[:at] + new + data[at + length :]
    quickly = _read(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "_ours", lambda _data: None)
        assert quickly == _read(data)
