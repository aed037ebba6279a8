"""From trust.yaml to what is believed: the roots that it pins, its keys."""

from __future__ import annotations

from collections.abc import Callable

from maestro.evidence.trust import trust_of
from maestro.provenance import trusted_root
from maestro.provenance.authenticate import Believed
from maestro.provenance.trust_policy import TrustPolicy


def believed_by(policy: TrustPolicy, read: Callable[[str], bytes], *, file: str) -> Believed:
    """The roots and keys of ``policy``.

    Args:
        policy: as read from ``file``.
        read: the bytes of a file that the policy names, from the same place as the policy itself.
        file: for messages.

    Raises:
        UsageError: a root that is not the pinned one, or a key that cannot be read.
    """
    roots = tuple(
        trusted_root.load(
            read(one.path),
            name=one.id,
            where=one.path,
            sha256=one.sha256,
            without_transparency=one.without_transparency,
        )
        for one in policy.roots
    )
    return Believed(roots, trust_of(policy.keys, file=file))
