"""Whether regopy answers a pack as conftest does: asked, input by input, never argued."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from maestro import canonical_json
from policy.coverage import Coverage, measure
from policy.engines.both_engine import BothEngines, answer_json, disputed
from policy.engines.conftest_engine import ConftestEngine
from policy.engines.engine import Answer, Broken, Engine, Program, Values
from policy.engines.proven import program_digest, regopy_version
from policy.pack import Files, Pack
from policy.parity.inputs import METHOD, digest_of, inputs_of
from policy.parity.lock import Entry, Lock
from policy.preflight.program import Objection, read

_ENDED = ("timeout", "memory", "crash", "missing")
"""Errors of an engine that are neither its answer nor its refusal."""
_FIRST = 60
_HALF = 100
"""From so many inputs on, two regopy share the work."""
NO_FIXTURES = "it has no fixtures to ask about: add some, in the folder `fixtures` of the pack"


def prove(files: Files, pack: Pack, conftest: ConftestEngine, regopy: Engine, also: Sequence[Any] = ()) -> Entry:
    """Ask both engines about everything that ``inputs_of`` gives.

    Args:
        files: where the pack's fixtures lie.
        pack: the pack.
        conftest: the reference.
        regopy: the other, not kept to any lock.
        also: inputs to ask about besides; they stand in no count, but a difference they show is one.
    """
    inputs = inputs_of(files, pack)
    program = pack.program()
    known = {canonical_json.dumps(value) for value in inputs}
    asked = [*inputs, *(value for value in also if canonical_json.dumps(value) not in known)]
    found = _Found(inputs=digest_of(inputs), asked=len(inputs), program=program_digest(program))
    if not inputs:
        return found.entry(NO_FIXTURES)
    readable = read(program) if program.rego_version == "v1" else None
    if isinstance(readable, Objection):
        found.refused = len(inputs)
        place = "" if pack.path == "." else f"{pack.path}/"
        return found.entry(f"regopy is not proven to read this as OPA does: {place}{readable}")
    both = BothEngines(conftest, _Halves(regopy))
    answers = both.ask(program, asked)
    different = [index for index, pair in enumerate(answers) if _differs(program, *pair)]
    found.equal = sum(_equal(program, *pair) for pair in answers[: len(inputs)])
    found.refused = len(inputs) - found.equal - sum(index < len(inputs) for index in different)
    if different:
        return found.entry(*_shown(both, program, asked, answers, different))
    judged = [value for value, (left, right) in zip(inputs, answers, strict=False) if _valued(left, right)]
    if not judged:
        return found.entry(_refusal(answers))
    # The fixtures come first, and where they reach every body, nothing else can reach more.
    coverage = measure(pack, judged[:_FIRST], {}, conftest)
    if len(judged) > _FIRST and _unreached(pack, coverage) is not None:
        coverage = measure(pack, judged, {}, conftest)
    found.bodies, found.reached = len(coverage.bodies), coverage.reached("fixtures")
    return found.entry(_unreached(pack, coverage))


class _Halves:
    """An engine asked by two threads, each about one half."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name, self.version = engine.name, engine.version

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:
        if len(inputs) < _HALF:
            return self._engine.evaluate(program, inputs)
        with ThreadPoolExecutor(max_workers=2) as pool:
            # Every second one: what is derived of one fixture stands together, and takes about as long.
            parts = list(pool.map(lambda part: self._engine.evaluate(program, part), (inputs[::2], inputs[1::2])))
        out: list[Answer] = [*inputs]
        out[::2], out[1::2] = parts
        return out


class _Found:
    """What an entry is made of, as it becomes known."""

    def __init__(self, *, inputs: str, asked: int, program: str) -> None:
        self.inputs, self.asked, self.program = inputs, asked, program
        self.equal = self.refused = self.reached = self.bodies = 0

    def entry(self, why: str | None, shown_by: tuple[Any, Mapping[str, Any]] | None = None) -> Entry:
        """The entry; alike when there is no reason against it."""
        return Entry(
            program=self.program,
            alike=why is None,
            inputs=self.inputs,
            asked=self.asked,
            equal=self.equal,
            refused=self.refused,
            reached=self.reached,
            bodies=self.bodies,
            why=why,
            shown_by=shown_by,
        )


def _valued(left: Answer, right: Answer) -> bool:
    return isinstance(left, Values) and isinstance(right, Values)


def _equal(program: Program, left: Answer, right: Answer) -> bool:
    if isinstance(left, Broken) and isinstance(right, Broken):
        return right.kind not in ("unsupported", *_ENDED) and left.kind not in _ENDED
    return _valued(left, right) and disputed(program, left, right) is None


def _differs(program: Program, left: Answer, right: Answer) -> bool:
    """A wrong value, an error that regopy missed, or an end by a limit on one side only."""
    if disputed(program, left, right) is not None:
        return True
    if isinstance(right, Values):
        return isinstance(left, Broken)
    return right.kind in _ENDED and not (isinstance(left, Broken) and left.kind in _ENDED)


def _shown(
    both: BothEngines,
    program: Program,
    asked: Sequence[Any],
    answers: Sequence[tuple[Answer, Answer]],
    different: Sequence[int],
) -> tuple[str, tuple[Any, Mapping[str, Any]]]:
    """Why, and the smallest input that shows it, with what both say of it."""
    first = min(different, key=lambda index: (len(canonical_json.dumps(asked[index])), index))
    left, right = answers[first]
    value = asked[first]
    entrypoint = disputed(program, left, right)
    if entrypoint is None:
        ended = next(one for one in (left, right) if isinstance(one, Broken))
        who = both.first.name if ended is left else both.second.name
        said = {both.first.name: answer_json(left, 0), both.second.name: answer_json(right, 0)}
        return f"{who} has no answer where the other has one: {ended.message}", (value, said)
    value = both.smallest(program, entrypoint, value)
    [(left, right)] = both.ask(program, [value])
    at = program.entrypoints.index(entrypoint)
    said = {both.first.name: answer_json(left, at), both.second.name: answer_json(right, at)}
    return f"{both.first.name} and {both.second.name} disagree about {entrypoint}", (value, said)


def _refusal(answers: Sequence[tuple[Answer, Answer]]) -> str:
    said = [right for _, right in answers if isinstance(right, Broken)]
    return said[0].message if said else "no input has an answer"


def _unreached(pack: Pack, coverage: Coverage) -> str | None:
    """A body that nothing reaches was never compared."""
    left = [reach.body for reach in coverage.bodies if not reach.by]
    if not left:
        return coverage.errors[0] if coverage.errors else None
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    path = left[0].module if pack.path == "." else f"{pack.path}/{left[0].module}"
    return f"no input that both answer reaches the body at {path}:{left[0].line}{more}: add a fixture that does"


def new_lock(conftest: ConftestEngine, packs: Mapping[str, Entry]) -> Lock:
    """A lock made here and now."""
    return Lock(conftest.opa, regopy_version(), METHOD, packs)


def shown(entry: Entry) -> str | None:
    """The input that shows a difference and both answers, in one line."""
    if entry.shown_by is None:
        return None
    value, answers = entry.shown_by
    said = "; ".join(f"{name}: {json.dumps(answer)}" for name, answer in sorted(answers.items()))
    return f"input {json.dumps(value)}; {said}"
