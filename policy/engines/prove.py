"""Which shipped packs regopy answers as conftest does: asked, not argued. ``python -m policy.engines.prove`` writes
``policy/proven.json``; a test does the same and compares.

Every fixture of a pack is asked, and every fixture with one of its values absent, null, empty, of another type, or
replaced by a neighbour. One difference, and the pack is not listed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maestro import canonical_json
from maestro.config import load_config
from maestro.documents.reading import read
from policy.engines.both_engine import same
from policy.engines.choose import HOW_TO_GET_CONFTEST, trusted_conftest
from policy.engines.engine import Broken, Engine
from policy.engines.proven import LIST, program_digest, regopy_version
from policy.engines.regopy_engine import RegopyEngine, refusal
from policy.folder import Folder
from policy.pack import Pack, load_packs

MOST_INPUTS = 4000
"""Of one pack; evenly chosen when the mutations are more."""
_INSTEAD: tuple[Any, ...] = (None, "", "x", 0, 7, -1, 2.5, True, False, [], {}, ["x"], {"x": "y"}, "2026-12-01")
_OURS = b"apiVersion: maestro-conductor/v1\npacks: ['packs/*']\n"


@dataclass(frozen=True)
class Proof:
    """``difference`` is None when every answer was the same."""

    pack: str
    digest: str
    inputs: int
    difference: str | None


def places(root: Path) -> Iterator[tuple[Folder, bytes]]:
    """The folders of the checkout ``root`` that hold packs, each with a maestro.yaml for it."""
    yield Folder(root / "policy"), _OURS
    for settings in sorted((root / "examples").glob("*/maestro.yaml")):
        yield Folder(settings.parent), settings.read_bytes()


def fixtures(folder: Folder, pack: Pack) -> list[Any]:
    """The ``input`` of every fixture of a pack."""
    inside = f"{pack.path}/fixtures/"
    found = [path for path in folder.entries if path.startswith(inside) and path.endswith((".yaml", ".yml", ".json"))]
    return [
        document.value["input"]
        for path, content in sorted(folder.read_many(found).items())
        for document in read(path, content, dialect="lenient").documents
        if isinstance(document.value, dict) and "input" in document.value
    ]


def mutations(value: Any) -> Iterator[Any]:  # noqa: ANN401
    """The value, and the value with one place in it changed."""
    yield value
    for path in _paths(value):
        if path:
            yield _changed(value, path, remove=True)
        for other in _INSTEAD:
            yield _changed(value, path, other)


def _paths(value: Any, prefix: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
    yield prefix
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from _paths(member, (*prefix, key))


def _changed(value: Any, path: tuple[str | int, ...], other: Any = None, *, remove: bool = False) -> Any:  # noqa: ANN401
    if not path:
        return other
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    key = path[0]
    if remove and len(path) == 1:
        del copy[key]
    else:
        copy[key] = _changed(copy[key], path[1:], other, remove=remove)
    return copy


def questions(folder: Folder, pack: Pack, most: int = MOST_INPUTS) -> list[Any]:
    """What is asked about a pack: each input once, only such as regopy may be asked, at most ``most``."""
    unique: dict[bytes, Any] = {}
    for fixture in fixtures(folder, pack):
        for value in mutations(fixture):
            if refusal(value, 200) is None:
                unique.setdefault(canonical_json.dumps(value), value)
    values = list(unique.values())
    step = max(1, -(-len(values) // most))
    return values[::step]


def prove(pack: Pack, asked: list[Any], one: Engine, other: Engine) -> Proof:
    """Ask both engines everything."""
    program = pack.program()
    digest = program_digest(program)
    if not asked:
        return Proof(pack.name, digest, 0, "it has no fixtures")
    answered = 0
    answers = zip(asked, one.evaluate(program, asked), other.evaluate(program, asked), strict=True)
    for value, left, right in answers:
        if isinstance(left, Broken) and isinstance(right, Broken):
            continue
        if isinstance(left, Broken) or isinstance(right, Broken):
            broken = left if isinstance(left, Broken) else right
            return Proof(pack.name, digest, len(asked), f"{broken} for {json.dumps(value)[:300]}")
        if not same(list(left.values), list(right.values)):
            return Proof(pack.name, digest, len(asked), f"{left} / {right} for {json.dumps(value)[:300]}")
        answered += 1
    if not answered:
        return Proof(pack.name, digest, len(asked), "no input has an answer")
    return Proof(pack.name, digest, len(asked), None)


def proofs(root: Path, environ: Mapping[str, str], most: int = MOST_INPUTS) -> list[Proof]:
    """A proof, or its failure, for every pack of the checkout; each program once."""
    conftest = trusted_conftest(environ)
    regopy = RegopyEngine(remedy=HOW_TO_GET_CONFTEST, proven_only=False)
    out: dict[str, Proof] = {}
    for folder, settings in places(root):
        for pack in load_packs(folder, load_config("maestro.yaml", settings)).packs:
            asked = questions(folder, pack, most)
            if asked and program_digest(pack.program()) not in out:
                proof = prove(pack, asked, conftest, regopy)
                out[proof.digest] = proof
    return list(out.values())


def render(found: list[Proof]) -> str:
    """The text of ``proven.json``."""
    programs = {
        proof.digest: {"pack": proof.pack, "inputs": proof.inputs}
        for proof in sorted(found, key=lambda proof: proof.pack)
        if proof.difference is None
    }
    return json.dumps({"regopy": regopy_version(), "programs": programs}, indent=2) + "\n"


def main(root: Path, environ: Mapping[str, str]) -> int:
    """Write the list; say on standard error what is not in it and why."""
    found = proofs(root, environ)
    for proof in found:
        verdict = "equal" if proof.difference is None else f"NOT PROVEN: {proof.difference}"
        sys.stderr.write(f"{proof.pack}: {proof.inputs} inputs: {verdict}\n")
    (root / "policy" / LIST).write_text(render(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2], os.environ))
