"""What people read of a chain that holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maestro.chain.verify import Chain
from maestro.report.visible_text import visible


def as_lines(chain: Chain) -> Iterator[str]:
    """The steps, and what of them adds no separation."""
    yield visible(" → ".join(chain.steps))
    yield from no_separation(chain.together)


def no_separation(groups: Sequence[tuple[tuple[str, ...], str]]) -> Iterator[str]:
    """One line for each group of steps that nothing keeps apart."""
    for steps, why in groups:
        yield visible(f"{', '.join(steps)} {why}: between them the chain adds no separation")
