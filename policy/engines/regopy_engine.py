"""regopy (rego-cpp) as an engine, in a worker process of its own: it serves where no conftest can be installed.

It answers many things differently from OPA, some of them by losing a deny; so it judges only programs that were shown
to be answered alike (``policy/proven.json``), and inputs within what that can cover: text that needs escaping or lies
beyond ASCII, and deep nesting, are refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy.engines.engine import UNDEFINED, Answer, Broken, Program, Values
from policy.engines.known_bad import TESTED_REGOPY
from policy.engines.proven import regopy_version
from policy.engines.regopy_calls import Calls
from policy.engines.regopy_values import read as read_value
from policy.engines.regopy_worker import MEMORY_EXIT
from policy.pack_data import merged_data
from policy.preflight.program import Objection
from policy.preflight.program import read as preflight
from policy.preflight.text import encode_json

_LATE = 0.02
"""Seconds between looks at the clock."""
_KEPT = 50
"""So many calls are kept for the next input: each is read again with it."""
_WORKER = Path(__file__).with_name("regopy_worker.py")


@dataclass(frozen=True)
class RegopyLimits:
    """What one worker may use. Its interpreter crashes on input nested 5,000 deep."""

    seconds: float = 5.0
    build_seconds: float = 15.0
    memory: int = 1 << 30
    answer_bytes: int = 64 << 20
    depth: int = 200
    rounds: int = 100
    calls: int = 5000
    """Of computed builtins: evaluations of one input, and calls that stand beside it."""
    crashes: int = 8
    """After so many the rest of the inputs is not asked any more."""


@dataclass(frozen=True)
class RegopyEngine:
    """See ``policy.engines.engine.Engine``. ``remedy``: what to say where it may not judge."""

    remedy: str
    limits: RegopyLimits = RegopyLimits()
    name: str = "regopy"

    @property
    def version(self) -> str:
        """The installed regopy's."""
        return f"regopy {regopy_version()}"

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        """One answer per input, by one worker; a new one after each crash."""
        if not inputs:
            return []
        if regopy_version() != TESTED_REGOPY:
            message = f"regopy {regopy_version()} was never tested against OPA; {TESTED_REGOPY} was"
            return [Broken(message, "unsupported", self.remedy)] * len(inputs)
        if program.rego_version != "v1":
            return [Broken("regopy reads old Rego (v0) differently", "unsupported", self.remedy)] * len(inputs)
        readable = preflight(program)
        if isinstance(readable, Objection):
            said = Broken(f"regopy is not proven to read this as OPA does: {readable}", "unsupported", self.remedy)
            return [said] * len(inputs)
        data = merged_data(program.data)
        refused = refusal(data, self.limits.depth, asks=readable.asks)
        try:
            encode_json(data)
        except ValueError as error:
            refused = refused or str(error)
        if refused is not None:
            return [Broken(refused.replace("the input", "the data"), "unsupported", self.remedy)] * len(inputs)
        lowered = dataclasses.replace(program, modules=readable.modules, entrypoints=readable.entrypoints)
        with tempfile.TemporaryDirectory(prefix="maestro-regopy-") as folder:
            return self._all(lowered, inputs, Path(folder), asks=readable.asks)

    def _all(self, program: Program, inputs: Sequence[Any], folder: Path, *, asks: bool) -> list[Answer]:
        answers: list[Answer] = []
        worker: _Worker | None = None
        crashes = 0
        questions = (self._question(value, asks=asks) for value in inputs)
        question = next(questions, None)
        try:
            while question is not None:
                if isinstance(question, bytes) and crashes >= self.limits.crashes:
                    question = Broken(f"regopy crashed or hung on {crashes} inputs before this one", "crash")
                if isinstance(question, Broken):
                    answers.append(question)
                    question = next(questions, None)
                    continue
                if worker is None:
                    worker = _Worker(program, self.limits, folder, asks=asks)
                worker.send(question)
                following = next(questions, None)  # is written, and waits for the worker, while that computes
                if isinstance(following, bytes):
                    worker.send_ahead(following)
                answers.append(worker.answer(question))
                question = following
                if worker.gone:
                    crashes += 1
                    worker.close()
                    worker = None
        finally:
            if worker is not None:
                worker.close()
        return answers

    def _question(self, value: Any, *, asks: bool) -> bytes | Broken:  # noqa: ANN401
        refused = refusal(value, self.limits.depth, asks=asks)
        try:
            written = encode_json(value)
        except ValueError as error:
            refused = refused or f"the input cannot be handed over: {error}"
        return written.encode() if refused is None else Broken(refused, "unsupported", self.remedy)


def refusal(value: Any, depth: int, *, asks: bool = False) -> str | None:  # noqa: ANN401
    """Why regopy must not be asked about an input, or None. ``asks``: the program calls what is computed here."""
    if isinstance(value, float):
        return _fraction(value, asks=asks)
    pending = [(value, 1)]
    while pending:
        item, level = pending.pop()
        if level > depth:
            return f"the input is nested deeper than {depth}, which regopy does not survive"
        for member in item.values() if isinstance(item, dict) else item if isinstance(item, (list, tuple)) else ():
            if isinstance(member, (dict, list, tuple)):
                pending.append((member, level + 1))
            elif isinstance(member, float) and (refused := _fraction(member, asks=asks)) is not None:
                return refused
    return None


def _fraction(item: float, *, asks: bool) -> str | None:
    if str(item) == "-0.0" or "e" in repr(item):
        return "the input holds a number with an exponent, or minus zero, which regopy may read differently"
    if asks and (item.is_integer() or len(repr(item)) > 15):
        return "the input holds a fraction that is a whole number or has many digits: a builtin would lose that"
    return None


class _Worker:
    """One worker process; ``gone`` once it crashed, hung or could not start."""

    def __init__(self, program: Program, limits: RegopyLimits, folder: Path, *, asks: bool = False) -> None:
        self._asks = asks
        self._known = Calls()
        self._program = program
        self._limits = limits
        self._timed_out = False
        self._deadline: float | None = None
        self._closed = threading.Event()
        self._failed: Broken | None = None
        self._sent = 0  # bytes of the next question that are with the worker already
        self.gone = False
        environ = {"PATH": "", "HOME": str(folder), "TMPDIR": str(folder)}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            cwd=folder,
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("no pipes")
        self._questions, self._answers = self._process.stdin.fileno(), self._process.stdout
        self._writable = select.poll()
        self._writable.register(self._questions, select.POLLOUT)
        threading.Thread(target=self._watch, daemon=True).start()
        reply = self._exchange(self._program_text(), limits.build_seconds)
        if isinstance(reply, Broken):
            self._failed = reply
        elif "ready" not in reply:
            self._failed = Broken(f"regopy cannot load the pack: {reply.get('error')}", "compile")

    def _program_text(self) -> bytes:
        program = self._program
        value = {
            "modules": {name: source.decode("utf-8", "replace") for name, source in program.modules.items()},
            "data": encode_json(merged_data(program.data)) if program.data else "",
            "entrypoints": [entrypoint.removeprefix("data.").replace(".", "/") for entrypoint in program.entrypoints],
            "memory": self._limits.memory,
            "asks": self._asks,
        }
        return json.dumps(value).encode()

    def send(self, question: bytes) -> None:
        """Hand over an input, or what of it was not sent ahead."""
        if self._failed is None and not self._asks:
            self._write(question, self._limits.seconds)

    def send_ahead(self, question: bytes) -> None:
        """Hand over as much of the input after that one as can be without waiting for the worker, which may wait for
        its answer to be read."""
        if self._failed is not None or self._asks:
            return
        line = question + b"\n"
        with contextlib.suppress(OSError):
            while self._sent < len(line) and self._writable.poll(0) == [(self._questions, select.POLLOUT)]:
                self._sent += os.write(self._questions, line[self._sent : self._sent + select.PIPE_BUF])

    def answer(self, question: bytes) -> Answer:
        """The answer for an input that was sent."""
        if self._failed is not None:
            return self._failed
        reply = self._read(self._limits.seconds) if not self._asks else self._computed(question)
        if isinstance(reply, Broken):
            return reply
        try:
            if "error" in reply:
                return Broken(f"regopy: {reply['error']}", "builtin")
            values = tuple(_value(text) for text in reply["values"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return Broken(f"regopy's answer cannot be read: {str(error)[:200]}", "missing")
        if len(values) != len(self._program.entrypoints):
            return Broken("regopy did not answer every entrypoint", "missing")
        return Values(values)

    def _computed(self, question: bytes) -> dict[str, Any] | Broken:
        """The reply to an input, once every call that it needs stands beside it."""
        self._known.forget(_KEPT)
        for _ in range(self._limits.rounds):
            reply = self._exchange(self._known.beside(question), self._limits.seconds)
            if isinstance(reply, Broken) or "asked" not in reply:
                return reply
            objection = self._known.learn(reply["asked"], self._limits.calls)
            if objection is not None:
                return objection
        return Broken(f"more than {self._limits.rounds} rounds of computed builtins", "unsupported")

    def _exchange(self, question: bytes, seconds: float) -> dict[str, Any] | Broken:
        self._write(question, seconds)
        return self._read(seconds)

    def _write(self, question: bytes, seconds: float) -> None:
        """Where that fails, no answer comes, and reading says why."""
        line = memoryview(question + b"\n")
        self._deadline = time.monotonic() + seconds
        try:
            while self._sent < len(line):
                self._sent += os.write(self._questions, line[self._sent :])
        except OSError:
            pass
        finally:
            self._deadline = None
            self._sent = 0

    def _read(self, seconds: float) -> dict[str, Any] | Broken:
        self._deadline = time.monotonic() + seconds
        try:
            line = self._answers.readline(self._limits.answer_bytes)
        except (OSError, ValueError):
            line = b""
        finally:
            self._deadline = None
        if not line.endswith(b"\n"):
            self.gone = True
            if self._timed_out:
                return Broken(f"the evaluation did not end within {seconds:g} s", "timeout")
            if self._process.wait() == MEMORY_EXIT:
                return Broken("the evaluation needs more memory than it may have", "memory")
            return Broken("regopy crashed on this input", "crash")
        try:
            reply = json.loads(line)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            self.gone = True
            return Broken("regopy's worker answered something else than JSON", "missing")
        return reply

    def _watch(self) -> None:
        """End the process when an answer is late. One thread for all questions: starting one takes long."""
        while not self._closed.wait(_LATE):
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                self._timed_out = True
                self._kill()
                return

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process; nothing of it stays."""
        self._closed.set()
        if self._process.poll() is None:
            self._kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _value(text: str | None) -> Any:  # noqa: ANN401
    if text is None:
        return UNDEFINED
    return read_value(text)
