"""Python programs of the warm class: the contract again, the same behaviour as when started anew, and kills."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.clock import anchor
from runner.drivers.drill_process import records
from runner.drivers.local import LocalDriver
from runner.drivers.local_slots.proc import birth_of, parent_of
from runner.execution import Ending, Execution, Task, executions_of
from runner.run_folder import RunFolder
from tests.runner.drivers.contract import RUN, DriverContract

ROOT = Path(__file__).resolve().parents[3]
BECOME = "import os, sys\nos.environ.pop('LC_CTYPE', None)\nos.execvp(sys.argv[1], sys.argv[1:])\n"
"""A program that becomes the command in its arguments. Python sets LC_CTYPE where there is no locale (PEP 538)."""


def said(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The journals' records of a kind."""
    return [one for one in records(RunFolder(folder)) if one["kind"] == kind]


def local(folder: Path, environ: Mapping[str, str], warm_from: int = 1) -> LocalDriver:
    """A driver with short waits."""
    return LocalDriver(
        folder, environ, anchor(datetime.now(UTC)), slots=2, grace_seconds=0.3, retry_seconds=0.0, warm_from=warm_from
    )


class _Becoming:
    """The local driver, where each command is one that a Python program of the warm class becomes."""

    name = "local"

    def __init__(self, driver: LocalDriver, program: Path) -> None:
        self._driver = driver
        self._program = program
        self.provision = driver.provision
        self.cancel = driver.cancel
        self.drain = driver.drain
        self.collect_logs = driver.collect_logs

    def execute(
        self, executions: Sequence[Execution], *, session: int, start_nothing_of: Set[str] = frozenset()
    ) -> Iterator[Ending]:
        tasks: dict[int, Task] = {}
        for execution in executions:
            task = execution.task
            if task.command and shutil.which(task.command[0], path="/usr/bin:/bin"):
                command = (sys.executable, "-I", "-S", str(self._program), *task.command)
                tasks.setdefault(id(task), replace(task, command=command, class_="warm"))
        changed = [replace(one, task=tasks.get(id(one.task), one.task)) for one in executions]
        yield from self._driver.execute(changed, session=session, start_nothing_of=start_nothing_of)


class TestWarmContract(DriverContract):
    """Every test of the contract, each command in a process that was forked from one kept ready."""

    def driver(self, folder: Path, environ: Mapping[str, str]) -> _Becoming:
        """See ``DriverContract.driver``."""
        program = self.marks.parent / "become.py"
        program.write_text(BECOME)
        return _Becoming(local(folder, environ), program)

    @pytest.fixture(autouse=True)
    def _was_kept_ready(self, _prepare: None) -> Iterator[None]:
        yield
        refused = {one["refused"] for one in said(self.folder, "warm")}
        assert refused <= {None}, refused
        if said(self.folder, "start"):
            assert refused


class Programs:
    """A folder with modules of a manifest, and a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules = path / "modules"
        self.modules.mkdir()
        self.folder = path / "run"
        self.marks = path / "marks"
        self.marks.mkdir()

    def write(self, name: str, text: str) -> Path:
        """A module, dedented."""
        file = self.modules / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def task(self, *arguments: str, class_: str = "warm", **more: Any) -> Task:
        """One that finds the modules."""
        env = {"PYTHONPATH": str(self.modules), "MARKS": str(self.marks), "PYTHONDONTWRITEBYTECODE": "1"}
        return Task("Manifest/a", (sys.executable, *arguments), env=env, class_=class_, **more)

    def run(self, task: Task, size: int = 2, session: int = 1, folder: str = "run") -> list[Ending]:
        """Its endings, in order of the index."""
        executions = list(executions_of(RUN, task, size))
        driver = local(self.path / folder, {"PATH": "/usr/bin:/bin"})
        driver.provision(None, executions)
        endings = {ending.execution_id: ending for ending in driver.execute(executions, session=session)}
        self.driver = driver
        return [endings[execution.id] for execution in executions]

    def log(self, ending: Ending, folder: str = "run") -> str:
        """Of its last attempt."""
        assert ending.last.log is not None
        return (self.path / folder / ending.last.log.name).read_text()


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """An empty one."""
    return Programs(tmp_path)


BEHAVIOURS = {
    "ends well": "print('up')",
    "exit code": "import sys\nsys.exit(7)",
    "exit code beyond a byte": "import sys\nsys.exit(-1)",
    "exit without a code": "import sys\nprint('x')\nsys.exit()",
    "exit with words": "import sys\nsys.exit('no such day')",
    "exception": "import json\ndef f(): raise ValueError('bad')\nf()",
    "exception with a cause": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('x') from e",
    "syntax": "import sys\nprint('never'\n",
    "signal of its own": "import os\nprint('lost', end='')\nos.kill(os.getpid(), 11)",
    "interrupt": "raise KeyboardInterrupt",
    "broken import": "import no_such_module",
    "arguments": "import sys\nprint(sys.argv[1:], sys.flags.optimize, sys.flags.dev_mode)",
    "names": "print(__name__, __file__, __package__, __spec__ and __spec__.name, __doc__)",
    "what the module has": "print(sorted(set(globals()) - {'__annotations__', '__conditional_annotations__'}))",
    "where it looks": "import sys, os\nprint(sys.path[0] == os.getcwd(), sys.path[0][-7:], sys.path[1:])",
    "environment": "import os\nprint({k: v for k, v in os.environ.items() if k[:4] not in ('HOME', 'TMPD')})",
    "folders": "import os\nprint(os.listdir(), os.listdir(os.environ['TMPDIR']), os.getcwd() == os.environ['HOME'])",
    "temporary": "import os, tempfile\nprint(tempfile.gettempdir() == os.environ['TMPDIR'])",
    "threads are waited for": "import threading, time\nthreading.Timer(0.1, print, ['late']).start()\nprint('main')",
    "exit handlers": "import atexit\natexit.register(print, 'bye')\nprint('hello')",
    "what is buffered is written": "import os\nkept = open(os.environ['MARKS'] + '/kept', 'w')\nkept.write('x')",
    "standard input": "import sys\nprint(repr(sys.stdin.read()))",
    "descriptors": "import os\nprint(sorted(os.listdir('/proc/self/fd')))",
    "session": "import os\nprint(os.getsid(0) == os.getpgid(0) == os.getpid())",
    "signals": "import signal as s\nprint([s.getsignal(n) for n in (s.SIGINT, s.SIGTERM, s.SIGPIPE, s.SIGCHLD)])",
    "closed output": "import sys\nsys.stdout.close()",
    "pickles": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__name__)",
    "processes": "import subprocess\nprint(subprocess.run(['echo', 'x'], capture_output=True).stdout)",
}


def _without_machinery(log: str) -> str:
    """Without the frames of what runs the program: runpy for -m, ours where an interrupt passes through it."""
    return re.sub(r'  File "(<frozen runpy>|<string>|warm_child.py)", line .*\n', "", log)


class TestBehaviour:
    """A program cannot tell whether it was started anew, but for the time it took."""

    @pytest.mark.parametrize("how", ["script", "module"])
    def test_as_when_started_anew(self, programs: Programs, how: str) -> None:
        told: dict[str, list[list[object]]] = {}
        kept = []
        for number, (name, text) in enumerate(BEHAVIOURS.items()):
            file = programs.write(f"program{number}.py", text)
            target = (str(file),) if how == "script" else ("-m", f"program{number}")
            for class_ in ("batch", "warm"):
                folder = f"{class_}{number}"
                (ending,) = programs.run(programs.task("-O", *target, "x", class_=class_), 1, folder=folder)
                mark = programs.marks / "kept"
                last = ending.last
                text = programs.log(ending, folder)
                told.setdefault(name, []).append([
                    last.outcome, last.exit_code, last.signal, last.stopped_leftovers, _without_machinery(text),
                    mark.read_text() if mark.exists() else None,
                ])  # fmt: skip
                mark.unlink(missing_ok=True)
            kept += [name for one in said(programs.path / f"warm{number}", "warm") if one["refused"] is None]
        for name, (anew, warm) in told.items():
            assert warm == anew, name
        assert set(BEHAVIOURS) - set(kept) == {"syntax", "broken import"}
