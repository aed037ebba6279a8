"""``maestro verify blob``: whether files are proven to come from where trust.yaml says they must."""

from __future__ import annotations

import argparse
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.errors import MaestroError, SelectionError, UsageError
from maestro.world import World

if TYPE_CHECKING:
    from maestro.provenance.authenticate import Believed
    from maestro.provenance.trust_policy import TrustPolicy
    from maestro.provenance.verify import Evidence, Subject
    from maestro.repository import Repository

_LARGEST_POLICY = 4 << 20
_LARGEST_LINES = 64 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Files, their bundles, the policy."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="the artifacts")
    parser.add_argument(
        "--bundle",
        action="append",
        required=True,
        metavar="FILE",
        help="a Sigstore bundle, or several in one .jsonl file; repeatable",
    )
    parser.add_argument("--repo", default=".", metavar="DIR", help="the repository whose trust.yaml decides")
    parser.add_argument(
        "--target", metavar="REV", help="the revision that trust.yaml is read at (default: the default branch's tip)"
    )
    parser.add_argument(
        "--policy", metavar="PATH", help="a trust.yaml by its path; in CI it must equal the policy revision's"
    )
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


@dataclass(frozen=True)
class _Decider:
    """What decides, where it was read, and the folder that names of files are taken from."""

    policy: TrustPolicy
    believed: Believed
    said: str
    root: Path | None


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 all proven, 10 not.

    Raises:
        UsageError: no usable trust.yaml, or one by path in CI that is not the policy revision's.
        SelectionError: a file that is not there.
    """
    from maestro.provenance.report import as_json, as_text
    from maestro.provenance.verify import verify

    decider = _decider(arguments, world)
    subjects = [_subject(world.cwd, name, decider.root) for name in arguments.files]
    evidence = [one for name in arguments.bundle for one in _evidence(world.cwd, name)]
    found = verify(subjects, evidence, decider.policy, decider.believed, world.now())
    if arguments.format == "json":
        world.stdout.write(as_json(found, policy=decider.said))
    else:
        world.stderr.write(as_text(found, policy=decider.said, colour=world.colour(world.stderr)))
    return 0 if all(one.proven for one in found) else 10


def _decider(arguments: argparse.Namespace, world: World) -> _Decider:
    from maestro.provenance.trust_policy import TRUST_PATH

    given = None if arguments.policy is None else _read(world.cwd / arguments.policy, arguments.policy)
    in_ci = bool(world.environ.get("CI")) or world.environ.get("GITHUB_ACTIONS") == "true"
    if given is not None and not in_ci:
        path = (world.cwd / arguments.policy).resolve()
        root = _root_of(arguments, world) or path.parent

        def beside(name: str) -> bytes:
            return _read(path.parent / name, name)

        said = f"{arguments.policy}, not the policy revision's {TRUST_PATH}"
        return _made(given, beside, said, root, str(arguments.policy))
    return _at_revision(arguments, world, given)


def _root_of(arguments: argparse.Namespace, world: World) -> Path | None:
    from maestro.repository import Repository

    try:
        with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
            return repository.root
    except MaestroError:
        return None


def _at_revision(arguments: argparse.Namespace, world: World, given: bytes | None) -> _Decider:
    from maestro.provenance.trust_policy import TRUST_PATH
    from maestro.repository import Repository

    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        revision = arguments.target or _default_branch(repository)
        tip = repository.snapshot(revision)
        if TRUST_PATH not in tip.entries or not tip.entries[TRUST_PATH].is_file:
            raise UsageError(
                f"there is no {TRUST_PATH} at {revision}, so nobody is believed",
                remedy="write one (docs/guides/trust.md) and merge it",
            )
        data = tip.read(TRUST_PATH)
        if given is not None and given != data:
            raise UsageError(
                f"{arguments.policy} is not the {TRUST_PATH} at {revision}: in CI only that one decides",
                remedy="merge the change to it first, or leave --policy out",
            )

        def read(name: str) -> bytes:
            if name not in tip.entries or not tip.entries[name].is_file:
                raise UsageError(f"there is no such file at {revision}", where=name, remedy="commit and merge it")
            return tip.read(name)

        commit = (tip.commit or revision)[:12]
        return _made(data, read, f"{TRUST_PATH} at {revision} ({commit})", repository.root, TRUST_PATH)


def _default_branch(repository: Repository) -> str:
    found = repository.default_branch_rev(None)
    if found is None:
        raise UsageError("there is no default branch whose trust.yaml could decide", remedy="name it: --target REV")
    return found


def _made(data: bytes, read: Callable[[str], bytes], said: str, root: Path | None, where: str) -> _Decider:
    from maestro.provenance.believed import believed_by
    from maestro.provenance.trust_policy import load_trust_policy

    policy = load_trust_policy(where, data)
    return _Decider(policy, believed_by(policy, read, file=where), said, root)


def _open(path: Path, shown: str) -> int:
    """A descriptor of an ordinary file; a pipe or device would hang or never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SelectionError(f"cannot be read: {error.strerror}", where=shown, remedy="check the path") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SelectionError("is not an ordinary file", where=shown, remedy="name a file")
    return descriptor


def _read(path: Path, shown: str) -> bytes:
    with os.fdopen(_open(path, shown), "rb") as file:
        data = file.read(_LARGEST_POLICY + 1)
    if len(data) > _LARGEST_POLICY:
        raise UsageError(f"the file is larger than {_LARGEST_POLICY:,} bytes", where=shown)
    return data


def _subject(cwd: Path, name: str, root: Path | None) -> Subject:
    from maestro.provenance.verify import Subject

    path = cwd / name
    with os.fdopen(_open(path, name), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    real = path.parent.resolve() / path.name
    inside = root is not None and real.is_relative_to(root.resolve())
    return Subject(real.relative_to(root.resolve()).as_posix() if inside and root is not None else path.name, digest)


def _evidence(cwd: Path, name: str) -> Iterator[Evidence]:
    """The bundles in a file: one, or one on each line of a .jsonl."""
    from maestro.evidence.strict_json import SIZE_LIMIT
    from maestro.provenance.reasons import NotProven
    from maestro.provenance.verify import Evidence

    several = name.endswith(".jsonl")
    limit = _LARGEST_LINES if several else SIZE_LIMIT
    with os.fdopen(_open(cwd / name, name), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        problem = NotProven("verify/bundle-too-large", f"the bundle is larger than {limit:,} bytes")
        yield Evidence(name, b"", problem)
        return
    if not several:
        yield Evidence(name, data)
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield Evidence(f"{name}:{number}", line)
