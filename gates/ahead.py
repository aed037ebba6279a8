"""What would begin to block within some days: the same scene, judged as of a later moment. It never blocks.

Not only rules that harden on a date show there: a flag that ends, a waiver that ends, whatever looks at the time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gates.approvals import codeowners_of
from gates.harness import Gate, run_gates
from gates.scene import Scene, Settings, tell_nobody
from gates.waivers import held
from maestro.errors import UsageError
from maestro.findings import Finding, Verdict
from maestro.report.model import Ahead, Soon

LONGEST = 366


def days_of(text: str) -> int:
    """The days of ``14d``.

    Raises:
        UsageError: another form, or more than a year.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,2})d", text)
    if found is None or int(found[1]) > LONGEST:
        raise UsageError(f"--ahead wants days, such as 14d and at most {LONGEST}d, not {text!r}")
    return int(found[1])


def look_ahead(gates: Iterable[Gate], scene: Scene, verdicts: Sequence[Verdict], days: int) -> Ahead:
    """Judge again as of ``days`` later, and say what would stop somebody then and does not now.

    Args:
        gates: those that made ``verdicts``; the ones about the act of changing have nothing to say of later.
        scene: what was judged.
        verdicts: what was found.
        days: how far to look.
    """
    later = scene.now + dt.timedelta(days=days)
    after = scene.head_settings
    then = replace(
        scene,
        now=later,
        decided=tell_nobody,
        settings=_on(scene.settings, later),
        head_settings=_on(after, later) if isinstance(after, Settings) else after,
    )
    found = run_gates(
        [gate for gate in gates if not gate.OF_THE_CHANGE_ITSELF],
        then,
        waivers=lambda: held(scene.at_policy, then.today),
        changed_packs=frozenset(),
        settings_changed=False,
    )
    known = {finding.fingerprint: finding for verdict in verdicts for finding in verdict.findings}
    begin = [
        Soon(verdict.gate, finding, _owner(scene, finding), _day(known.get(finding.fingerprint)))
        for verdict in found
        for finding in _beginning(verdict, verdicts)
    ]
    broken = {verdict.gate for verdict in verdicts if verdict.outcome == "errored"}
    errors = [f"{one.gate}: {one.reason}" for one in found if one.outcome == "errored" and one.gate not in broken]
    return Ahead(days, later, tuple(sorted(begin, key=_order)), tuple(errors))


def _on(settings: Settings, moment: dt.datetime) -> Settings:
    return replace(settings, packs=settings.packs.on(moment.astimezone(dt.UTC).date()))


def _weighs(finding: Finding) -> bool:
    """Whether its rule stops it. That it is on the target branch already spares pull requests, not executions."""
    return finding.mode == "enforce" and finding.waived_by is None


def _beginning(verdict: Verdict, before: Sequence[Verdict]) -> Iterator[Finding]:
    """What weighs then and not now. A message that names a day differs every day: as many findings of one rule on one
    subject as weigh now, and are gone then, are taken for the same."""
    now = [finding for one in before if one.gate == verdict.gate for finding in one.findings if _weighs(finding)]
    known = {finding.fingerprint for finding in now}
    later = {finding.fingerprint for finding in verdict.findings}
    gone = Counter((finding.rule, finding.subject) for finding in now if finding.fingerprint not in later)
    for finding in verdict.findings:
        if not _weighs(finding) or finding.fingerprint in known:
            continue
        if gone[finding.rule, finding.subject]:
            gone[finding.rule, finding.subject] -= 1
            continue
        yield finding


def _day(known: Finding | None) -> dt.date | None:
    return known.hardens.on if known is not None and known.hardens is not None else None


def _owner(scene: Scene, finding: Finding) -> str | None:
    """Whose the document is: as it says itself, else as CODEOWNERS does."""
    path = finding.location.path
    for document in scene.at_head.documents([path]):
        if document.subject == finding.subject and document.owner:
            return document.owner
    return " ".join(codeowners_of(scene.change.policy).owners_of(path)) or None


def _order(soon: Soon) -> tuple[str, str, int, str]:
    return soon.owner or "\U0010ffff", soon.finding.location.path, soon.finding.location.line, soon.finding.rule
