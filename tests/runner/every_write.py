"""A run that is struck at its n-th write, and resumed, for every n: ``python -m tests.runner.every_write``.

Each trial is a run of its own, dispatched and entered into a log in a process of its own; struck is the dispatcher, or
what watches the commands. Then it is resumed unharmed, and everything must be there, once, and hold.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from maestro.errors import MaestroError
from maestro.evidence.trust import trust_of
from maestro.ledger.folder import FolderStore
from maestro.ledger.log import Log
from maestro.ledger.log_check import check_log
from runner.drivers.local_slots import supervisor
from runner.ledger_check import check_run
from runner.logged import append_segments
from tests.maestro.evidence import keys
from tests.runner.faults import BOOT, FAULTS, Arm
from tests.runner.plans import NOW, dispatcher, facts, folder, local, planned

EXECUTIONS = 3
WHO = ("dispatcher", "watcher", "resumer")
"""The last is the dispatcher that settles what a watcher, killed at ``WATCHER_DIES_AT``, has left."""
WATCHER_DIES_AT = 12
"""Of its writes: two commands are started by then, the next would have been the record of that; one waits."""
COMPLETE, REFUSED, CRASHED = 0, 1, 70
SECONDS = 60
"""After which a trial hangs."""


@dataclass(frozen=True)
class Strike:
    """What happens to whom at which write."""

    who: str
    fault: str
    number: int

    def __str__(self) -> str:
        return f"{self.fault} at write {self.number} of the {self.who}"


def _go(path: Path) -> None:
    """As ``maestro run`` does it: dispatch, close, enter into the log."""
    script = f"echo x >> {path}/marks/$MAESTRO_ARRAY_INDEX"
    one = dispatcher(path)
    store = FolderStore(path / "ledger")
    one.dispatch(facts(), [planned(script, size=EXECUTIONS)], local(path))
    append_segments(
        folder(path), store, elsewhere=False, signer=one.signer, trust=one.trust, now=lambda: NOW, origin="test"
    )


def _in_a_process(path: Path, strike: Strike | None) -> int:
    """Its exit status; negative for the signal that ended it."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = CRASHED
    try:
        signal.alarm(SECONDS)
        os.cpu_count = lambda: 1  # one watcher, whose writes are in order
        fired = str(path / "fired")
        if strike is not None and strike.who == "watcher":
            supervisor.BOOT = BOOT.format(fault=strike.fault, number=strike.number, fired=fired)
        elif strike is not None:
            Arm(strike.fault, strike.number, fired)
        _go(path)
        status = COMPLETE
    except MaestroError as error:
        (path / "said").write_text(f"{error.message}\n")
        status = REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def trial(path: Path, strike: Strike) -> list[str] | None:
    """What is wrong after it; None where there is no such write."""
    (path / "marks").mkdir(parents=True)
    if strike.who == "resumer":
        _in_a_process(path, Strike("watcher", "die", WATCHER_DIES_AT))
        (path / "fired").unlink()
    status = _in_a_process(path, strike)
    if not (path / "fired").exists():
        return None
    wrong = []
    struck_dead = strike.fault.startswith("die") and strike.who != "watcher"
    if status != -signal.SIGKILL if struck_dead else status not in (COMPLETE, REFUSED):
        wrong.append(f"it ended with {status}")
    status = _in_a_process(path, None)
    if status != COMPLETE:
        said = (path / "said").read_text().strip() if status == REFUSED else f"status {status}"
        return [*wrong, f"it cannot be resumed: {said}"]
    return wrong + _wrong_with(path, strike)


def _wrong_with(path: Path, strike: Strike) -> list[str]:
    report = check_run(folder(path), trust_of([keys.row()]), lambda _run: False)
    wrong = [f"{one.file}: {one.message}" for one in report.objections]
    if sum(report.outcomes.values()) != EXECUTIONS or not report.complete:
        wrong.append(f"lost: {report.outcomes}")
    ran = [len(mark.read_bytes().split()) for mark in (path / "marks").iterdir()]
    if any(times > 1 for times in ran):
        wrong.append("one ran twice")
    # Only where what watched over it is gone may nobody know how it ended.
    if set(report.outcomes) - ({"succeeded", "unknown"} if strike.who != "dispatcher" else {"succeeded"}):
        wrong.append(f"outcomes: {report.outcomes}")
    if len(ran) < report.outcomes.get("succeeded", 0):
        wrong.append("one succeeded that never ran")
    log = check_log(Log(FolderStore(path / "ledger")), trust_of([keys.row()]), None, "test")
    wrong += [f"log: {flaw}" for flaw in log.flaws]
    entered = [(one.name, one.sha256) for one in log.entries]
    if len(set(entered)) != len(entered) or {name.rpartition("/")[2] for name, _ in entered} != {
        file.name for file in (folder(path).path / "segments").glob("[0-9]*")
    }:
        wrong.append(f"log: it lists {entered}")
    return wrong


def strikes(scratch: Path, who: str, fault: str, *, every: int = 1, first: int = 1) -> tuple[int, list[str]]:
    """How many writes were struck, and what was wrong. ``every`` other number, from ``first`` on."""
    number, done = first, 0
    wrong: list[str] = []
    while True:
        strike = Strike(who, fault, number)
        found = trial(scratch / f"{who}-{fault}-{number}", strike)
        if found is None:
            return done, wrong
        wrong += [f"{strike}: {one}" for one in found]
        done, number = done + 1, number + every
        if fault == "slow":  # from the first on
            return done, wrong


def main() -> None:
    """Strike whom the arguments name, or everybody, in every way."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.runner.every_write")
    parser.add_argument("--who", choices=WHO, nargs="*", default=WHO)
    parser.add_argument("--fault", choices=FAULTS, nargs="*", default=FAULTS)
    parser.add_argument("--every", type=int, default=1, help="strike only each n-th write")
    arguments = parser.parse_args()
    keys.signer()  # made before there are several processes that need the same
    everything: list[str] = []
    began = dt.datetime.now(dt.UTC)
    with tempfile.TemporaryDirectory(prefix="every-write-") as scratch:
        for who in arguments.who:
            for fault in arguments.fault:
                done, wrong = strikes(Path(scratch), who, fault, every=arguments.every)
                print(f"{who:10}  {fault:11}  {done} writes struck, {len(wrong)} wrong", flush=True)
                everything += wrong
    for one in everything:
        print(f"  {one}")
    print(f"{(dt.datetime.now(dt.UTC) - began).total_seconds():.0f} s")
    sys.exit(1 if everything else 0)


if __name__ == "__main__":
    main()
