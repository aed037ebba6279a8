"""A Python program that is kept ready. Its text runs in the interpreter that the manifest names: ``-c BOOT TOLD TEXT``.

It imports what the program imports first, once, and then forks for each execution. What an execution gets is what a
fresh interpreter would have at that place: its own process, session, folders, environment and log, and the modules as
they are right after their import. Where that would not be so, because an import left something behind that fork does
not divide, or looked at something that is another for each execution, it refuses, and every execution is started anew.

Standard library only, no imports of our own, nothing newer than Python 3.9.
"""

# pathlib would double the time this takes to start
# ruff: noqa: PTH109, PTH120, PTH123, PTH208
from __future__ import annotations

import ast
import atexit
import builtins
import contextlib
import gc
import importlib.util
import io
import json
import os
import resource
import sys
from importlib.machinery import SourceFileLoader

try:
    import ctypes
except ImportError:  # an interpreter without it: what C has buffered is lost
    FLUSH_C = None
else:
    FLUSH_C = ctypes.CDLL(None).fflush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from types import CodeType
    from typing import Any, NoReturn

    Program = tuple[CodeType, dict[str, Any]]

FOR_OTHERS = {
    "os",
    "posixpath",
    "genericpath",
    "collections.abc",
    "_collections_abc",
    "tempfile",
    "pathlib",
    "warm_child",
}
"""Modules that ask because somebody else does."""
FLUSHED = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def first_imports(source: str | bytes, file: str) -> CodeType:
    """The imports at the head of a program, up to the first statement that is something else."""
    found: list[ast.stmt] = []
    for node in ast.parse(source, file).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append(node)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            break
    return compile(ast.Module(body=found, type_ignores=[]), file, "exec", dont_inherit=True)


def load(told: dict[str, Any]) -> tuple[CodeType, str | bytes, dict[str, Any]]:
    """The program, which is not run: its code, its source, and what ``__main__`` has. Its parent packages are imported.

    As python(1) does for a script and for -m: "The import system", special considerations for __main__.
    """
    if not told["is_module"]:
        path = told["target"]
        with io.open_code(path) as file:
            source = file.read()
        names: dict[str, Any] = {"__file__": path, "__spec__": None, "__package__": None, "__cached__": None}
        names["__loader__"] = SourceFileLoader("__main__", path)
        return compile(source, path, "exec", dont_inherit=True), source, names
    name = told["target"]
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        importlib.import_module(name)
        spec = importlib.util.find_spec(name + ".__main__")
    if spec is None or spec.loader is None:
        raise ImportError("No module named " + name)
    loader: Any = spec.loader
    code = loader.get_code(spec.name)
    names = {"__file__": spec.origin, "__spec__": spec, "__package__": spec.parent, "__loader__": loader}
    names["__cached__"] = spec.cached
    return code, loader.get_source(spec.name) or "", names


def asks() -> str:
    """The module that asks."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") in FOR_OTHERS:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


def watched(names: Collection[str], seen: dict[str, str]) -> type:
    """A class for ``os.environ`` and ``os.environb`` that notes which of ``names`` are asked for."""

    class Watched(type(os.environ)):  # type: ignore[misc]
        def __getitem__(self, key: Any) -> Any:  # noqa: ANN401
            name = os.fsdecode(key) if isinstance(key, bytes) else key
            if name in names:
                seen[name] = asks()
            return super().__getitem__(key)

        def __iter__(self) -> Any:  # noqa: ANN401
            seen["all variables"] = asks()
            return super().__iter__()

    return Watched


def noting(function: Callable[[], Any], what: str, seen: dict[str, str]) -> Callable[[], Any]:
    """The same function, which notes that somebody called it."""

    def noted() -> Any:  # noqa: ANN401
        seen[what] = asks()
        return function()

    return noted


def state() -> dict[str, object]:
    """What fork does not divide, or copies in part: open files, threads, children, shared memory; and the folders."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        children = file.read().split()
    with open("/proc/self/maps", "rb") as maps:
        shared = sum(line.split()[1].endswith(b"s") for line in maps)
    return {
        "opens files or sockets": sorted(os.listdir("/proc/self/fd")),
        "starts threads": len(os.listdir("/proc/self/task")),
        "starts processes": children,
        "shares memory": shared,
        "changes the working folder": os.getcwd(),
        "writes into its folders": [sorted(os.listdir(one)) for one in (".", os.environ.get("TMPDIR", "."))],
    }


def prepare(told: dict[str, Any]) -> Program | str:
    """Import. The program, or why it is of no use to keep it."""
    before = state()
    own = {"0", "1", "2", str(told["ask"]), str(told["say"]), *map(str, told["orders"])}
    opened = [fd for fd in os.listdir("/proc/self/fd") if fd not in own]  # with the one that lists them
    if before["starts threads"] != 1 or before["starts processes"] or len(opened) > 1:
        return "what the interpreter runs first (sitecustomize, a .pth file) starts threads or opens files"
    seen: dict[str, str] = {}
    plain: Any = type(os.environ)
    asked = {
        "getcwd": "the working folder",
        "getcwdb": "the working folder",
        "getpid": "the process id",
        "getppid": "the process id",
    }
    real = {name: getattr(os, name) for name in asked}
    os.environ.__class__ = os.environb.__class__ = watched(told["each_its_own"], seen)
    for name, what in asked.items():
        setattr(os, name, noting(real[name], what, seen))
    try:
        code, source, names = load(told)
        exec(  # noqa: S102 - what the program would do
            first_imports(source, names["__file__"]), {"__name__": "__warm__", "__package__": names["__package__"]}
        )
    except BaseException as error:  # it will say so itself, in its own log, when it is started anew
        return f"an import raises {type(error).__name__}"
    finally:
        os.environ.__class__ = os.environb.__class__ = plain
        for name, function in real.items():
            setattr(os, name, function)
    after = state()
    for what, was in before.items():
        if after[what] != was:
            return "an import " + what
    if seen:
        return "an import reads " + ", ".join(f"{what} (in {seen[what]})" for what in sorted(seen))
    sys.stdout.flush()
    sys.stderr.flush()
    if FLUSH_C is not None:
        FLUSH_C(None)
    if os.fstat(1).st_size:
        return "an import prints"
    return code, names


def lines(fd: int) -> Iterator[bytes]:
    """The lines that are asked."""
    rest = b""
    while True:
        more = os.read(fd, 65536)
        if not more:
            os._exit(0)
        *whole, rest = (rest + more).split(b"\n")
        yield from whole


def answer(fd: int, text: str) -> None:
    """One line to the watcher."""
    os.write(fd, text.encode() + b"\n")


def serve(ask: int, say: int, orders: Sequence[int]) -> None:
    """Fork ahead for the places that each line asks for; returns in an execution's own process, when it has its order.

    Twice, so that the process in between ends and the watcher, a subreaper, becomes the parent; once in between for all
    the places of a line, so that each execution costs little more than one fork.
    """
    for line in lines(ask):
        try:
            between = os.fork()
        except OSError as error:
            answer(say, f"ahead {error.errno or 0}")
            continue
        if between:
            if os.waitpid(between, 0)[1]:  # somebody killed it
                answer(say, "ahead 0")
            continue
        ahead, short = "", 0
        for place in map(int, line.split()):
            try:
                pid = os.fork()
            except OSError as error:
                short = error.errno or 0
                break
            if not pid:
                os.setsid()
                for fd in (ask, *orders):
                    if fd != orders[place]:
                        os.close(fd)
                begin(say, order(orders[place]))
                return
            ahead += f" {place} {pid}"
        answer(say, f"ahead {short}{ahead}")
        os._exit(0)


def order(fd: int) -> list[bytes]:
    """Wait until there is something to execute: its mark, log, home, and its own variables."""
    data = b""
    while not data.endswith(b"\0\0"):
        more = os.read(fd, 4096)
        if not more:  # the watcher has ended, or has nothing more to do with this
            os._exit(0)
        data += more
    os.close(fd)
    return data[:-2].split(b"\0")


def begin(say: int, told: list[bytes]) -> None:
    """Become the execution. It is claimed: the watcher has created its log, as it does for every command."""
    mark, log, home, *variables = told
    try:
        resource.setrlimit(resource.RLIMIT_RTTIME, (int(mark), int(mark)))
        os.chdir(home)
        fd = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.close(fd)
        for variable in variables:
            name, _, value = variable.partition(b"=")
            os.environb[name] = value
        answer(say, f"pid {os.getpid()}")
        os.close(say)
    except OSError as error:
        answer(say, f"errno {error.errno or 0}")
        os._exit(0)


def take_apart(space: dict[str, Any], before: Sequence[str]) -> None:
    """Let go of what the program has made: archives and the like write their ends when they are.

    Args:
        space: what its ``__main__`` has.
        before: the names of the modules that were there before the fork, in their order.
    """
    made: list[dict[str, Any]] = []
    # Looking at each name would write to each, and so copy the pages they lie in: a quarter of an execution's faults.
    if len(sys.modules) != len(before) or next(reversed(sys.modules)) is not before[-1]:
        known = frozenset(before)
        made = [module.__dict__ for name, module in reversed(list(sys.modules.items())) if name not in known]
    for names in (space, *made):
        for name in [name for name in names if not name.startswith("__")]:
            names[name] = None
    gc.collect()


def leave(code: int, space: dict[str, Any], before: Sequence[str]) -> NoReturn:
    """End as the interpreter does, without taking apart what was there before the fork, which costs most of the time.

    Threads are waited for, exit handlers and finalizers of what was made since run, and what is buffered is written, in
    whatever module it lives.
    """
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    take_apart(space, before)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:
        code = 120
    for found in gc.get_objects():  # those made since the fork
        if issubclass(type(found), FLUSHED):
            with contextlib.suppress(OSError, ValueError):
                found.flush()
    if FLUSH_C is not None:
        FLUSH_C(None)
    os._exit(code & 0xFF)


def main() -> None:
    """All of it."""
    told = json.loads(sys.argv[1])
    sys.argv = [told["target"], *told["arguments"]]
    has_place = bool(sys.path) and sys.path[0] == ""
    if has_place and not told["is_module"]:
        sys.path[0] = os.path.dirname(os.path.realpath(told["target"]))
    program = prepare(told)
    if isinstance(program, str):
        answer(told["say"], "refused " + program)
        os._exit(0)
    code, names = program
    sys.argv[0] = names["__file__"]
    names = {**names, "__builtins__": builtins, "__name__": "__main__", "__doc__": None}
    space = sys.modules["__main__"].__dict__
    space.clear()
    space.update(names)
    for name in told["each_its_own"]:
        os.environ.pop(name, None)
    before = tuple(sys.modules)
    gc.collect()
    gc.freeze()
    answer(told["say"], "ready")
    serve(told["ask"], told["say"], told["orders"])
    if has_place and told["is_module"]:
        sys.path[0] = os.getcwd()
    try:
        exec(code, space)  # noqa: S102 - this is the program
    except SystemExit as error:
        if error.code is not None and type(error.code) is not int:
            raise
        status = error.code or 0
    except Exception as error:  # told as the interpreter does, without this file's frames
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    else:
        status = 0
    leave(status, space, before)


if __name__ == "warm_child":
    main()
