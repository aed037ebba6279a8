"""Programs and data packages that tests measure us against. ``make tools`` puts them into ``.tools/``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"


def _missing(what: str) -> str:
    message = f"{what} is not installed: `make tools` gets it"
    if os.environ.get("REQUIRE_TOOLS") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def tool(name: str) -> str:
    """Absolute path of a program: ``.tools/bin`` first, then the virtual environment's, then PATH.

    Without it the calling test is skipped, or fails where ``REQUIRE_TOOLS=1`` (CI).
    """
    folders = [str(TOOLS / "bin"), str(ROOT / ".venv" / "bin"), os.environ.get("PATH", os.defpath)]
    found = shutil.which(name, path=os.pathsep.join(folders))
    return str(Path(found).absolute()) if found else _missing(name)


def npm_package(name: str) -> Path:
    """The unpacked folder of a data package from npm (``.tools/NAME``); skips or fails as :func:`tool` does."""
    folder = TOOLS / name
    return folder if folder.is_dir() else Path(_missing(f"the npm package {name}"))


def conftest_sources() -> Path:
    """The source of the conftest that ``make tools`` builds, where Go keeps it; skips or fails as :func:`tool` does."""
    required = (TOOLS.parent / "tools" / "conftest" / "go.mod").read_text(encoding="utf-8")
    name, version = re.findall(r"(github\.com/open-policy-agent/conftest) (\S+)", required)[0]
    go = shutil.which("go")
    cache = ""
    if go:
        cache = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=False).stdout.strip()
    folder = Path(cache or Path.home() / "go" / "pkg" / "mod") / f"{name}@{version}"
    return folder if folder.is_dir() else Path(_missing(f"the source of conftest ({folder.name})"))
