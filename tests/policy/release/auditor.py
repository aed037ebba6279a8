"""Somebody who has the evidence pack, cosign, openssl, opa and sha256sum, and not us."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.tools import tool

TOOLS = {"sha256sum", "cosign", "opa", "openssl", "grep"}


def commands(pack: Path) -> list[str]:
    """Every line of the README that is to be run."""
    readme = (pack / "README.md").read_text()
    return [line for block in re.findall(r"^```sh\n(.*?)^```", readme, re.M | re.S) for line in block.splitlines()]


def failed(pack: Path, lines: list[str]) -> list[str]:
    """Those that do not succeed in the pack."""
    environ = {"PATH": f"{Path(tool('cosign')).parent}:/usr/bin:/bin", "HOME": str(pack.parent)}
    found = []
    for line in lines:
        done = subprocess.run(
            ["sh", "-c", line], cwd=pack, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            found.append(line)
    return found
