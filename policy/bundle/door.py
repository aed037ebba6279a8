"""Where loading packs meets bundles: every command that judges comes through here, and there is no other way in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.errors import MaestroError
from maestro.findings import Location
from policy import pack_rules
from policy.bundle.last_seen import Seen
from policy.pack import Admission, Files, PackProblem

if TYPE_CHECKING:
    from maestro.config import Config, SignedBundle
    from policy.bundle.verifying import Admitted

_REGULAR = ("100644", "100755")


@dataclass(frozen=True)
class BundleDoor:
    """Lets in the bundles of a revision. A ledger that is a folder lies below ``root``; ``environ`` is git's, for one
    that is a git reference."""

    root: Path
    now: dt.datetime
    environ: Mapping[str, str]

    def admit(self, snapshot: Files, config: Config) -> Iterable[Admission]:
        """See ``policy.pack.Door``."""
        for row in config.bundles:
            yield self._one(snapshot, config, row)

    def _one(self, snapshot: Files, config: Config, row: SignedBundle) -> Admission:
        from policy.bundle.statement import ENDING
        from policy.bundle.verifying import admit

        entry = snapshot.entries.get(row.path)
        if entry is None or entry.mode not in _REGULAR:
            return _refused(
                row,
                "`bundles` in maestro.yaml names it, and there is no such file",
                "commit the signed bundle there, or take its row out of `bundles`",
            )
        beside = row.path + ENDING
        there = beside in snapshot.entries and snapshot.entries[beside].mode in _REGULAR
        files = snapshot.read_many([row.path, *[beside] * there])
        try:
            found = admit(
                files[row.path],
                files.get(beside),
                (row,),
                lambda name: self.last_seen(config, name),
                self.now,
                where=row.path,
            )
        except MaestroError as error:
            # What keeps a pack from judging is a problem of it, whoever asks: a gate makes an error of that.
            return _refused(row, error.message, error.remedy)
        problems = list(found.packs.problems)
        if found.expires_soon:
            last = f"{row.path} may be loaded until {found.manifest.expires}, and not any more after that"
            problems.append(PackProblem(pack_rules.BUNDLE_EXPIRES, last, Location(row.path), row.path))
        return Admission(found.packs.packs, tuple(problems), (row.name, found.seen))

    def admit_file(self, path: Path, config: Config, shown: str) -> Admitted:
        """Let in a bundle that lies in no revision, with the statement beside it, as one that ``config`` names.

        Args:
            path: its file.
            config: whose rows of ``bundles`` count.
            shown: what people call the file.

        Raises:
            Refused: it may not judge.
            ToolFailure: it cannot be told.
            UsageError: it cannot be read.
        """
        from policy.bundle.files import read_bundle
        from policy.bundle.statement import ENDING
        from policy.bundle.verifying import admit

        beside = path.with_name(path.name + ENDING)
        attestation = read_bundle(beside) if beside.exists() else None
        return admit(
            read_bundle(path),
            attestation,
            config.bundles,
            lambda name: self.last_seen(config, name),
            self.now,
            where=shown,
        )

    def last_seen(self, config: Config, name: str) -> Seen | None:
        """What the ledger of ``config`` remembers of a bundle's name.

        Raises:
            ToolFailure: it cannot be read.
        """
        from maestro.ledger.opening import open_store
        from policy.bundle.last_seen import seen

        return seen(open_store(config.ledger.address, self.root, self.environ), name)


def _refused(row: SignedBundle, message: str, remedy: str | None = None) -> Admission:
    problem = PackProblem(pack_rules.BUNDLE, message, Location(row.path), row.path, remedy)
    return Admission((), (problem,), None)
