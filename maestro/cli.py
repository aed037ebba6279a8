"""The command line: one explicit table of commands, each imported only when it is called.

A command module has ``add_arguments(parser)`` and ``run(arguments, world) -> int`` (the exit code).
Exit codes: 0 holds or done, 1 the tool failed, 2 usage or configuration, 3 wrong selection, 10 blocking findings.
"""

from __future__ import annotations

import argparse
import atexit
import errno
import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple, NoReturn

from maestro import __version__
from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.world import World

_HELP = frozenset({"-h", "--help"})


class Command(NamedTuple):
    """A row of the table: what the user types, what is imported, what the help says."""

    name: str
    module: str
    summary: str


COMMANDS = (
    Command("init", "gates.commands.init", "make a governed repository, or govern an existing one"),
    Command("doctor", "gates.commands.doctor", "what is installed, what judges, what is missing"),
    Command("check", "gates.commands.check", "judge a change: every gate, one report"),
    Command("fix", "gates.commands.fix", "print the patch that repairs findings; --write applies it"),
    Command("waive", "gates.commands.waive", "write the waiver document for one finding"),
    Command("approve", "gates.commands.approve", "sign a change to what decides, with your SSH key"),
    Command("explain", "gates.commands.explain", "a rule's page in the terminal"),
    Command("schema", "policy.commands.schema", "JSON Schema of every kind"),
    Command("simulate", "policy.commands.simulate", "what policy would decide, without side effects"),
    Command("policy list", "policy.commands.list", "the packs: mode, owner, rules"),
    Command("policy test", "policy.commands.test", "the packs' fixtures and tests, and which rule bodies they reach"),
    Command("policy bundle build", "policy.commands.bundle_build", "the packs of a revision as an OPA bundle"),
    Command("policy bundle sign", "policy.commands.bundle_sign", "sign a bundle, for OPA and for auditors"),
    Command("policy bundle verify", "policy.commands.bundle_verify", "whether a bundle may judge here, and why not"),
    Command("policy bundle show", "policy.commands.bundle_show", "what a bundle says of itself"),
    Command("policy diff", "gates.commands.policy_diff", "what a change of packs would do to decisions"),
    Command("policy parity", "policy.commands.parity", "which packs the embedded engine judges as conftest does"),
    Command("policy stage", "gates.commands.policy_stage", "the next mode of a pack or rule, by evidence"),
    Command("policy audit", "runner.commands.policy_audit", "whether anything went round policy"),
    Command("run", "gates.commands.run", "execute merged manifests and sign receipts"),
    Command(
        "drill kill", "runner.commands.drill_kill", "kill runs at random moments; count what was lost or ran twice"
    ),
    Command("drill burst", "runner.commands.drill_burst", "start many processes at once; print the clocks"),
    Command(
        "verify blob", "maestro.commands.verify_blob", "whether files are proven to come from where trust.yaml says"
    ),
    Command(
        "verify image",
        "maestro.commands.verify_image",
        "whether images are proven, by what lies beside them in the registry",
    ),
    Command("verify chain", "maestro.commands.verify_chain", "whether an in-toto chain of steps holds"),
    Command("verify release", "runner.commands.verify_release", "everything a release consists of, one verdict each"),
    Command("verify summary", "maestro.commands.verify_summary", "whether an earlier verification still holds"),
    Command("chain layout", "maestro.commands.chain_layout", "sign the in-toto layout that layout.yaml describes"),
    Command("chain record", "maestro.commands.chain_record", "run a step and sign what it took and made"),
    Command("evidence pack", "runner.commands.evidence_pack", "what proves a release, in one folder for an auditor"),
    Command("trust propose", "maestro.commands.trust_propose", "the entry of trust.yaml for an artifact, to review"),
    Command("trust update", "gates.commands.trust_update", "what a newer root of trust.yaml would change, as a patch"),
    Command("receipts", "runner.commands.receipts", "list, show, verify, export, archive receipts"),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, remedy=f"see `{self.prog} --help`")


def _table(commands: Iterable[Command]) -> str:
    rows = [(command.name, command.summary) for command in commands]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {summary}" for name, summary in rows)


def _overview() -> str:
    return f"""usage: maestro COMMAND [options]

A control plane without a server: gates judge pull requests, the runner executes
what was merged, signed evidence remains.

commands:
{_table(COMMANDS)}

  maestro COMMAND --help   says more about one of them
  maestro --version
"""


def _below(words: Sequence[str]) -> list[Command]:
    """The commands that begin with these words and go on."""
    return [command for command in COMMANDS if command.name.startswith(" ".join(words) + " ")]


def _find(argv: list[str]) -> tuple[Command, list[str]] | None:
    for words in (3, 2, 1):
        name = " ".join(argv[:words])
        for command in COMMANDS:
            if command.name == name and len(argv) >= words:
                return command, argv[words:]
    return None


def _unknown(words: Sequence[str]) -> UsageError:
    import difflib

    above = next((words[:count] for count in (2, 1) if len(words) >= count and _below(words[:count])), [])
    group = " ".join(["maestro", *above])
    if above and len(words) == len(above):
        names = dict.fromkeys(command.name.split()[len(above)] for command in _below(above))
        return UsageError(f"`{group}` needs one of: {', '.join(names)}", remedy=f"`{group} --help` says what each does")
    known = [command.name.split() for command in COMMANDS]
    for count in range(min(3, len(words)), 0, -1):
        names = dict.fromkeys(" ".join(name[:count]) for name in known if len(name) >= count)
        near = difflib.get_close_matches(" ".join(words[:count]), names, 1)
        if near:
            break
    hint = f"did you mean `maestro {near[0]}`? " if near else ""
    said = " ".join(words[: len(above) + 1])
    return UsageError(f"there is no command {said!r}", remedy=f"{hint}`{group} --help` lists them")


def dispatch(argv: list[str], world: World) -> int:
    """Run one command line; errors surface as MaestroError.

    Raises:
        MaestroError: anything the user should read; its ``exit_code`` is the process's.
    """
    if argv[:1] == ["help"]:
        argv = [*argv[1:], "--help"]
    if not argv or argv[0] in _HELP:
        world.stdout.write(_overview())
        return 0 if argv else 2
    if argv[0] in ("--version", "version"):
        world.stdout.write(f"maestro-conductor {__version__}\n")
        return 0
    found = _find(argv)
    if found is None:
        words = list(takewhile(lambda word: not word.startswith("-"), argv))
        if words and _below(words) and _HELP & set(argv[len(words) :]):
            world.stdout.write(f"usage: maestro {' '.join(words)} COMMAND [options]\n\n{_table(_below(words))}\n")
            return 0
        raise _unknown(words or argv)
    command, rest = found
    module = importlib.import_module(command.module)
    parser = _Parser(prog=f"maestro {command.name}", description=command.summary, allow_abbrev=False)
    module.add_arguments(parser)
    if getattr(module, "TAKES_COMMAND", False):  # argparse cannot tell a command's words from ours
        ends = rest.index("--") if "--" in rest else len(rest)
        parser.set_defaults(command=rest[ends + 1 :])
        rest = rest[:ends]
    arguments = parser.parse_args(rest)
    return int(module.run(arguments, world))


def explain_error(error: MaestroError) -> str:
    """The lines a person reads: what is wrong, where, what to do next. Words of a file in it are only text."""
    from maestro.report.visible_text import visible_lines, without_log_commands

    place = f"{error.where}: " if error.where else ""
    remedy = f"\n  → {error.remedy}" if error.remedy else ""
    text = f"maestro: {place}{error.message}{remedy}\n"
    return without_log_commands("\n".join(visible_lines(text)))


class _Ended(BaseException):
    """Somebody wants this process gone: what it began is cleared away on the way out, as after an interrupt."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end(number: int, _frame: object) -> None:
    raise _Ended(number)


def _own_process() -> World:
    """The world of a process that is ours alone: its streams, its signals, its memory."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by who started us: nobody wants to read it
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        # Reports hold signs beyond ASCII; a locale that lacks them must not turn a verdict into a crash.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    # What a command reads and builds lives as long as it does: looking through it for circles only costs time.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
    return World()


def _drop_output(world: World) -> None:
    """What could not be written is not tried once more at the end, where it would be a traceback."""
    if world.stdout is sys.stdout:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain_os_error(error: OSError) -> str:
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    remedy = {
        errno.ENOSPC: "make room, then run it again",
        errno.EDQUOT: "make room, then run it again",
        errno.EROFS: "let it write elsewhere: see the options of this command, and TMPDIR",
        errno.EACCES: "check whose it is, and who may read and write it",
        errno.EPERM: "check whose it is, and who may read and write it",
    }.get(error.errno or 0, "check the path, and that it can be read and written")
    said = error.strerror or str(error) or type(error).__name__
    return explain_error(ToolFailure(said if where else f"its output: {said}", remedy=remedy, where=where))


def main(argv: list[str] | None = None, world: World | None = None) -> int:
    """Entry point: never a traceback for what a user can cause."""
    if world is None:
        world = _own_process()
    try:
        code = dispatch(sys.argv[1:] if argv is None else argv, world)
        world.stdout.flush()
        return code
    except MaestroError as error:
        world.stderr.write(explain_error(error))
        return error.exit_code
    except BrokenPipeError:
        _drop_output(world)
        return 1
    except OSError as error:
        _drop_output(world)
        world.stderr.write(_explain_os_error(error))
        return 1
    except KeyboardInterrupt:
        world.stderr.write("maestro: interrupted\n")
        return 130
    except _Ended as error:
        world.stderr.write(f"maestro: ended by {signal.Signals(error.number).name}\n")
        return 128 + error.number
