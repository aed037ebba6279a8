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


DEBIAN = {"chromium": "chromium", "promtool": "prometheus", "ssh-keygen": "openssh-client", "strace": "strace"}
"""Programs that no Go or npm package brings, and the Debian packages that do."""


def _missing(what: str) -> str:
    how = f"the Debian package {DEBIAN[what]} has it" if what in DEBIAN else "`make tools` gets it"
    message = f"{what} is not installed: {how}"
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


def go_module(module: str) -> Path:
    """The source of ``NAME@VERSION`` where Go keeps what was built from it; skips or fails as :func:`tool` does."""
    go = shutil.which("go")
    cache = ""
    if go:
        done = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, timeout=60, check=False)
        cache = done.stdout.strip()
    folder = Path(cache or Path.home() / "go" / "pkg" / "mod") / module
    return folder if folder.is_dir() else Path(_missing(f"the source of {module}"))


def conftest_sources() -> Path:
    """The source of the conftest that ``make tools`` builds."""
    required = (TOOLS.parent / "tools" / "conftest" / "go.mod").read_text(encoding="utf-8")
    name, version = re.findall(r"(github\.com/open-policy-agent/conftest) (\S+)", required)[0]
    return go_module(f"{name}@{version}")


def opa_case_files(version: str) -> list[Path]:
    """OPA's own test cases for ``v0`` or ``v1``, in the source of the opa that ``make tools`` builds."""
    cases = go_module("github.com/open-policy-agent/opa@v1.22.2") / "v1/test/cases/testdata"
    return sorted((cases / version).rglob("*.yaml"))
