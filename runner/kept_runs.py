"""The runs that a store elsewhere has, as archives or as steps only; how one comes into a folder to be looked at."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from maestro.errors import MaestroError, ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.ledger.store import Reader
from runner import archive
from runner.plain_tar import contents
from runner.run_folder import KINDS, RUN_ID, RunFolder, run_folder

STEP_KINDS = ("steps", *KINDS)
_NAME = re.compile(r"runs/(?P<run>[^/]+)/(?P<kind>archives|steps)/(?P<number>[1-9][0-9]{0,8})\.tar\.gz")


@dataclass(frozen=True)
class KeptRun:
    """What there is of a run: the numbers of its archives and of its steps, in order."""

    run_id: str
    archives: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()

    @property
    def archive(self) -> str | None:
        """The name of its last archive."""
        return archive.name_of(self.run_id, self.archives[-1]) if self.archives else None

    @property
    def stamp(self) -> str:
        """Its state: another one says that there is more of it."""
        return self.archive or step_name(self.run_id, self.steps[-1])

    @property
    def files(self) -> list[str]:
        """What has to be read to look at it, as far as the names say."""
        return [self.archive] if self.archive else [step_name(self.run_id, number) for number in self.steps]


def step_name(run_id: str, number: int) -> str:
    """Where a step lies in the store."""
    return f"runs/{run_id}/steps/{number}.tar.gz"


def kept_runs(store: Reader, run_id: str | None = None) -> Mapping[str, KeptRun]:
    """Every run of which there is something, or this one. What has no name of ours is passed over.

    Raises:
        ToolFailure: the store cannot be read.
    """
    found: dict[str, dict[str, list[int]]] = {}
    for name in store.names("runs/" if run_id is None else f"runs/{run_id}/"):
        match = _NAME.fullmatch(name)
        if match is not None and RUN_ID.fullmatch(match["run"]):
            found.setdefault(match["run"], {}).setdefault(match["kind"], []).append(int(match["number"]))
    return {
        run: KeptRun(run, tuple(sorted(of.get("archives", ()))), tuple(sorted(of.get("steps", ()))))
        for run, of in found.items()
    }


def fetch(store: Reader, kept: KeptRun, target: Path) -> RunFolder:
    """The run in a folder below ``target``; where it cannot be had, the folder says why instead.

    Of a run that is steps only, each one's statement lies in ``steps/``; whether they are believed is not looked at.
    """
    folder = run_folder(target, kept.run_id)
    try:
        for name, files in archive.objects_of(store, kept.archive) if kept.archive else _steps_of(store, kept):
            try:
                archive.unpack(files, folder.path, STEP_KINDS if kept.archive is None else KINDS)
            except OSError as error:
                raise ToolFailure(f"it cannot be unpacked: {error.strerror}", where=str(folder.path)) from error
            except BadEvidence as error:
                raise BadEvidence(error.message, where=f"{store.address}: {name}") from error
    except MaestroError as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        folder.set_unreadable(f"{error.where}: {error.message}" if error.where else error.message)
    return folder


def _steps_of(store: Reader, kept: KeptRun) -> Iterator[tuple[str, archive.Files]]:
    for number in kept.steps:
        name = step_name(kept.run_id, number)
        found = store.read(name)
        yield name, contents(b"" if found is None else found.data, STEP_KINDS)
