"""A dispatch in a process of its own, with a key and a ledger of its own in a scratch folder: what drills kill.

Started as ``python -m runner.drivers.drill_process FOLDER SETTINGS``; it touches nothing outside of FOLDER.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maestro.errors import MaestroError
from maestro.evidence.trust import Trust, trust_of
from maestro.ledger import address
from maestro.ledger.opening import open_store
from policy.placement import Placement
from runner.clock import anchor
from runner.dispatch import Dispatcher
from runner.drivers.local import LocalDriver
from runner.drivers.local_journal import Journals
from runner.execution import Task
from runner.ledger_check import check_run
from runner.run_folder import RunFolder, run_folder
from runner.session import Facts, Planned
from runner.stored_run import StoredRun

RUN = "drill"
Dispatch = subprocess.Popen[bytes]
_DECISION = {"pack": "drill", "mode": "enforce", "engine": "none", "allow": True, "value": {"allow": True}}
_DECISION |= {"reasons": [], "pack_digest": "", "input_digest": "", "error": None}


@dataclass(frozen=True)
class _Key:
    public_key: str
    id: str = "drill"
    valid_from: dt.datetime | None = None
    valid_until: dt.datetime | None = None
    revoked_at: dt.datetime | None = None


@dataclass(frozen=True)
class DrillFolder:
    """The scratch folder of one run."""

    path: Path

    @property
    def run(self) -> RunFolder:
        """The run's place in the ledger."""
        return run_folder(self.path / "ledger", RUN)

    def _key(self) -> Path:
        path = self.path / "key.pem"
        if not path.exists():
            from cryptography.hazmat.primitives import serialization as form
            from cryptography.hazmat.primitives.asymmetric import ec

            self.path.mkdir(parents=True, exist_ok=True)
            pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
            )
            path.write_bytes(pem)
            path.chmod(0o600)
        return path

    def start(
        self,
        count: int,
        *,
        slots: int,
        command: Sequence[str],
        class_: str = "batch",
        spawner_only: bool = False,
        rate: int = 0,
        env: dict[str, str] | None = None,
        quiet: bool = False,
        store: str | None = None,
    ) -> Dispatch:
        """Dispatch, or resume, in another process.

        Args:
            count: executions.
            slots: how many at once.
            command: of each.
            class_: of each.
            spawner_only: neither sign nor read logs: what the starting itself costs.
            rate: executions published a second; all at once when 0.
            env: variables of each.
            store: the address of a ledger elsewhere, which the run's steps are kept in (a folder counts as elsewhere).
            quiet: say nothing about what stood in the way: it is killed on purpose.
        """
        self._key()
        settings = {"count": count, "slots": slots, "command": list(command), "class": class_, "alone": spawner_only}
        settings |= {"rate": rate, "env": env or {}, "store": store}
        argv = [sys.executable, "-m", "runner.drivers.drill_process", str(self.path), json.dumps(settings)]
        root = str(Path(__file__).resolve().parents[2])
        return subprocess.Popen(
            argv,
            cwd=self.path,
            env={"PATH": os.defpath, "PYTHONPATH": root},
            stderr=subprocess.DEVNULL if quiet else None,
        )

    def watchers(self) -> list[int]:
        """The living processes that watch commands, by the journals."""
        journals = Journals(self.run.path / "journals")
        list(journals.read())
        return [file.header["pid"] for file in journals.files.values() if file.header is not None and file.alive]

    def trust(self) -> Trust:
        """The drill's own key."""
        from maestro.evidence.ecdsa_signer import find

        signer = find(str(self._key()), {}, self.path)
        return trust_of([_Key(signer.public_key_pem)])

    def objections(self) -> tuple[int, list[str]]:
        """How many receipts are believed, and what does not hold."""
        report = check_run(self.run, self.trust(), lambda _run: False, counted=True)
        return len(report.receipts), [f"{one.file}: {one.message}" for one in report.objections]


def records(run: RunFolder) -> Iterator[dict[str, Any]]:
    """Everything in the journals of a run."""
    for path in sorted((run.path / "journals").glob("*.jsonl")):
        for line in path.read_bytes().rstrip(b"\0").splitlines():
            yield json.loads(line)


def together(starts: Sequence[dict[str, Any]], ends: Sequence[dict[str, Any]]) -> int:
    """How many ran at the moment when most did, by the records of a run."""
    alive = most = 0
    for _, step in sorted([(one["started"], 1) for one in starts] + [(one["ended"], -1) for one in ends]):
        alive += step
        most = max(most, alive)
    return most


def peak_memory(pid: int) -> int:
    """Megabytes that a process has had resident at most; 0 when it has gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) // 1024
    except OSError:
        pass
    return 0


class _Arriving(LocalDriver):
    """Executions are published one after the other, at a rate, instead of all at once."""

    rate = 0

    def _work(self, executions: list[Any], session: int) -> dict[str, Any]:
        work = super()._work(executions, session)
        if self.rate:
            begin = time.monotonic_ns() + 10**9
            work["jobs"] = [(*job[:4], begin + number * 10**9 // self.rate) for number, job in enumerate(work["jobs"])]
        return work


def main() -> None:
    """Dispatch what the arguments say."""
    from maestro.evidence.ecdsa_signer import find

    folder, settings = DrillFolder(Path(sys.argv[1])), json.loads(sys.argv[2])
    task = Task(
        "Manifest/drill", tuple(settings["command"]), env=settings["env"], tenant="drill", class_=settings["class"]
    )
    planned = Planned(
        task, "manifests/drill.yaml", "sha256:drill", settings["count"], Placement("local", "here", task.class_),
        None, (_DECISION,),
    )  # fmt: skip
    facts = Facts("0" * 40, "0" * 40, "0" * 40, "", True, None, "local", False, [], None)
    now = dt.datetime.now(dt.UTC)
    driver = _Arriving(folder.run.path, {"PATH": os.defpath}, anchor(now), slots=settings["slots"])
    driver.rate = settings["rate"]
    if settings["alone"]:
        executions = list(planned.executions(RUN))
        driver.provision(None, executions)
        for _ in driver.execute(executions, session=1):
            pass
        return
    signer = find(str(folder.path / "key.pem"), {}, folder.path)

    def clock() -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    stored = None
    if settings["store"] is not None:
        store = open_store(address.parse(settings["store"]), folder.path, os.environ)
        stored = StoredRun(store, folder.run, signer, folder.trust(), clock)
    dispatcher = Dispatcher(folder.run, signer, folder.trust(), clock, stored=stored)
    try:
        summary = dispatcher.dispatch(facts, [planned], driver)
    except MaestroError as error:
        sys.exit(f"maestro: {error.message}")
    sys.exit(0 if summary.segment.complete else 1)


if __name__ == "__main__":
    main()
