"""Which commands are Python programs that a warm worker can keep ready. Everything else is started as ever."""

from __future__ import annotations

import os

# pathlib would double the time this takes to start
# ruff: noqa: PTH119, PTH123
TYPE_CHECKING = False  # and so would typing
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FLAGS = set("BEIOPSsu")
"""Options of python(1) that stand for themselves and mean the same to a process that is kept ready."""


class PythonCommand:
    """``interpreter flags… -m target arguments…``, or a script in the place of ``-m target``."""

    __slots__ = ("arguments", "flags", "interpreter", "is_module", "target")

    def __init__(
        self, interpreter: str, flags: Sequence[str], target: str, arguments: Sequence[str], *, is_module: bool
    ) -> None:
        self.interpreter = interpreter
        self.flags = list(flags)
        self.target = target
        self.arguments = list(arguments)
        self.is_module = is_module


def is_python(path: str) -> bool:
    """Whether a program is called like an interpreter: ``python``, ``python3``, ``python3.13``."""
    name = os.path.basename(path)
    return name.startswith("python") and all(part.isdigit() for part in name[6:].split(".") if name[6:])


def python_command(program: str, arguments: Sequence[str], find: Callable[[str], str | None]) -> PythonCommand | None:
    """The Python program that a command is, or None.

    Args:
        program: the absolute path of the command's first word.
        arguments: its other words.
        find: the absolute path of a name on the command's PATH.
    """
    if is_python(program):
        return _of_interpreter(program, arguments)
    words = _shebang(program)
    if not words:
        return None
    if os.path.basename(words[0]) == "env" and len(words) == 2 and is_python(words[1]):
        found = find(words[1])
        return None if found is None else PythonCommand(found, (), program, arguments, is_module=False)
    if is_python(words[0]) and all(map(_is_flag, words[1:])):
        return PythonCommand(words[0], words[1:], program, arguments, is_module=False)
    return None


def _of_interpreter(program: str, arguments: Sequence[str]) -> PythonCommand | None:
    flags: list[str] = []
    for at, word in enumerate(arguments):
        if _is_flag(word):
            flags.append(word)
        elif word == "-m" and at + 1 < len(arguments):
            return PythonCommand(program, flags, arguments[at + 1], arguments[at + 2 :], is_module=True)
        elif os.path.isabs(word) and os.path.isfile(word):  # noqa: PTH113, PTH117
            return PythonCommand(program, flags, word, arguments[at + 1 :], is_module=False)
        else:
            return None
    return None


def _is_flag(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and set(word[1:]) <= _FLAGS


def _shebang(program: str) -> list[str]:
    """The words of a script's first line, as execve(2) reads them: the interpreter and at most one argument."""
    try:
        with open(program, "rb") as file:
            line = file.readline(256)
    except OSError:
        return []
    if not line.startswith(b"#!") or not line.endswith(b"\n"):
        return []
    try:
        return line[2:].decode().strip().split(None, 1)
    except UnicodeDecodeError:
        return []
