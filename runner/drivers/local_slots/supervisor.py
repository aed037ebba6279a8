"""The parent of the slots. Started as ``python -I -S -c BOOT ROOT``."""

from __future__ import annotations

import gc
import json
import os
import signal
import time
from contextlib import suppress

from runner.drivers.local_slots.proc import (
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    living_children,
    prctl,
    signal_quietly,
)
from runner.drivers.local_slots.slots import SWEEP_SECONDS, SlotBroken, Slots

TYPE_CHECKING = False  # `typing` would double the time this takes to start
if TYPE_CHECKING:
    from typing import Any

BOOT = """
import sys
sys.path.append(sys.argv[1])
from runner.drivers.local_slots.supervisor import main
main()
"""


def _run_slots(work: dict[str, Any], number: int) -> int:
    """The life of one forked process with its slots; its exit status."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        Slots(work, number).main()
    except SlotBroken as error:
        _report(str(error))
        return 1
    except OSError as error:
        _report(f"{error.strerror or error} {error.filename or ''}".strip())
        return 1
    return 0


def _report(text: str) -> None:
    """Tell the dispatcher why a slot stopped."""
    with suppress(OSError):
        os.write(2, (text + "\n").encode("utf-8", "replace"))


def main() -> None:
    """Read the work, fork the slots, wait for them, end what a slot that died left behind."""
    prctl(PR_SET_DUMPABLE, 0)  # secrets are in memory: the commands, of the same user, shall not read them here
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    gc.disable()  # neither here nor in the slots are cycles made, and looking for some goes through all jobs each time
    data = bytearray()
    while not data.endswith(b"\n"):
        more = os.read(0, 1 << 20)
        if not more:
            os._exit(1)
        data += more
    work = json.loads(data)
    os.set_blocking(1, False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    slots = set()
    for number in range(work["workers"]):
        pid = os.fork()
        if pid == 0:
            status = 70
            try:
                status = _run_slots(work, number)
            finally:
                os._exit(status)
        slots.add(pid)
    import shutil  # while the slots work already

    while slots:
        pid, status = os.waitpid(-1, 0)
        if pid in slots:
            slots.discard(pid)
            if status:
                for child in living_children():
                    if child not in slots:
                        signal_quietly(os.kill, child, signal.SIGKILL)
    until = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < until:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            for child in living_children():
                signal_quietly(os.kill, child, signal.SIGKILL)
            time.sleep(0.001)
    shutil.rmtree(work["scratch"], ignore_errors=True)
    os._exit(0)
