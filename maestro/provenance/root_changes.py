"""What another trusted root would believe, and would not believe any more, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from maestro.provenance.trusted_root import Authority, LogKey, Span, TrustedRoot


def root_changes(old: TrustedRoot, new: TrustedRoot) -> list[str]:
    """What differs, one sentence each: authorities and logs that come, go, or serve at another time."""
    words: list[str] = []
    for what, was, now in (
        ("certificate authority", old.authorities, new.authorities),
        ("timestamp authority", old.timestamp_authorities, new.timestamp_authorities),
    ):
        words += _differences(what, _authorities(was), _authorities(now))
    for what, was_logs, now_logs in (
        ("transparency log", old.logs, new.logs),
        ("certificate log", old.certificate_logs, new.certificate_logs),
    ):
        words += _differences(what, _logs(was_logs), _logs(now_logs))
    return words


def _authorities(authorities: Sequence[Authority]) -> dict[bytes, tuple[str, Span]]:
    """By their whole chains: another certificate in it is another authority."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return {
        b"".join(certificate.public_bytes(Encoding.DER) for certificate in one.chain): (
            one.chain[0].subject.rfc4514_string() or "without a name",
            one.span,
        )
        for one in authorities
    }


def _logs(logs: Sequence[LogKey]) -> dict[bytes, tuple[str, Span]]:
    """By their ids and keys: an id that stands for another key is another log."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return {
        one.log_id + one.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo): (
            f"{one.host} ({one.log_id.hex()[:8]})",
            one.span,
        )
        for one in logs
    }


def _differences(
    what: str, old: Mapping[bytes, tuple[str, Span]], new: Mapping[bytes, tuple[str, Span]]
) -> Iterator[str]:
    for key, (name, span) in new.items():
        if key not in old:
            yield f"the {what} {name} is added, in service {_said(span)}"
        elif old[key][1] != span:
            yield f"the {what} {name} is in service {_said(span)}, not {_said(old[key][1])}"
    for key, (name, _) in old.items():
        if key not in new:
            yield f"the {what} {name} is removed"


def _said(span: Span) -> str:
    end = f"to {span.end:%Y-%m-%d %H:%M:%S}" if span.end is not None else "without an end"
    return f"from {span.start:%Y-%m-%d %H:%M:%S} {end}"
