"""The process in which regopy runs: it may crash, hang or be killed without harm. Imports nothing of ours.

Standard input, a line each: the program (JSON: ``modules``, ``data`` text, ``entrypoints``, ``memory``
bytes), then inputs as JSON text. Standard output, a line each: ``{"ready": true}`` or ``{"error": …}``
once, then per input ``{"values": [text or null]}`` (null: undefined; sets and
arrays marked by a first member), ``{"asked": [line]}`` (calls to be computed, as the helper ``asked`` printed
them; ``asks`` in the question) or ``{"error": …}``. regopy prints to standard output, so that is /dev/null, or a pipe
back to this process, and the answers leave by a copy of the descriptor.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import resource
import sys
import threading
import time
from typing import Any

MEMORY_EXIT = 99
_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in what getrusage counts resident memory in."""


def _limit(memory: int) -> None:
    """No core dumps, no files, and the end when more than ``memory`` bytes were ever resident. Not RLIMIT_AS or
    RLIMIT_DATA: the interpreter's allocator reserves 256 GiB of address space at the start."""
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (0, 0))
    threading.Thread(target=_watch, args=(memory,), daemon=True).start()


def _watch(memory: int) -> None:
    while _ever_resident() <= memory:
        time.sleep(0.02)
    os._exit(MEMORY_EXIT)


def _ever_resident() -> int:
    """Bytes. Linux keeps getrusage's figure across exec, so there it would be that of whoever started this process;
    VmHWM (proc(5)) begins anew with the program."""
    with contextlib.suppress(OSError), open("/proc/self/status", "rb") as status:  # noqa: PTH123 - 50 times a second
        for line in status:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _answer(out: int, value: dict[str, Any]) -> None:
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(out, data) :]


def _marked(node: Any) -> str:  # noqa: ANN401
    """JSON text in which every array begins with "a" and every set with "s". By the C interface: regopy's own Node
    keeps a set's members by their text, and an array reads like a set there."""
    from regopy.rego_shared import NodeKind, rego_node_get, rego_node_json, rego_node_size, rego_node_type

    marks = {NodeKind.Array: '"a"', NodeKind.Set: '"s"'}
    wrappers = (NodeKind.Term, NodeKind.Scalar)
    seen = set()

    def write(at: Any) -> str:  # noqa: ANN401
        kind = rego_node_type(at)
        members = [rego_node_get(at, index) for index in range(rego_node_size(at))]
        if kind in wrappers:
            return write(members[0])
        seen.add(kind)
        if kind in marks:
            return "[" + ",".join([marks[kind], *map(write, members)]) + "]"
        if kind == NodeKind.Object:
            pairs = [(name(rego_node_get(item, 0)), rego_node_get(item, 1)) for item in members]
            if len({key for key, _ in pairs}) != len(pairs):
                raise ValueError("an object with two keys that are written alike")
            return "{" + ",".join(f"{key}:{write(value)}" for key, value in pairs) + "}"
        return str(rego_node_json(at))

    def name(at: Any) -> str:  # noqa: ANN401
        text = str(rego_node_json(at))
        if text.startswith('"'):
            return text
        seen.add("key")
        return json.dumps(text)

    text = write(node._impl)
    if "key" in seen and NodeKind.Set in seen:
        raise ValueError("a set beside keys that are no text: its order is not known")
    return text


class _Printed:
    """What is printed to descriptor 1, of which only so much is kept."""

    LIMIT = 4 << 20
    _END = b"\x00\n"

    def __init__(self) -> None:
        reading, writing = os.pipe()
        os.dup2(writing, 1)
        os.close(writing)
        self._flush = ctypes.CDLL(None).fflush
        self._kept = bytearray()
        self._ended = threading.Event()
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()

    def _read(self, reading: int) -> None:
        while data := os.read(reading, 1 << 16):
            if len(self._kept) < self.LIMIT:
                self._kept += data
            if data.endswith(self._END):
                self._ended.set()

    def take(self) -> list[str]:
        """The lines since the last time. Nothing of ours prints a NUL, nor can a pack."""
        self._flush(None)
        os.write(1, self._END)
        self._ended.wait()
        self._ended.clear()
        printed = self._kept.removesuffix(self._END).decode("utf-8", "replace")
        self._kept.clear()
        return [line for line in printed.split("\n") if line]


def _main() -> None:
    out = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    asked = json.loads(sys.stdin.buffer.readline())
    _limit(asked["memory"])
    printed = _Printed() if asked["asks"] else None
    from regopy import Interpreter, RegoError

    interpreter = Interpreter()
    interpreter.strict_built_in_errors = True
    entrypoints = asked["entrypoints"]
    try:
        for name, source in asked["modules"].items():
            interpreter.add_module(name, source)
        if asked["data"]:
            interpreter.add_data_json(asked["data"])
        bundle = interpreter.build(None, entrypoints)
        built = bundle.ok()
    except (RegoError, ValueError) as error:
        built = False
        said = re.search(r"\(errormsg \d+:(.*?)\)\n", str(error))
        _answer(out, {"error": (said[1] if said else str(error))[:500]})
        return
    if not built:
        _answer(out, {"error": "it does not build"})
        return
    _answer(out, {"ready": True})
    for line in sys.stdin.buffer:
        if printed is not None:
            printed.take()
        try:
            interpreter.set_input_term(line.decode("utf-8").rstrip("\n"))
            values: list[str | None] = []
            for entrypoint in entrypoints:
                output = interpreter.query_bundle_entrypoint(bundle, entrypoint)
                if printed is not None and (lines := printed.take()):
                    _answer(out, {"asked": lines})
                    break
                if not output.ok():
                    raise ValueError(f"{entrypoint}: an error inside a builtin or a conflict")
                text = str(output)
                values.append(None if text == "undefined" else _marked(output.expressions().at(0)))
            else:
                _answer(out, {"values": values})
        except (RegoError, ValueError, RecursionError, MemoryError) as error:
            _answer(out, {"error": str(error)[:500] or type(error).__name__})


if __name__ == "__main__":
    _main()
