"""Everything a release consists of, one verdict each, by who already judges it.

A part that is refused or that cannot be judged stops the release; so does what it must be as a whole and is not.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from maestro.chain.reasons import ChainRefused
from maestro.chain.verify import Chain, verify_chain
from maestro.chain.words import as_lines
from maestro.commands.files import open_named, read_named
from maestro.commands.verify_blob import evidence_in, subject_of
from maestro.commands.verify_chain import read_links
from maestro.config import Config
from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.evidence.strict_json import SIZE_LIMIT
from maestro.evidence.trust import trust_of
from maestro.evidence.verdict import read_attested
from maestro.oci.reference import Reference, parse_reference
from maestro.provenance.deciding import Decider
from maestro.provenance.loosening import Loosened
from maestro.provenance.verify import Evidence, Subject, Verification, verify
from policy.bundle.door import BundleDoor
from policy.bundle.statement import ENDING
from policy.release import reasons
from policy.release.demands import demands
from policy.release.document import Release
from policy.release.part import Part, judged_by, refused

if TYPE_CHECKING:
    from maestro.oci.images import VerifiedImage

_TAGS: Final = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Judged:
    """A release, judged; ``artifacts``, ``images`` and all ``evidence`` for whoever sums it up or packs it."""

    parts: tuple[Part, ...]
    artifacts: tuple[Verification, ...]
    images: tuple[VerifiedImage, ...]
    evidence: tuple[Evidence, ...]

    @property
    def holds(self) -> bool:
        """Whether it may go out: there is something, and all of it holds."""
        return bool(self.parts) and all(part.outcome == "holds" for part in self.parts)

    @property
    def exit_code(self) -> int:
        """That of the worst part: 10 before 1, as of every report."""
        if any(part.outcome == "refused" for part in self.parts) or not self.parts:
            return 10
        return 0 if self.holds else 1

    @property
    def loosened(self) -> tuple[Loosened, ...]:
        """What trust.yaml gives up for any part, or for the release as a whole."""
        return tuple(dict.fromkeys(one for part in self.parts for one in part.loosened))

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Files, images and images' platforms, as a summary names them."""
        return (
            *(one.subject for one in self.artifacts),
            *(one for image in self.images for one in image.subjects),
        )

    @property
    def proven(self) -> tuple[Verification, ...]:
        """Files, images and images' platforms."""
        return (*self.artifacts, *(one for image in self.images for one in image.verifications))


JudgedRun = tuple[Part, tuple[Evidence, ...]]


@dataclass(frozen=True)
class Judges:
    """Who judges what here does not.

    Attributes:
        decided: trust.yaml of the policy revision, or why there is none that could be used.
        door: of policy bundles.
        image: asks an image's registry, and judges what lies there.
        run: the verdict on a run (its id, the checkpoint's path below the release's folder), and by what.
        tree: the git tree of a commit; None where the repository does not have it.
        merged: whether a commit is part of the default branch, as far as the clone reaches.
    """

    decided: Decider | MaestroError
    door: BundleDoor
    image: Callable[[Reference, Decider], VerifiedImage]
    run: Callable[[str, str], JudgedRun]
    tree: Callable[[str], str | None]
    merged: Callable[[str], bool]


def judge(release: Release, folder: Path, config: Config, judges: Judges, now: dt.datetime) -> Judged:
    """The verdict on each part, in the document's order.

    Args:
        release: what it consists of.
        folder: that its paths are taken from.
        config: maestro.yaml of the policy revision.
        judges: who judges.
        now: aware.
    """
    made = _Release(release, folder, config, judges, now)
    parts = [*made.parts()]
    if not parts:
        parts.append(refused(reasons.EMPTY, "release", release.name, "release.yaml names nothing that is released"))
    parts += demands(release, config, judges.decided, parts, judges.tree)
    return Judged(tuple(parts), tuple(made.artifacts), tuple(made.images), tuple(made.evidence))


class _Release:
    """One release while it is judged; keeps what was proven and by what."""

    def __init__(self, release: Release, folder: Path, config: Config, judges: Judges, now: dt.datetime) -> None:
        self._release = release
        self._folder = folder
        self._config = config
        self._judges = judges
        self._now = now
        self.artifacts: list[Verification] = []
        self.images: list[VerifiedImage] = []
        self.evidence: list[Evidence] = []

    def parts(self) -> Iterator[Part]:
        release = self._release
        for artifact in release.artifacts:
            yield judged_by("artifact", artifact.path, partial(self._artifact, artifact.path, artifact.bundles))
        for image in release.images:
            yield judged_by("image", image, partial(self._image, image))
        for bundle in release.policy_bundles:
            yield judged_by("policy bundle", bundle, partial(self._bundle, bundle))
        if release.chain is not None:
            yield judged_by("chain", release.chain.layout, self._chain)
        for verdict in release.verdicts:
            yield judged_by("verdict", verdict, partial(self._verdict, verdict))
        if release.receipts is not None:
            for run in release.receipts.runs:
                yield judged_by("receipts", run, partial(self._run, run, release.receipts.checkpoint))

    def _decider(self) -> Decider:
        if isinstance(self._judges.decided, MaestroError):
            raise self._judges.decided
        return self._judges.decided

    def _artifact(self, path: str, bundles: Sequence[str]) -> Part:
        by = self._decider()
        if (self._folder / path).resolve() != self._folder.resolve() / path:
            # What trust.yaml says goes by the path: a link would choose another entry than the one that is meant.
            raise UsageError("it lies behind a link", where=path, remedy="name the file itself")
        subject = subject_of(self._folder, path, by.root)
        evidence = [item for name in bundles for item in evidence_in(self._folder, name)]
        [verified] = verify([subject], evidence, by.policy, by.believed, self._now)
        self.artifacts.append(verified)
        self.evidence += evidence
        return _proof("artifact", path, [verified])

    def _image(self, name: str) -> Part:
        by = self._decider()
        verified = self._judges.image(parse_reference(name), by)
        self.images.append(verified)
        self.evidence += verified.evidence
        part = _proof("image", name, verified.verifications)
        if verified.exit_code in (ToolFailure.exit_code, UsageError.exit_code):
            return replace(part, reason=part.reason or reasons.NOT_JUDGED, judged=False)
        if part.reason is None and not verified.proven:
            raise ToolFailure("nothing was said about this image")
        return part

    def _bundle(self, name: str) -> Part:
        statement = name + ENDING
        if (self._folder / statement).exists():
            self._used(statement)
        admitted = self._judges.door.admit_file(self._folder / name, self._config, name)
        contents = admitted.manifest.contents
        said = f"{contents.name} revision {admitted.manifest.revision}, signed by {admitted.key.id}"
        return Part("policy bundle", name, None, said, commits=(contents.commit,))

    def _chain(self) -> str:
        named = self._release.chain
        if named is None:
            raise TypeError("there is no chain")
        layout = self._used(named.layout)
        links = read_links(self._folder / named.links, named.links)
        self.evidence += [Evidence(f"{named.links}/{name}", data) for name, data in links.items()]
        chain = verify_chain(layout, links, owners_of(layout, self._config, self._now), self._now)
        made = (*(one.path for one in self._release.artifacts), *self._release.policy_bundles)
        if not made:
            raise ChainRefused("chain/product", "no file of this release could have come out of it")
        for path in made:
            _require(chain, self._folder, path)
        return "; ".join(as_lines(chain))

    def _verdict(self, name: str) -> Part:
        from maestro.evidence.errors import BadEvidence

        verdict = read_attested(self._used(name), trust_of(self._config.keys))
        if not verdict.allowed:
            raise BadEvidence("the verdict blocks", remedy="see `maestro check`")
        if not self._judges.merged(verdict.policy_revision):
            # Whoever may push a branch with milder rules can have it judge a pull request with any tree.
            raise BadEvidence(
                f"what decided is {verdict.policy_revision[:12]!r}, which is not seen to be part of the default branch",
                remedy="let the default branch decide: `maestro check --attest`; a shallow clone shows too little "
                "(`fetch-depth: 0`)",
            )
        said = f"allows the tree {verdict.tree[:12]} under the policy of {verdict.policy_revision[:12]}"
        return Part("verdict", name, None, said, tree=verdict.tree)

    def _run(self, run_id: str, checkpoint: str) -> Part:
        part, evidence = self._judges.run(run_id, checkpoint)
        self.evidence += evidence
        return part

    def _used(self, name: str) -> bytes:
        data = read_named(self._folder / name, name, SIZE_LIMIT)
        self.evidence.append(Evidence(name, data))
        return data


def _proof(kind: str, name: str, verifications: Sequence[Verification]) -> Part:
    """The verdict on what trust.yaml judges: the first problem, or who vouches for all of it."""
    entries = [entry for one in verifications for entry in one.entries]
    met = [item for entry in entries for item in entry.met]
    loosened = dict.fromkeys(found for entry in entries if (found := entry.loosened()).fields)
    commits = dict.fromkeys(item.origin.commit for item in met if item.origin.commit)
    refs = dict.fromkeys(item.origin.ref for item in met)
    tags = tuple(ref.removeprefix(_TAGS) for ref in refs if ref.startswith(_TAGS))
    # What is refused for certain before what could not be asked.
    unproven = sorted((one for one in verifications if not one.proven), key=lambda one: not one.refused)
    problem = unproven[0].problem if unproven else None
    if problem is not None:
        return Part(kind, name, problem.code, problem.message, problem.remedy, loosened=tuple(loosened))
    said = ", ".join(dict.fromkeys(f"{item.built.name} (level {item.built.level})" for item in met))
    return Part(kind, name, None, said, loosened=tuple(loosened), commits=tuple(commits), tags=tags)


def owners_of(layout: bytes, config: Config, now: dt.datetime) -> list[str]:
    """The owners (PEM), valid now, whose key the layout says it is signed with: all of these must have."""
    from in_toto.models._signer import SSlibKey

    from maestro.evidence.strict_json import loads

    rows = loads(layout, what="the layout").get("signatures")
    found = [row.get("keyid") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    named = {one for one in found if isinstance(one, str)}
    keys = trust_of(config.release.layout_keys, file="maestro.yaml: release.layout_keys").keys.values()
    valid = [key for key in keys if key.objection(now) is None]
    return [key.pem for key in valid if SSlibKey.from_crypto(key.key).keyid in named]


def _require(chain: Chain, folder: Path, path: str) -> None:
    with os.fdopen(open_named(folder / path, path), "rb") as file:
        chain.require(path, hashlib.file_digest(file, "sha256").hexdigest())
