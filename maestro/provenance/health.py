"""What is to be said of a trust policy before anything is verified by it: stale or wrong roots, what is loosened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from maestro.errors import MaestroError
from maestro.evidence.trust import trust_of
from maestro.provenance import trusted_root
from maestro.provenance.trust_policy import Root, TrustPolicy


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark. With a ``remedy`` it asks for something to be done."""

    text: str
    remedy: str | None = None


def remarks(policy: TrustPolicy, read: Callable[[str], bytes | None], now: dt.datetime) -> Iterator[Remark]:
    """Root by root, key by key, entry by entry.

    Args:
        policy: a readable one.
        read: the bytes of a file at the policy's revision; None where there is none.
        now: aware.
    """
    for root in policy.roots:
        yield from _root(root, read(root.path), now)
    try:
        for key in trust_of(policy.keys).keys.values():
            objection = key.objection(now)
            if objection is not None:
                yield Remark(f"nothing signed now is believed: {objection}", "list the key that followed it")
    except MaestroError as error:
        yield Remark(f"keys: {error.message}", error.remedy or "correct the key")
    for entry in policy.artifacts:
        loosened = entry.loosened()
        if loosened:
            yield Remark(f"{entry.name} ({', '.join(entry.match)}) is loosened: {', '.join(loosened)}")
    for summaries in policy.summaries:
        if summaries.loosened():
            yield Remark(f"the summaries {summaries.name} are loosened: {', '.join(summaries.loosened())}")
    for release in policy.releases:
        if release.loosened():
            yield Remark(f"the release {release.name} is loosened: {', '.join(release.loosened())}")


def _root(root: Root, data: bytes | None, now: dt.datetime) -> Iterator[Remark]:
    if data is None:
        yield Remark(
            f"the root {root.id} is missing: there is no file {root.path}, so nothing is proven by it",
            "commit the file whose digest is pinned",
        )
        return
    try:
        loaded = trusted_root.load(data, name=root.id, where=root.path, sha256=root.sha256)
    except MaestroError as error:
        yield Remark(f"the root {root.id} ({root.path}): {error.message}", error.remedy)
        return
    renew = f"get the instance's newer trusted_root.json, then: maestro trust update {root.id} --root FILE"
    if root.stale_after is not None and now >= root.stale_after:
        yield Remark(f"the root {root.id} is stale since {root.stale_after:%Y-%m-%d}", renew)
    if not any(now in one.span for one in loaded.authorities):
        yield Remark(f"the root {root.id} has no certificate authority that is in service now", renew)
