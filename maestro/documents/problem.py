"""What reading or validating a file found wrong; gates turn it into findings."""

from __future__ import annotations

from dataclasses import dataclass

from maestro.findings import Fix, Location, Rule


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in one file; whether it blocks is ``rule.mode``."""

    rule: Rule
    message: str
    location: Location
    fix: Fix | None = None
    remedy: str | None = None
    """What to do next, where something better than the rule's own remedy is known."""
    pointer: str | None = None
    """JSON pointer (RFC 6901) of the value in its document, where there is one."""
    document: int | None = None
    """Index of the YAML document within the file; None when the file as a whole is meant."""
    subject: str | None = None
    """``Kind/name`` of the document, where both are known."""
    days: int | None = None
    """Days that a relative ttl asks for (rule ``relative_ttl`` alone); who knows today can make a date of it."""
