"""The ledger that a command speaks of, with whom to believe."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from maestro.default_branch import default_branch_rev
from maestro.errors import SelectionError, UsageError
from maestro.evidence.trust import Trust
from maestro.ledger.checkpoint import signer_of
from maestro.ledger.folder import FolderStore
from maestro.ledger.head import Head
from maestro.ledger.log import Log
from maestro.repository import Repository
from maestro.world import World
from runner.governed import Governed, governed_at
from runner.ledger_check import Logged, RunReport, check_run
from runner.looking import looked_at
from runner.run_folder import RunFolder, all_runs, run_folder


@dataclass(frozen=True)
class OpenLedger:
    """The folder, whom to believe, and which broken glass is closed.

    ``elsewhere`` is where the ledger is kept when the folder is a copy of it.
    """

    store: Path
    trust: Trust
    closed: frozenset[str]
    origin: str | None
    authorities: tuple[str, ...]
    elsewhere: str | None = None

    @property
    def place(self) -> str:
        """What people call it."""
        return self.elsewhere or str(self.store)

    @property
    def log(self) -> Log:
        """The log in it."""
        return Log(FolderStore(self.store))

    def head(self) -> Head:
        """The log's head, believed.

        Raises:
            SelectionError: there is no log.
            BadEvidence: changed, or signed by nobody who is listed.
        """
        head = self.log.head()
        if head is None:
            raise SelectionError(f"there is no log in {self.place} yet", remedy="`maestro run` starts it")
        signer_of(head.checkpoint, self.trust)
        return head

    def runs(self, wanted: str | None) -> list[RunFolder]:
        """All runs, or the one asked for.

        Raises:
            SelectionError: there is no such run.
        """
        if wanted is None:
            return all_runs(self.store)
        folder = run_folder(self.store, wanted)
        if not folder.exists:
            raise SelectionError(
                f"there is no run {wanted} in {self.place}", remedy="`maestro receipts list` shows them"
            )
        return [folder]

    def check(self, folder: RunFolder, logged: Logged | None = None, *, counted: bool = False) -> RunReport:
        """What holds of one run; see ``check_run``."""
        return check_run(folder, self.trust, lambda run_id: f"Run/{run_id}" in self.closed, logged, counted=counted)


def governed(arguments: argparse.Namespace, world: World) -> Governed:
    """Whom to believe.

    Raises:
        UsageError: there is no default branch, or nothing on it.
    """
    from maestro.config import CONFIG_PATH, load_config

    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        branch = default_branch_rev(repository, world.environ)
        tip = repository.snapshot(branch)
        if CONFIG_PATH not in tip.entries:
            raise UsageError(f"there is no maestro.yaml on {branch}", remedy="`maestro init` writes one; merge it")
        config = load_config(CONFIG_PATH, tip.read(CONFIG_PATH))
        return governed_at(tip, config, repository.root)


@contextmanager
def opened(arguments: argparse.Namespace, world: World) -> Iterator[OpenLedger]:
    """The ledger, in a folder for as long as it is looked at."""
    said = governed(arguments, world)
    settings = said.settings
    with looked_at(arguments.store, settings, world, said.root, run_id=arguments.run) as (store, folder):
        elsewhere = None if isinstance(store, FolderStore) else store.address
        yield OpenLedger(folder, said.trust, said.closed, settings.origin, settings.timestamp_authorities, elsewhere)
