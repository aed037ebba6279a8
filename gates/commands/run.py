"""``maestro run``: execute merged manifests where policy places them, and leave a signed receipt of each."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from gates.merged_manifests import Merged, by_name, changed, open_merged, require_unchanged
from maestro import __version__
from maestro.canonical_json import digest
from maestro.counting import many
from maestro.documents.pool import Pool
from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.evidence import verdict as tree_verdict
from maestro.evidence.trust import Trust, trust_of
from maestro.evidence.verdict import TreeVerdict
from maestro.report.visible_text import visible
from maestro.repository import Repository
from maestro.world import World
from runner.audience import audience
from runner.errors import Refused
from runner.planning import plan, run_id_of, task_of
from runner.run_folder import RunFolder, run_folder
from runner.session import BreakGlass, Facts, Planned

if TYPE_CHECKING:
    from gates.approvals import Approval
    from maestro.config import Ledger
    from maestro.documents.document import Document
    from maestro.ledger.store import Store
    from policy.engines.engine import Engine
    from runner.dispatch import Summary
    from runner.drivers.local import LocalDriver
    from runner.stored_run import StoredRun

SHOWN = 20
"""Executions that did not succeed and are named; the rest is counted."""

CLOCKS_FROM = 20
"""Executions: of fewer, percentiles say nothing."""
MOST_SLOTS = 100_000
"""As a Pool may hold."""

VerdictFor = Callable[[argparse.Namespace, World, Repository, Merged], TreeVerdict]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="the manifests to execute")
    parser.add_argument("--changed", action="store_true", help="those that the last merge (or this push) touched")
    parser.add_argument("--repo", metavar="DIR", default=".", help="the repository (default: the one around here)")
    parser.add_argument("--rev", metavar="REV", help="a merged commit (default: the tip of the default branch)")
    parser.add_argument("--driver", choices=("auto", "local", "aws", "gcp"), default="auto", help="what executes")
    parser.add_argument(
        "--rehearse", action="store_true", help="execute cloud placements on this machine; never counts as production"
    )
    parser.add_argument("--dry-run", action="store_true", help="decide everything, start and write nothing")
    parser.add_argument("--resume", metavar="RUN-ID", help="complete a run that was cut short, here or elsewhere")
    parser.add_argument("--ledger", metavar="PLACE", help="where the run to resume is kept (default: maestro.yaml's)")
    parser.add_argument(
        "--break-glass", metavar="REASON", help="execute in spite of a deny, where maestro.yaml allows it"
    )
    parser.add_argument(
        "--approval",
        metavar="FILE",
        nargs="+",
        action="extend",
        default=[],
        help="what `maestro approve --break-glass` wrote, of each who approved",
    )
    parser.add_argument("--verdict", metavar="FILE", help="the verdict that `maestro check --attest FILE` signed")
    parser.add_argument("--key", metavar="FILE", help="the key that signs receipts (or MAESTRO_SIGNING_KEY)")
    parser.add_argument("--slots", type=int, metavar="N", help="how many may run at once (default: as the pools say)")
    parser.add_argument("--metrics", metavar="FILE", help="write OpenMetrics text there")
    parser.add_argument("--report", metavar="FILE", help="write a page about the run there (HTML)")
    parser.add_argument("--engine", choices=("auto", "conftest", "regopy", "both"), default="auto")


def run(arguments: argparse.Namespace, world: World) -> int:
    """0 all succeeded, 10 denied or not all succeeded, 1 cut short (resume it), 130 interrupted."""
    return execute(arguments, world, verdict_for=judged_on_the_spot)


def execute(arguments: argparse.Namespace, world: World, *, verdict_for: VerdictFor) -> int:
    """``run``, with whoever judges the tree handed in.

    Raises:
        UsageError: nothing named, no such revision, a key or setting that is wrong; nothing was started.
        Refused: not merged, changed since, blocked, or not approved; nothing was started.
        ToolFailure: it could not be completed; resuming completes it.
    """
    _refuse_nonsense(arguments)
    with Repository.open(world.cwd / arguments.repo, world.environ) as repository:
        prepared = _prepare(arguments, world, repository, verdict_for)
    if prepared is None:
        world.stderr.write("nothing to run: no manifest was touched\n")
        return 0
    if arguments.dry_run:
        world.stderr.write("dry run: nothing was started, nothing was written\n")
        return _exit_code_of_plan(prepared)
    _remember_bundles(prepared)
    return _dispatch(arguments, world, prepared)


def _remember_bundles(prepared: _Prepared) -> None:
    """What this run goes by, no later one goes behind."""
    from policy.bundle.last_seen import remember

    for name, seen in prepared.merged.settings.packs.bundles:
        remember(prepared.kept, name, seen)


def _refuse_nonsense(arguments: argparse.Namespace) -> None:
    if arguments.driver in ("aws", "gcp"):
        raise UsageError(
            f"there is no driver for {arguments.driver} yet",
            remedy="--rehearse executes a cloud placement on this machine",
        )
    if arguments.slots is not None and not 1 <= arguments.slots <= MOST_SLOTS:
        raise UsageError(f"--slots is a number from 1 to {MOST_SLOTS:,}")
    given = [bool(arguments.names), arguments.changed, arguments.resume is not None]
    if not any(given):
        raise UsageError("nothing to run was named", remedy="name manifests, or give --changed")
    if arguments.names and arguments.changed:
        raise UsageError("--changed and names exclude each other")
    if arguments.resume is not None and arguments.changed:
        raise UsageError("--resume knows what the run was about: leave --changed out")
    if arguments.ledger is not None and arguments.resume is None:
        raise UsageError(
            "--ledger is for --resume", remedy="where a new run is kept, maestro.yaml says: `ledger: store:`"
        )
    if arguments.break_glass is not None:
        from gates.break_glass import reason_of

        reason_of(arguments.break_glass)
    elif arguments.approval:
        raise UsageError("--approval is for --break-glass", remedy="give the reason that was approved as well")


@dataclass(frozen=True)
class _Prepared:
    """Everything that is settled before something starts."""

    merged: Merged
    folder: RunFolder
    facts: Facts
    planned: Sequence[Planned]
    trust: Trust
    signer: Any
    """``Signer``; None in a dry run."""
    pools: dict[str, int]
    """Of the pools on this machine that something is placed in: how many may run at once."""
    ledger: Ledger
    kept: Store
    """Where the ledger is."""


def _prepare(
    arguments: argparse.Namespace, world: World, repository: Repository, verdict_for: VerdictFor
) -> _Prepared | None:
    merged = open_merged(repository, arguments.rev, world.now(), world.environ)
    config = merged.settings.config
    trust = trust_of(config.keys)
    signer = None if arguments.dry_run else _signer(arguments, world, trust)
    from maestro.ledger.opening import open_store

    ledger = _ledger(arguments, world, config.ledger)
    kept = open_store(ledger.address, repository.root, world.environ)
    store = repository.root / ledger.folder
    names = arguments.names
    if arguments.resume is not None:
        names, source = _planned_before(run_folder(store, arguments.resume), ledger, kept, trust, names)
        if source != merged.commit:
            _refuse_other_commit(arguments, repository, merged, source)
            merged = open_merged(repository, source, world.now(), world.environ)
    documents = _changed(world, repository, merged) if arguments.changed else by_name(merged, names)
    if not documents:
        return None
    require_unchanged(merged, documents)
    from policy.engines.choose import choose
    from policy.parity.lock import lock_at

    engine = choose(arguments.engine, world.environ, cache(lambda: lock_at(merged.settings.snapshot)))
    in_spite = arguments.break_glass is not None
    planned = [_plan(document, merged, engine, world, in_spite=in_spite) for document in documents]
    if arguments.dry_run:
        _tell_plan(world, planned, rehearsal=arguments.rehearse)
    _refuse_placements(arguments, planned)
    verdict = _verdict(arguments, world, repository, merged, trust, verdict_for)
    broken = _break_glass(arguments, world, merged, planned, verdict)
    if not verdict.allowed and broken is None:
        tree_verdict.require(verdict, tree=merged.source.tree_id(), policy_revision=merged.policy_revision)
    fresh = f"{world.now():%Y%m%d-%H%M%S}-{token_hex(4)}"
    subjects = [one.task.subject for one in planned]
    glass, run_id = broken or (None, arguments.resume or run_id_of(world.environ.get("GITHUB_RUN_ID"), subjects, fresh))
    facts = Facts(
        commit=merged.commit,
        tree=merged.source.tree_id(),
        policy_revision=merged.policy_revision,
        verdict_digest=verdict.digest,
        verdict_allowed=verdict.allowed,
        engine=engine.version,
        driver="local",
        rehearsal=arguments.rehearse,
        approvals=[_approval_json(one) for one in _approvals_of_merge(world, repository, merged)],
        break_glass=glass,
    )
    pools = {} if arguments.rehearse else _pools_here(merged, planned)
    return _Prepared(merged, run_folder(store, run_id), facts, planned, trust, signer, pools, ledger, kept)


def _pools_here(merged: Merged, planned: Sequence[Planned]) -> dict[str, int]:
    index = merged.at_tip
    used = {one.task.pool for one in planned if one.placement is not None and one.placement.cloud == "local"}
    sizes = {}
    for document in index.documents(index.holding(["Pool"])):
        model = document.model
        if isinstance(model, Pool) and model.metadata.name in used:
            sizes[model.metadata.name] = model.spec.size
    return sizes


def _slots(arguments: argparse.Namespace, prepared: _Prepared) -> int:
    """As many as the pools hold together; where something is in no pool of this machine, as many as it has cores."""
    if arguments.slots is not None:
        return int(arguments.slots)
    cores = os.cpu_count() or 1
    elsewhere = any(one.task.pool not in prepared.pools for one in prepared.planned)
    return sum(prepared.pools.values()) + (cores if elsewhere else 0) or cores


def _signer(arguments: argparse.Namespace, world: World, trust: Trust) -> object:
    from maestro.evidence.ecdsa_signer import find

    signer = find(arguments.key, world.environ, world.cwd)
    trust.require(signer.key_id, world.now())
    return signer


def _ledger(arguments: argparse.Namespace, world: World, configured: Ledger) -> Ledger:
    """The ledger: as maestro.yaml has it, or where --ledger says that the run is."""
    from maestro.ledger import address

    if arguments.ledger is None:
        return configured
    try:
        where = address.parse(arguments.ledger)
    except ValueError as error:
        raise UsageError(f"--ledger {error}", where=arguments.ledger) from error
    if where.kind != "folder":
        return configured.model_copy(update={"store": arguments.ledger})
    folder = (world.cwd / where.place).resolve()
    if not folder.is_dir():
        raise UsageError("there is no such ledger", where=str(folder), remedy="a disk that is to be mounted, perhaps")
    return configured.model_copy(update={"store": str(folder)})


def _planned_before(
    folder: RunFolder, ledger: Ledger, kept: Store, trust: Trust, names: Sequence[str]
) -> tuple[list[str], str]:
    """The names and the commit that a run was planned with: as the folder knows, or else the store."""
    from runner import session, stored_run

    number, data = next(folder.numbered("sessions"), (1, None))
    remedy = "`maestro receipts list` shows them"
    if data is None and ledger.address.kind != "folder":
        number, data = stored_run.first_session(kept, folder.run_id) or (1, None)
        if data is None:
            begun = stored_run.unfinished(kept)
            remedy = f"what was cut short there: {', '.join(begun[:SHOWN])}" if begun else remedy
    if data is None:
        raise UsageError(f"there is no run {folder.run_id} in {kept.address}", remedy=remedy)
    found = session.read(data, trust, folder.run_id, number)
    subjects = [one["subject"].removeprefix("Manifest/") for one in found.predicate["manifests"]]
    if names and set(names) != set(subjects):
        raise UsageError(f"the run {folder.run_id} is about {', '.join(subjects)}", remedy="leave the names out")
    return subjects, str(found.predicate["source"]["commit"])


def _refuse_other_commit(arguments: argparse.Namespace, repository: Repository, merged: Merged, source: str) -> None:
    if arguments.rev is not None:
        raise UsageError(
            f"the run {arguments.resume} is of the commit {source[:12]}, not of {merged.commit[:12]}",
            remedy="leave --rev out, or start a new run of that commit",
        )
    if repository.find(source) is None:
        raise UsageError(
            f"the run {arguments.resume} is of the commit {source[:12]}, which is not in this repository",
            remedy=f"fetch the default branch with its history (`git fetch --unshallow`), or see whether {source[:12]} "
            "is of another repository",
        )


def _changed(world: World, repository: Repository, merged: Merged) -> list[Document]:
    """What the push touched where there is one, else what the last commit on the default branch did."""
    from maestro.github_event import read_event
    from maestro.repository import NOTHING

    before = None
    if world.environ.get("GITHUB_EVENT_NAME") == "push":
        event = read_event(world.environ)
        if isinstance(event, dict) and event.get("after") == merged.commit and isinstance(event.get("before"), str):
            before = event["before"] if repository.find(event["before"]) is not None else None
    if before is None:
        parents = repository.parents(merged.commit)
        if not parents:
            return changed(merged, NOTHING)
        before = parents[0]
        if repository.find(before) is None:
            raise UsageError(
                f"what the merge touched cannot be told: {before[:12]} was not fetched",
                remedy="actions/checkout: `fetch-depth: 0`",
            )
    return changed(merged, repository.snapshot(before))


def _plan(document: Document, merged: Merged, engine: Engine, world: World, *, in_spite: bool) -> Planned:
    """Ask every pack of the tip that judges manifests.

    Args:
        document: a manifest.
        merged: where packs and pools are read.
        engine: what judges.
        world: for the time.
        in_spite: a pack that cannot be loaded is a deny, which broken glass overrides, and not an error.

    Raises:
        ToolFailure: a pack cannot be loaded, so nobody knows what it would say.
    """
    from policy.decide import Decision, decide
    from policy.simulation import Subject, inputs_of

    task_of(document)
    now = world.now()
    packs = merged.settings.packs.on(now.astimezone(dt.UTC).date())
    decisions, placing, about = [], [], []
    for problem in packs.problems:
        if problem.rule.mode != "enforce":
            continue
        if not in_spite:
            raise ToolFailure(
                f"the pack {problem.pack} cannot judge: {problem.message}",
                where=problem.location.path,
                remedy=(problem.remedy or "repair it")
                + "; `--break-glass` runs in spite of it where maestro.yaml allows that",
            )
        unread = digest(document.raw.value)
        error = f"cannot judge: {problem.message}"
        decisions.append(
            Decision(
                problem.pack, "enforce", engine.name, False, None, (), pack_digest="", input_digest=unread, error=error
            )
        )
        placing.append(decisions[-1])
    index = merged.at_tip
    pools = [one.raw.value for one in index.documents(index.holding(["Pool"])) if one.kind == "Pool"]
    subject = Subject("Manifest", (document.raw.value,), document.path)
    for pack in packs.packs:
        inputs = inputs_of(pack, subject, pools, now, named=False)
        if not inputs:
            continue
        said = decide(pack, inputs, engine)
        decisions += said
        about += inputs
        if pack.input == "placement-request":
            placing += said
    return plan(document, decisions, placing, about)


def _refuse_placements(arguments: argparse.Namespace, planned: Sequence[Planned]) -> None:
    for one in planned:
        if one.placement is not None and one.placement.cloud != "local" and not arguments.rehearse:
            raise UsageError(
                f"{one.task.subject} is placed on {one.placement}; there is no driver for {one.placement.cloud} yet",
                remedy="--rehearse executes it on this machine; the receipt says so and never counts as production",
            )


def _verdict(
    arguments: argparse.Namespace,
    world: World,
    repository: Repository,
    merged: Merged,
    trust: Trust,
    verdict_for: VerdictFor,
) -> TreeVerdict:
    if arguments.verdict is None:
        found = verdict_for(arguments, world, repository, merged)
    else:
        try:
            data = (world.cwd / arguments.verdict).read_bytes()
        except OSError as error:
            raise UsageError(f"the verdict cannot be read: {error.strerror}", where=arguments.verdict) from error
        found = tree_verdict.read_attested(data, trust)
        tree_verdict.require_fresh(found, world.now())
    tree_verdict.require_scope(found, tree=merged.source.tree_id(), policy_revision=merged.policy_revision)
    return found


def judged_on_the_spot(
    arguments: argparse.Namespace, world: World, repository: Repository, merged: Merged
) -> TreeVerdict:
    """The verdict of every gate on every document of the commit, with the policy of the tip."""
    from dataclasses import asdict

    from gates.checking import check
    from maestro.selection import SelectionOptions, select

    options = SelectionOptions(target=merged.policy_revision, head=merged.commit, all=True)
    wanted_by_check = argparse.Namespace(gate=None, engine=arguments.engine, input=[])
    report = check(wanted_by_check, world, repository, select(options, {}, None), quiet=True).report
    return TreeVerdict(
        tree=merged.source.tree_id(),
        allowed=report.exit_code == 0 and not report.preview,
        policy_revision=merged.policy_revision,
        made_at=world.now(),
        tool_version=__version__,
        engine=report.engine,
        summary=asdict(report.summary),
        gates={one.gate: one.outcome for one in report.verdicts},
    )


def _break_glass(
    arguments: argparse.Namespace,
    world: World,
    merged: Merged,
    planned: Sequence[Planned],
    verdict: TreeVerdict,
) -> tuple[BreakGlass, str] | None:
    """The broken glass and the id of its run, where there is something to break, and enough people agree.

    Raises:
        Refused: it may not be broken here, too few approve, or they approve another run than is to be resumed.
    """
    if arguments.break_glass is None:
        return None
    if verdict.allowed and all(one.denied is None for one in planned):
        world.stderr.write("nothing stands in the way: the glass stays whole\n")
        return None
    from gates.approvers import approvers_at
    from gates.break_glass import Emergency, judge, lacking, needed_by, reason_of

    needed = needed_by(merged.settings.config)
    digests = {one.task.subject: one.digest for one in planned}
    emergency = Emergency(merged.policy_revision, digests, reason_of(arguments.break_glass))
    judged = judge(merged.tip, emergency, _approval_files(arguments, world), world.environ, world.now())
    paths = {one.path: None for one in planned}
    short = lacking(judged, approvers_at(merged.tip, needed), list(paths), needed)
    if short is not None:
        raise Refused(
            f"--break-glass needs the approval of {needed}, and {short}",
            remedy=_how_to_approve(planned, emergency.reason),
        )
    if arguments.resume not in (None, emergency.run_id):
        raise Refused(
            f"what was approved is the run {emergency.run_id}, not {arguments.resume}",
            remedy="leave --resume out: a run in spite of policy is one of its own",
        )
    given = tuple(one.fields for one in judged if one.approval.verified)
    return BreakGlass(emergency.reason, given), emergency.run_id


def _approval_files(arguments: argparse.Namespace, world: World) -> list[tuple[str, bytes]]:
    files = []
    for name in arguments.approval:
        try:
            files.append((name, (world.cwd / name).read_bytes()))
        except OSError as error:
            raise UsageError(
                f"the approval cannot be read: {error.strerror}",
                where=name,
                remedy="everything after --approval is a file: put names of manifests before it",
            ) from error
    return files


def _how_to_approve(planned: Sequence[Planned], reason: str) -> str:
    from shlex import quote

    names = " ".join(one.task.subject.removeprefix("Manifest/") for one in planned)
    command = visible(f"maestro approve --break-glass {quote(reason)} {names}")
    return f"each approver runs `{command}` and hands over the file it writes: --approval FILE..."


def _approvals_of_merge(world: World, repository: Repository, merged: Merged) -> Sequence[Approval]:
    """The signed approvals that were merged with the commit; empty when it needed none."""
    parents = repository.parents(merged.commit)
    if not any(path.startswith("approvals/") for path in merged.source.entries):
        return ()
    if not parents or repository.find(parents[0]) is None:
        return ()
    from gates.approvals import ssh_approvals
    from maestro.change import ChangeSet
    from maestro.repository import compare

    before = repository.snapshot(parents[0])
    change = ChangeSet(
        policy=before,
        base=before,
        head=merged.source,
        changes=compare(before, merged.source),
        judge_all=False,
        preview=False,
        on_default_branch=False,
        source="the merge",
    )
    return ssh_approvals(change, world.environ, world.now())


def _approval_json(approval: Approval) -> dict[str, object]:
    return {"who": approval.who, "method": approval.method, "verified": approval.verified}


def _dispatch(arguments: argparse.Namespace, world: World, prepared: _Prepared) -> int:
    from policy.kept_inputs import keep
    from runner.clock import anchor
    from runner.dispatch import Dispatcher
    from runner.drivers.local import LocalDriver
    from runner.stored_run import TakenOver

    folder = prepared.folder
    world.stderr.write(f"run {folder.run_id}\n")
    _tell_plan(world, prepared.planned, rehearsal=arguments.rehearse, broken=prepared.facts.break_glass is not None)
    slots = _slots(arguments, prepared)
    going = [one for one in prepared.planned if one.denied is None or prepared.facts.break_glass is not None]
    executions = [execution for one in going for execution in one.executions(folder.run_id)]
    onlooker = audience(world.stderr, world.environ, executions, slots)
    driver = LocalDriver(
        folder.path,
        world.environ,
        anchor(world.now()),
        slots=slots,
        pools=prepared.pools,
        watch=onlooker.watch,
    )
    with onlooker, _cancelling(driver) as interrupted:
        dispatcher = Dispatcher(
            folder=folder,
            signer=prepared.signer,
            trust=prepared.trust,
            now=world.now,
            keep=lambda inputs: keep(prepared.kept, inputs),
            had=onlooker.had,
            ended=onlooker.ended,
            waiting=lambda: onlooker.say("  another `maestro run` works on this run: waiting for it"),
            stored=_stored(world, prepared),
            told=lambda words: onlooker.say(f"  {visible(words)}"),
        )
        try:
            summary = dispatcher.dispatch(prepared.facts, prepared.planned, driver)
        except ToolFailure as error:
            if isinstance(error, TakenOver) or (dispatcher.stored is not None and not folder.exists):
                raise  # the run is somebody else's, or it has not begun
            raise _with_resume(error, folder.run_id) from error
    for subject, why in driver.not_kept_ready.items():
        world.stderr.write(f"  {visible(subject)} was not kept ready, it was started anew each time: {visible(why)}\n")
    _tell(world, summary, prepared)
    _enter(world, prepared)
    _write_measures(arguments, world, summary, prepared, slots)
    return 130 if interrupted else _exit_code(summary, prepared)


def _stored(world: World, prepared: _Prepared) -> StoredRun | None:
    """The run's steps, where the ledger is elsewhere than where it works."""
    if prepared.ledger.address.kind == "folder":
        return None
    from runner.stored_run import StoredRun

    return StoredRun(prepared.kept, prepared.folder, prepared.signer, prepared.trust, world.now)


def _write_measures(
    arguments: argparse.Namespace, world: World, summary: Summary, prepared: _Prepared, slots: int
) -> None:
    from maestro.output_file import write

    done = "the run itself is complete, receipts and all"
    if arguments.metrics is not None:
        from maestro.metrics import render
        from runner.run_metrics import numbers

        text = render(run=numbers("local", prepared.planned, summary.endings, slots))
        write(world.cwd / arguments.metrics, text, "the metrics", remedy=done)
    if arguments.report is not None:
        from runner.run_report import render as page

        write(world.cwd / arguments.report, page(summary.run_id, summary.endings, slots), "the page", remedy=done)


def _enter(world: World, prepared: _Prepared) -> None:
    """Enter the closed segment into the ledger's log, and say which checkpoint shows it."""
    from runner.logged import append_segments

    where = prepared.ledger.address
    try:
        head = append_segments(
            prepared.folder,
            prepared.kept,
            elsewhere=where.kind != "folder",
            signer=prepared.signer,
            trust=prepared.trust,
            now=world.now,
            origin=prepared.ledger.origin,
        )
    except ToolFailure as error:
        raise _with_resume(error, prepared.folder.run_id) from error
    if head is not None:
        said = head.checkpoint
        root = b64encode(said.root).decode()
        world.stderr.write(f"ledger {said.origin}: size {said.size}, root {root}\n")


def _with_resume(error: ToolFailure, run_id: str) -> MaestroError:
    command = f"maestro run --resume {run_id}"
    remedy = f"{error.remedy}; the command: `{command}`" if error.remedy else f"`{command}` completes the run"
    return ToolFailure(error.message, remedy=remedy, where=error.where)


@contextmanager
def _cancelling(driver: LocalDriver) -> Iterator[list[int]]:
    """SIGTERM starts nothing more and lets what runs end; an interrupt, or a second signal, ends what runs."""
    interrupted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def handler(number: int, _frame: object) -> None:
        interrupted.append(number)
        if number == signal.SIGTERM and len(interrupted) == 1:
            driver.drain()
        else:
            driver.cancel()

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _plan_line(one: Planned, *, rehearsal: bool, broken: bool) -> str:
    times = f" × {one.size}" if one.size is not None else ""
    subject = visible(one.task.subject)
    if one.denied is not None:
        return f"  {'BREAK-GLASS in spite of DENY ' if broken else 'DENY '} {subject}{times}: {visible(one.denied)}\n"
    where = visible(str(one.placement))
    return f"  ALLOW {subject}{times} on {where}{', rehearsed on this machine' if rehearsal else ''}\n"


def _tell_plan(world: World, planned: Sequence[Planned], *, rehearsal: bool, broken: bool = False) -> None:
    for one in planned:
        world.stderr.write(_plan_line(one, rehearsal=rehearsal, broken=broken))


def _exit_code_of_plan(prepared: _Prepared) -> int:
    return 10 if any(one.denied is not None for one in prepared.planned) and prepared.facts.break_glass is None else 0


def _tell(world: World, summary: Summary, prepared: _Prepared) -> None:
    write = world.stderr.write
    if summary.resumed and not summary.endings and summary.segment.complete:
        write("  it was complete already: nothing was started\n")
    bad = [(execution, ending) for execution, ending in summary.endings if ending.last.outcome != "succeeded"]
    for execution, ending in bad[:SHOWN]:
        last = ending.last
        index = "" if execution.index is None else f"[{execution.index}]"
        how = f"exit code {last.exit_code}" if last.exit_code is not None else f"signal {last.signal}"
        why = last.reason or (how if last.outcome == "failed" else "")
        write(f"  {last.outcome.upper()} {visible(execution.task.subject)}{index}")
        write(f": {visible(why)}" if why else "")
        log = prepared.folder.path / last.log.name if last.log is not None and last.log.size else None
        write(f"\n        log: {log}\n" if log is not None else "\n")
    if len(bad) > SHOWN:
        write(f"  … and {len(bad) - SHOWN} more that did not succeed\n")
    if len(summary.endings) >= CLOCKS_FROM:
        from runner.run_clocks import clocks, told

        write(told(clocks(ending for _, ending in summary.endings)))
    closed = summary.segment
    said = ", ".join(f"{count} {outcome}" for outcome, count in closed.outcomes.items()) or "nothing executed"
    state = (
        "complete"
        if closed.complete
        else f"INCOMPLETE, {closed.missing} not run: `maestro run --resume {summary.run_id}` completes it"
    )
    kind = "rehearsal, not production; " if closed.rehearsal else ""
    write(f"{kind}{said}; {many(sum(closed.outcomes.values()), 'receipt')}; run {summary.run_id} is {state}\n")


def _exit_code(summary: Summary, prepared: _Prepared) -> int:
    if not summary.segment.complete:
        return 1
    return 10 if set(summary.segment.outcomes) - {"succeeded"} else _exit_code_of_plan(prepared)
