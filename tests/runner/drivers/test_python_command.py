"""Which commands are Python programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.drivers.local_slots.python_command import is_python, python_command


@pytest.mark.parametrize("name", ["python", "python3", "python3.13", "/usr/bin/python3.9"])
def test_an_interpreter_is_called_python(name: str) -> None:
    assert is_python(name)


@pytest.mark.parametrize(
    "name", ["pythonw", "python3-config", "ipython", "python3.", "python.3", "pypy3", "", "/python/x"]
)
def test_others_are_not(name: str) -> None:
    assert not is_python(name)


def told(program: str, *arguments: str) -> tuple[object, ...] | None:
    """What is made of a command."""
    found = python_command(program, arguments, {"python3": "/opt/python3"}.get)
    if found is None:
        return None
    return found.interpreter, found.flags, found.is_module, found.target, found.arguments


def test_a_module_a_script_and_their_options(tmp_path: Path) -> None:
    script = tmp_path / "a.py"
    script.touch()
    python = "/usr/bin/python3"
    assert told(python, "-m", "a.b", "-x", "1") == (python, [], True, "a.b", ["-x", "1"])
    assert told(python, "-IS", "-u", "-m", "a") == (python, ["-IS", "-u"], True, "a", [])
    assert told(python, "-O", str(script), "-m", "b") == (python, ["-O"], False, str(script), ["-m", "b"])


@pytest.mark.parametrize(
    "arguments",
    [(), ("-c", "1"), ("-",), ("-m",), ("-i", "-m", "a"), ("-X", "dev", "-m", "a"), ("-W", "error", "-m", "a"),
     ("-V",), ("a.py",), ("/no/such.py",), ("-mjson",), ("--help",), ("-Im", "a")],
)  # fmt: skip
def test_what_means_something_else_is_left_alone(arguments: tuple[str, ...]) -> None:
    assert told("/usr/bin/python3", *arguments) is None


@pytest.mark.parametrize(
    ("line", "interpreter", "flags"),
    [
        ("#!/usr/bin/python3\n", "/usr/bin/python3", []),
        ("#! /usr/bin/python3 -sE\n", "/usr/bin/python3", ["-sE"]),
        ("#!/usr/bin/env python3\n", "/opt/python3", []),
    ],
)
def test_a_script_names_its_interpreter(tmp_path: Path, line: str, interpreter: str, flags: list[str]) -> None:
    script = tmp_path / "report"
    script.write_text(line)
    assert told(str(script), "x") == (interpreter, flags, False, str(script), ["x"])


@pytest.mark.parametrize(
    "line",
    ["", "#!", "#!\n", "#!/bin/sh\n", "#!/usr/bin/python3", "#!/usr/bin/env -S python3 -s\n",
     "#!/usr/bin/env python2\n", "#!/usr/bin/python3 -s -E\n", "#!/usr/bin/python3 -c\n", "#!" + "x" * 400 + "\n",
     "#!\udcff/python3\n"],
)  # fmt: skip
def test_a_script_of_something_else_is_left_alone(tmp_path: Path, line: str) -> None:
    script = tmp_path / "report"
    script.write_bytes(line.encode("utf-8", "surrogateescape"))
    assert told(str(script)) is None


@given(st.lists(st.sampled_from(["-m", "-I", "-c", "a", "-X", "-", "--", "/", "", "-mm", "é"]) | st.text(max_size=4)))
def test_nothing_is_lost_of_any_command(arguments: list[str]) -> None:
    found = python_command("/usr/bin/python3", arguments, lambda _: None)
    if found is not None:
        middle = ["-m", found.target] if found.is_module else [found.target]
        assert [*found.flags, *middle, *found.arguments] == arguments
