"""What a change of trust.yaml means: whom it believes from then on and before did not, in words, thing by thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from maestro.config import TrustedKey
from maestro.documents.fields import StrictModel
from maestro.provenance.trust_policy import Artifact, Builder, ReleaseParts, Root, Source, Summaries, TrustPolicy


@dataclass(frozen=True, slots=True)
class TrustChange:
    """One root, key or entry that comes, goes or means something else.

    Attributes:
        subject: what changes, like ``roots/sigstore``.
        steps: where it stands in the new file; where its list stands, if it is gone.
        words: what about it.
        root: the roots before and after, where it is one.
    """

    subject: str
    steps: tuple[str | int, ...]
    words: tuple[str, ...]
    root: tuple[Root | None, Root | None] | None = None


def trust_changes(old: TrustPolicy, new: TrustPolicy) -> list[TrustChange]:
    """Everything that differs in meaning; nothing for comments and layout."""
    return [*_roots(old, new), *_keys(old, new), *_artifacts(old, new), *_summaries(old, new), *_releases(old, new)]


def _place(field: str, names: Sequence[str], name: str) -> tuple[str | int, ...]:
    return (field, names.index(name)) if name in names else (field,) if names else ()


def _roots(old: TrustPolicy, new: TrustPolicy) -> Iterator[TrustChange]:
    was, now = ({one.id: one for one in side.roots} for side in (old, new))
    for name in {**now, **was}:
        before, after = was.get(name), now.get(name)
        if before != after:
            words = tuple(_root(before, after))
            yield TrustChange(f"roots/{name}", _place("roots", [*now], name), words, (before, after))


def _root(old: Root | None, new: Root | None) -> Iterator[str]:
    if new is None:
        yield "is removed"
        return
    if old is None:
        yield f"is added: whom {new.path} certifies could be believed"
        if new.without_transparency:
            yield "needs no transparency log"
        return
    if old.sha256 != new.sha256:
        yield f"is replaced: sha256 {new.sha256[:12]}… instead of {old.sha256[:12]}…"
    if old.without_transparency != new.without_transparency:
        yield "needs a transparency log again" if old.without_transparency else "needs no transparency log any more"
    yield from _fields(old, new, ("id", "sha256", "without_transparency"))


def _keys(old: TrustPolicy, new: TrustPolicy) -> Iterator[TrustChange]:
    was, now = ({one.id: one for one in side.keys} for side in (old, new))
    for name in {**now, **was}:
        before, after = was.get(name), now.get(name)
        if before != after:
            yield TrustChange(f"keys/{name}", _place("keys", [*now], name), tuple(_key(before, after)))


def _key(old: TrustedKey | None, new: TrustedKey | None) -> Iterator[str]:
    if new is None:
        yield "is removed"
        return
    if old is None:
        yield "is added"
        return
    if old.public_key.split() != new.public_key.split():
        yield "is another key now"
    if old.revoked_at is None and new.revoked_at is not None:
        yield f"is revoked at {new.revoked_at}"
    elif old.revoked_at is not None and new.revoked_at is None:
        yield "is revoked no longer"
    elif old.revoked_at != new.revoked_at:
        yield f"is revoked at {new.revoked_at} instead of {old.revoked_at}"
    yield from _fields(old, new, ("id", "public_key", "revoked_at"))


def _artifacts(old: TrustPolicy, new: TrustPolicy) -> Iterator[TrustChange]:
    was, now = ({one.name: one for one in side.artifacts} for side in (old, new))
    for name in {**now, **was}:
        before, after = was.get(name), now.get(name)
        if before != after:
            yield TrustChange(f"artifacts/{name}", _place("artifacts", [*now], name), tuple(_artifact(before, after)))


def _summaries(old: TrustPolicy, new: TrustPolicy) -> Iterator[TrustChange]:
    was, now = ({one.name: one for one in side.summaries} for side in (old, new))
    for name in {**now, **was}:
        before, after = was.get(name), now.get(name)
        if before != after:
            yield TrustChange(f"summaries/{name}", _place("summaries", [*now], name), tuple(_summary(before, after)))


def _summary(old: Summaries | None, new: Summaries | None) -> Iterator[str]:
    if new is None:
        yield "is removed"
        return
    if old is None:
        who = new.key or f"{new.identity} of {new.issuer}"
        yield f"is added: what {who} says to have verified of {', '.join(new.resources)} is not verified again"
        yield from (f"loosens {one.removeprefix('loosen.')}" for one in new.loosened())
        return
    yield from _loosening(old.loosen, new.loosen)
    yield from _fields(old, new, ("name", "loosen"))


def _releases(old: TrustPolicy, new: TrustPolicy) -> Iterator[TrustChange]:
    was, now = ({one.name: one for one in side.releases} for side in (old, new))
    for name in {**now, **was}:
        before, after = was.get(name), now.get(name)
        if before != after:
            yield TrustChange(f"releases/{name}", _place("releases", [*now], name), tuple(_release(before, after)))


def _release(old: ReleaseParts | None, new: ReleaseParts | None) -> Iterator[str]:
    if new is None:
        yield "is removed: what it asked of the release is asked no longer"
        return
    if old is None:
        yield "is added"
        yield from (f"loosens {one.removeprefix('loosen.')}" for one in new.loosened())
        return
    yield from _loosening(old.loosen, new.loosen)
    yield from _fields(old, new, ("name", "loosen"))


def _artifact(old: Artifact | None, new: Artifact | None) -> Iterator[str]:
    if new is None:
        yield "is removed: what it asked of its artifacts is asked no longer"
        return
    if old is None:
        yield f"is added for {', '.join(new.match)}"
        yield from (f"lets {_who(one)} vouch" for one in new.builders)
        yield from (f"loosens {one.removeprefix('loosen.')}" for one in new.loosened())
        return
    yield from _loosening(old.loosen, new.loosen)
    yield from (f"lets {_who(one)} vouch" for one in new.builders if one not in old.builders)
    yield from (f"lets {_who(one)} vouch no longer" for one in old.builders if one not in new.builders)
    if old.source is None or new.source is None:
        if old.source != new.source:
            yield "says no longer from where it is built" if new.source is None else f"is built {_from(new.source)}"
    else:
        yield from _fields(old.source, new.source, (), prefix="source.")
    yield from _fields(old, new, ("name", "loosen", "builders", "source"))


def _loosening(old: StrictModel, new: StrictModel) -> Iterator[str]:
    for name in type(new).model_fields:
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield f"loosens {name}" if now else f"loosens {name} no longer"


def _from(source: Source) -> str:
    return f"from {source.repository} at {', '.join((*source.tags, *source.branches)) or 'any ref'}"


def _who(builder: Builder) -> str:
    """The builder, with everything that tells it apart: of two that differ, the difference is visible."""
    given = [
        f"{name}: {_shown(value)}"
        for name in type(builder).model_fields
        if name != "builder" and (value := getattr(builder, name))
    ]
    return builder.builder + (f" ({', '.join(given)})" if given else "")


def _fields(old: StrictModel, new: StrictModel, said: Sequence[str], prefix: str = "") -> Iterator[str]:
    """Every other field that differs: a new one is never passed over because nobody has words for it."""
    for name in type(new).model_fields:
        was, now = getattr(old, name), getattr(new, name)
        if name in said or was == now:
            continue
        if isinstance(was, tuple) and isinstance(now, tuple):
            more, less = [one for one in now if one not in was], [one for one in was if one not in now]
            yield from ([f"{prefix}{name} gains {_shown(more)}"] if more else [])
            yield from ([f"{prefix}{name} loses {_shown(less)}"] if less else [])
            if not more and not less:
                yield f"{prefix}{name} is ordered otherwise"
        else:
            yield f"{prefix}{name} is {_shown(now)} instead of {_shown(was)}"


def _shown(value: Any) -> str:  # noqa: ANN401 - any field's value
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_shown(one)}" for name, one in value.items()) or "nothing"
    return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)
