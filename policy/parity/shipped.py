"""Writes ``policy/parity.lock`` of this tool: what is known of the packs that come with it, for ``maestro init``.

``python -m policy.parity.shipped``; a test asks the same and compares.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from policy.engines.choose import trusted_conftest, unlocked_regopy
from policy.parity.inputs import shipped_files, shipped_packs
from policy.parity.lock import Lock, render
from policy.parity.proof import new_lock, prove


def made(environ: Mapping[str, str]) -> Lock:
    """The lock, made now.

    Raises:
        ToolFailure: there is no conftest that can be trusted.
    """
    conftest, regopy = trusted_conftest(environ), unlocked_regopy()
    return new_lock(conftest, {pack.name: prove(shipped_files(), pack, conftest, regopy) for pack in shipped_packs()})


if __name__ == "__main__":
    lock = made(os.environ)
    (shipped_files().root / "parity.lock").write_bytes(render(lock))
    sys.exit(0 if all(entry.alike for entry in lock.packs.values()) else 1)
