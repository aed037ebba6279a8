"""Git, called so that nothing in the repository can make it run a program, fetch, or show something else.

What a checkout's own configuration may name — hooks, an fsmonitor, textconv, external diffs, clean and smudge
filters, credential helpers — is off or never reached: no command used here shows a diff, and the working tree is
read and hashed by us (worktree.py), because every git command that compares it may run a filter. The user's and the
machine's configuration stay in force: `safe.directory` and `core.excludesFile` live there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.process import Completed, ProcessMissing, find_program, run

TIMEOUT_SECONDS = 120.0
OLDEST_GIT = "2.36"

_KEPT = (
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "TMPDIR",
    "SYSTEMROOT",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
)
"""What git gets of our environment. Not GIT_DIR and its kin: a hook or a rebase sets them for another repository."""

_OF_REMOTES = (
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)
"""What it gets besides where it may reach a remote."""

_HARDENED = {
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "none",  # wins over any protocol.* in the repository's configuration; holds for every git
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",  # git 2.44 and later; before, GIT_ALLOW_PROTOCOL stops the fetch
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}

_OPTIONS = (
    "--no-replace-objects",
    "--no-optional-locks",
    "--no-pager",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.useReplaceRefs=false",
    "-c",
    "protocol.allow=never",
    "-c",
    "submodule.recurse=false",
)


class Git:
    """The git program, bound to a folder and to a hardened environment."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, protocol: str | None = None) -> None:
        """Find git.

        Args:
            folder: where it works.
            environ: what it gets some of.
            protocol: the one by which it may reach a remote (``https``, ``ssh``, ``file``), with what that one needs to
                know who we are; none where None. Only for a folder whose configuration is ours.

        Raises:
            ProcessMissing: it is not on PATH.
            UsageError: the one on PATH is inside the repository.
        """
        program = find_program("git", environ)
        if program is None:
            raise ProcessMissing("git is not on PATH", remedy=f"install git {OLDEST_GIT} or later")
        top = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)
        if top is not None and (program.parent.resolve() / program.name).is_relative_to(top.resolve()):
            raise UsageError(
                "git on PATH lies in the repository that is read, so a change could bring its own",
                where=str(program),
                remedy="take that folder off PATH",
            )
        self.folder = folder
        self.env = {name: environ[name] for name in _KEPT if name in environ} | _HARDENED
        if protocol is not None:
            self.env |= {name: environ[name] for name in _OF_REMOTES if name in environ}
            self.env["GIT_ALLOW_PROTOCOL"] = protocol
        self._program = str(program)

    def argv(self, *arguments: str) -> list[str]:
        """The full command line of a git command."""
        return [self._program, "-C", str(self.folder), *_OPTIONS, *arguments]

    def run(self, *arguments: str, stdin: bytes = b"") -> Completed:
        """Run one command to its end; a non-zero exit is the caller's to judge.

        Raises:
            ToolFailure: git is missing, hangs or floods.
        """
        return run(self.argv(*arguments), stdin=stdin, timeout=TIMEOUT_SECONDS, env=self.env)

    def output(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Standard output of a command that must succeed.

        Raises:
            MaestroError: with what git said and what to do about it.
        """
        done = self.run(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise explain(done.stderr, self.folder, arguments)
        return done.stdout


def explain(stderr: bytes, folder: Path, arguments: Sequence[str] = ()) -> MaestroError:
    """Git's complaint as an error that says what to do. Git speaks English here (LC_ALL=C)."""
    said = stderr.decode("utf-8", "replace").strip()
    dubious = re.search(r"dubious ownership in repository at '([^']*)'", said)
    if dubious:
        return UsageError(
            f"git refuses to read {dubious[1]!r}: the folder belongs to another user",
            remedy=f"if you trust it, allow it: git config --global --add safe.directory '{dubious[1]}'",
        )
    if "not a git repository" in said:
        return UsageError(
            f"{str(folder)!r} is not in a git repository",
            remedy="run it inside one, name one with --repo DIR, or make one: git init",
        )
    if "must be run in a work tree" in said:
        return UsageError(
            f"{str(folder)!r} is inside the .git folder, not in the files of the repository",
            remedy="run it in the folder that holds .git, or name that with --repo DIR",
        )
    if "unknown repository extension" in said or "Expected git repo version" in said:
        return UsageError(
            f"this git is too old for the repository in {str(folder)!r}: {_last_line(said)}",
            remedy="install a newer git",
        )
    command = f"git {arguments[0]}" if arguments else "git"
    return ToolFailure(
        f"{command} failed in {str(folder)!r}: {_last_line(said) or 'it did not say why'}",
        remedy="see whether `git fsck` finds the repository sound",
    )


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (fatal or lines or [""])[0].removeprefix("fatal: ").removeprefix("error: ")
