"""Versions of OPA that are known to answer wrongly, each with the question that shows it.

An engine with such an OPA inside is refused. A version that is not listed is not thereby right: that is what the
second engine is for (``--engine both``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from policy.engines.engine import Engine, Program, Values


@dataclass(frozen=True)
class KnownBad:
    """OPA before ``fixed_in`` gives ``entrypoint`` for ``input`` something else than ``right``."""

    title: str
    fixed_in: tuple[int, int, int]
    rego: str
    entrypoint: str
    input: Any
    right: Any

    def shown_by(self, engine: Engine) -> bool:
        """Whether ``engine`` gives the wrong answer (or none)."""
        program = Program({"case.rego": self.rego.encode()}, {}, (self.entrypoint,))
        return engine.evaluate(program, [self.input]) != [Values((self.right,))]


TESTED_REGOPY = "1.5.2"
"""The only regopy that the conformance run and the fuzzer have judged; what the preflight believes holds for it."""

KNOWN_BAD = (
    KnownBad(
        title='a deny is lost where a collection mixes constants with something else: `input.n in [input.k, "b"]`',
        fixed_in=(1, 22, 2),
        rego='package case\n\nimport rego.v1\n\ndeny contains "m" if {\n\tinput.n in [input.k, "b"]\n}\n',
        entrypoint="data.case.deny",
        input=json.loads('{"n": "w", "k": "w"}'),
        right=["m"],
    ),
)


def version_of(text: str) -> tuple[int, int, int] | None:
    """``1.22.2`` as numbers; None for anything that is not a plain release (a pre-release is not trusted to be one)."""
    found = re.fullmatch(r"v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})", text.strip())
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def known_bad(opa: str) -> tuple[KnownBad, ...] | None:
    """What is known to be wrong with an OPA version; None when the version cannot be told."""
    version = version_of(opa)
    if version is None:
        return None
    return tuple(case for case in KNOWN_BAD if version < case.fixed_in)
