"""What a verification says, to people and to programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from maestro.provenance.expectations import Met
from maestro.provenance.loosening import RED, loosened_lines, markdown_row, markdown_table, paint
from maestro.provenance.verify import EntryResult, Verification
from maestro.report.markdown import code
from maestro.report.visible_text import visible, without_log_commands
from maestro.world import World

SCHEMA: Final = "maestro-conductor/verification/v1"
_GREEN: Final = "32;1"


def tell(verifications: Sequence[Verification], world: World, *, policy: str, form: str) -> None:
    """Write the verdicts as ``--format`` asks: what programs and pages take to standard output, the rest beside it."""
    if form == "terminal":
        world.stderr.write(as_text(verifications, policy=policy, colour=world.colour(world.stderr)))
    else:
        world.stdout.write((as_json if form == "json" else as_markdown)(verifications, policy=policy))


def as_json(verifications: Sequence[Verification], *, policy: str) -> str:
    """One JSON object, with a newline at its end. ``policy``: where trust.yaml was read."""
    value = {
        "schema": SCHEMA,
        "policy": policy,
        "artifacts": [_artifact(one) for one in verifications],
        "summary": {
            "proven": sum(one.proven for one in verifications),
            "not_proven": sum(not one.proven for one in verifications),
        },
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _artifact(verification: Verification) -> dict[str, Any]:
    problem = verification.problem
    return {
        "name": verification.subject.shown,
        "sha256": verification.subject.sha256,
        "proven": verification.proven,
        "reason": problem.code if problem is not None else None,
        "stage": problem.stage if problem is not None else None,
        "message": problem.message if problem is not None else None,
        "remedy": problem.remedy if problem is not None else None,
        "entries": [_entry(one) for one in verification.entries],
    }


def _entry(result: EntryResult) -> dict[str, Any]:
    return {
        "name": result.entry.name,
        "holds": result.problem is None,
        "signers_wanted": result.entry.signers,
        "loosened": list(result.loosened().fields),
        "bundles": [
            {
                "bundle": one.evidence,
                "counts": one.met is not None,
                "reason": one.problem.code if one.problem is not None else None,
                "message": one.problem.message if one.problem is not None else None,
                **(_met(one.met) if one.met is not None else {}),
            }
            for one in result.judged
        ],
    }


def _met(met: Met) -> dict[str, Any]:
    return {
        "signer": met.signer,
        "builder": met.built.name,
        "level": met.built.level,
        "predicate_type": met.predicate_type,
        "repository": met.origin.repository,
        "ref": met.origin.ref,
        "commit": met.origin.commit,
        "trigger": met.origin.trigger,
        "signed_at": met.when.isoformat() if met.when is not None else None,
    }


def as_markdown(verifications: Sequence[Verification], *, policy: str) -> str:
    """A table for a step summary: artifact, verdict, what was loosened."""
    proven = sum(one.proven for one in verifications)
    rows = [_row(one) for one in verifications]
    title = f"{proven} of {len(verifications)} proven"
    return markdown_table(title, "artifact", rows, f"By {code(policy)}.", good=proven == len(verifications))


def _row(one: Verification) -> str:
    met = "; ".join(_words(met) for result in one.entries for met in result.met)
    said = met if one.problem is None else f"{one.problem.code}: {one.problem.message}"
    loosened = [result.loosened() for result in one.entries]
    return markdown_row("✅" if one.proven else "❌", one.subject.shown, said, loosened)


def as_text(verifications: Sequence[Verification], *, policy: str, colour: bool) -> str:
    """What a person reads: per artifact one sentence, what it rests on or what to do, and what was loosened."""
    lines = [line for one in verifications for line in _lines(one, colour=colour)]
    proven = sum(one.proven for one in verifications)
    lines.append(f"{proven} of {len(verifications)} proven, by {visible(policy)}")
    return without_log_commands("\n".join(lines) + "\n")


def _lines(verification: Verification, *, colour: bool) -> Iterator[str]:
    name, problem = visible(verification.subject.shown), verification.problem
    if problem is None:
        yield f"{paint('✔', _GREEN, colour=colour)} {name} is proven  sha256:{verification.subject.sha256[:16]}…"
    else:
        yield f"{paint('✘', RED, colour=colour)} {name} is not proven: {visible(problem.message)}"
        yield f"    {problem.code} (`maestro explain {problem.code}`)"
        yield f"    → {visible(problem.remedy or '')}"
    for result in verification.entries:
        for met in result.met:
            yield f"    {result.entry.name}: {_words(met)}"
        yield from loosened_lines(result.loosened(), colour=colour)
        if result.problem is not None and len(result.judged) > 1:
            for one in result.judged:
                if one.problem is not None:
                    yield f"    {visible(one.evidence)}: {visible(one.problem.message)} ({one.problem.code})"


def _words(met: Met) -> str:
    origin = met.origin
    by = f"{met.built.name} (level {met.built.level})"
    source = f", from {origin.repository} at {origin.ref}" if origin.repository else ""
    commit = f", commit {origin.commit[:12]}" if origin.commit else ""
    when = f", signed {met.when:%Y-%m-%d}" if met.when is not None else ", signed at a time that nobody vouches for"
    return visible(f"{by}{source}{commit}{when}")
