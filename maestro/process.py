"""Running other programs: nothing inherited, nothing left behind, nothing that can hang us."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from maestro.errors import ToolFailure

_POLL_SECONDS = 0.05
_STRAY_SECONDS = 0.5
"""How long a finished program's strays may still write before they are ended."""
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Completed:
    """A program that ended by itself; ``returncode`` is negative when a signal ended it."""

    returncode: int
    stdout: bytes
    stderr: bytes


class ProcessTimeout(ToolFailure):
    """It did not end in time; its whole process group was killed."""


class ProcessMissing(ToolFailure):
    """The program is not there or may not be executed."""


class OutputTooLarge(ToolFailure):
    """It wrote more than the caller is ready to hold; its whole process group was killed."""


def find_program(name: str, environ: Mapping[str, str]) -> Path | None:
    """The program ``name`` on PATH. Only absolute entries count: the current folder is somebody else's checkout."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        candidate = Path(folder) / name
        if candidate.is_absolute() and candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    return None


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float,
    env: Mapping[str, str],
    cwd: Path | None = None,
    output_limit: int = 256 << 20,
) -> Completed:
    """Run a program to its end in a process group of its own.

    Args:
        argv: the program (a name is looked up on ``env``'s PATH, absolute entries only) and its arguments.
        stdin: what it may read; then end of file.
        timeout: seconds until the whole group is killed.
        env: its complete environment; nothing is inherited.
        cwd: its folder; ours when None.
        output_limit: bytes of standard output and standard error together.

    Whatever the program leaves running in its group when it ends is killed, too.

    Raises:
        ProcessMissing, ProcessTimeout, OutputTooLarge; never for a non-zero exit.
    """
    process = _start(argv, env=env, cwd=cwd)
    try:
        return _converse(process, argv[0], stdin, time.monotonic() + timeout, timeout, output_limit)
    finally:
        _end(process)


def run_attached(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> int:
    """Run a program as a shell would: on our own terminal and streams, for as long as it takes.

    Returns:
        Its exit code; negative when a signal ended it.

    Raises:
        ProcessMissing: it is not there or may not be executed.
    """
    program = argv[0] if os.sep in argv[0] else find_program(argv[0], env)
    if program is None:
        raise ProcessMissing(f"the program {argv[0]!r} is not on PATH", remedy=f"install {argv[0]}, or put it on PATH")
    try:
        return subprocess.run([str(program), *argv[1:]], env=dict(env), cwd=cwd, check=False).returncode
    except OSError as error:
        remedy = "check that it exists, is executable, and is built for this machine"
        raise ProcessMissing(f"cannot start {str(program)!r}: {error.strerror}", remedy=remedy) from error


class Dialogue:
    """A long-lived program that answers on standard output what it is asked on standard input.

    Its standard error is thrown away, so it can never fill a pipe and stop the program: to hear why one broke off,
    ask the same once more with `run`.
    """

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> None:
        """Start it.

        Raises:
            ProcessMissing: the program is not there.
        """
        self._process = _start(argv, env=env, cwd=cwd, stderr=subprocess.DEVNULL, buffering=1 << 20)
        self._questions = _piped(self._process.stdin)
        self.answers = _piped(self._process.stdout)
        """Its standard output, buffered."""

    def ask(self, question: bytes) -> None:
        """Send bytes. At most 4096 at a time never block when every earlier answer was read.

        Raises:
            BrokenPipeError: the program is gone.
        """
        self._questions.write(question)
        self._questions.flush()

    def close(self) -> None:
        """End it and everything it started. May be called twice."""
        _end(self._process)

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    stderr: int = subprocess.PIPE,
    buffering: int = 0,
) -> subprocess.Popen[bytes]:
    program = argv[0] if os.sep in argv[0] else find_program(argv[0], env)
    if program is None:
        raise ProcessMissing(f"the program {argv[0]!r} is not on PATH", remedy=f"install {argv[0]}, or put it on PATH")
    if cwd is not None and not cwd.is_dir():
        raise ProcessMissing(f"cannot run {argv[0]} in {str(cwd)!r}: there is no such folder")
    try:
        return subprocess.Popen(
            [str(program), *argv[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=buffering,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        remedy = "check that it exists, is executable, and is built for this machine"
        raise ProcessMissing(f"cannot start {str(program)!r}: {error.strerror}", remedy=remedy) from error


def _converse(
    process: subprocess.Popen[bytes], name: str, stdin: bytes, deadline: float, timeout: float, output_limit: int
) -> Completed:
    questions, answers, errors = (_piped(pipe) for pipe in (process.stdin, process.stdout, process.stderr))
    collected: dict[IO[bytes], list[bytes]] = {answers: [], errors: []}
    rest = memoryview(stdin)
    total = 0
    gone_at: float | None = None
    with selectors.DefaultSelector() as selector:
        for stream in collected:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        os.set_blocking(questions.fileno(), False)
        selector.register(questions, selectors.EVENT_WRITE)
        while True:
            now = time.monotonic()
            if gone_at is None and _has_ended(process):
                gone_at = now
            open_streams = [key.fileobj for key in selector.get_map().values()]
            if gone_at is not None and not any(stream in collected for stream in open_streams):
                break
            if gone_at is not None and now > gone_at + _STRAY_SECONDS:
                break  # strays hold the pipes; everything the program itself wrote has been read
            if now > deadline:
                raise ProcessTimeout(
                    f"{name} did not end within {timeout:g} s and was killed with everything it had started",
                    remedy="run it by hand to see what it waits for",
                )
            if not open_streams:
                _wait_a_little(process, min(_POLL_SECONDS, deadline - now))
                continue
            for key, _ in selector.select(_POLL_SECONDS):
                if key.fileobj is questions:
                    rest = _feed(questions, rest)
                    if not rest:
                        selector.unregister(questions)
                        questions.close()
                    continue
                stream = answers if key.fileobj is answers else errors
                data = _read_some(stream)
                if data == b"":
                    selector.unregister(stream)
                elif data is not None:
                    collected[stream].append(data)
                    total += len(data)
                    if total > output_limit:
                        raise OutputTooLarge(f"{name} wrote more than {output_limit:,} bytes and was killed")
    _kill_group(process)
    process.wait()
    return Completed(process.returncode, b"".join(collected[answers]), b"".join(collected[errors]))


def _piped(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("the program was not started with this pipe")
    return stream


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended, without reaping it: until then its group's number cannot be given to anybody else."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _wait_a_little(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Both outputs are closed but the program lives on: look again soon, sooner in the beginning."""
    until = time.monotonic() + max(seconds, 0)
    pause = 0.0005
    while not _has_ended(process) and time.monotonic() < until:
        time.sleep(pause)
        pause *= 2


def _feed(stream: IO[bytes], rest: memoryview) -> memoryview:
    if not rest:
        return rest
    try:
        return rest[os.write(stream.fileno(), rest[:_CHUNK]) :]
    except BlockingIOError:
        return rest
    except OSError:  # it does not want to read any more
        return rest[:0]


def _read_some(stream: IO[bytes]) -> bytes | None:
    try:
        return os.read(stream.fileno(), _CHUNK)
    except BlockingIOError:
        return None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        _kill_group(process)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
