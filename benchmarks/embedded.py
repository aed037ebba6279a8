"""One decision by the embedded engine, warm: ten rules, an input of 3.4 KB, against regopy itself.

Both have the same rules in a built bundle. Ours asks through the worker process, with the preflight's rewriting and
its checks of the input, and gets values; the start of the worker is taken off. regopy is asked within one process.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from regopy import Interpreter

from benchmarks._corpus import compare, rules
from policy.engines.engine import Program, Values
from policy.engines.regopy_engine import RegopyEngine

GOAL = 1.3
DECISIONS = 200
RULES = 10


def document() -> dict[str, Any]:
    """A manifest of 3.4 KB."""
    env = {f"VARIABLE_{n}": "a value that is as long as such values are" for n in range(52)}
    spec = {
        "image": "ghcr.io/acme/report@sha256:" + "0" * 64,
        "command": ["report", "--day", "yesterday", "--number", "7"],
        "env": {"REGION": "europe", "LEVEL": "info", **env},
        "cpu": 1,
        "memory": "512Mi",
    }
    return {"kind": "Manifest", "metadata": {"name": "report-7", "owner": "@acme/data"}, "spec": spec}


def source() -> str:
    """Ten rules; what they say is of the kind both can say."""
    return rules(RULES).replace('sprintf("%v: ', 'sprintf("%s: ').replace("[input.spec]", "[input.kind]")


def main() -> int:
    """Print the ratio."""
    value = document()
    program = Program({"rules.rego": source().encode()}, {}, ("data.main.deny", "data.main.warn"))
    engine = RegopyEngine("")

    def ours() -> float:
        begun = time.perf_counter()
        if engine.evaluate(program, [value]) != [Values(([], []))]:
            raise SystemExit("the embedded engine denies, or breaks")
        started = time.perf_counter()
        engine.evaluate(program, [value] * (DECISIONS + 1))
        return time.perf_counter() - started - (started - begun)

    title = f"{DECISIONS} decisions, {RULES} rules, {len(json.dumps(value)) / 1000:.1f} KB"
    return compare(title, ours, _raw(json.dumps(value)), goal=GOAL, rounds=7)


def _raw(text: str) -> Callable[[], float]:
    """regopy alone."""
    interpreter = Interpreter()
    interpreter.add_module("rules.rego", source())
    bundle = interpreter.build(None, ["main/deny", "main/warn"])

    def decide() -> None:
        interpreter.set_input_term(text)
        for entrypoint in ("main/deny", "main/warn"):
            str(interpreter.query_bundle_entrypoint(bundle, entrypoint))

    def seconds() -> float:
        begun = time.perf_counter()
        for _ in range(DECISIONS):
            decide()
        return time.perf_counter() - begun

    return seconds


if __name__ == "__main__":
    sys.exit(main())
