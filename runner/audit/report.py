"""An audit as a person and as a program reads it. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

from maestro.counting import many
from maestro.metrics import render
from maestro.report.visible_text import visible
from policy.recorded_decision import Phase, RecordedDecision
from runner.audit.disagreements import Cause, Disagreement, Disagreements
from runner.audit.judge import Audit
from runner.audit.verdicts import PhaseVerdict, VerdictsCompared

SCHEMA = "maestro-conductor/audit/v1"
SHOWN = 20

_WORDS: dict[Cause, str] = {
    "pack": "the pack changed",
    "time": "only the time differs",
    "input": "the input changed",
    "input-erased": "the inputs differ, and one is erased",
    "engine": "another engine",
    "unexplained": "the same pack, engine and input: this has no explanation",
}

_WHEN: dict[Phase, str] = {"check": "at check", "merge": "after merge", "execution": "at execution"}
VERDICT = "(verdict)"
"""The label of whole verdicts, which are no pack's."""


def as_metrics(audit: Audit) -> str:
    """OpenMetrics: what was decided, and how often the phases disagreed."""
    found = Counter(one.later.pack for one in audit.disagreements.found)
    packs = {pack for pack, _, _ in audit.disagreements.compared}
    disagreements = {pack: found[pack] for pack in packs}
    if audit.verdicts.compared:
        disagreements[VERDICT] = len(audit.verdicts.found)
    return render(decisions=audit.outcomes, disagreements=disagreements)


def as_json(audit: Audit, *, branch: str, tip: str, since: str) -> dict[str, Any]:
    """The whole audit."""
    apart, log = audit.disagreements, audit.completeness.log
    return {
        "schema": SCHEMA,
        "holds": not audit.findings,
        "branch": branch,
        "tip": tip,
        "since": since,
        "merges": {
            "all": audit.merges,
            "with_a_verdict": audit.recorded,
            "along_in_one_push": audit.in_a_range,
            "answered_for": list(audit.answered_for),
        },
        "records": audit.records,
        "decisions": dict(sorted(audit.decisions.items())),
        "runs": audit.runs,
        "executions": audit.executions,
        "rehearsals": audit.rehearsals,
        "break_glass": [
            {"run": one.run_id, "executions": one.executions, "reason": one.reason, "closed": one.closed}
            for one in audit.broken_glass
        ],
        "inputs": {"kept": audit.inputs_kept, "gone": audit.inputs_gone, "altered": audit.inputs_altered},
        "findings": [
            {
                "rule": one.kind,
                "place": one.place,
                "subject": one.subject,
                "message": one.message,
                "remedy": one.remedy,
            }
            for one in audit.findings
        ],
        "disagreements": {
            "compared": [
                {"pack": pack, "earlier": earlier, "later": later, "count": count}
                for (pack, earlier, later), count in apart.compared.items()
            ],
            "rate": apart.rate,
            "counts": [
                {"pack": pack, "earlier": earlier, "later": later, "cause": cause, "count": count}
                for (pack, earlier, later, cause), count in sorted(apart.counts.items())
            ],
            "found": [_disagreement(one) for one in apart.found],
        },
        "verdicts": {
            "compared": [
                {"earlier": earlier, "later": later, "count": count}
                for (earlier, later), count in audit.verdicts.compared.items()
            ],
            "unmatched": audit.verdicts.unmatched,
            "found": [
                {"tree": earlier.tree, "earlier": _verdict(earlier), "later": _verdict(later)}
                for earlier, later in audit.verdicts.found
            ],
        },
        "complete": {"proven": audit.completeness.proven, "said": audit.completeness.said},
        "log": None if log is None else {"origin": log.origin, "size": log.size, "root": b64encode(log.root).decode()},
    }


def _disagreement(one: Disagreement) -> dict[str, Any]:
    return {
        "pack": one.later.pack,
        "subject": one.later.subject,
        "owner": one.owner,
        "causes": list(one.causes),
        "clock_stepped_back": one.clock_stepped_back,
        "earlier": _decision(one.earlier),
        "later": _decision(one.later),
    }


def _verdict(one: PhaseVerdict) -> dict[str, Any]:
    return {"phase": one.phase, "allowed": one.allowed, "policy_revision": one.policy_revision}


def _decision(one: RecordedDecision) -> dict[str, Any]:
    return {
        "phase": one.phase,
        "made_at": one.made_at.isoformat(),
        "commit": one.commit,
        "policy_revision": one.policy_revision,
        "allow": one.allow,
        "engine": one.engine,
        "pack_digest": one.pack_digest,
        "input_digest": one.input_digest,
        "rules": [reason.rule for reason in one.reasons],
    }


def as_text(audit: Audit, *, branch: str, tip: str, since: str) -> str:
    """For a terminal."""
    return "\n".join(_lines(audit, branch, tip, since)) + "\n"


def _lines(audit: Audit, branch: str, tip: str, since: str) -> Iterator[str]:
    for one in audit.findings[:SHOWN]:
        yield f"{one.kind}: {visible(one.message)}"
        yield f"  --> {visible(one.place)}"
        yield f"   = to do: {visible(one.remedy)}"
        yield ""
    if len(audit.findings) > SHOWN:
        counts = Counter(one.kind for one in audit.findings)
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        yield f"… and {len(audit.findings) - SHOWN} more (in all {said}); `--format json` has them"
        yield ""
    yield f"{branch} at {tip[:12]}, {since}"
    yield f"  merges         {_merges(audit)}"
    merged, executed = audit.decisions.get("merge", 0), audit.decisions.get("execution", 0)
    yield f"  decisions      {merged} after merge, {executed} at execution"
    yield f"  executions     {audit.executions} in {many(audit.runs, 'run')}, {audit.rehearsals} of them rehearsals"
    for glass in audit.broken_glass:
        state = "answered for" if glass.closed else "open: `maestro receipts verify` says how to answer for it"
        said = f"{many(glass.executions, 'execution')}, {visible(glass.reason)!r}"
        yield f"  break-glass    {glass.run_id}: {said}; {state}"
    inputs = f"{audit.inputs_kept} kept, {audit.inputs_gone} erased or never kept"
    yield f"  inputs         {inputs}, {audit.inputs_altered} altered"
    yield from _apart(audit.disagreements)
    yield from _verdicts(audit.verdicts)
    log = audit.completeness.log
    if log is not None:
        root = b64encode(log.root).decode()
        yield f"  log            {visible(log.origin)}: size {log.size}, root {root}"
    yield _conclusion(audit)
    yield audit.completeness.said


def _merges(audit: Audit) -> str:
    said = f"{audit.recorded} of {audit.merges} with a verdict that allowed them"
    if audit.in_a_range:
        said += f", {audit.in_a_range} came along in one push with such a one"
    if audit.answered_for:
        said += f", {len(audit.answered_for)} unchecked and answered for"
    return said


def _apart(apart: Disagreements) -> Iterator[str]:
    total = sum(apart.compared.values())
    rate = "" if apart.rate is None else f" ({apart.rate:.1%})"
    yield f"  disagreements  {len(apart.found)} of {many(total, 'comparison')}{rate}"
    for one in apart.found[:SHOWN]:
        words = "; ".join(_WORDS[cause] for cause in one.causes)
        clock = "; the clock was set back between them" if one.clock_stepped_back else ""
        what = f"{one.later.pack} on {visible(one.later.subject)}"
        yield f"                 {what}: {_said(one.earlier)}, {_said(one.later)}"
        yield f"                   {words}{clock}"
    if len(apart.found) > SHOWN:
        yield f"                 … and {len(apart.found) - SHOWN} more"


def _verdicts(compared: VerdictsCompared) -> Iterator[str]:
    """Only where a pull request's verdict was handed in, or whole verdicts disagree."""
    checks = any(earlier == "check" for earlier, _ in compared.compared)
    if not (compared.found or compared.unmatched or checks):
        return
    total = sum(compared.compared.values())
    rate = f" ({len(compared.found) / total:.1%})" if total else ""
    unmatched = f"; {many(compared.unmatched, 'tree')} never merged" if compared.unmatched else ""
    yield f"  verdicts       {len(compared.found)} of {many(total, 'comparison')} disagree{rate}{unmatched}"
    for earlier, later in compared.found[:SHOWN]:
        policy = "" if earlier.policy_revision == later.policy_revision else "; the policy moved in between"
        words = [f"{'allowed' if one.allowed else 'blocked'} {_WHEN[one.phase]}" for one in (earlier, later)]
        yield f"                 tree {earlier.tree[:12]}: {', '.join(words)}{policy}"


def _said(one: RecordedDecision) -> str:
    what = "allowed" if one.allow else "no answer" if one.error is not None else "denied"
    return f"{what} {_WHEN[one.phase]} ({one.commit[:12]})"


def _conclusion(audit: Audit) -> str:
    if not audit.findings:
        return "holds: each merge has its verdict, each decision its pack, each execution its decision"
    return f"fails: {many(len(audit.findings), 'finding')}"
