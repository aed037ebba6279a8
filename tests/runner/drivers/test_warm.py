"""Python programs of the warm class: the contract again, the same behaviour as when started anew, and kills."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.clock import anchor
from runner.drivers.drill_process import records
from runner.drivers.driver import NOTHING_LOST, Claim
from runner.drivers.local import LocalDriver
from runner.drivers.local_slots.marks import identity, mark_of, name_in, name_of
from runner.drivers.local_slots.proc import birth_of, parent_of
from runner.drivers.local_slots.slots import WARM_MOST
from runner.execution import Claimed, Ending, Execution, Task, executions_of
from runner.run_folder import RunFolder
from tests.runner.drivers.contract import RUN, DriverContract

ROOT = Path(__file__).resolve().parents[3]
BECOME = "import os, sys\nos.environ.pop('LC_CTYPE', None)\nos.execvp(sys.argv[1], sys.argv[1:])\n"
"""A program that becomes the command in its arguments. Python sets LC_CTYPE where there is no locale (PEP 538)."""


def said(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The journals' records of a kind."""
    return [one for one in records(RunFolder(folder)) if one["kind"] == kind]


def local(folder: Path, environ: Mapping[str, str], slots: int = 2) -> LocalDriver:
    """A driver with short waits. With one slot nobody takes over what somebody else keeps ready."""
    return LocalDriver(
        folder, environ, anchor(datetime.now(UTC)), slots=slots, grace_seconds=0.3, retry_seconds=0.0, warm_from=1
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
        self,
        executions: Sequence[Execution],
        *,
        session: int,
        start_nothing_of: Set[str] = frozenset(),
        claim: Claim | None = None,
        lost: Mapping[str, Sequence[Claimed]] = NOTHING_LOST,
    ) -> Iterator[Ending]:
        tasks: dict[int, Task] = {}
        for execution in executions:
            task = execution.task
            if task.command and shutil.which(task.command[0], path="/usr/bin:/bin"):
                command = (sys.executable, "-I", "-S", str(self._program), *task.command)
                tasks.setdefault(id(task), replace(task, command=command, class_="warm"))
        changed = [replace(one, task=tasks.get(id(one.task), one.task)) for one in executions]
        yield from self._driver.execute(
            changed, session=session, start_nothing_of=start_nothing_of, claim=claim, lost=lost
        )


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
            assert refused  # by the watcher that started something


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

    def run(self, task: Task, size: int = 2, session: int = 1) -> list[Ending]:
        """Its endings, in order of the index."""
        return self.run_all(list(executions_of(RUN, task, size)), session=session)

    def run_all(
        self, executions: list[Execution], session: int = 1, folder: str = "run", slots: int = 2
    ) -> list[Ending]:
        """The endings, in the same order."""
        self.driver = local(self.path / folder, {"PATH": "/usr/bin:/bin"}, slots)
        self.driver.provision(None, executions)
        endings = {ending.execution_id: ending for ending in self.driver.execute(executions, session=session)}
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
    "where it looks": "import sys, os\nprint(sys.path[0] == os.getcwd() or sys.path[0], sys.path[1:])",
    "environment": "import os\nprint(sorted(kv for kv in os.environ.items() if kv[0] not in ('HOME', 'TMPDIR')))",
    "folders": "import os\nprint(os.listdir(), os.listdir(os.environ['TMPDIR']), os.getcwd() == os.environ['HOME'])",
    "temporary": "import os, tempfile\nprint(tempfile.gettempdir() == os.environ['TMPDIR'])",
    "threads are waited for": "import threading, time\nthreading.Timer(0.1, print, ['late']).start()\nprint('main')",
    "exit handlers": "import atexit\natexit.register(print, 'bye')\nprint('hello')",
    "what is buffered is written": "import os\nkept = open(os.environ['MARKS'] + '/kept', 'a')\nkept.write('x')",
    "an archive that is left open": "import os, zipfile\nz = zipfile.ZipFile(os.environ['MARKS'] + '/z' + "
    "str(os.getpid()), 'w')\nz.writestr('a', 'x' * 1000)",
    "a finalizer": "class A:\n    def __del__(self): print('gone')\na = A()",
    "what C has buffered": "import ctypes\nctypes.CDLL(None).printf(b'from C')",
    "builtins": "print(__builtins__.len([1]))",
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
        tasks = []
        for number, text in enumerate(BEHAVIOURS.values()):
            file = programs.write(f"program{number}.py", text)
            target = (str(file),) if how == "script" else ("-m", f"program{number}")
            tasks.append(replace(programs.task("-O", *target, "x"), subject=f"Manifest/{number}"))
        anew = self.told(programs, [replace(task, class_="batch") for task in tasks], "anew")
        assert not said(programs.path / "anew", "warm")
        warm, ready = [], []
        for first in range(0, len(tasks), WARM_MOST):
            folder = f"warm{first}"
            warm += self.told(programs, tasks[first : first + WARM_MOST], folder)
            ready += [one["task"] for one in said(programs.path / folder, "warm") if one["refused"] is None]
        for name, was, now in zip(BEHAVIOURS, anew, warm, strict=True):
            assert now == was, name
        assert (programs.marks / "kept").read_text() == "xx"
        archives = [zipfile.ZipFile(path).namelist() for path in programs.marks.glob("z*")]
        assert archives == [["a"], ["a"]]
        names = {name for number, name in enumerate(BEHAVIOURS) if f"Manifest/{number}" in ready}
        assert set(BEHAVIOURS) - names == {"syntax", "broken import"}

    def told(self, programs: Programs, tasks: list[Task], folder: str) -> list[list[object]]:
        """What is to be seen of each."""
        executions = [executions_of(RUN, task, None)[0] for task in tasks]
        return [
            [last.outcome, last.exit_code, last.signal, last.stopped_leftovers,
             _without_machinery(programs.log(ending, folder))]
            for ending in programs.run_all(executions, folder=folder, slots=1)
            for last in [ending.last]
        ]  # fmt: skip

    def test_an_entry_point_of_a_package_is_a_script_like_others(self, programs: Programs) -> None:
        programs.write("acme/__init__.py", "")
        programs.write("acme/report.py", "import sys\ndef main():\n    print(sys.argv[1:])\n    return 4\n")
        script = programs.write(
            "acme-report",
            f"""\
            #!{sys.executable} -s
            # -*- coding: utf-8 -*-
            import sys
            from acme.report import main
            if __name__ == '__main__':
                sys.exit(main())
            """,
        )
        script.chmod(0o755)
        task = replace(programs.task(), command=(str(script), "--day", "1"))
        endings = programs.run(task)
        assert [(ending.last.exit_code, programs.log(ending)) for ending in endings] == [(4, "['--day', '1']\n")] * 2
        assert {one["refused"] for one in said(programs.folder, "warm")} == {None}

    def test_a_package_runs_its_main(self, programs: Programs) -> None:
        programs.write("acme/__init__.py", "print_ = print\n")
        programs.write("acme/__main__.py", "from . import print_\nprint_(__name__, __package__, __spec__.name)\n")
        assert {programs.log(one) for one in programs.run(programs.task("-m", "acme"))} == {
            "__main__ acme acme.__main__\n"
        }
        assert {one["refused"] for one in said(programs.folder, "warm")} == {None}


class TestApart:
    """Nothing gets from one execution to the next."""

    def test_imports_are_made_once_and_what_is_done_to_them_is_undone(self, programs: Programs) -> None:
        programs.write("slow.py", "import os\nopen(os.environ['MARKS'] + '/n', 'a').write('x')\ncount = 0\n")
        file = programs.write(
            "program.py",
            """\
            import slow, os, random, sys
            slow.count += 1
            os.environ['LEFT'] = 'x'
            sys.left = True
            open('left', 'w').write('x')
            print(slow.count, 'LEFT' in os.environ, hasattr(sys, 'left'), len(os.listdir()))
            print(random.random(), file=sys.stderr)
            """.replace("print(slow", "print(slow"),
        )
        endings = programs.run(programs.task(str(file)), 6)
        logs = [programs.log(ending).split() for ending in endings]
        assert {tuple(log[1:]) if "." in log[0] else tuple(log[:4]) for log in logs} == {("1", "True", "True", "1")}
        assert len({number for log in logs for number in log if "." in number}) == 6
        assert (programs.marks / "n").read_text() == "x" * len(said(programs.folder, "warm"))

    def test_the_program_itself_never_runs_beside_its_executions(self, programs: Programs) -> None:
        programs.write("program.py", "'what it is'\nimport os\nopen(os.environ['MARKS'] + '/n', 'a').write('x')\n")
        programs.run(programs.task("-m", "program"), 4)
        assert (programs.marks / "n").read_text() == "xxxx"
        assert {one["refused"] for one in said(programs.folder, "warm")} == {None}

    def test_only_imports_at_the_head_are_made_before(self, programs: Programs) -> None:
        programs.write("late.py", "import os\nkind = os.environ['KIND']\n")
        file = programs.write("program.py", "import os\nos.environ['KIND'] = 'set'\nimport late\nprint(late.kind)\n")
        assert {programs.log(one) for one in programs.run(programs.task(str(file)))} == {"set\n"}
        assert {one["refused"] for one in said(programs.folder, "warm")} == {None}

    def test_an_import_may_read_a_secret_of_its_manifest(self, programs: Programs) -> None:
        programs.write("settings.py", "import os\nurl = os.environ.get('DB_URL', 'none')\n")
        file = programs.write("program.py", "import settings\nprint(settings.url)\n")
        task = programs.task(str(file), secrets={"DB_URL": "env:PATH"})
        assert {programs.log(one) for one in programs.run(task)} == {"/usr/bin:/bin\n"}
        assert {one["refused"] for one in said(programs.folder, "warm")} == {None}

    @pytest.mark.parametrize(
        ("why", "module"),
        [
            ("an import starts threads", "import threading\nthreading.Timer(0.3, print).start()"),
            ("an import opens files or sockets", "kept = open('/dev/zero')"),
            ("an import starts processes", "import subprocess\nkept = subprocess.Popen(['sleep', '9'])"),
            ("an import changes the working folder", "import os\nos.chdir('/')"),
            ("an import reads HOME", "import os\nplace = os.path.expanduser('~')"),
            ("an import reads TMPDIR", "import tempfile\nplace = tempfile.gettempdir()"),
            ("an import reads MAESTRO_ARRAY_INDEX", "import os\nindex = os.environ.get('MAESTRO_ARRAY_INDEX')"),
            ("an import reads all variables", "import os\nkept = list(os.environ)"),
            ("an import reads the working folder", "import os\nkept = os.path.abspath('x')"),
            ("an import reads the process id", "import os\nkept = os.getpid()"),
            ("an import prints", "print('up')"),
            ("an import prints", "import ctypes\nctypes.CDLL(None).printf(b'up')"),
            ("an import shares memory", "import mmap\nkept = mmap.mmap(-1, 4096)"),
            ("an import writes into its folders", "open('kept', 'w').close()"),
            ("an import reads HOME", "import os\nplace = os.environb[b'HOME']"),
            ("an import reads the working folder", "import os\nplace = os.getcwdb()"),
            ("an import raises ZeroDivisionError", "1 / 0"),
            ("an import raises SystemExit", "raise SystemExit(0)"),
            ("it has ended", "import os\nos._exit(3)"),
        ],
        ids=lambda value: value if value.startswith(("an ", "it ")) else "",
    )  # fmt: skip
    def test_what_could_not_be_told_apart_is_started_anew(self, programs: Programs, why: str, module: str) -> None:
        programs.write("bad.py", module)
        file = programs.write("program.py", "import bad\nprint('done')\n")
        warm = programs.run(programs.task(str(file)), 1)
        anew = programs.run_all(list(executions_of(RUN, programs.task(str(file), class_="batch"), 1)), folder="anew")
        assert dict(programs.driver.not_kept_ready) == {}
        (refused,) = {one["refused"] for one in said(programs.folder, "warm")}
        assert refused.split(" (in ")[0] == why
        assert ("(in bad)" in refused) == (" reads " in why)
        assert [one.last.exit_code for one in warm] == [one.last.exit_code for one in anew]
        assert programs.log(warm[0]) == programs.log(anew[0], "anew")


COUNTED = """\
import os, time
with open(os.environ['MARKS'] + '/n', 'a') as file:
    file.write(os.environ['MAESTRO_ARRAY_INDEX'] + '\\n')
time.sleep(float(os.environ['SLEEP']))
"""

KILLED = """\
import os
ready = None
def forking():
    global ready
    ready = ready or os.getpid()
def forked():
    if (os.getppid() == ready) == {between} and os.getpid() % 2:
        os.kill(os.getpid(), 9)
os.register_at_fork(before=forking, after_in_child=forked)
"""
"""Every other process that is forked ahead, or that was to fork them."""


LIES = {
    "killed after the claim": """\
        import os
        ready, real = None, os.open
        def forking():
            global ready
            ready = ready or os.getpid()
        def opened(path, flags, *more):
            fd = real(path, flags, *more)
            if flags & os.O_APPEND:
                os.kill(ready, 9)
                os.kill(os.getpid(), 9)
            return fd
        os.register_at_fork(before=forking)
        os.open = opened
        """,
    "names a process of somebody else": """\
        import os
        write = os.write
        os.write = lambda fd, data: write(fd, b'pid 1\\n' if data[:3] == b'pid' else data)
        """,
    "says nothing sensible": """\
        import os
        write = os.write
        os.write = lambda fd, data: write(fd, b'moo\\n' if data[:3] == b'pid' else data)
        """,
    "floods": """\
        import os
        write = os.write
        os.write = lambda fd, data: write(fd, b'x' * 20000 if data[:3] == b'pid' else data)
        """,
}


class TestKilled:
    """Nothing is lost and nothing runs twice, whoever is killed."""

    def counted(self, programs: Programs, sleep: float, **more: Any) -> Task:
        """A task that leaves its index."""
        task = programs.task(str(programs.write("program.py", COUNTED)), **more)
        return replace(task, env={**task.env, "SLEEP": str(sleep)})

    def marked(self, programs: Programs) -> list[int]:
        """The indices that were left."""
        path = programs.marks / "n"
        return sorted(map(int, path.read_text().split())) if path.exists() else []

    def wait_for(self, programs: Programs, count: int) -> None:
        """Until so many were left."""
        until = time.monotonic() + 20
        while len(self.marked(programs)) < count:
            assert time.monotonic() < until, "too slow"
            time.sleep(0.005)

    def kept_ready(self, programs: Programs) -> list[int]:
        """The living processes that are kept ready, with those forked ahead."""
        name = name_of(identity(str(programs.folder / "logs")), "warm", 0)
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [pid for pid in pids if birth_of(pid) and (mark := mark_of(pid)) and name_in(mark) == name]

    def dispatcher(self, programs: Programs, task: Task, size: int) -> subprocess.Popen[bytes]:
        """A dispatch in a process of its own."""
        code = textwrap.dedent(
            f"""
            from pathlib import Path
            from runner.execution import Task, executions_of
            from tests.runner.drivers.test_warm import local
            task = {task!r}
            executions = list(executions_of({RUN!r}, task, {size}))
            driver = local(Path({str(programs.folder)!r}), {{"PATH": "/usr/bin:/bin"}})
            list(driver.execute(executions, session=1))
            """
        )
        environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.Popen([sys.executable, "-c", code], env=environ, cwd=programs.marks)

    @pytest.mark.parametrize("moment", [1, 9, 23])
    def test_a_killed_dispatcher_is_resumed(self, programs: Programs, moment: int) -> None:
        task = self.counted(programs, 0.02)
        process = self.dispatcher(programs, task, 30)
        self.wait_for(programs, moment)
        process.kill()
        process.wait()
        endings = programs.run(task, 30, session=2)
        assert {ending.last.outcome for ending in endings} == {"succeeded"}
        assert {ending.last.session for ending in endings} == {1, 2}
        assert self.marked(programs) == list(range(30))

    def test_with_everything_killed_what_ran_is_unknown_and_the_rest_runs(self, programs: Programs) -> None:
        task = self.counted(programs, 1.0)
        process = self.dispatcher(programs, task, 6)
        self.wait_for(programs, 2)
        time.sleep(0.2)
        watchers = [one["pid"] for one in said(programs.folder, "slot")]
        ready = self.kept_ready(programs)
        supervisor = parent_of(watchers[0])
        assert supervisor is not None
        assert len(watchers) == 2
        assert len(ready) >= 2  # one of each, and what these have forked ahead
        for pid in (process.pid, supervisor, *watchers):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        endings = programs.run(task, 6, session=2)
        assert sorted(ending.last.outcome for ending in endings) == ["succeeded"] * 4 + ["unknown"] * 2
        assert {ending.last.session for ending in endings if ending.last.outcome == "unknown"} == {1}
        assert self.marked(programs) == list(range(6))
        assert all(birth_of(pid) is None for pid in ready)

    def test_what_was_forked_ahead_and_outlives_its_watcher_is_ended_at_its_deadline(self, programs: Programs) -> None:
        later = COUNTED.replace("os.environ['SLEEP']", "60 if int(os.environ['MAESTRO_ARRAY_INDEX']) > 1 else 0.3")
        task = programs.task(str(programs.write("program.py", later)), timeout_seconds=4.0)
        process = self.dispatcher(programs, task, 4)
        self.wait_for(programs, 4)
        until = time.monotonic() + 20
        while len(started := said(programs.folder, "start")) < 4:
            assert time.monotonic() < until, "too slow"
        started = [one for one in started if birth_of(one["pid"]) is not None]
        assert len(started) == 2  # which had been ahead for a while
        watchers = [one["pid"] for one in said(programs.folder, "slot")]
        for pid in (process.pid, parent_of(watchers[0]) or 0, *watchers):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        endings = programs.run(task, 4, session=2)
        assert [ending.last.outcome for ending in endings] == ["succeeded"] * 2 + ["unknown"] * 2
        assert all(birth_of(one["pid"]) is None for one in started)

    def test_killing_what_is_kept_ready_ends_nothing_that_runs(self, programs: Programs) -> None:
        task = self.counted(programs, 0.5)
        killed = []

        def kill() -> None:
            self.wait_for(programs, 2)
            for pid in self.kept_ready(programs):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

        thread = threading.Thread(target=kill)
        thread.start()
        endings = programs.run(task, 8)
        thread.join()
        assert len(killed) >= 2
        assert {ending.last.outcome for ending in endings} == {"succeeded"}
        assert self.marked(programs) == list(range(8))

    def test_ended_before_the_claim_it_is_started_anew(self, programs: Programs) -> None:
        programs.write("bad.py", "import os, signal\nos.register_at_fork(before=lambda: os.kill(os.getpid(), 9))\n")
        programs.write("program.py", "import bad\n" + COUNTED)
        task = replace(programs.task("-m", "program"), env={**programs.task().env, "SLEEP": "0"})
        endings = programs.run(task, 4)
        assert {ending.last.outcome for ending in endings} == {"succeeded"}
        assert self.marked(programs) == list(range(4))
        assert {one["refused"] for one in said(programs.folder, "warm")} == {None}

    @pytest.mark.parametrize("ahead", ["0 0 1", "0 0", "0 99 1", "0 x y", "0", "", "0 0 " + "9" * 4000])
    def test_where_nothing_was_forked_ahead_it_is_started_anew(self, programs: Programs, ahead: str) -> None:
        lie = f"import os\nwrite = os.write\nos.write = lambda fd, data: write(fd, b'ahead {ahead}\\n')\n"
        programs.write("bad.py", lie.replace("b'ahead", "b'ready\\n' if data[:5] == b'ready' else b'ahead"))
        programs.write("program.py", "import bad\n" + COUNTED)
        task = replace(programs.task("-m", "program"), env={**programs.task().env, "SLEEP": "0"})
        endings = programs.run(task, 4)
        assert {ending.last.outcome for ending in endings} == {"succeeded"}
        assert self.marked(programs) == list(range(4))
        assert {one["refused"] for one in said(programs.folder, "warm")} == {None}

    @pytest.mark.parametrize("between", [False, True])
    def test_killing_what_was_forked_ahead_runs_nothing_twice(self, programs: Programs, between: bool) -> None:
        programs.write("bad.py", KILLED.format(between=between))
        programs.write("program.py", "import bad\n" + COUNTED)
        task = replace(programs.task("-m", "program"), env={**programs.task().env, "SLEEP": "0.01"})
        endings = programs.run_all(list(executions_of(RUN, task, 24)), slots=1)
        assert {ending.last.outcome for ending in endings} <= {"succeeded", "unknown"}
        marked = self.marked(programs)
        assert len(marked) == len(set(marked))
        sure = {number for number, ending in enumerate(endings) if ending.last.outcome == "succeeded"}
        assert sure <= set(marked)

    @pytest.mark.parametrize("lie", LIES)
    def test_where_nobody_knows_whether_it_ran_it_is_unknown(self, programs: Programs, lie: str) -> None:
        programs.write("bad.py", LIES[lie])
        programs.write("program.py", "import bad, sys, time\ntime.sleep(60 if '-c' in sys.orig_argv else 0.1)\n")
        task = programs.task("-m", "program", attempts=2, idempotent=True)
        started = time.monotonic()
        endings = programs.run(task, 4)
        outcomes = sorted([attempt.outcome for attempt in ending.attempts] for ending in endings)
        assert outcomes == [["succeeded"]] * 2 + [["unknown", "succeeded"]] * 2
        unknown = next(ending.attempts[0] for ending in endings if len(ending.attempts) == 2)
        assert "was to start it" in str(unknown.reason)
        assert (unknown.exit_code, unknown.started) == (None, None)
        assert time.monotonic() - started < 20

    def test_what_is_kept_ready_is_gone_afterwards(self, programs: Programs) -> None:
        programs.run(self.counted(programs, 0), 4)
        assert said(programs.folder, "warm")
        assert self.kept_ready(programs) == []
