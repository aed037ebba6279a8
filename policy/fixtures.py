"""Fixtures: inputs with the decision that is expected for them, and what a pack says instead.

``<pack>/fixtures/*.yaml`` (also ``.yml``, ``.json``, several documents in a file, folders inside)::

    name: a new flag without an owner
    input: {flag: {key: checkout-v2, add: true}, before: null, now: "2026-12-01T00:00:00Z"}
    expect:
      deny: [mc.flags/missing_owner]

``expect.deny`` are the ids of all rules named deny or violation that speak, ``expect.warn`` of those named warn,
whatever the mode: a pack on trial has the same fixtures as one that blocks. What is not listed must stay silent. Of
``expect.decision`` (for packs that answer ``decision``) only the members given are compared.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from maestro.documents.reading import RawDocument, read
from maestro.findings import Location
from policy.decide import Decision, decide
from policy.engines.both_engine import same
from policy.engines.engine import Answer, Broken, Engine, Program, Values
from policy.pack import Files, Pack
from policy.rego_text import read_text

KEYS = ("name", "input", "expect")
EXPECTED = ("deny", "warn", "decision")
ENDINGS = (".yaml", ".yml", ".json")
_RULE_MEMBER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}\Z")


@dataclass(frozen=True)
class Fixture:
    """One fixture. ``deny``, ``warn``: rule ids, sorted. ``decision``: members of the decision, None: not compared."""

    name: str
    input: Any
    deny: tuple[str, ...]
    warn: tuple[str, ...]
    decision: Mapping[str, Any] | None
    location: Location


@dataclass(frozen=True)
class FixtureProblem:
    """What keeps a fixture from being used."""

    message: str
    location: Location
    remedy: str | None = None


@dataclass(frozen=True)
class Judged:
    """A fixture and what the pack said. ``differences``: lines a person reads, none when all is as expected. ``error``:
    why there is no trustworthy answer, with its kind as the engine's ``Broken`` has it."""

    fixture: Fixture
    differences: tuple[str, ...]
    error: str | None = None
    error_kind: str | None = None
    remedy: str | None = None

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences and self.error is None


def read_fixtures(files: Files, pack: Pack) -> tuple[list[Fixture], list[FixtureProblem]]:
    """Every fixture of a pack in the order of the files, and everything that is wrong with any."""
    inside = "fixtures/" if pack.path == "." else f"{pack.path}/fixtures/"
    paths = [path for path in files.entries if path.startswith(inside) and PurePosixPath(path).suffix in ENDINGS]
    links = [path for path in paths if files.entries[path].mode not in ("100644", "100755")]
    problems = [FixtureProblem("the fixture is a link, not a file", Location(path)) for path in links]
    contents = files.read_many([path for path in paths if path not in links])
    known = known_rules(pack)
    found: dict[str, Fixture] = {}
    for path in sorted(contents):
        reading = read(path, contents[path], dialect="strict")
        problems += [FixtureProblem(one.message, one.location, one.remedy) for one in reading.problems]
        if reading.problems:
            continue
        for raw in reading.documents:
            fixture = _fixture(raw, pack, known, problems)
            if fixture is None:
                continue
            if fixture.name in found:
                where = found[fixture.name].location
                message = f"the name {fixture.name!r} is that of the fixture {where.path}:{where.line} as well"
                problems.append(FixtureProblem(message, fixture.location, "give each fixture a name of its own"))
                continue
            found[fixture.name] = fixture
    return list(found.values()), problems


_SHAPE = "a fixture has `name` (a sentence), `input` (what the pack is given) and `expect` {deny, warn, decision}"


def known_rules(pack: Pack) -> dict[str, set[str]] | None:
    """Every id the pack's results can have, with the kinds (``deny``, ``warn``) of rules it can come from. None when
    an id is computed, so that any may occur."""
    kinds: dict[str, set[str]] = {}
    for rule in pack.rules:
        kinds.setdefault(f"{pack.name}/{rule.suffix}", set()).add("warn" if rule.kind == "warn" else "deny")
    for source in pack.modules.values():
        tokens = read_text(source.decode("utf-8", "replace")).tokens
        for at, token in enumerate(tokens[:-2]):
            if token.text != '"rule"' or tokens[at + 1].text != ":":
                continue
            value = tokens[at + 2]
            if value.kind != "string" or not _RULE_MEMBER.match(value.text[1:-1]):
                return None
            kinds.setdefault(f"{pack.name}/{value.text[1:-1]}", set()).update(("deny", "warn"))
    return kinds


def _fixture(
    raw: RawDocument, pack: Pack, known: dict[str, set[str]] | None, problems: list[FixtureProblem]
) -> Fixture | None:
    """The fixture of one document, or None with what is wrong added to ``problems``."""
    before = len(problems)
    value = raw.value
    if not isinstance(value, dict):
        problems.append(FixtureProblem("a fixture is a mapping of keys to values", raw.start, _SHAPE))
        return None
    _keys(raw, (), value, KEYS, problems)
    problems += [FixtureProblem(f"the fixture has no {key!r}", raw.start, _SHAPE) for key in KEYS if key not in value]
    name = value.get("name")
    if "name" in value and (not isinstance(name, str) or not name.strip()):
        problems.append(FixtureProblem("`name` is a text", raw.locate(["name"])))
    expect = value.get("expect")
    if "expect" not in value:
        return None
    if not isinstance(expect, dict) or not expect:
        message = f"`expect` holds at least one of {', '.join(EXPECTED)}"
        problems.append(FixtureProblem(message, raw.locate(["expect"]), "`deny: []` says that nothing is denied"))
        return None
    _keys(raw, ("expect",), expect, EXPECTED, problems)
    lists = {kind: _rules(raw, kind, expect.get(kind, []), pack, known, problems) for kind in ("deny", "warn")}
    decision = expect.get("decision")
    if "decision" in expect:
        where = raw.locate(["expect", "decision"])
        if not pack.decides:
            problems.append(FixtureProblem(f"{pack.name} has no rule `decision`", where, "expect deny or warn"))
        elif not isinstance(decision, dict):
            problems.append(FixtureProblem("`decision` is a mapping, such as {allow: true}", where))
    if len(problems) > before or not isinstance(name, str):
        return None
    return Fixture(
        name=name,
        input=value["input"],
        deny=lists["deny"],
        warn=lists["warn"],
        decision=decision if isinstance(decision, dict) else None,
        location=raw.start,
    )


def _keys(
    raw: RawDocument,
    prefix: tuple[str, ...],
    value: dict[str, Any],
    known: Sequence[str],
    problems: list[FixtureProblem],
) -> None:
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.6)
            remedy = f"did you mean {near[0]!r}?" if near else _SHAPE
            where = raw.locate([*prefix, key], key=True)
            inside = f"`{prefix[0]}`" if prefix else "a fixture"
            problems.append(FixtureProblem(f"{inside} has no key {key!r}", where, remedy))


def _rules(
    raw: RawDocument,
    kind: str,
    given: Any,  # noqa: ANN401
    pack: Pack,
    known: dict[str, set[str]] | None,
    problems: list[FixtureProblem],
) -> tuple[str, ...]:
    if not isinstance(given, list):
        message = f"`{kind}` is a list of rule ids, such as [{pack.name}/…]"
        problems.append(FixtureProblem(message, raw.locate(["expect", kind])))
        return ()
    out = []
    for index, rule in enumerate(given):
        where = raw.locate(["expect", kind, index])
        if not isinstance(rule, str):
            problems.append(FixtureProblem("a rule id is a text", where))
        elif known is not None and rule not in known:
            near = difflib.get_close_matches(rule, known, 1, 0.4)
            remedy = f"did you mean {near[0]}?" if near else "`maestro policy list` names the rules"
            problems.append(FixtureProblem(f"{pack.name} has no rule {rule!r}", where, remedy))
        elif known is not None and kind not in known[rule]:
            other = "warn" if kind == "deny" else "deny"
            message = f"{rule} is not a {kind} rule"
            problems.append(FixtureProblem(message, where, f"list it under `{other}`"))
        else:
            out.append(rule)
    return tuple(sorted(set(out)))


@dataclass(frozen=True)
class _Recorded:
    """Answers once given, as an engine: so that one evaluation serves several readings of it."""

    asked: tuple[str, ...]
    answers: Sequence[Answer]
    name: str
    version: str

    def evaluate(self, program: Program, inputs: Sequence[Any]) -> list[Answer]:  # noqa: ARG002
        places = [self.asked.index(entrypoint) for entrypoint in program.entrypoints]
        return [
            answer if isinstance(answer, Broken) else Values(tuple(answer.values[place] for place in places))
            for answer in self.answers
        ]


def judge(pack: Pack, fixtures: Sequence[Fixture], engine: Engine) -> list[Judged]:
    """What the pack says of every fixture, asked in one batch."""
    inputs = [fixture.input for fixture in fixtures]
    program = pack.program()
    recorded = _Recorded(program.entrypoints, engine.evaluate(program, inputs), engine.name, engine.version)
    # As if everything enforced: then a reason's mode tells whether a deny or a warn rule gave it.
    as_written = replace(pack, mode="enforce", rules=tuple(replace(rule, mode=None) for rule in pack.rules))
    by_rules = decide(replace(as_written, decides=False), inputs, recorded)
    by_decision = decide(replace(as_written, rules=()), inputs, recorded) if pack.decides else by_rules
    return [
        _judged(pack, fixture, rules, decision)
        for fixture, rules, decision in zip(fixtures, by_rules, by_decision, strict=True)
    ]


def _judged(pack: Pack, fixture: Fixture, rules: Decision, decision: Decision) -> Judged:
    for one in (rules, decision):
        if one.error is not None:
            return Judged(fixture, (), _with_paths(pack, one.error), one.error_kind, one.remedy)
        if one.disagreement is not None:
            return Judged(fixture, (f"! {one.no_answer}",))
    differences = []
    for kind, wanted, mode in (("deny", fixture.deny, "enforce"), ("warn", fixture.warn, "warn")):
        said: dict[str, list[str]] = {}
        for reason in rules.reasons:
            if reason.mode == mode:
                said.setdefault(reason.rule, []).append(reason.message)
        differences += [f"- {kind} {rule}: it was expected, and stays silent" for rule in wanted if rule not in said]
        for rule, messages in said.items():
            if rule not in wanted:
                differences += [f"+ {kind} {rule}: {message}" for message in messages]
    if pack.decides and fixture.decision is not None:
        differences += _decision_differences(fixture.decision, decision)
    return Judged(fixture, tuple(differences))


def _with_paths(pack: Pack, message: str) -> str:
    """An engine's message, in which modules are named as they lie in the repository."""
    if pack.path == ".":
        return message
    for name in pack.modules:
        place = rf"(?<![\w/.-]){re.escape(name)}(?=:\d)"
        message = re.sub(place, lambda _, name=name: f"{pack.path}/{name}", message)  # type: ignore[misc]
    return message


def _decision_differences(wanted: Mapping[str, Any], decision: Decision) -> Iterable[str]:
    if not isinstance(decision.value, dict):
        yield "- decision: there is none"
        return
    for key, value in wanted.items():
        if key not in decision.value:
            yield f"- decision.{key}: {_shown(value)}"
            yield f"+ decision.{key}: not there"
        elif not same(value, decision.value[key]):
            yield f"- decision.{key}: {_shown(value)}"
            yield f"+ decision.{key}: {_shown(decision.value[key])}"
    if any(not same(value, decision.value.get(key)) for key, value in wanted.items()):
        yield from (f"  because {reason.rule}: {reason.message}" for reason in decision.reasons)


def _shown(value: Any) -> str:  # noqa: ANN401
    return json.dumps(value, ensure_ascii=False)
