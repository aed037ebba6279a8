"""The conftest at hand as an engine, and scripts that pretend to be one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from policy.engines.conftest_engine import ConftestEngine, Limits, probe
from policy.engines.engine import Program
from tests.support.tools import tool


@cache
def _probed(program: str) -> tuple[str, str]:
    return probe(Path(program))


def conftest_engine(limits: Limits | None = None) -> ConftestEngine:
    program = tool("conftest")
    return ConftestEngine(Path(program), *_probed(program), limits=limits or Limits())


def fake_conftest(folder: Path, body: str, *, opa: str = "1.22.2") -> Path:
    """A shell script that knows ``--version`` and does ``body`` for anything else."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "conftest"
    version = f'if [ "$1" = --version ]; then echo "Conftest: 0.71.1"; echo "OPA: {opa}"; exit 0; fi'
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{version}\n{body}\n")
    path.chmod(0o755)
    return path


def program(rego: str, *entrypoints: str, strict: bool = True, v0: bool = False, **data: bytes) -> Program:
    return Program(
        modules={"t.rego": rego.encode()},
        data=data,
        entrypoints=tuple(f"data.t.{name}" for name in entrypoints),
        rego_version="v0" if v0 else "v1",
        strict_builtin_errors=strict,
    )
