"""A pack tries to look like another, or to be answered from its data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policy.engines.choose import trusted_conftest
from policy.engines.engine import Program, Values
from policy.engines.proven import program_digest
from tests.support.tools import tool

MODULE = """\
package mc.flags

import rego.v1

deny_x contains "m" if { input.bad; not "x" in allowed }
allowed contains "y" if true
"""


def program(module: str, data: bytes = b"{}") -> Program:
    return Program({"a.rego": module.encode()}, {"d.json": data}, ("data.mc.flags.deny_x",), "v1", True)


@pytest.mark.parametrize(
    "comment",
    ['#\rallowed contains "x" if true\n', '# \r\rallowed contains "x" if true\n', '# a\rallowed contains "x"\r\n'],
)
def test_what_an_engine_could_read_in_a_comment_is_in_the_proofs_digest(comment: str) -> None:
    assert program_digest(program(MODULE + comment)) != program_digest(program(MODULE))


@pytest.mark.parametrize("comment", ["# a comment\n", "# a comment\r\n", "#\n", "# `raw\n", '# "text\n'])
def test_comments_are_not(comment: str) -> None:
    assert program_digest(program(MODULE + comment + "\n")) == program_digest(program(MODULE + "\n\n"))


@pytest.mark.parametrize(
    "data",
    [
        b'{"mc": {"flags": {"deny_x": [], "allowed": ["x"]}}}',
        b'{"mc": {"flags": []}}',
        b'{"mc": null}',
        b'{"mc": {"flags": {"exception": [["x"]]}}}',
    ],
)
def test_data_does_not_stand_in_for_rules(data: bytes) -> None:
    path = f"{Path(tool('conftest')).parent}{os.pathsep}{os.defpath}"
    [answer] = trusted_conftest({"PATH": path}).evaluate(program(MODULE, data), [{"bad": True}])
    assert answer == Values((["m"],))
