"""The verdict on one part of a release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from maestro.errors import MaestroError, ToolFailure
from maestro.provenance.loosening import Loosened
from policy.release import reasons

BUNDLE: Final = "bundle/"


@dataclass(frozen=True, slots=True)
class Part:
    """The verdict on one part.

    ``reason``: None where it holds, else a stable code. ``judged``: False where nothing is known about it.
    ``commits``, ``tags``: that it was made from, where its evidence says so; ``tree``: the git tree that a verdict is
    about.
    """

    kind: str
    name: str
    reason: str | None
    message: str
    remedy: str | None = None
    judged: bool = True
    loosened: tuple[Loosened, ...] = ()
    commits: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tree: str | None = None

    @property
    def outcome(self) -> Literal["holds", "refused", "errored"]:
        """The verdict in one word."""
        if not self.judged:
            return "errored"
        return "holds" if self.reason is None else "refused"


def refused(code: str, kind: str, name: str, message: str) -> Part:
    """A part that does not hold, for a reason of :mod:`policy.release.reasons`."""
    return Part(kind, name, code, message, reasons.REASONS[code][1])


def failed(kind: str, name: str, error: MaestroError) -> Part:
    """What an error says of a part: nothing is known where a tool failed, else it is refused."""
    place = f"{error.where}: " if error.where and error.where != name else ""
    message = place + error.message
    if isinstance(error, ToolFailure):
        remedy = error.remedy or reasons.REASONS[reasons.NOT_JUDGED][1]
        return Part(kind, name, reasons.NOT_JUDGED, message, remedy, judged=False)
    code = getattr(error, "code", None) or (reasons.VERDICT if kind == "verdict" else reasons.UNREADABLE)
    if kind == "policy bundle" and "/" not in code:
        code = BUNDLE + code
    return Part(kind, name, code, message, error.remedy)


def judged_by(kind: str, name: str, judge_it: Callable[[], str | Part]) -> Part:
    """What a judge says of a part; whatever it raises is a verdict on this part alone."""
    try:
        said = judge_it()
    except MaestroError as error:
        return failed(kind, name, error)
    return said if isinstance(said, Part) else Part(kind, name, None, said)
