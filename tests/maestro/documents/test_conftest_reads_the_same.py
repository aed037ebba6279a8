"""What a pack is given is what conftest would have given it, but for scalars on which YAML 1.1 and 1.2 differ."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro.documents import read
from tests.support.tools import tool

LENIENT = Path(__file__).parents[2] / "assets" / "documents" / "lenient"


def _conftest(path: Path) -> list[Any]:
    """The documents as conftest reads them: several come as a list."""
    done = subprocess.run([tool("conftest"), "parse", str(path)], capture_output=True, check=True)
    value = json.loads(done.stdout)
    return value if isinstance(value, list) else [value]


def _ours(path: Path) -> list[Any]:
    reading = read(path.name, path.read_bytes(), dialect="lenient")
    assert [problem.message for problem in reading.problems] == []
    return [document.value for document in reading.documents]


@pytest.mark.parametrize("name", ["kubernetes.yaml", "compose.yaml", "gitlab-ci.yml", "terraform-plan.json"])
def test_files_of_other_tools_are_read_alike(name: str) -> None:
    # conftest splits at every `---` and so sees a null before the first one; no policy can say anything of it.
    ours, theirs = ([one for one in values(LENIENT / name) if one is not None] for values in (_ours, _conftest))
    assert ours == theirs
    assert read(name, (LENIENT / name).read_bytes(), dialect="lenient").notes == ()


def test_a_workflow_differs_in_its_one_key_that_yaml_1_1_takes_for_a_boolean() -> None:
    path = LENIENT / "github-workflow.yaml"
    (ours,), (theirs,) = _ours(path), _conftest(path)
    theirs["on"] = theirs.pop("true")
    assert ours == theirs
    notes = read(path.name, path.read_bytes(), dialect="lenient").notes
    assert [(note.location.line, note.location.column) for note in notes] == [(2, 1)]


def test_every_scalar_that_conftest_reads_differently_has_a_note() -> None:
    path = LENIENT / "scalars-of-yaml-1.1.yaml"
    (ours,), (theirs,) = _ours(path), _conftest(path)
    notes = read(path.name, path.read_bytes(), dialect="lenient").notes
    lines = {note.location.line for note in notes}
    text = path.read_text().splitlines()
    for number, line in enumerate(text, 1):
        key = line.partition(":")[0]
        named = {"yes": "true", "on": "true"}.get(key, key)
        differs = key not in theirs or json.dumps(theirs.get(named)) != json.dumps(ours[key])
        if differs and number not in lines:
            # JSON has one kind of number: conftest writes 1.0 as 1.
            assert theirs[key] == ours[key], line
    assert lines == {1, 2, 3, 4, 5, 6, 7, 9, 12, 14}


_NAMES = st.sampled_from(["a", "b", "c", "key", "with space", "x-y"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(alphabet="ab :#-'\"{}\n\té", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(_NAMES, _VALUES, min_size=1), st.dictionaries(_NAMES, _VALUES), st.permutations([0, 1, 2]))
def test_anchors_and_merges_are_read_alike(
    tmp_path_factory: pytest.TempPathFactory, base: Any, own: Any, order: list[int]
) -> None:
    """Merge keys before, between and after other keys."""
    parts = ["  <<: *base", *(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in own.items())]
    ordered = [parts[index % len(parts)] for index in order if index < len(parts)]
    lines = list(dict.fromkeys(ordered)) or parts
    path = tmp_path_factory.mktemp("merge") / "x.yaml"
    path.write_text(f"base: &base {json.dumps(base)}\nother: *base\nuse:\n" + "\n".join(lines) + "\n")
    assert _ours(path) == _conftest(path)
