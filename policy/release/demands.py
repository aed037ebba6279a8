"""What the policy revision asks of a release as a whole: all of it there, its own, of one commit and one version."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from maestro.config import Config
from maestro.errors import MaestroError
from maestro.oci.reference import parse_reference
from maestro.patterns import compile_patterns
from maestro.provenance.deciding import Decider, NoTrustPolicy
from maestro.provenance.loosening import Loosened
from maestro.provenance.trust_policy import ReleaseParts
from policy.release import reasons
from policy.release.document import Release
from policy.release.part import Part, failed, refused


def demands(
    release: Release,
    config: Config,
    decided: Decider | MaestroError,
    parts: Sequence[Part],
    tree: Callable[[str], str | None],
) -> Iterator[Part]:
    """What is asked, where it is not met or loosened.

    Args:
        release: what it consists of.
        config: maestro.yaml of the policy revision.
        decided: trust.yaml of the policy revision, or why there is none that could be used.
        parts: the verdicts on the release's parts.
        tree: the git tree of a commit; None where the repository does not have it.
    """
    for kind in config.release.requires:
        if not getattr(release, kind):
            message = f"release.yaml names none, and maestro.yaml requires it (release.requires: {kind})"
            yield refused(reasons.PART_MISSING, kind, "-", message)
    if isinstance(decided, MaestroError) and not isinstance(decided, NoTrustPolicy):
        yield failed("release", release.name, decided)
        return
    asked = () if isinstance(decided, MaestroError) else decided.policy.releases
    entry = next((one for one in asked if one.name == release.name), None)
    if entry is None and (asked or not config.release.requires):
        known = f" (there are: {', '.join(one.name for one in asked):.200})" if asked else ""
        message = f"nothing says what a release {release.name!r} must consist of{known}"
        yield refused(reasons.NO_POLICY, "release", release.name, message)
    if entry is not None:
        yield from _named(release, entry)
        yield from _of_others(release, entry, asked)
    loosen = entry.loosen if entry is not None else None
    if loosen is None or not loosen.several_commits:
        yield from _one_commit(release.name, parts, tree)
    if loosen is None or not loosen.any_version:
        yield from _this_version(release, parts)


def _named(release: Release, entry: ReleaseParts) -> Iterator[Part]:
    for part in entry.requires:
        if not getattr(release, part):
            message = f"release.yaml names none, and trust.yaml requires it (releases: {entry.name})"
            yield refused(reasons.PART_MISSING, part, "-", message)
    for kind, names in _names(release).items():
        for pattern in getattr(entry, kind):
            if not any(map(compile_patterns((pattern,)), names)):
                message = f"release.yaml names none like it, and trust.yaml requires it (releases: {entry.name})"
                yield refused(reasons.PART_MISSING, kind, pattern, message)
    if entry.loosened():
        said = "trust.yaml asks less of it than is strict"
        yield Part("release", entry.name, None, said, loosened=(Loosened(entry.name, entry.loosened()),))


def _of_others(release: Release, own: ReleaseParts, asked: Sequence[ReleaseParts]) -> Iterator[Part]:
    """A release that calls itself by the name of one with less to prove."""
    for other in () if own.loosen.any_parts else asked:
        for kind, names in _names(release).items():
            for name in filter(compile_patterns(getattr(other, kind)), names):
                if not compile_patterns(getattr(own, kind))(name):
                    message = f"trust.yaml has it in the release {other.name}, and not in {own.name}"
                    yield refused(reasons.OTHER_RELEASE, kind, name, message)


def _names(release: Release) -> dict[str, list[str]]:
    return {
        "artifacts": [one.path for one in release.artifacts],
        "images": [parse_reference(one).name for one in release.images],
        "policy_bundles": list(release.policy_bundles),
    }


def _one_commit(name: str, parts: Sequence[Part], tree: Callable[[str], str | None]) -> Iterator[Part]:
    by_commit = {commit: part for part in reversed(parts) for commit in part.commits}
    if len(by_commit) > 1:
        said = ", ".join(f"{part.name} from {commit[:12]}" for commit, part in reversed(by_commit.items()))
        yield refused(reasons.SEVERAL_COMMITS, "release", name, said)
        return
    about = [part for part in parts if part.tree is not None]
    if about and not by_commit:
        said = f"no part says which commit it was built from, so {about[0].name} may be about anything"
        yield refused(reasons.SEVERAL_COMMITS, "release", name, said)
    for commit in by_commit if about else ():
        own = tree(commit)
        has = f"has {own[:12]}" if own is not None else "is not in this repository"
        for part in about:
            if part.tree != own:
                said = f"{part.name} is about the tree {str(part.tree)[:12]}, and the commit {commit[:12]} {has}"
                yield refused(reasons.SEVERAL_COMMITS, "release", name, said)


def _this_version(release: Release, parts: Sequence[Part]) -> Iterator[Part]:
    """An old release, whole, under a new version would be proven in every part."""
    for part in parts:
        wrong = [tag for tag in part.tags if not names_version(tag, release.version)]
        if wrong:
            said = f"{part.name} was built at the tag {wrong[0]}, and this is the version {release.version}"
            yield refused(reasons.OTHER_VERSION, "release", release.name, said)


def names_version(tag: str, version: str) -> bool:
    """Whether a tag is that of a version: ``v1.2.0``, ``1.2.0``, ``api-v1.2.0``, ``api/1.2.0``."""
    return re.fullmatch(rf"(.*[^0-9A-Za-z.])?v?{re.escape(version)}", tag) is not None
