"""What conftest says, read: the adapter's answers from standard output, the reason of a failure from standard error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from policy.engines.engine import UNDEFINED, BrokenKind, Values

_BUILTIN = re.compile(r"Message:(.*?) Location:(\S*) StackTrace:", re.DOTALL)
_LONGEST = 2000
"""Characters of an error message that are kept: the rest is somebody's document."""


@dataclass(frozen=True)
class Failure:
    """Why a process gave no answer. ``whole``: no input could ever get one (the Rego does not compile)."""

    message: str
    kind: BrokenKind
    whole: bool = False


def number(text: str) -> int | float:
    """A JSON number with a fraction or an exponent. What a double cannot hold stays an exact integer if it is one.

    Raises:
        ValueError: it is neither.
    """
    value = float(text)
    if value not in (float("inf"), float("-inf")):
        return value
    exact = Decimal(text)
    if exact.adjusted() > 4000 or exact != exact.to_integral_value():
        raise ValueError(f"the number {text:.40} is beyond what can be kept exactly")
    return int(exact)


def read_answers(stdout: bytes, namespace: str, count: int, entrypoints: int) -> list[Values] | Failure:
    """The adapter's answers for ``count`` inputs, each answered exactly once, or why they cannot be believed.

    The shape (see ``conftest_engine.adapter``): one result of ``namespace`` whose ``msg`` is the JSON text of
    ``[[id, [[value]|[] per entrypoint]], …]``.
    """
    try:
        results = json.loads(stdout)
        (result,) = (item for item in results if item["namespace"] == namespace)
        (failure,) = result["failures"]
        if len(results) != 1 or result.get("warnings") or result.get("exceptions"):
            raise ValueError("more than the adapter answered")
        pairs = json.loads(failure["msg"], parse_float=number)
        answers: dict[int, Values] = {}
        for key, values in pairs:
            if type(key) is not int or key in answers or len(values) != entrypoints:
                raise ValueError("an answer that does not fit the question")
            answers[key] = Values(tuple(_value(value) for value in values))
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        what = "nothing" if not stdout.strip() else "something that is not the adapter's answer"
        return Failure(f"conftest printed {what} ({type(error).__name__}: {str(error)[:120]})", "missing")
    if sorted(answers) != list(range(count)):
        return Failure(f"conftest answered {len(answers)} of {count} inputs", "missing")
    return [answers[index] for index in range(count)]


def _value(value: Any) -> Any:  # noqa: ANN401
    """``[v]`` is the value v, ``[]`` is undefined."""
    if not isinstance(value, list) or len(value) > 1:
        raise ValueError("an entrypoint with several values")
    return value[0] if value else UNDEFINED


def read_failure(stderr: bytes, returncode: int, names: Mapping[str, str]) -> Failure:
    """Why conftest ended without an answer. ``names``: the private file name of each module to its own."""
    text = stderr.decode("utf-8", "replace").strip()
    for private, name in names.items():
        text = text.replace(private, name)
    if "built-in error: [" in text:
        found = _BUILTIN.findall(text)
        said = "; ".join(f"{location}: {message}" for message, location in found[:3]) or text
        return Failure(f"an error inside a builtin: {said}"[:_LONGEST], "builtin")
    if "eval_conflict_error" in text:
        return Failure(_after(text, "evaluating policy: "), "conflict")
    if "loading policies: " in text:
        return Failure(_after(text, "loading policies: "), "compile", whole=True)
    if any(words in text for words in ("out of memory", "cannot allocate memory", "pthread_create failed")):
        return Failure("the evaluation needs more memory than it may have", "memory")
    if returncode < 0:
        return Failure(f"conftest was ended by signal {-returncode}", "crash")
    said = _after(text, "Error: ") or "it said nothing"
    return Failure(f"conftest ended with exit code {returncode}: {said}", "crash")


def _after(text: str, mark: str) -> str:
    _, found, rest = text.partition(mark)
    return (rest if found else text)[:_LONGEST].strip()


def embedded_opa(version_output: bytes) -> tuple[str, str] | None:
    """(conftest's own version, the embedded OPA's) from ``conftest --version``, or None when it is no such output."""
    found = dict(_lines(version_output.decode("utf-8", "replace").splitlines()))
    conftest, opa = found.get("Conftest"), found.get("OPA")
    return (conftest, opa) if conftest and opa else None


def _lines(lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(key.strip(), value.strip()) for key, colon, value in (line.partition(":") for line in lines) if colon]
