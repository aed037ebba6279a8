"""Everything a release consists of, one verdict each, by who already judges it.

A part that is refused or that cannot be judged stops the release; so does one that must be there and is not named.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

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
from maestro.patterns import compile_patterns
from maestro.provenance.deciding import Decider, NoTrustPolicy
from maestro.provenance.loosening import Loosened
from maestro.provenance.trust_policy import ReleaseParts
from maestro.provenance.verify import Evidence, Verification, verify
from policy.bundle.door import BundleDoor
from policy.release import reasons
from policy.release.document import Release

if TYPE_CHECKING:
    from maestro.oci.images import VerifiedImage

BUNDLE: Final = "bundle/"
_TAGS: Final = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Part:
    """The verdict on one part.

    ``reason``: None where it holds, else a stable code. ``judged``: False where nothing is known about it.
    ``commits``, ``tags``: that it was made from, where its evidence says so; ``tree``: the git tree that a verdict is
    about.
    """

    kind: str
    name: str
    reason: str | None
    message: str
    remedy: str | None = None
    judged: bool = True
    loosened: tuple[Loosened, ...] = ()
    commits: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tree: str | None = None

    @property
    def outcome(self) -> Literal["holds", "refused", "errored"]:
        """The verdict in one word."""
        if not self.judged:
            return "errored"
        return "holds" if self.reason is None else "refused"


@dataclass(frozen=True, slots=True)
class Judged:
    """A release, judged; ``artifacts``, ``images`` and ``evidence`` for whoever sums it up or packs it."""

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
    def proven(self) -> tuple[Verification, ...]:
        """Files, images and images' platforms."""
        return (*self.artifacts, *(one for image in self.images for one in image.verifications))


@dataclass(frozen=True)
class Judges:
    """Who judges what here does not.

    Attributes:
        decided: trust.yaml of the policy revision, or why there is none that could be used.
        door: of policy bundles.
        image: asks an image's registry, and judges what lies there.
        run: the verdict on a run (its id, the checkpoint's path below the release's folder).
        tree: the git tree of a commit; None where the repository does not have it.
        merged: whether a commit is part of the default branch, as far as the clone reaches.
    """

    decided: Decider | MaestroError
    door: BundleDoor
    image: Callable[[Reference, Decider], VerifiedImage]
    run: Callable[[str, str], Part]
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
        parts.append(_refused(reasons.EMPTY, "release", release.name, "release.yaml names nothing that is released"))
    parts += made.demands(parts)
    return Judged(tuple(parts), tuple(made.artifacts), tuple(made.images), tuple(made.evidence))


def errored(kind: str, name: str, error: MaestroError) -> Part:
    """A part of which nothing is known."""
    remedy = error.remedy or reasons.REASONS[reasons.NOT_JUDGED][1]
    return Part(kind, name, reasons.NOT_JUDGED, _words(error, name), remedy, judged=False)


def _refused(code: str, kind: str, name: str, message: str) -> Part:
    return Part(kind, name, code, message, reasons.REASONS[code][1])


def _words(error: MaestroError, name: str) -> str:
    place = f"{error.where}: " if error.where and error.where != name else ""
    return place + error.message


def _part(kind: str, name: str, judge_it: Callable[[], str | Part]) -> Part:
    """What a judge says of a part; whatever it raises is a verdict on this part alone."""
    try:
        said = judge_it()
    except ToolFailure as error:
        return errored(kind, name, error)
    except MaestroError as error:
        code = getattr(error, "code", None) or (reasons.VERDICT if kind == "verdict" else reasons.UNREADABLE)
        if kind == "policy bundle" and "/" not in code:
            code = BUNDLE + code
        return Part(kind, name, code, _words(error, name), error.remedy)
    return said if isinstance(said, Part) else Part(kind, name, None, said)


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
            yield _part("artifact", artifact.path, partial(self._artifact, artifact.path, artifact.bundles))
        for image in release.images:
            yield _part("image", image, partial(self._image, image))
        for bundle in release.policy_bundles:
            yield _part("policy bundle", bundle, partial(self._bundle, bundle))
        if release.chain is not None:
            yield _part("chain", release.chain.layout, self._chain)
        for verdict in release.verdicts:
            yield _part("verdict", verdict, partial(self._verdict, verdict))
        if release.receipts is not None:
            for run in release.receipts.runs:
                yield _part("receipts", run, partial(self._judges.run, run, release.receipts.checkpoint))

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
        admitted = self._judges.door.admit_file(self._folder / name, self._config, name)
        contents = admitted.manifest.contents
        said = f"{contents.name} revision {admitted.manifest.revision}, signed by {admitted.key.id}"
        return Part("policy bundle", name, None, said, commits=(contents.commit,))

    def _chain(self) -> str:
        named = self._release.chain
        if named is None:
            raise TypeError("there is no chain")
        layout = read_named(self._folder / named.layout, named.layout, SIZE_LIMIT)
        links = read_links(self._folder / named.links, named.links)
        chain = verify_chain(layout, links, owners_of(layout, self._config, self._now), self._now)
        made = (*(one.path for one in self._release.artifacts), *self._release.policy_bundles)
        if not made:
            raise ChainRefused("chain/product", "no file of this release could have come out of it")
        for path in made:
            _require(chain, self._folder, path)
        return "; ".join(as_lines(chain))

    def _verdict(self, name: str) -> Part:
        from maestro.evidence.errors import BadEvidence

        verdict = read_attested(read_named(self._folder / name, name, SIZE_LIMIT), trust_of(self._config.keys))
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

    def demands(self, parts: Sequence[Part]) -> Iterator[Part]:
        """What the policy revision asks of the release as a whole, where it is not met or loosened."""
        release = self._release
        for kind in self._config.release.requires:
            if not getattr(release, kind):
                message = f"release.yaml names none, and maestro.yaml requires it (release.requires: {kind})"
                yield _refused(reasons.PART_MISSING, kind, "-", message)
        decided = self._judges.decided
        if isinstance(decided, MaestroError) and not isinstance(decided, NoTrustPolicy):
            yield _part("release", release.name, self._unreadable)
            return
        asked = () if isinstance(decided, MaestroError) else decided.policy.releases
        entry = next((one for one in asked if one.name == release.name), None)
        if entry is None and (asked or not self._config.release.requires):
            known = f" (there are: {', '.join(one.name for one in asked):.200})" if asked else ""
            message = f"nothing says what a release {release.name!r} must consist of{known}"
            yield _refused(reasons.NO_POLICY, "release", release.name, message)
        yield from self._named(entry)
        yield from self._of_others(entry, asked)
        yield from self._one_commit(entry, parts)
        yield from self._this_version(entry, parts)

    def _unreadable(self) -> str:
        raise (
            self._judges.decided if isinstance(self._judges.decided, MaestroError) else TypeError("trust.yaml is there")
        )

    def _named(self, entry: ReleaseParts | None) -> Iterator[Part]:
        if entry is None:
            return
        release = self._release
        for part in entry.requires:
            if not getattr(release, part):
                message = f"release.yaml names none, and trust.yaml requires it (releases: {entry.name})"
                yield _refused(reasons.PART_MISSING, part, "-", message)
        for kind, names in self._names().items():
            for pattern in getattr(entry, kind):
                if not any(map(compile_patterns((pattern,)), names)):
                    message = f"release.yaml names none like it, and trust.yaml requires it (releases: {entry.name})"
                    yield _refused(reasons.PART_MISSING, kind, pattern, message)
        if entry.loosened():
            said = "trust.yaml asks less of it than is strict"
            yield Part("release", entry.name, None, said, loosened=(Loosened(entry.name, entry.loosened()),))

    def _of_others(self, own: ReleaseParts | None, asked: Sequence[ReleaseParts]) -> Iterator[Part]:
        """A release that calls itself by the name of one with less to prove."""
        for other in asked:
            if own is None or other is own or own.loosen.any_parts:
                continue
            for kind, names in self._names().items():
                for name in filter(compile_patterns(getattr(other, kind)), names):
                    if not compile_patterns(getattr(own, kind))(name):
                        message = f"trust.yaml has it in the release {other.name}, and not in {own.name}"
                        yield _refused(reasons.OTHER_RELEASE, kind, name, message)

    def _names(self) -> dict[str, list[str]]:
        return {
            "artifacts": [one.path for one in self._release.artifacts],
            "images": [parse_reference(one).name for one in self._release.images],
            "policy_bundles": list(self._release.policy_bundles),
        }

    def _one_commit(self, entry: ReleaseParts | None, parts: Sequence[Part]) -> Iterator[Part]:
        if entry is not None and entry.loosen.several_commits:
            return
        by_commit = {commit: part for part in reversed(parts) for commit in part.commits}
        if len(by_commit) > 1:
            said = ", ".join(f"{part.name} from {commit[:12]}" for commit, part in reversed(by_commit.items()))
            yield _refused(reasons.SEVERAL_COMMITS, "release", self._release.name, said)
            return
        about = [part for part in parts if part.tree is not None]
        if about and not by_commit:
            said = f"no part says which commit it was built from, so {about[0].name} may be about anything"
            yield _refused(reasons.SEVERAL_COMMITS, "release", self._release.name, said)
        for commit in by_commit if about else ():
            tree = self._judges.tree(commit)
            has = f"has {tree[:12]}" if tree is not None else "is not in this repository"
            for part in about:
                if part.tree != tree:
                    said = f"{part.name} is about the tree {str(part.tree)[:12]}, and the commit {commit[:12]} {has}"
                    yield _refused(reasons.SEVERAL_COMMITS, "release", self._release.name, said)

    def _this_version(self, entry: ReleaseParts | None, parts: Sequence[Part]) -> Iterator[Part]:
        """An old release, whole, under a new version would be proven in every part."""
        if entry is not None and entry.loosen.any_version:
            return
        version = self._release.version
        for part in parts:
            wrong = [tag for tag in part.tags if not _names(tag, version)]
            if wrong:
                said = f"{part.name} was built at the tag {wrong[0]}, and this is the version {version}"
                yield _refused(reasons.OTHER_VERSION, "release", self._release.name, said)


def _names(tag: str, version: str) -> bool:
    """Whether a tag is that of a version: ``v1.2.0``, ``1.2.0``, ``api-v1.2.0``, ``api/1.2.0``."""
    return re.fullmatch(rf"(.*[^0-9A-Za-z.])?v?{re.escape(version)}", tag) is not None


def _proof(kind: str, name: str, verifications: Sequence[Verification]) -> Part:
    """The verdict on what trust.yaml judges: the first problem, or who vouches for all of it."""
    entries = [entry for one in verifications for entry in one.entries]
    met = [item for entry in entries for item in entry.met]
    loosened = dict.fromkeys(found for entry in entries if (found := entry.loosened()).fields)
    commits = dict.fromkeys(item.origin.commit for item in met if item.origin.commit)
    refs = dict.fromkeys(item.origin.ref for item in met)
    tags = tuple(ref.removeprefix(_TAGS) for ref in refs if ref.startswith(_TAGS))
    problem = next((one.problem for one in verifications if one.problem is not None), None)
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
