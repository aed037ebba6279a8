"""``maestro drill kill``: kill dispatchers and watchers at random moments, resume, count what was lost or ran twice.

Everything is in a scratch folder, with a key and a ledger of its own; nothing else is read or written.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maestro.errors import UsageError
from maestro.world import World

if TYPE_CHECKING:
    from runner.drivers.drill_process import Dispatch, DrillFolder

KILLS_A_RUN = 10
"""Then a run is left in peace to be completed."""
MOST = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--kills", type=int, metavar="N", default=20, help="how many kills in all (default 20)")
    parser.add_argument("--executions", type=int, metavar="N", default=100, help="in each run (default 100)")
    parser.add_argument("--slots", type=int, metavar="N", default=8, help="how many executions at once (default 8)")
    parser.add_argument("--seed", type=int, metavar="N", help="repeats the random moments of a drill that printed it")


@dataclass
class _Tally:
    kills: int = 0
    runs: int = 0
    executions: int = 0
    lost: int = 0
    twice: int = 0
    unknown: int = 0
    objections: int = 0


def run(arguments: argparse.Namespace, world: World) -> int:
    """0: nothing was lost, nothing ran twice. 10: something was."""
    for name in ("kills", "executions", "slots"):
        if not 1 <= getattr(arguments, name) <= MOST:
            raise UsageError(f"--{name} is a number from 1 to {MOST:,}")
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)  # noqa: S311 - moments, not secrets
    tally = _Tally()
    world.stderr.write(f"drill kill: {arguments.kills} kills, runs of {arguments.executions}, seed {seed}\n")
    with tempfile.TemporaryDirectory(prefix="maestro-drill-", ignore_cleanup_errors=True) as scratch:
        while tally.kills < arguments.kills:
            _one_run(Path(scratch) / str(tally.runs), arguments, dice, tally)
            world.stderr.write(f"  {tally.kills} kills, {tally.lost} lost, {tally.twice} twice\n")
    world.stdout.write(
        f"{tally.kills} kills over {tally.runs} runs of {arguments.executions} executions: "
        f"{tally.lost} lost, {tally.twice} twice; {tally.unknown} of unknown outcome, said so; "
        f"{tally.objections} objections to the ledger\n"
    )
    return 10 if tally.lost or tally.twice or tally.objections else 0


def _one_run(path: Path, arguments: argparse.Namespace, dice: random.Random, tally: _Tally) -> None:
    from runner.commands.drill_end import ending
    from runner.drivers.drill_process import DrillFolder, records

    marks = path / "marks"
    marks.mkdir(parents=True)
    folder = DrillFolder(path)
    script = f"echo x >> {marks}/$MAESTRO_ARRAY_INDEX; sleep 0.0$((MAESTRO_ARRAY_INDEX % 9))"
    here = 0
    while True:
        process = folder.start(arguments.executions, slots=arguments.slots, command=("sh", "-c", script), quiet=True)
        with ending(folder, process):
            if here < KILLS_A_RUN and tally.kills < arguments.kills:
                done = _kill(folder, process, dice, marks)
                here, tally.kills = here + done, tally.kills + done
            ended = process.wait()
        if ended == 0:
            break
    tally.runs += 1
    tally.executions += arguments.executions
    believed, objections = folder.objections()
    ran = [len(mark.read_bytes().split()) for mark in marks.iterdir()]
    tally.lost += arguments.executions - believed
    tally.twice += sum(times > 1 for times in ran)
    tally.objections += len(objections)
    tally.unknown += Counter(one.get("outcome") for one in records(folder.run))["unknown"]
    shutil.rmtree(path)  # a hundred runs of a thousand are a gigabyte


def _kill(folder: DrillFolder, dispatcher: Dispatch, dice: random.Random, marks: Path) -> int:
    """Wait for a moment, then kill the dispatcher, a watcher, or everything that watches; how many kills that was."""
    from runner.drivers.local_slots.proc import kill_that

    before = sum(1 for _ in marks.iterdir())
    until = time.monotonic() + 5.0
    if dice.random() < 0.9:  # most moments are while commands run, some before the first does
        while sum(1 for _ in marks.iterdir()) <= before and time.monotonic() < until and dispatcher.poll() is None:
            time.sleep(0.005)
    time.sleep(dice.random() * 0.4)
    watchers = folder.watchers()
    whom = dice.choice(("dispatcher", "a watcher", "all", "watchers"))
    killed = 0
    if whom in ("dispatcher", "all") or not watchers:
        killed += dispatcher.poll() is None
        dispatcher.kill()
    if whom != "dispatcher":
        for pid in watchers[:1] if whom == "a watcher" else watchers:
            killed += kill_that(pid, lambda pid: pid in folder.watchers())
    return min(killed, 1)
