"""A run that is kept elsewhere than where it works: its steps in a store, for whoever goes on with nothing else.

::

    <store>/runs/<run id>/steps/<n>.tar.gz      steps/<n>.sigstore.json (see step.py) and the files that it carries

A dispatch reads the steps there are, and begins by taking the next one with its session. It claims executions before
they may start, many with one write, and carries along the receipts of what has ended; a thread of its own does that
where no claim is due. A step that is taken already by another session ends it all: see ``TakenOver``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Literal

from maestro.errors import ToolFailure, UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import Signer, sign_statement
from maestro.evidence.trust import Trust
from maestro.ledger import durable
from maestro.ledger.store import Store
from runner import archive, segment
from runner import step as steps
from runner.execution import Claimed, Execution
from runner.kept_runs import STEP_KINDS, kept_runs, step_name
from runner.plain_tar import Content, contents, packed
from runner.run_folder import SUFFIX, RunFolder
from runner.signing_time import signing_time
from runner.step import Step, Taken

PAUSE_SECONDS, LONGEST_PAUSE = 2.0, 60.0
"""Between two steps that only carry receipts: a 50th of how long it has gone on, within these."""
_AT_ONCE = 8
_FETCHED = "fetched.json"
_FETCHING = "fetching"
"""Where steps lie, each as it was read, until all of them are believed."""


class TakenOver(ToolFailure):
    """Another machine goes on with the run: this one claims, starts and signs nothing more."""


def first_session(store: Store, run_id: str) -> tuple[int, bytes] | None:
    """The session that a run began with in the store, its number and as it was signed; None where there is none.

    Raises:
        BadEvidence: its first step is damaged.
        ToolFailure: the store cannot be read.
    """
    found = store.read(step_name(run_id, 1))
    if found is None:
        return None
    begun = [(name, one.read()) for name, one in _contents(store, 1, found.data) if name.startswith("sessions/")]
    numbered = [(PurePosixPath(name).name.removesuffix(SUFFIX), data) for name, data in begun]
    return next(((int(number), data) for number, data in numbered if number.isdecimal()), None)


def unfinished(store: Store) -> list[str]:
    """The runs of which there are steps and no archive.

    Raises:
        ToolFailure: the store cannot be read.
    """
    return sorted(run_id for run_id, kept in kept_runs(store).items() if not kept.archives)


def _contents(store: Store, number: int, data: bytes) -> Iterator[tuple[str, Content]]:
    try:
        yield from contents(data, STEP_KINDS)
    except BadEvidence as error:
        raise BadEvidence(error.message, where=f"{store.address}: step {number}") from error


def standing(
    store: Mapping[int, str], local: Mapping[int, str], fetched: int
) -> Literal["current", "fetch", "set aside"]:
    """What a folder is worth that a run has worked in, where the store knows these sessions (digest by number).

    Args:
        store: the sessions that have taken steps.
        local: those in the folder.
        fetched: up to which one the folder has them from the store.

    Returns:
        ``current``: it is where the last session worked, and knows more than the store does. ``fetch``: nothing has
        worked here that the store does not know. ``set aside``: others have gone on since something worked here.
    """
    if not store:
        return "current"
    last = max(store)
    if all(local.get(number) == digest for number, digest in store.items()) and last > fetched:
        return "current"
    begun_here = [number for number in local if number > fetched and number in store]
    return "set aside" if begun_here else "fetch"


class StoredRun:
    """The steps of one run.

    Args:
        store: where they are.
        folder: where the run works on this machine.
        signer, trust, now: as its dispatcher has them.
        clock: seconds that never run backwards.
    """

    def __init__(
        self,
        store: Store,
        folder: RunFolder,
        signer: Signer,
        trust: Trust,
        now: Callable[[], dt.datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._folder = folder
        self._signer = signer
        self._trust = trust
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = Taken()
        self._next = 1
        self._session = (0, "")
        self._ours: set[str] = set()
        self._waiting: dict[str, None] = {}
        self._over: TakenOver | None = None

    # Before something starts

    def is_there(self) -> bool:
        """Whether the store has steps of this run.

        Raises:
            ToolFailure: the store cannot be read.
        """
        return bool(self._numbers())

    def pull(self) -> str | None:
        """Have in the folder, which is locked, what the store knows; what happened where that has to be told.

        Raises:
            UsageError: the run is there, but not its steps.
            BadEvidence: a step is missing, changed or not believed.
            ToolFailure: the store cannot be read, or the folder not written.
        """
        with self._fetching() as fetching:
            found = self._read_steps(fetching)
            self._taken = steps.taken(found)
            self._require_archived()
            self._next = len(found) + 1
            through, _ = self._fetched()
            local = {number: segment.sha256(data) for number, data in self._folder.numbered("sessions")}
            what = standing(self._taken.sessions, local, through)
            told = None
            if what == "set aside":
                place = self._set_aside()
                told = f"another machine has gone on with this run: what was here is now in {place}"
            if what != "current":
                self._unpack(fetching, len(found))
                through = self._taken.last_session
        known = local if what == "current" else self._taken.sessions
        if known:  # whose steps carry what is left to carry, where nothing is left to begin
            self._session = (max(known), known[max(known)])
        self._ours = {
            one for one, claims in self._taken.claims.items() if any(claim.session > through for claim in claims)
        }
        return told

    def _require_archived(self) -> None:
        """Steps that were taken away from the end leave no gap; what the run's archive holds was in one of them."""
        kept = kept_runs(self._store, self._folder.run_id).get(self._folder.run_id)
        name = None if kept is None else kept.archive
        if name is None:
            return
        there = archive.objects_of(self._store, name)
        for member, content in (one for _, files in there for one in files):
            held = member.startswith(("sessions/", "receipts/"))
            if held and self._taken.files.get(member) != segment.sha256(content.read()):
                raise BadEvidence(
                    f"steps of the run {self._folder.run_id} are missing: {member} is in its archive and in none",
                    where=f"{self._store.address}: {name}",
                    remedy="put them back from a copy: without them nobody knows what may run",
                )

    def lost(self) -> Mapping[str, Sequence[Claimed]]:
        """What others had claimed when the folder was fetched; whether a receipt came of it is not looked at."""
        return self._fetched()[1]

    def begin(self, number: int) -> bool:
        """Take the next step with session ``number``, which lies in the folder. False where another step came first.

        Raises:
            TakenOver: another machine has begun a session of this number.
            ToolFailure: the store cannot be written.
        """
        name = f"sessions/{number}{SUFFIX}"
        self._session = (number, segment.sha256(self._bytes(name)))
        self._waiting = {name: None}
        with self._lock:
            if self._take_step({}):
                return True
            other = self._step_there()
            if other is None or other.session >= number:
                raise self._taken_over(other)
            return False

    # While it runs

    def claim(self, executions: Sequence[Execution]) -> None:
        """Have it in the store that these may have started.

        Raises:
            TakenOver: they may not: another machine goes on with the run.
            ToolFailure: the store cannot be written.
        """
        new = [one for one in executions if one.id not in self._ours]
        if new:
            with self._lock:
                self._step(steps.claims_of(new))
            self._ours |= {one.id for one in new}

    def keep(self, *names: str) -> None:
        """Files of the folder, which some step to come has to carry where none has yet."""
        with self._lock:
            self._waiting |= {name: None for name in names if name not in self._taken.files}

    def flush(self) -> None:
        """Have everything in the store that was to be kept.

        Raises:
            TakenOver, ToolFailure: as ``claim``.
        """
        with self._lock:
            while self._waiting:
                self._step({})

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """While this lasts a thread carries receipts to the store. What it cannot carry now, ``flush`` must later."""
        over = threading.Event()

        def carry() -> None:
            began = self._clock()
            while not over.wait(min(LONGEST_PAUSE, max(PAUSE_SECONDS, (self._clock() - began) / 50))):
                with suppress(ToolFailure):
                    self.flush()

        thread = threading.Thread(target=carry, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    # Steps

    def _step(self, claims: Mapping[str, str]) -> None:
        if self._over is not None:
            raise self._over
        while not self._take_step(claims):
            other = self._step_there()
            if other is None or (other.session, other.session_sha256) != self._session:
                self._over = self._taken_over(other)
                raise self._over
            self._taken_by_us(other)  # nobody had answered when we took it

    def _take_step(self, claims: Mapping[str, str]) -> bool:
        """Try to write the next step."""
        carried: dict[str, bytes] = {}
        size = 0
        for name in self._waiting:
            if size >= archive.CARRIED:
                break
            carried[name] = self._bytes(name)
            size += len(carried[name])
        digests = {name: segment.sha256(data) for name, data in carried.items()}
        at = signing_time(self._now(), self._signer, self._trust).astimezone(dt.UTC)
        said = Step(
            self._folder.run_id, self._next, *self._session, at.isoformat(timespec="microseconds"), claims, digests
        )
        signed = sign_statement(said.statement(), self._signer)
        data = packed([(f"steps/{self._next}{SUFFIX}", signed), *carried.items()])
        if not self._store.create(step_name(self._folder.run_id, self._next), data):
            return False
        self._taken_by_us(said)
        return True

    def _taken_by_us(self, step: Step) -> None:
        self._next += 1
        for name in step.files:
            self._waiting.pop(name, None)
        self._taken = Taken(self._taken.sessions, self._taken.claims, {**self._taken.files, **step.files})

    def _step_there(self) -> Step | None:
        """The step that came before ours; None where nobody we believe has taken it."""
        found = self._store.read(step_name(self._folder.run_id, self._next))
        try:
            return None if found is None else self._parse(self._next, found.data)
        except BadEvidence:
            return None

    def _taken_over(self, other: Step | None) -> TakenOver:
        who = "something that is not believed" if other is None else f"session {other.session}, at {other.made_at}"
        return TakenOver(
            f"another machine has taken over the run {self._folder.run_id} ({who}): nothing more is started here",
            where=f"{self._store.address}: step {self._next}",
            remedy="see that only one machine works on it",
        )

    def _numbers(self) -> Sequence[int]:
        kept = kept_runs(self._store, self._folder.run_id).get(self._folder.run_id)
        if kept is not None and not kept.steps:
            raise UsageError(
                f"the ledger has the run {self._folder.run_id}, but not who had claimed what of it",
                where=self._store.address,
                remedy="what has not run of it takes a new run",
            )
        return () if kept is None else kept.steps

    @contextmanager
    def _fetching(self) -> Iterator[Path]:
        place = self._folder.path / _FETCHING
        try:
            shutil.rmtree(place, ignore_errors=True)  # of one that was killed here
            place.mkdir(mode=0o700)
            yield place
        except OSError as error:
            raise durable.failure(error, place) from error
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _read_steps(self, fetching: Path) -> list[Step]:
        numbers = self._numbers()
        if list(numbers) != list(range(1, len(numbers) + 1)):
            raise BadEvidence(
                f"steps of the run {self._folder.run_id} are missing: there are {list(numbers[:20])}",
                where=self._store.address,
                remedy="put them back from a copy: without them nobody knows what may run",
            )
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda number: self._read_step(number, fetching), numbers))

    def _read_step(self, number: int, fetching: Path) -> Step:
        found = self._store.read(step_name(self._folder.run_id, number))
        if found is None:
            raise BadEvidence(f"step {number} of the run {self._folder.run_id} is gone", where=self._store.address)
        try:
            said = self._parse(number, found.data)
        except BadEvidence as error:
            where = error.where or f"{self._store.address}: {step_name(self._folder.run_id, number)}"
            raise BadEvidence(error.message, where=where, remedy=error.remedy) from error
        (fetching / str(number)).write_bytes(found.data)
        return said

    def _parse(self, number: int, data: bytes) -> Step:
        """A step that is believed, and that carries the files that it lists."""
        signed, digests = None, {}
        for name, content in _contents(self._store, number, data):
            if name == f"steps/{number}{SUFFIX}":
                signed = content.read()
            else:
                hashed = hashlib.sha256()
                for piece in content.chunks():
                    hashed.update(piece)
                digests[name] = hashed.hexdigest()
        if signed is None:
            raise BadEvidence(f"step {number} carries no statement")
        said = steps.read(signed, self._trust, run_id=self._folder.run_id, number=number)
        if digests != {
            name: digest
            for name, digest in said.files.items()
            if name != said.session_file or said.session_file in digests
        }:
            raise BadEvidence(f"step {number} does not carry what it lists")
        return said

    # The folder

    def _bytes(self, name: str) -> bytes:
        try:
            return (self._folder.path / name).read_bytes()
        except OSError as error:
            raise ToolFailure(f"a file of the run cannot be read: {error.strerror}", where=name) from error

    def _fetched(self) -> tuple[int, dict[str, list[Claimed]]]:
        """Up to which session the folder came from the store, and who had claimed what by then."""
        path = self._folder.path / _FETCHED
        if not path.exists():
            return 0, {}
        try:
            said = json.loads(path.read_bytes())
            return said["through"], {one: [Claimed(*each) for each in claims] for one, claims in said["claims"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ToolFailure(
                f"what the run was fetched with cannot be read: {error}",
                where=str(path),
                remedy="move the folder away, and resume: it is fetched again",
            ) from error

    def _unpack(self, fetching: Path, count: int) -> None:
        """Write what the steps carry; sessions last, so that a folder that has them has the rest."""
        claims = {one: [[each.session, each.at] for each in those] for one, those in self._taken.claims.items()}
        note = json.dumps({"through": self._taken.last_session, "claims": claims}).encode()
        sessions: dict[str, bytes] = {}
        try:
            durable.write(self._folder.path / _FETCHED, note, replace=True, durable=True)
            for number in range(1, count + 1):
                for name, content in contents((fetching / str(number)).read_bytes(), STEP_KINDS):
                    if name.startswith("sessions/"):
                        sessions[name] = content.read()
                    elif not name.startswith("steps/"):
                        durable.write_pieces(self._folder.path / name, content.chunks(), replace=True)
            for name, data in sessions.items():
                durable.write(self._folder.path / name, data, replace=True)
            durable.sync_all(self._folder.path)
        except OSError as error:
            raise durable.failure(error, self._folder.path) from error

    def _set_aside(self) -> Path:
        """Move away what worked here, sessions last: until they are gone this is begun again. The lock stays held."""
        place = self._folder.path.parent.parent / "superseded" / f"{self._folder.run_id}-{token_hex(4)}"
        try:
            place.mkdir(parents=True, mode=0o700)
            for entry in sorted(self._folder.path.iterdir(), key=lambda entry: entry.name == "sessions"):
                if entry.name not in ("lock", _FETCHING):
                    entry.rename(place / entry.name)
        except OSError as error:
            raise durable.failure(error, self._folder.path) from error
        self._folder.create()
        return place
