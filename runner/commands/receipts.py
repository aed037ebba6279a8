"""``maestro receipts``: what was executed, and what the evidence of it is worth."""

from __future__ import annotations

import argparse
import gc
import json
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maestro.counting import many
from maestro.errors import SelectionError, ToolFailure, UsageError
from maestro.evidence.trust import Trust, trust_of
from maestro.ledger.checkpoint import signer_of
from maestro.ledger.entry import parse as parse_entry
from maestro.ledger.folder import FolderStore
from maestro.ledger.head import Head
from maestro.ledger.log import Log, proof_text, published
from maestro.report.visible_text import visible
from maestro.repository import Repository
from maestro.world import World
from runner import log_checking
from runner.ledger_check import BREAK_GLASS_RULE, Logged, RunReport, check_run
from runner.log_checking import LogVerdict
from runner.looking import looked_at
from runner.merged_waivers import subjects_waived
from runner.run_folder import RunFolder, all_runs, run_folder

SCHEMA = "maestro-conductor/receipts/v1"
SHOWN = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", choices=("list", "show", "verify", "export", "checkpoint", "prove"))
    parser.add_argument(
        "what",
        nargs="?",
        metavar="ID|DIR|FILE",
        help="show: a run's or an execution's id; export: a folder; checkpoint: the file to write; prove: a run's id",
    )
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--store", metavar="PLACE", help="a folder, s3://, gs:// or git+… (default: maestro.yaml's)")
    parser.add_argument("--run", metavar="ID", help="only this run")
    log_checking.add_arguments(parser, of="verify: ")
    parser.add_argument("--format", choices=("terminal", "json"), default="terminal")


@dataclass(frozen=True)
class _Ledger:
    """The folder, whom to believe, and which broken glass is closed.

    ``elsewhere`` is where the ledger is kept when the folder is a copy of it.
    """

    store: Path
    trust: Trust
    closed: frozenset[str]
    origin: str | None
    authorities: tuple[str, ...]
    elsewhere: str | None = None

    @property
    def place(self) -> str:
        """What people call it."""
        return self.elsewhere or str(self.store)

    @property
    def log(self) -> Log:
        """The log in it."""
        return Log(FolderStore(self.store))

    def head(self) -> Head:
        """The log's head, believed.

        Raises:
            SelectionError: there is no log.
            BadEvidence: changed, or signed by nobody who is listed.
        """
        head = self.log.head()
        if head is None:
            raise SelectionError(f"there is no log in {self.place} yet", remedy="`maestro run` starts it")
        signer_of(head.checkpoint, self.trust)
        return head

    def runs(self, wanted: str | None) -> list[RunFolder]:
        """All runs, or the one asked for.

        Raises:
            SelectionError: there is no such run.
        """
        if wanted is None:
            return all_runs(self.store)
        folder = run_folder(self.store, wanted)
        if not folder.exists:
            raise SelectionError(
                f"there is no run {wanted} in {self.place}", remedy="`maestro receipts list` shows them"
            )
        return [folder]

    def check(self, folder: RunFolder, logged: Logged | None = None) -> RunReport:
        """What holds of one run."""
        return check_run(folder, self.trust, lambda run_id: f"Run/{run_id}" in self.closed, logged)


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 everything holds, 10 something does not.

    Raises:
        UsageError: no repository, or no maestro.yaml on its default branch.
        SelectionError: no such run or execution.
    """
    _refuse_nonsense(arguments)
    actions: Mapping[str, Callable[[argparse.Namespace, World, _Ledger], int]] = {
        "list": _list,
        "show": _show,
        "verify": _verify,
        "export": _export,
        "checkpoint": _checkpoint,
        "prove": _prove,
    }
    with _open(arguments, world) as ledger:
        return actions[arguments.action](arguments, world, ledger)


_WANTED = {"show": "an id", "export": "a folder", "prove": "a run's id"}


def _refuse_nonsense(arguments: argparse.Namespace) -> None:
    if arguments.what is None and arguments.action in _WANTED:
        raise UsageError(f"`receipts {arguments.action}` wants {_WANTED[arguments.action]}")
    if arguments.what is not None and arguments.action in ("list", "verify"):
        raise UsageError(f"`receipts {arguments.action}` takes no name", remedy="--run ID chooses a run")
    given = (arguments.checkpoint, arguments.timestamp, arguments.held_since)
    if arguments.action != "verify" and any(one is not None for one in given):
        raise UsageError("--checkpoint, --timestamp and --held-since are for `receipts verify`")
    log_checking.refuse_nonsense(arguments)


@contextmanager
def _open(arguments: argparse.Namespace, world: World) -> Iterator[_Ledger]:
    """The ledger, in a folder for as long as it is looked at."""
    from maestro.config import CONFIG_PATH, load_config

    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        branch = repository.default_branch_rev(None)
        if branch is None:
            raise UsageError("there is no default branch whose keys could be believed", remedy="commit maestro.yaml")
        tip = repository.snapshot(branch)
        if CONFIG_PATH not in tip.entries:
            raise UsageError(f"there is no maestro.yaml on {branch}", remedy="`maestro init` writes one; merge it")
        config = load_config(CONFIG_PATH, tip.read(CONFIG_PATH))
        settings, root = config.ledger, repository.root
        closed = subjects_waived(tip, config, BREAK_GLASS_RULE)
    with looked_at(arguments.store, settings, world, root, run_id=arguments.run) as (store, folder):
        elsewhere = None if isinstance(store, FolderStore) else store.address
        trust = trust_of(config.keys)
        yield _Ledger(folder, trust, closed, settings.origin, settings.timestamp_authorities, elsewhere)


def _as_json(report: RunReport) -> dict[str, Any]:
    return {
        "run": report.run_id,
        "complete": report.complete,
        "receipts": len(report.receipts),
        "outcomes": report.outcomes,
        "rehearsals": report.rehearsals,
        "break_glass": report.broken_glass,
        "objections": [{"kind": one.kind, "file": one.file, "message": one.message} for one in report.objections],
    }


def _write_json(world: World, value: Mapping[str, Any]) -> None:
    world.stdout.write(json.dumps({"schema": SCHEMA, **value}, indent=2) + "\n")


def _words(report: RunReport) -> str:
    said = ", ".join(f"{count} {outcome}" for outcome, count in report.outcomes.items()) or "no receipt"
    marks = []
    if report.rehearsals:
        marks.append(f"{report.rehearsals} REHEARSED, not production")
    if report.broken_glass:
        marks.append(f"{report.broken_glass} by BREAK-GLASS")
    if not report.complete:
        marks.append("NOT COMPLETE")
    return said + "".join(f"; {mark}" for mark in marks)


def _list(arguments: argparse.Namespace, world: World, ledger: _Ledger) -> int:
    reports = [ledger.check(folder) for folder in ledger.runs(arguments.run)]
    if arguments.format == "json":
        _write_json(world, {"runs": [_as_json(report) for report in reports]})
        return 0
    for report in reports:
        doubt = f"; {len(report.objections)} objection(s): see `receipts verify`" if report.objections else ""
        world.stdout.write(f"{report.run_id}  {_words(report)}{doubt}\n")
        if arguments.run is not None:
            for execution, said in sorted(report.receipts.items(), key=_place):
                world.stdout.write(_row(execution, said))
    if not reports:
        world.stdout.write("no runs\n")
    return 0


def _place(row: tuple[str, Mapping[str, Any]]) -> tuple[str, int]:
    said = row[1]
    return said["manifest"]["subject"], said["execution"].get("index") or 0


def _row(execution: str, said: Mapping[str, Any]) -> str:
    index = said["execution"].get("index")
    subject = visible(str(said["manifest"]["subject"])) + ("" if index is None else f"[{index}]")
    return f"  {execution}  {visible(said['outcome']):<11}  {subject}\n"


def _show(arguments: argparse.Namespace, world: World, ledger: _Ledger) -> int:
    for folder in ledger.runs(arguments.run):
        report = ledger.check(folder)
        if folder.run_id == arguments.what:
            _write_json(world, {"run": _as_json(report), "executions": report.receipts})
            return 10 if report.objections else 0
        if arguments.what in report.receipts:
            faults = [one for one in report.objections if arguments.what in one.file]
            receipt = report.receipts[arguments.what]
            _write_json(world, {"receipt": receipt, "objections": [one.message for one in faults]})
            return 10 if faults else 0
        if arguments.what in folder.receipts():
            message = "; ".join(one.message for one in report.objections if arguments.what in one.file)
            raise SelectionError(f"the receipt {arguments.what} is not believed: {message}")
    raise SelectionError(
        f"there is no run and no execution {arguments.what}", remedy="`maestro receipts list --run ID` shows them"
    )


def _log_json(log: LogVerdict) -> dict[str, Any] | None:
    head = log.report.head
    flaws = [{"kind": one.kind, "file": one.name, "message": one.message} for one in log.flaws]
    if head is None:
        return {"objections": flaws} if flaws else None
    said = head.checkpoint
    root = b64encode(said.root).decode()
    return {"origin": said.origin, "size": said.size, "root": root, "covered": log.report.covered, "objections": flaws}


def _tell_log(world: World, log: LogVerdict) -> None:
    head = log.report.head
    if head is None and not log.flaws:
        return
    said = "the log" if head is None else f"{visible(head.checkpoint.origin)}: size {head.size}"
    root = "" if head is None else f", root {b64encode(head.checkpoint.root).decode()}"
    world.stdout.write(f"{'FAILS' if log.flaws else 'HOLDS'}  {said}{root}\n")
    for one in log.flaws[:SHOWN]:
        world.stdout.write(f"       {one.kind}: {visible(one.name)}: {visible(one.message)}\n")
    if len(log.flaws) > SHOWN:
        world.stdout.write(f"       … and {len(log.flaws) - SHOWN} more\n")


@contextmanager
def _keeping_all() -> Iterator[None]:
    """Without looking for garbage: what is read is kept to the end, and looking takes a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _verify(arguments: argparse.Namespace, world: World, ledger: _Ledger) -> int:
    log = log_checking.checked(
        arguments,
        world,
        ledger.log,
        ledger.trust,
        authorities=ledger.authorities,
        origin=ledger.origin,
        run_id=arguments.run,
    )
    with _keeping_all():
        reports = [ledger.check(folder, log.logged) for folder in ledger.runs(arguments.run)]
    objections = [*log.flaws, *(one for report in reports for one in report.objections)]
    if arguments.format == "json":
        runs = [_as_json(report) for report in reports]
        _write_json(world, {"holds": not objections, "runs": runs, "log": _log_json(log), "not_proven": log.not_proven})
        return 10 if objections else 0
    for report in reports:
        word = "HOLDS" if not report.objections else "FAILS"
        world.stdout.write(f"{word}  {report.run_id}  {_words(report)}\n")
        for one in report.objections[:SHOWN]:
            world.stdout.write(f"       {one.kind}: {visible(one.file)}: {visible(one.message)}\n")
        if len(report.objections) > SHOWN:
            world.stdout.write(f"       … and {len(report.objections) - SHOWN} more\n")
    _tell_log(world, log)
    if not reports:
        world.stdout.write(f"no runs in {ledger.place}\n")
    count = sum(len(report.receipts) for report in reports)
    rehearsed = sum(report.rehearsals for report in reports)
    world.stdout.write(
        f"{many(count, 'receipt')} of {many(len(reports), 'run')} believed, {rehearsed} of them rehearsals; "
        f"{many(len(objections), 'objection')}\n{log.not_proven or log.proven_words}\n"
    )
    return 10 if objections else 0


def _checkpoint(arguments: argparse.Namespace, world: World, ledger: _Ledger) -> int:
    """What to keep elsewhere."""
    data = ledger.head().checkpoint.to_bytes()
    if arguments.what is None:
        world.stdout.write(data.decode())
        return 0
    try:
        with (world.cwd / arguments.what).open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise UsageError(
            "the file is there already", where=arguments.what, remedy="an old checkpoint is evidence: name a new file"
        ) from error
    except OSError as error:
        raise ToolFailure(f"the checkpoint could not be written: {error.strerror}", where=arguments.what) from error
    return 0


def _prove(arguments: argparse.Namespace, world: World, ledger: _Ledger) -> int:
    """That a run's last segment is in the log, for somebody without this tool."""
    head, wanted = ledger.head(), f"runs/{arguments.what}/segments/"
    found = None
    for index, leaf in enumerate(ledger.log.entries(head)):
        if parse_entry(leaf).name.startswith(wanted):
            found = index, leaf
    if found is None:
        raise SelectionError(
            f"the log lists no segment of {arguments.what}", remedy="`maestro receipts list` shows runs"
        )
    proof = ledger.log.inclusion_proof(head, found[0])
    world.stdout.write(proof_text(found[1], found[0], proof, head.checkpoint))
    return 0


def _export(arguments: argparse.Namespace, world: World, ledger: _Ledger) -> int:
    """A folder that somebody without this tool can check."""
    target = world.cwd / arguments.what
    folders = ledger.runs(arguments.run)
    reports = [ledger.check(folder) for folder in folders]
    objections = [one for report in reports for one in report.objections]
    if target.exists():
        raise UsageError("the folder is there already", where=str(arguments.what), remedy="name one that is not")
    try:
        (target / "keys").mkdir(parents=True)
        for folder in folders:
            for kind in ("sessions", "receipts", "segments", "logs"):
                shutil.copytree(
                    folder.path / kind, target / "runs" / folder.run_id / kind, ignore=shutil.ignore_patterns("*.tmp")
                )
        for key in ledger.trust.keys.values():
            name = "".join(char if char.isalnum() or char in "-_." else "_" for char in key.id).lstrip(".")
            (target / "keys" / f"{name or 'key'}.pem").write_text(key.pem.strip() + "\n")
        head = ledger.log.head()
        for name, data in published(ledger.log, head) if head is not None else ():
            (target / "log" / name).parent.mkdir(parents=True, exist_ok=True)
            (target / "log" / name).write_bytes(data)
        (target / "README.md").write_text(_README)
        (target / "verification.json").write_text(
            json.dumps({"schema": SCHEMA, "runs": [_as_json(report) for report in reports]}, indent=2) + "\n"
        )
    except OSError as error:
        raise ToolFailure(f"the export could not be written: {error.strerror}", where=str(target)) from error
    world.stderr.write(f"exported {len(folders)} run(s) with {len(objections)} objection(s) to {arguments.what}\n")
    return 10 if objections else 0


_README = """\
# Receipts

`keys/` holds the public keys that maestro.yaml listed on the default branch when this was exported. A key that comes
with what it is to prove, proves nothing: compare them with a copy you got from elsewhere.

One receipt and the log it is about, in the folder of a run, with cosign 3:

    cosign verify-blob-attestation --key ../../keys/KEY.pem --bundle receipts/ID.sigstore.json \\
      --insecure-ignore-tlog --type urn:maestro-conductor:receipt:v1 logs/ID.1.log

(`--insecure-ignore-tlog`: there is no entry in a public transparency log.)

The same with openssl and python, without any of us:

    python3 - receipts/ID.sigstore.json <<'END'
    import base64, json, sys
    envelope = json.load(open(sys.argv[1]))["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    open("pae", "wb").write(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    open("sig", "wb").write(base64.b64decode(envelope["signatures"][0]["sig"]))
    END
    openssl dgst -sha256 -verify ../../keys/KEY.pem -signature sig pae
    sha256sum logs/ID.1.log        # must be the first subject's digest in the payload

`segments/` holds signed lists of all receipts of a run; the last one counts. `sessions/` holds what policy decided.
`verification.json` is what `maestro receipts verify` said.

`log/` is the Merkle log that segments are entered into, laid out as https://c2sp.org/tlog-tiles says, `log/checkpoint`
is signed (https://c2sp.org/tlog-checkpoint, ECDSA). Compare it with one that you kept: only that shows what is missing.
"""
