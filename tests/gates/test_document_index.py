"""Documents are found by bytes before they are parsed: some too many perhaps, never one too few."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from gates.document_index import MANY, DocumentIndex
from maestro.documents.manifest import Manifest
from maestro.patterns import compile_patterns
from maestro.snapshot import Snapshot
from tests.gates.governed import FLAG, POOL

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,12}[a-z0-9])?", fullmatch=True)


def index_of(files: dict[str, bytes]) -> DocumentIndex:
    return DocumentIndex(Snapshot.of_files(files), compile_patterns(["d/**"]))


def escaped(name: str, positions: set[int], style: str) -> str:
    forms: dict[str, Callable[[int], str]] = {"x": "\\x{:02x}".format, "u": "\\u{:04X}".format, "U": "\\U{:08x}".format}
    return '"' + "".join(forms[style](ord(c)) if at in positions else c for at, c in enumerate(name)) + '"'


def broken_over_lines(name: str, at: int) -> str:
    return f'"{name[:at]}\\\n      {name[at:]}"'


@st.composite
def scalars(draw: st.DrawFn, name: str) -> str:
    """``name`` in one of the ways in which YAML can write it."""
    written: str = draw(
        st.one_of(
            st.just(f'"{name}"'),
            st.just(f"'{name}'"),
            st.just(json.dumps(name)),
            st.just(f"&anchor {name if not name[0].isdigit() else repr(name)}"),
            st.just(f"|-\n      {name}"),
            st.just(f">-\n      {name}\n"),
            st.just(f"\n      {name if not name[0].isdigit() else repr(name)}   # a comment"),
            st.builds(
                escaped,
                st.just(name),
                st.sets(st.integers(0, len(name) - 1)),
                st.sampled_from("xuU"),
            ),
            st.builds(broken_over_lines, st.just(name), st.integers(0, len(name))),
        )
    )
    return written


def manifest(name: str, pool: str) -> str:
    return f"""\
apiVersion: maestro-conductor/v1
kind: Manifest
metadata:
  name: {name}
  tenant: acme
  owner: "@acme/data"
spec:
  command: [x]
  pool: {pool}
"""


@given(st.data(), names, names)
def test_a_document_is_within_what_can_hold_its_name_and_what_it_refers_to(
    data: st.DataObject, name: str, pool: str
) -> None:
    text = manifest(data.draw(scalars(name)), data.draw(scalars(pool)).replace("&anchor ", ""))
    files = {"d/a.yaml": text.encode(), "d/b.yaml": FLAG.encode(), "README.md": name.encode()}
    index = index_of(files)
    [document] = index.documents(["d/a.yaml"])
    assert isinstance(document.model, Manifest)
    assert (document.name, document.model.spec.pool) == (name, pool)
    for word in (name, pool, "Manifest"):
        assert "d/a.yaml" in index.holding([word]), text
        assert "d/a.yaml" in index.holding(["nothing-else", word])


@given(st.data(), names)
def test_an_alias_stands_in_the_file_of_its_anchor(data: st.DataObject, name: str) -> None:
    text = manifest(f"&n {json.dumps(name)}", "*n")
    index = index_of({"d/a.yaml": text.encode(), "d/b.yaml": POOL.encode()})
    [document] = index.documents(["d/a.yaml"])
    assert isinstance(document.model, Manifest)
    assert document.model.spec.pool == name
    assert "d/a.yaml" in index.holding([name])


@given(st.lists(names, min_size=1, max_size=8, unique=True), st.text(max_size=80))
def test_whatever_is_parsed_by_a_name_was_to_be_found_by_it(words: list[str], noise: str) -> None:
    files = {
        f"d/{number}.yaml": FLAG.replace("checkout-v2", f'"{word}"').encode() + noise.encode("utf-8", "replace")
        for number, word in enumerate(words)
    }
    index = index_of(files)
    for word in words:
        found = {document.path for document in index.documents(index.paths) if document.name == word}
        assert found <= set(index.holding([word]))


def test_nothing_else_is_parsed() -> None:
    files = {f"d/{n}.yaml": FLAG.replace("checkout-v2", f"flag-{n}x").encode() for n in range(50)}
    index = index_of(files)
    assert index.holding(["flag-7x"]) == ("d/7.yaml",)
    assert [document.name for document in index.documents(index.holding(["flag-7x"]))] == ["flag-7x"]
    assert list(index._parsed) == ["d/7.yaml"]


def test_no_words_are_held_by_nothing_and_very_many_by_everything() -> None:
    index = index_of({"d/a.yaml": FLAG.encode()})
    assert index.holding([]) == ()
    assert index.holding(["nowhere"]) == ()
    assert index.holding([f"nowhere-{n}" for n in range(MANY + 1)]) == ("d/a.yaml",)


def test_words_are_no_patterns() -> None:
    index = index_of({"d/a.yaml": FLAG.encode()})
    assert index.holding(["check.ut-v2"]) == ()
    assert index.holding(["*"]) == ()


def test_only_governed_regular_yaml_files_count() -> None:
    index = index_of({"d/a.yaml": b"", "d/b.yml": b"", "d/c.json": b"", "d/README.md": b"", "e/a.yaml": b""})
    assert index.paths == ("d/a.yaml", "d/b.yml")
    assert not index.has("d/c.json")
    assert not index.has("d/absent.yaml")
    assert list(index.documents(["e/a.yaml", "d/absent.yaml"])) == []
