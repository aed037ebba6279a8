"""What people read of a chain that holds."""

from __future__ import annotations

from collections.abc import Iterator

from maestro.chain.verify import Chain
from maestro.report.visible_text import visible


def as_lines(chain: Chain) -> Iterator[str]:
    """The steps, and what of them adds no separation."""
    yield visible(" → ".join(chain.steps))
    for steps, why in chain.together:
        yield visible(f"{', '.join(steps)} {why}: between them the chain adds no separation")
