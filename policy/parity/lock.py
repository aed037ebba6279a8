"""``policy/parity.lock``: the packs that regopy was seen to judge as conftest does, in the repository that they judge.

JSON, sorted, one fact a line, so that a review shows what changes. Only the copy at the policy revision is believed; it
is made by ``maestro policy parity --write`` and kept true by the gate ``policy-parity``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any, NoReturn

from policy.engines.engine import Program
from policy.engines.proven import program_digest, regopy_version
from policy.pack import Files

LOCK_PATH = "policy/parity.lock"
SCHEMA = "maestro-conductor/parity-lock/v1"
MADE_BY = "maestro policy parity --write; edited by hand it is refused: the gate policy-parity asks both engines again"
LARGEST = 4 << 20
"""Bytes. A pack takes about 500."""
_FAMILY = "maestro-conductor/parity-lock/"
_REGULAR = ("100644", "100755")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """What was found out about one pack.

    ``program`` is the digest of what evaluation depends on. ``alike``: every answer of regopy was conftest's, so that
    it may judge the pack. ``asked`` inputs were ``equal``, broken on both sides included; ``refused`` are those that
    regopy answers with an error of its own, which is never an allow. ``bodies`` of rules, so many ``reached`` by what
    both answered. Where not ``alike``: ``why``, and, where an input shows it, the smallest with what both answered.
    """

    program: str
    alike: bool
    inputs: str
    asked: int
    equal: int
    refused: int
    reached: int
    bodies: int
    why: str | None = None
    shown_by: tuple[Any, Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Lock:
    """A lock as read. ``opa`` is the one inside conftest: the reference. ``method``: how inputs were derived.

    ``problem``: why nothing in it can be believed, with the ``line`` where that shows.
    """

    opa: str = ""
    regopy: str = ""
    method: int = 0
    packs: Mapping[str, Entry] = field(default_factory=dict)
    problem: str | None = None
    line: int = 1
    there: bool = True

    def objection(self, program: Program) -> str | None:
        """Why regopy must not judge a program, or None.

        What came in a bundle needs two proofs: this lock's, made here, and the one that was signed with the bundle.
        """
        if program.bundle_lock == b"":
            return f"the bundle that this pack came in has no {LOCK_PATH}, so only conftest may judge it"
        if program.bundle_lock is not None:
            objection = read_lock(program.bundle_lock).objection(replace(program, bundle_lock=None))
            if objection is not None:
                return f"in the bundle that this pack came in: {objection}"
        if not self.there:
            return f"regopy judges only packs that {LOCK_PATH} names, and there is none where policy is read"
        if self.problem is not None:
            return f"regopy judges only packs that {LOCK_PATH} names, and it cannot be used: {self.problem}"
        if self.regopy != regopy_version():
            return f"{LOCK_PATH} was made with regopy {self.regopy}, and {regopy_version()} is installed"
        digest = program_digest(program)
        named = [entry for entry in self.packs.values() if entry.program == digest]
        if any(entry.alike for entry in named):
            return None
        if named:
            return f"{LOCK_PATH} says that regopy does not judge this pack as conftest does: {named[0].why}"
        return f"regopy judges only packs that {LOCK_PATH} names, and it does not name this one as it is now"


ABSENT = Lock(there=False)


def lock_at(files: Files) -> Lock:
    """The lock of a revision or folder. Raises nothing for what it holds."""
    entry = files.entries.get(LOCK_PATH)
    if entry is None:
        return ABSENT
    if entry.mode not in _REGULAR:
        return Lock(problem="it is a link, not a file")
    return read_lock(files.read_many([LOCK_PATH])[LOCK_PATH])


def shipped() -> Lock:
    """The lock that comes with this tool, for the packs that come with it."""
    return read_lock(shipped_bytes())


def shipped_bytes() -> bytes:
    """The bytes of that lock: what ``maestro init`` writes beside the packs."""
    return resources.files("policy").joinpath("parity.lock").read_bytes()


class _Wrong(ValueError):
    pass


def read_lock(data: bytes) -> Lock:
    """A lock from its bytes; anything that is not exactly one is a problem."""
    if len(data) > LARGEST:
        return Lock(problem=f"it has {len(data):,} bytes, and {LARGEST:,} are read")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_constant)
        return _lock(value)
    except json.JSONDecodeError as error:
        return Lock(problem=f"it is not JSON: {error.msg}", line=error.lineno)
    except UnicodeDecodeError as error:
        return Lock(problem=f"it is not UTF-8 (byte {error.start})")
    except (ValueError, RecursionError) as error:
        problem = str(error) if isinstance(error, _Wrong) else f"it is not JSON as we read it: {str(error)[:200]}"
        return Lock(problem=problem)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Wrong(f"a member stands twice: {twice[:80]!r}")
    return out


def _constant(name: str) -> NoReturn:
    raise _Wrong(f"{name} is no number of JSON")


def _lock(value: Any) -> Lock:  # noqa: ANN401
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA:
        if isinstance(schema, str) and schema.startswith(_FAMILY):
            raise _Wrong(f"it was written by another version of Maestro ({schema[:80]}; this one reads {SCHEMA})")
        raise _Wrong(f"it is no parity lock: its schema is not {SCHEMA}")
    _members(value, "the lock", ("schema", "made_by", "engines", "method", "packs"))
    engines = value["engines"]
    _members(engines, "engines", ("opa", "regopy"))
    packs = value["packs"]
    if not all(isinstance(engines[name], str) for name in engines):
        raise _Wrong("the versions of engines are texts")
    if not _is_count(value["method"]) or not isinstance(packs, dict):
        raise _Wrong("`method` is a number, and `packs` an object")
    entries = {name: _entry(name, entry) for name, entry in packs.items()}
    return Lock(engines["opa"], engines["regopy"], value["method"], entries)


def _members(value: Any, what: str, wanted: Iterable[str], optional: Iterable[str] = ()) -> None:  # noqa: ANN401
    if not isinstance(value, dict):
        raise _Wrong(f"{what} is not an object")
    missing = [name for name in wanted if name not in value]
    if missing:
        raise _Wrong(f"{what} has no {missing[0]!r}")
    unknown = [name for name in value if name not in {*wanted, *optional}]
    if unknown:
        raise _Wrong(f"{what} has a member {unknown[0][:80]!r} that is not known")


def _is_count(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def _entry(name: str, value: Any) -> Entry:  # noqa: ANN401
    what = f"the entry {name[:80]!r}"
    _members(value, what, ("program", "alike", "inputs", "bodies"), ("why", "shown_by"))
    inputs, bodies = value["inputs"], value["bodies"]
    _members(inputs, f"{what}: inputs", ("digest", "asked", "equal", "refused"))
    _members(bodies, f"{what}: bodies", ("of", "reached"))
    counts = [inputs["asked"], inputs["equal"], inputs["refused"], bodies["of"], bodies["reached"]]
    digests = [value["program"], inputs["digest"]]
    if not all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in digests):
        raise _Wrong(f"{what}: a digest is sha256: and 64 hexadecimal digits")
    if not isinstance(value["alike"], bool) or not all(map(_is_count, counts)):
        raise _Wrong(f"{what}: `alike` is true or false, and counts are numbers")
    why = value.get("why")
    if value["alike"] != (why is None) or not isinstance(why, (str, type(None))):
        raise _Wrong(f"{what}: `why` says why the engines are not alike, and stands only there")
    shown = value.get("shown_by")
    if shown is not None:
        _members(shown, f"{what}: shown_by", ("input", "answers"))
    return Entry(
        program=value["program"],
        alike=value["alike"],
        inputs=inputs["digest"],
        asked=inputs["asked"],
        equal=inputs["equal"],
        refused=inputs["refused"],
        reached=bodies["reached"],
        bodies=bodies["of"],
        why=why,
        shown_by=None if shown is None else (shown["input"], shown["answers"]),
    )


def render(lock: Lock) -> bytes:
    """The bytes of a lock: the same lock, the same bytes. ASCII, so that nothing in it can hide from a reviewer."""
    value = {
        "schema": SCHEMA,
        "made_by": MADE_BY,
        "engines": {"opa": lock.opa, "regopy": lock.regopy},
        "method": lock.method,
        "packs": {name: _entry_json(lock.packs[name]) for name in sorted(lock.packs)},
    }
    return (json.dumps(value, indent=2) + "\n").encode("ascii")


def _entry_json(entry: Entry) -> dict[str, Any]:
    out: dict[str, Any] = {"program": entry.program, "alike": entry.alike}
    if entry.why is not None:
        out["why"] = entry.why
    if entry.shown_by is not None:
        out["shown_by"] = {"input": entry.shown_by[0], "answers": dict(sorted(entry.shown_by[1].items()))}
    out["inputs"] = {
        "digest": entry.inputs,
        "asked": entry.asked,
        "equal": entry.equal,
        "refused": entry.refused,
    }
    out["bodies"] = {"of": entry.bodies, "reached": entry.reached}
    return out


LockSource = Callable[[], Lock]
