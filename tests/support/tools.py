"""Programs and data packages that tests measure us against. ``make tools`` puts them into ``.tools/``."""

from __future__ import annotations

import os
import shutil
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
