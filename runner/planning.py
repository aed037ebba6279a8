"""From a manifest and what policy decided about it to what will be executed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from maestro.canonical_json import digest, dumps
from maestro.documents.document import Document
from maestro.documents.manifest import Manifest
from maestro.errors import UsageError
from policy.decide import Decision
from policy.placement import Placement, Refusal, place
from runner.execution import Task
from runner.session import Planned, decision_json


def task_of(document: Document) -> Task:
    """What a manifest's executions share.

    Raises:
        UsageError: the document is not a Manifest.
    """
    model = document.model
    if not isinstance(model, Manifest):
        raise UsageError(f"{document.subject} is not a Manifest: it cannot be executed", where=document.path)
    spec = model.spec
    return Task(
        subject=document.subject,
        command=None if spec.command is None else (*spec.command, *spec.args),
        image=spec.image,
        env=spec.env,
        secrets={name: secret.from_ for name, secret in spec.secrets.items()},
        timeout_seconds=spec.timeout,
        attempts=1 + spec.retries,
        idempotent=spec.idempotent,
        tenant=model.metadata.tenant,
        class_=spec.class_,
    )


def plan(
    document: Document, decisions: Sequence[Decision], placing: Iterable[Decision], inputs: Sequence[object] = ()
) -> Planned:
    """What will become of a manifest.

    Args:
        document: the manifest as it was merged.
        decisions: everything that policy says about it now.
        placing: those of ``decisions`` that the placement packs made.
        inputs: what they were about.
    """
    placement = place(tuple(placing))
    size = (
        document.model.spec.array.size if isinstance(document.model, Manifest) and document.model.spec.array else None
    )
    placed = placement.pool if isinstance(placement, Placement) else None
    return Planned(
        task=replace(task_of(document), pool=placed),
        path=document.path,
        tenant=document.tenant,
        digest=digest(document.raw.value),
        size=size,
        placement=placement if isinstance(placement, Placement) else None,
        denied=_denial(decisions, placement),
        decisions=tuple(decision_json(decision) for decision in decisions),
        inputs=tuple(dumps(value) for value in inputs),
    )


def _denial(decisions: Sequence[Decision], placement: Placement | Refusal) -> str | None:
    """Why it must not run, in one text, or None."""
    if isinstance(placement, Refusal):
        near = f" (nearest: {placement.nearest})" if placement.nearest else ""
        remedy = f"; {placement.remedy}" if placement.remedy else ""
        return f"{placement.message}{near}{remedy}"
    for decision in decisions:
        if decision.allow:
            continue
        if decision.error is not None:
            return f"{decision.pack} gave no trustworthy answer: {decision.error}"
        said = [f"{reason.rule}: {reason.message}" for reason in decision.reasons if reason.mode == "enforce"]
        return "; ".join(said) or f"{decision.pack} denies"
    return None


def run_id_of(github_run_id: str | None, subjects: Iterable[str], fresh: str) -> str:
    """The id of a run.

    In GitHub Actions it is the workflow run's, which stays the same when jobs are run again, with eight digits of what
    is to run: two steps of one workflow that run different manifests are two runs. Elsewhere it is ``fresh``.
    """
    if github_run_id and re.fullmatch(r"[0-9]{1,20}", github_run_id):
        return f"{github_run_id}-{digest(sorted(subjects)).removeprefix('sha256:')[:8]}"
    return fresh
