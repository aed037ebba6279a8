"""A scratch copy of examples/governed, on a day that never changes, in which pages run their commands.

What the reader does not see may happen ``DAYS_AGO``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT
from tests.support.tools import tool

_MAESTRO = """\
#!{python}
import datetime as dt, os, sys
from maestro.cli import main
from maestro.world import World
now = dt.datetime(2026, 12, 1, 9, tzinfo=dt.UTC) - dt.timedelta(days=int(os.environ.get("DAYS_AGO", "0")))
sys.exit(main(world=World(now=lambda: now)))
"""
_VARIES = (
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{8}\b"), "RUN"),
    (re.compile(r"\bSHA256:[A-Za-z0-9+/]{43}"), "SHA256:KEY"),
    (re.compile(r"(?<=, root )[A-Za-z0-9+/]{43}=|^[A-Za-z0-9+/]{43}=$", re.MULTILINE), "ROOT"),
    (re.compile(r"^(— \S+) [A-Za-z0-9+/]{90,110}=*$", re.MULTILINE), r"\1 SIGNATURE"),
    (re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}="), "KEY"),
    (re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{32}\b|\b[0-9a-f]{7,16}\b"), "HEX"),
    (re.compile(r"\b\d+\.\d\d s\b"), "T s"),
    (re.compile(r"/tmp/[^\s`]*"), "TMP"),
)


class Scratch:
    """A governed repository ``acme`` with a clean commit on ``main``, beside a HOME of its own."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "acme"
        programs = folder / "bin"
        programs.mkdir()
        (programs / "maestro").write_text(_MAESTRO.format(python=sys.executable))
        (programs / "maestro").chmod(0o755)
        for name in ("conftest", "opa", "ssh-keygen", "openssl"):
            (programs / name).symlink_to(tool(name))
        self.environ = {
            "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(folder),
            "MAESTRO_SIGNING_KEY_FILE": str(folder / "maestro-key.pem"),  # read only where something is signed
            "TMPDIR": str(folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",  # both outputs in the order a terminal shows them
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "dev",
            "GIT_AUTHOR_EMAIL": "dev@acme.example",
            "GIT_COMMITTER_NAME": "dev",
            "GIT_COMMITTER_EMAIL": "dev@acme.example",
        }
        shutil.copytree(ROOT / "examples/governed", self.repository)
        self.run("git init -q -b main && git add -A && git commit -q -m 'A governed repository'")

    def run(self, script: str) -> None:
        """Run what the reader does not see; it must succeed."""
        done = subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=self.repository,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"

    def session(self, commands: list[str]) -> str:
        """What a terminal would hold after these commands; an exit code that is not 0 is shown."""
        shown = []
        for command in commands:
            said, code = capture(["sh", "-c", command], cwd=self.repository, environ=self.environ)
            shown.append(f"$ {command}\n{said}" + (f"(exit {code})\n" if code else ""))
        return "\n".join(shown)


def demo() -> str:
    """What `make demo` says."""
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    said, code = capture([sys.executable, "-m", "examples.demo"], cwd=ROOT, environ=environ)
    assert code == 0, said
    return said


def capture(argv: list[str], *, cwd: Path, environ: dict[str, str]) -> tuple[str, int]:
    """Both outputs as they come, without trailing blanks, and the exit code."""
    done = subprocess.run(argv, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode("utf-8", "replace")
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE), done.returncode


def scrubbed(text: str) -> str:
    """The text without what is different in every run."""
    for pattern, word in _VARIES:
        text = pattern.sub(word, text)
    return text


def commands_of(text: str) -> list[str]:
    """The commands of a console block."""
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


def excerpt(shown: str, whole: str) -> str:
    """The parts of ``whole`` that ``shown`` has between lines of ``…``, each found by its first and last line.

    Raises:
        AssertionError: a part's first or last line is nowhere in ``whole`` (any more).
    """
    lines, out, at = whole.splitlines(), [], 0
    for part in re.split(r"^…\n", shown, flags=re.MULTILINE):
        wanted = part.splitlines()
        if wanted:
            first, last = _index(lines, wanted[0], at), 0
            last = _index(lines, wanted[-1], first)
            out.append("".join(f"{line}\n" for line in lines[first : last + 1]))
            at = last + 1
        else:
            out.append("")
    return "…\n".join(out)


def _index(lines: list[str], wanted: str, start: int) -> int:
    for number in range(start, len(lines)):
        if scrubbed(lines[number]) == scrubbed(wanted):
            return number
    raise AssertionError(f"the output has no line {wanted!r} (any more)")
