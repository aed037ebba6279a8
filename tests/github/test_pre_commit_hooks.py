"""The hook runs gates that exist and need no Rego, with options that `maestro check` has."""

import argparse
import shlex

import yaml

from gates.catalogue import load
from gates.commands import check
from tests.support.tools import ROOT


def test_every_hook_runs_gates_that_need_no_rego() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hooks
    for hook in hooks:
        program, command, *options = shlex.split(hook["entry"])
        assert (program, command, hook["pass_filenames"]) == ("maestro", "check", False)
        parser = argparse.ArgumentParser()
        check.add_arguments(parser)
        gates = load(parser.parse_args(options).gate)
        assert [gate.ID for gate in gates] == ["documents", "flags"]
        assert not [gate.ID for gate in gates if gate.NEEDS_REGO]
