"""Which bodies of a pack's rules its fixtures and its tests reach: asked of conftest, with a copy whose bodies print.

Reached means: true to the end, for at least one fixture or in at least one test. That is when OPA's own coverage
(``opa test --coverage``) counts a rule's head as covered. What could not be marked is unknown, never reached.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from maestro import canonical_json
from maestro.errors import ToolFailure
from maestro.process import run
from policy.body_marks import Marked, mark_bodies
from policy.engines import capabilities
from policy.engines.conftest_engine import ConftestEngine, adapter, environment, limited
from policy.engines.conftest_output import Failure, read_failure
from policy.pack import Pack
from policy.rego_bodies import Body
from policy.rego_tests import verify

By = Literal["fixtures", "tests"]

_TRIES = 12
"""So often bodies whose copy does not compile are left as they are and the rest is tried again."""


@dataclass(frozen=True)
class Reach:
    """A body and what reaches it. ``known`` is False when that could not be found out."""

    body: Body
    by: frozenset[By]
    known: bool


@dataclass(frozen=True)
class Coverage:
    """``bodies`` sorted by place. ``errors``: why not everything could be found out, by fixtures or by tests."""

    bodies: tuple[Reach, ...]
    errors: tuple[str, ...] = ()
    tests_asked: bool = True
    """False when fixtures reach every body, so that nothing was left to ask of the tests."""

    def reached(self, by: By) -> int:
        """How many bodies fixtures, or tests, reach."""
        return sum(by in reach.by for reach in self.bodies)

    @property
    def unreached(self) -> list[Body]:
        """Known to be reached by nothing."""
        return [reach.body for reach in self.bodies if reach.known and not reach.by]

    @property
    def unknown(self) -> list[Body]:
        """Of these nothing can be said, unless something else was seen to reach them."""
        return [reach.body for reach in self.bodies if not reach.known and not reach.by]

    def without(self, reasons: Sequence[str]) -> Coverage:
        """The same, where something was left out for these reasons: nothing is known of what was not reached."""
        bodies = tuple(replace(reach, known=reach.known and bool(reach.by)) for reach in self.bodies)
        return replace(self, bodies=bodies, errors=(*self.errors, *reasons))


def measure(pack: Pack, inputs: Sequence[Any], tests: Mapping[str, bytes], engine: ConftestEngine) -> Coverage:
    """What ``inputs`` (as judged, each with an answer) and ``tests`` (modules) reach. Never raises for a pack."""
    nonce = secrets.token_hex(8)
    hits: dict[By, set[Body]] = {"fixtures": set(), "tests": set()}
    errors = []
    left: set[Body] = set()
    blind: set[By] = set()
    tests_asked = True
    asked: list[tuple[By, bool]] = [("fixtures", bool(inputs)), ("tests", bool(tests))]
    marked = mark_bodies(pack.modules, v1=pack.rego_version == "v1", nonce=nonce)
    for by, wanted in asked:
        if not wanted:
            continue
        if by == "tests" and hits["fixtures"] == set(marked.bodies):
            tests_asked = False
            break
        for _ in range(_TRIES):
            if by == "fixtures":
                output = _judge(pack, marked, inputs, engine)
            else:
                seconds = engine.limits.base_seconds * 4
                done = verify(pack, marked.modules, tests, engine, ["--report", "notes"], seconds)
                output = done if isinstance(done, Failure) else done.stdout
            if not isinstance(output, Failure):
                hits[by] = _printed(marked, output)
                break
            more = _culprits(pack, marked, output) - left
            if not more:
                blind.add(by)
                errors.append(f"by {by}: {output.message}")
                break
            left |= more
            marked = mark_bodies(pack.modules, v1=pack.rego_version == "v1", nonce=nonce, leave=left)
        else:
            blind.add(by)
            errors.append(f"by {by}: the marked copy does not compile")
    return Coverage(
        tuple(
            Reach(body, frozenset(by for by in hits if body in hits[by]), body not in marked.unknown and not blind)
            for body in marked.bodies
        ),
        tuple(errors),
        tests_asked,
    )


def _printed(marked: Marked, output: bytes) -> set[Body]:
    numbers = {int(number) for number in re.findall(re.escape(marked.mark.encode()) + rb"(\d{1,9});", output)}
    return {marked.bodies[number] for number in numbers if number < len(marked.bodies)}


def _culprits(pack: Pack, marked: Marked, failure: Failure) -> set[Body]:
    """The bodies on the lines that a compile error names."""
    out: set[Body] = set()
    if failure.kind != "compile":
        return out
    prefix = "" if pack.path == "." else f"{pack.path}/"
    for name, line in re.findall(r"(\S+\.rego):(\d+)", failure.message):
        module = name.rpartition(prefix)[2] if prefix else name
        out |= set(marked.bodies_at(module, int(line)))
    return out


def _judge(pack: Pack, marked: Marked, inputs: Sequence[Any], engine: ConftestEngine) -> bytes | Failure:
    """All inputs in one process; what it printed."""
    nonce = secrets.token_hex(16)
    names = {}
    with tempfile.TemporaryDirectory(prefix="maestro-rego-") as temporary:
        folder = Path(temporary)
        (folder / "pack").mkdir()
        for number, name in enumerate(sorted(marked.modules)):
            (folder / f"pack/m{number}.rego").write_bytes(marked.modules[name])
            names[f"pack/m{number}.rego"] = name
        texts = b",".join(canonical_json.dumps(value) for value in inputs)
        (folder / "inputs.json").write_bytes(b'{"maestro_inputs_%s":[' % nonce.encode() + texts + b"]}")
        (folder / "adapter.rego").write_text(adapter(nonce, pack.program().entrypoints), encoding="utf-8")
        (folder / "capabilities.json").write_bytes(capabilities.shipped())
        (folder / "settings.toml").write_bytes(b"")
        (folder / "empty.json").write_bytes(b"{}")
        argv = [str(engine.program), "test", "--config-file", "settings.toml", "--parser", "json", "--no-color"]
        argv += ["--capabilities", "capabilities.json", "--rego-version", pack.rego_version, "--policy", "pack"]
        argv += ["--namespace", f"maestro_adapter_{nonce}", "--policy", "adapter.rego", "--data", "inputs.json"]
        for number, name in enumerate(sorted(pack.data)):
            (folder / f"d{number}.json").write_bytes(pack.data[name])
            argv += ["--data", f"d{number}.json"]
        limits = engine.limits
        try:
            done = run(
                limited([*argv, "empty.json"], limits.memory_kib),
                timeout=limits.base_seconds * 4 + limits.seconds_per_input * len(inputs),
                env=environment(folder),
                cwd=folder,
                output_limit=limits.output_bytes,
            )
        except ToolFailure as error:
            return Failure(error.message, "crash")
    if not done.stdout.strip() or done.returncode not in (0, 1):
        return read_failure(done.stderr, done.returncode, names)
    return done.stdout
