from __future__ import annotations

import os
from pathlib import Path

import pytest

from maestro.errors import ToolFailure
from policy.conformance import run
from policy.conformance.cases import folder, listed, load, matching
from policy.conformance.fuzz import fuzz
from policy.engines.regopy_engine import RegopyEngine
from tests.policy.engines.conftest_here import conftest_engine
from tests.support.tools import tool

ROOT = Path(__file__).parents[3]


def cases_environ() -> dict[str, str]:
    environ = {**os.environ, "PATH": os.pathsep.join([str(Path(tool("conftest")).parent), os.environ["PATH"]])}
    try:
        folder(environ)
    except ToolFailure as error:
        if os.environ.get("REQUIRE_TOOLS") == "1":
            raise
        pytest.skip(str(error))
    return environ


def test_the_list_names_every_case_of_opa() -> None:
    assert listed() == [case.name for case in load(folder(cases_environ()))]


def test_a_case_that_is_gone_is_an_error() -> None:
    with pytest.raises(ToolFailure, match="no 'v1/nothing'"):
        list(matching([], ["v1/nothing"]))


def test_the_page_is_what_the_run_gives() -> None:
    """In full where REQUIRE_TOOLS=1 (CI); elsewhere a sample, in which nothing may differ silently."""
    environ = cases_environ()
    if os.environ.get("REQUIRE_TOOLS") == "1":
        found, opa = run.tallies(environ)
        assert (ROOT / run.PAGE).read_text() == run.page(found, opa), "run python -m policy.conformance.run"
        return
    found, _ = run.tallies(environ, listed()[::40])
    assert [name for tally in found.values() for name in tally.different] == []
    assert found["v1"].valued["equal"] > 10


def test_random_packs_are_answered_alike_or_not_at_all() -> None:
    tally = fuzz(20261201, 200, conftest_engine(), RegopyEngine(""))
    assert [said for _, _, said in tally.different] == []
    assert tally.pairs["equal"] > 100
