"""Which trust.yaml decides: the policy revision's, or at home one that is tried by its path."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.ci import in_ci
from maestro.commands.files import read_named
from maestro.errors import MaestroError, UsageError
from maestro.world import World

if TYPE_CHECKING:
    from maestro.evidence.summary import DecidedBy
    from maestro.provenance.authenticate import Believed
    from maestro.provenance.trust_policy import TrustPolicy

FORMATS = ("terminal", "json", "markdown")
_LARGEST_POLICY = 4 << 20


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Where trust.yaml is read, and how the verdict is printed."""
    parser.add_argument("--repo", default=".", metavar="DIR", help="the repository whose trust.yaml decides")
    parser.add_argument(
        "--target", metavar="REV", help="the revision that trust.yaml is read at (default: the default branch's tip)"
    )
    parser.add_argument(
        "--policy", metavar="PATH", help="a trust.yaml by its path; in CI it must equal the policy revision's"
    )
    parser.add_argument("--format", choices=FORMATS, default="terminal")


class NoTrustPolicy(UsageError):
    """The policy revision has no trust.yaml: nobody is believed."""


@dataclass(frozen=True)
class Decider:
    """What decides, where it was read, and the folder that names of files are taken from.

    ``data``: the bytes of trust.yaml; ``commit``: that it was read at, whole; None where it was given by its path.
    ``config_data``: of the maestro.yaml that lies beside it.
    """

    policy: TrustPolicy
    believed: Believed
    said: str
    root: Path | None
    data: bytes
    commit: str | None = None
    config_data: bytes | None = None

    def decided_by(self, *, with_config: bool) -> DecidedBy:
        """What a summary says that decided: trust.yaml, for a release together with maestro.yaml."""
        from maestro.config import CONFIG_PATH
        from maestro.evidence.summary import DecidedBy
        from maestro.provenance.trust_policy import TRUST_PATH

        found = {TRUST_PATH: hashlib.sha256(self.data).hexdigest()}
        if with_config and self.config_data is not None:
            found[CONFIG_PATH] = hashlib.sha256(self.config_data).hexdigest()
        return DecidedBy(found, self.commit)


def decided_by(arguments: argparse.Namespace, world: World) -> Decider:
    """What the arguments of :func:`add_policy_arguments` mean.

    Raises:
        UsageError: no usable trust.yaml, or one by path in CI that is not the policy revision's.
        SelectionError: a file that is not there.
    """
    from maestro.config import CONFIG_PATH
    from maestro.provenance.trust_policy import TRUST_PATH

    given = None if arguments.policy is None else read_file(world.cwd / arguments.policy, arguments.policy)
    if given is not None and not in_ci(world.environ):
        path = (world.cwd / arguments.policy).resolve()
        root = repository_root(arguments, world) or path.parent

        def beside(name: str) -> bytes:
            return read_file(path.parent / name, name)

        said = f"{arguments.policy}, not the policy revision's {TRUST_PATH}"
        config = beside(CONFIG_PATH) if (path.parent / CONFIG_PATH).is_file() else None
        return _made(given, beside, said, root, str(arguments.policy), config=config)
    return _at_revision(arguments, world, given)


def repository_root(arguments: argparse.Namespace, world: World) -> Path | None:
    """The root of ``--repo``; None where that is no repository."""
    from maestro.repository import Repository

    try:
        with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
            return repository.root
    except MaestroError:
        return None


def _at_revision(arguments: argparse.Namespace, world: World, given: bytes | None) -> Decider:
    from maestro.config import CONFIG_PATH
    from maestro.default_branch import default_branch_rev
    from maestro.provenance.trust_policy import TRUST_PATH
    from maestro.repository import Repository

    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        revision = arguments.target or default_branch_rev(repository, world.environ)
        tip = repository.snapshot(revision)
        if TRUST_PATH not in tip.entries or not tip.entries[TRUST_PATH].is_file:
            raise NoTrustPolicy(
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
        said = f"{TRUST_PATH} at {revision} ({commit})"
        config = read(CONFIG_PATH) if CONFIG_PATH in tip.entries else None
        return _made(data, read, said, repository.root, TRUST_PATH, commit=tip.commit, config=config)


def _made(
    data: bytes,
    read: Callable[[str], bytes],
    said: str,
    root: Path | None,
    where: str,
    *,
    config: bytes | None,
    commit: str | None = None,
) -> Decider:
    from maestro.provenance.believed import believed_by
    from maestro.provenance.trust_policy import load_trust_policy

    policy = load_trust_policy(where, data)
    return Decider(policy, believed_by(policy, read, file=where), said, root, data, commit, config)


def read_file(path: Path, shown: str) -> bytes:
    """The bytes of a trust.yaml or root.

    Raises:
        SelectionError: it is not there, or not an ordinary file.
        UsageError: it is too large.
    """
    return read_named(path, shown, _LARGEST_POLICY)
