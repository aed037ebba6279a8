"""OPA's own test cases, as questions to our engines.

They come with OPA's Go module (``v1/test/cases/testdata``, https://github.com/open-policy-agent/opa); which of them are
asked is fixed by the committed list of names beside this file, so that a case cannot disappear unseen.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from maestro.errors import ToolFailure
from maestro.process import find_program, run
from policy.engines.engine import UNDEFINED, Program, RegoVersion

OPA_MODULE = "github.com/open-policy-agent/opa@v1.22.2"
NAMES = Path(__file__).with_name("names.txt")
_SIMPLE = re.compile(r"(data(?:\.[A-Za-z_]\w*)+) = ([a-z]\w*)")
_WRAPPER = "package maestro_query\n\nimport rego.v1\n\nanswers contains {%s} if {\n%s\n}\n"
_IMPURE = re.compile(r"\b(http\.send|net\.lookup_ip_addr|time\.now_ns|rand\.intn|uuid\.rfc4122|opa\.runtime)\b")


@dataclass(frozen=True)
class Case:
    """One case. ``expected``: the value, UNDEFINED, or None where OPA's case expects an error.

    ``askable``: why the product could not ask it, or None. ``impure``: it needs network, clock or chance.
    """

    name: str
    version: RegoVersion
    program: Program
    input: Any
    expected: Any
    error: bool
    askable: str | None
    impure: bool


def folder(environ: Mapping[str, str]) -> Path:
    """Where the Go module cache holds the cases.

    Raises:
        ToolFailure: there is no Go, or the module was never downloaded.
    """
    remedy = f"install Go, then `go mod download {OPA_MODULE}`"
    go = find_program("go", environ)
    if go is None:
        raise ToolFailure("go is not on PATH, and its module cache holds OPA's cases", remedy=remedy)
    kept = {key: environ[key] for key in ("HOME", "PATH", "GOPATH", "GOMODCACHE", "GOENV", "GOFLAGS") if key in environ}
    cache = run([os.fspath(go), "env", "GOMODCACHE"], timeout=20, env=kept).stdout.decode().strip()
    found = Path(cache) / OPA_MODULE / "v1/test/cases/testdata"
    if not found.is_dir():
        raise ToolFailure(f"the Go module cache has no {OPA_MODULE}", remedy=remedy)
    return found


def load(root: Path) -> list[Case]:
    """Every case below ``root``, v0 first, in the order of names. A name used twice is numbered."""
    found: list[Case] = []
    versions: tuple[Literal["v0", "v1"], ...] = ("v0", "v1")
    for version in versions:
        seen: Counter[str] = Counter()
        for path in sorted((root / version).rglob("*.yaml")):
            for raw in yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)["cases"]:
                name = f"{version}/{raw['note']}"
                seen[name] += 1
                found.append(_case(raw, version, name if seen[name] == 1 else f"{name}#{seen[name]}"))
    return found


def _case(raw: dict[str, Any], version: RegoVersion, name: str) -> Case:
    sources = list(raw.get("modules") or [])
    query = raw["query"].strip()
    simple = _SIMPLE.fullmatch(query)
    wanted = raw.get("want_result")
    error = "want_error" in raw or "want_error_code" in raw
    askable: str | None = None
    expected: Any = UNDEFINED
    if simple:
        entrypoint = simple[1]
        if wanted:
            expected = wanted[0].get(simple[2], UNDEFINED) if len(wanted) == 1 else None
    else:
        entrypoint = "data.maestro_query.answers"
        names = sorted({key for row in wanted or [{}] for key in row})
        sources.append(_WRAPPER % (", ".join(f'"{key}": {key}' for key in names), query))
        expected = wanted or []
        if version == "v0":
            askable = "the query is no entrypoint"
    modules = {f"m{number}.rego": source.encode() for number, source in enumerate(sources)}
    data = {"data.json": json.dumps(raw["data"]).encode()} if raw.get("data") else {}
    given, said = _input(raw)
    text = " ".join(sources)
    program = Program(modules, data, (entrypoint,), version, bool(raw.get("strict_error")))
    return Case(name, version, program, given, expected, error, said or askable, bool(_IMPURE.search(text)))


def _input(raw: dict[str, Any]) -> tuple[Any, str | None]:
    if "input_term" in raw:
        try:
            return json.loads(raw["input_term"]), None
        except ValueError:
            return None, "the input is a Rego term that JSON cannot hold"
    return raw.get("input", {}), None


def listed() -> list[str]:
    """The committed names."""
    return NAMES.read_text(encoding="utf-8").splitlines()


def matching(cases: list[Case], names: list[str]) -> Iterator[Case]:
    """The cases that the list names.

    Raises:
        ToolFailure: one is missing.
    """
    by_name = {case.name: case for case in cases}
    for name in names:
        if name not in by_name:
            raise ToolFailure(f"OPA's cases have no {name!r}", remedy=f"the list belongs to {OPA_MODULE}")
        yield by_name[name]
