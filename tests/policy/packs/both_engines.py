"""The two engines without any code of ours between: OPA (the binary) and regopy (in a process of its own)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.tools import tool

PACKS = Path("policy/packs")


ADAPTER = """package adapter

answers[id] := value if {
	some id, doc in data.asked
	value := ENTRYPOINT with input as doc
}
"""


def fixtures(pack: str) -> dict[str, Any]:
    """Every fixture of a pack, by file name without ending."""
    yaml = YAML(typ="safe", pure=True)
    return {path.stem: yaml.load(path.read_text()) for path in sorted((PACKS / pack / "fixtures").glob("*.yaml"))}


def modules(pack: str) -> dict[str, str]:
    """The Rego of a pack without its tests."""
    files = sorted((PACKS / pack).glob("*.rego"))
    return {path.name: path.read_text() for path in files if not path.name.endswith("_test.rego")}


def opa(rego: dict[str, str], entrypoint: str, inputs: Sequence[Any], folder: Path) -> list[Any]:
    """OPA's values: [value] or [] when undefined, per input; builtin errors fail the whole."""
    for name, text in rego.items():
        (folder / name).write_text(text)
    (folder / "inputs.json").write_text(json.dumps({"asked": {str(i): value for i, value in enumerate(inputs)}}))
    (folder / "adapter.rego").write_text(ADAPTER.replace("ENTRYPOINT", entrypoint))
    argv = [tool("opa"), "eval", "--strict-builtin-errors", "--format", "json"]
    for name in [*rego, "inputs.json", "adapter.rego"]:
        argv += ["--data", str(folder / name)]
    done = subprocess.run([*argv, "data.adapter.answers"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = json.loads(done.stdout)["result"][0]["expressions"][0]["value"]
    return [[answers[str(i)]] if str(i) in answers else [] for i in range(len(inputs))]


def regopy(rego: dict[str, str], entrypoint: str, inputs: Sequence[Any]) -> list[Any]:
    """regopy's values, in the same shape."""
    script = Path(__file__).with_name("regopy_answers.py")
    request = json.dumps({"modules": rego, "entrypoint": entrypoint, "inputs": list(inputs)})
    done = subprocess.run(
        [sys.executable, str(script)], input=request, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("answer ")]


OTHERS: tuple[Any, ...] = (None, "", 'é"\\\n', "2026-13-45", 0, 7, True, [], ["é"], [None], {}, {"a": 1})


def mutants(value: Any) -> Iterator[Any]:
    """Copies of an input in which one place is absent or holds something else."""
    for path in _paths(value):
        yield _changed(value, path, None, absent=True)
        for other in OTHERS:
            yield _changed(value, path, other)
    yield from OTHERS


def _paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*here, key)
        yield from _paths(inner, (*here, key))


def _changed(value: Any, path: tuple[Any, ...], other: Any, *, absent: bool = False) -> Any:
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) > 1:
        copy[path[0]] = _changed(value[path[0]], path[1:], other, absent=absent)
    elif absent:
        del copy[path[0]]
    else:
        copy[path[0]] = other
    return copy
