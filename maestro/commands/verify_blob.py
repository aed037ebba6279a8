"""``maestro verify blob``: whether files are proven to come from where trust.yaml says they must."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.commands.attest import add_attest, write_summary
from maestro.commands.files import open_named
from maestro.provenance.deciding import add_policy_arguments, decided_by
from maestro.world import World

if TYPE_CHECKING:
    from maestro.provenance.verify import Evidence, Subject

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
    add_policy_arguments(parser)
    add_attest(parser)


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 all proven, 10 not.

    Raises:
        UsageError: no usable trust.yaml, or one by path in CI that is not the policy revision's.
        SelectionError: a file that is not there.
    """
    from maestro.commands.attest import resource_of
    from maestro.evidence.summary import summary_of
    from maestro.provenance.report import tell
    from maestro.provenance.verify import verify

    decides = decided_by(arguments, world)
    subjects = [subject_of(world.cwd, name, decides.root) for name in arguments.files]
    evidence = [one for name in arguments.bundle for one in evidence_in(world.cwd, name)]
    found = verify(subjects, evidence, decides.policy, decides.believed, world.now())
    tell(found, world, policy=decides.said, form=arguments.format)
    if arguments.attest is not None:
        resource = arguments.resource or resource_of(subjects)
        decided = decides.decided_by(with_config=False)
        write_summary(arguments, world, summary_of(found, resource, decided, evidence, world.now()))
    return 0 if all(one.proven for one in found) else 10


def subject_of(cwd: Path, name: str, root: Path | None) -> Subject:
    """What is to be proven: the file ``name``, called by its path below ``root`` if it lies there.

    Raises:
        SelectionError: it is not there, or not an ordinary file.
    """
    from maestro.provenance.verify import Subject

    path = cwd / name
    with os.fdopen(open_named(path, name), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    real = path.parent.resolve() / path.name
    inside = root is not None and real.is_relative_to(root.resolve())
    return Subject(real.relative_to(root.resolve()).as_posix() if inside and root is not None else path.name, digest)


def evidence_in(cwd: Path, name: str) -> Iterator[Evidence]:
    """The bundles in a file: one, or one on each line of a .jsonl."""
    from maestro.evidence.strict_json import SIZE_LIMIT
    from maestro.provenance.reasons import NotProven
    from maestro.provenance.verify import Evidence

    several = name.endswith(".jsonl")
    limit = _LARGEST_LINES if several else SIZE_LIMIT
    with os.fdopen(open_named(cwd / name, name), "rb") as file:
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
