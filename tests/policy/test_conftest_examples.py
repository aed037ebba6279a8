"""conftest's own examples, as their authors wrote them: `maestro check` says of each file what `conftest test` says."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maestro.cli import main
from maestro.world import World
from tests.support.git_repo import GitRepo
from tests.support.tools import conftest_sources, tool

EXAMPLES = "examples"
READABLE = (".yaml", ".yml", ".json")
PACKAGE = re.compile(r"^package ([\w.]+)$", re.MULTILINE)
ASKED = re.compile(r"^(deny|violation|warn)", re.MULTILINE)
DATA = {"data": ["data/exclusions"]}
"""Example to what its authors give as `--data`."""
ELSEWHERE = {
    "builtin-errors": "kubernetes/deployment.yaml",
    "report": "kubernetes/deployment.yaml",
    "strict-rules": "kubernetes/deployment.yaml",
}
"""Example to the input that conftest's acceptance.bats runs it on, where it has none of its own."""

REFUSED_BY_BOTH = {"serverless/policy-main": "undefined function has_field"}
"""Broken as published: conftest refuses to compile it as well."""
UNLIKE = {
    "builtin-errors-main": "net.lookup_ip_addr",
    "configfile/test-conftest": "",
}
"""What conftest runs and we do not, with what is said: a rule may not ask the network, so that a decision can be had
again; the package conftest is kept free, because conftest itself puts data there."""


@dataclass(frozen=True)
class Said:
    """What was said of one file, in any order."""

    failures: tuple[str, ...]
    warnings: tuple[str, ...]


def said(failures: list[str], warnings: list[str]) -> Said:
    return Said(tuple(sorted(failures)), tuple(sorted(warnings)))


@dataclass(frozen=True)
class Case:
    """Rules of one package in one folder, and what they are asked about. Paths from the examples' folder."""

    policy: str
    namespace: str
    inputs: tuple[str, ...]
    data: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.policy}-{self.namespace}"


def cases(folder: Path) -> list[Case]:
    """Every folder of Rego with every package in it, and the YAML and JSON of its example."""
    found = []
    for example in sorted(path for path in folder.iterdir() if path.is_dir()):
        modules = {path: path.read_text() for path in example.rglob("*.rego") if not path.name.endswith("_test.rego")}
        rego = [path for path, text in modules.items() if ASKED.search(text)]
        policies = {path.parent for path in rego}
        inputs = [ELSEWHERE[example.name]] if example.name in ELSEWHERE else below(folder, example)
        for policy in sorted(path for path in policies if not policies & set(path.parents)):
            names = {PACKAGE.findall(modules[path])[0] for path in rego if policy in path.parents}
            found += [
                Case(str(policy.relative_to(folder)), name, tuple(inputs), tuple(DATA.get(example.name, ())))
                for name in sorted(names)
                if inputs
            ]
    return found


def below(folder: Path, example: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in example.rglob("*") if path.suffix in READABLE)


def theirs(case: Case, folder: Path, *options: str) -> dict[str, Said] | str:
    """What `conftest test` says of each file, or why it could not."""
    argv = [tool("conftest"), "test", "-o", "json", "-p", case.policy, "-n", case.namespace, *options]
    argv += [text for data in case.data for text in ("-d", data)]
    done = subprocess.run([*argv, *case.inputs], cwd=folder, capture_output=True, env={"HOME": str(folder)})
    if not done.stdout.strip():
        return done.stderr.decode()
    results = json.loads(done.stdout)
    return {
        item["filename"]: said(
            [one["msg"] for one in item.get("failures") or []], [one["msg"] for one in item.get("warnings") or []]
        )
        for item in results
    }


def maestro(repo: GitRepo, *arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    environ = {**repo.environ, "PATH": f"{Path(tool('conftest')).parent}{os.pathsep}{repo.environ['PATH']}"}
    world = World(environ, repo.path, out, err, now=lambda: dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    return main(list(arguments), world), out.getvalue(), err.getvalue()


def ours(repo: GitRepo, inputs: tuple[str, ...]) -> dict[str, Said] | str:
    """What `maestro check --all` says of each file, or why it could not judge."""
    code, out, err = maestro(repo, "check", "--all", "--gate", "policy", "--format", "json")
    if not out:
        return err
    (verdict,) = json.loads(out)["verdicts"]
    if verdict["outcome"] == "errored":
        assert code == 1
        return str(verdict["reason"])
    assert code in (0, 10), err
    spoken = [one for one in verdict["findings"] if not one["rule"].startswith("mc.")]
    return {path: said(*(messages(spoken, path, mode) for mode in ("enforce", "warn"))) for path in inputs}


def messages(findings: list[dict[str, Any]], path: str, mode: str) -> list[str]:
    return [one["message"] for one in findings if one["location"]["path"] == path and one["mode"] == mode]


def governed(case: Case, source: Path, folder: Path, *, version: str = "v1") -> GitRepo:
    """A repository with the case's files and an entry for it, as the guide says to write one."""
    repo = GitRepo.init(folder)
    for path in (case.policy, *case.data):
        shutil.copytree(source / path, folder / path, dirs_exist_ok=True)
    for path in case.inputs:
        repo.write(path, (source / path).read_bytes())
    entry = {
        "path": case.policy,
        "namespace": case.namespace,
        "mode": "enforce",
        "match": list(case.inputs),
        "rego_version": version,
        "data": list(case.data),
    }
    repo.write("maestro.yaml", f"apiVersion: maestro-conductor/v1\npacks: [{json.dumps(entry)}]\n")
    repo.commit()
    return repo


@pytest.fixture(scope="module")
def examples() -> Path:
    return conftest_sources() / EXAMPLES


def test_every_example_with_yaml_or_json_gives_the_same(examples: Path, tmp_path: Path) -> None:
    compared: Counter[str] = Counter()
    unlike: dict[str, str] = {}
    for number, case in enumerate(cases(examples)):
        expected = theirs(case, examples)
        found = ours(governed(case, examples, tmp_path / str(number)), case.inputs)
        if isinstance(found, str):
            unlike[str(case)] = found
            refused = isinstance(expected, str)
            assert refused == (str(case) in REFUSED_BY_BOTH), (case, expected)
            continue
        assert found == expected, case
        compared[str(case)] = sum(len(one.failures) + len(one.warnings) for one in found.values())
    assert set(unlike) == set(REFUSED_BY_BOTH) | set(UNLIKE)
    for name, reason in (REFUSED_BY_BOTH | UNLIKE).items():
        assert reason in unlike[name]
    # So that the comparison compares something: most examples have something to say.
    assert len(compared) >= 15
    assert sum(count > 0 for count in compared.values()) >= 9
    assert compared.total() >= 25


def test_other_parsers_inputs_are_not_judged_and_it_is_said(examples: Path, tmp_path: Path) -> None:
    case = Case("docker/policy", "main", ("docker/Dockerfile",))
    assert "unallowed image" in str(theirs(case, examples))
    repo = governed(case, examples, tmp_path / "r")
    assert ours(repo, case.inputs) == {"docker/Dockerfile": said([], [])}
    assert "only .yaml, .yml and .json are read, so it matches nothing" in maestro(repo, "check", "--all")[2]


@pytest.mark.parametrize(
    "case",
    [
        Case("kubernetes/policy", "main", ("kubernetes/deployment.yaml",)),
        Case("exceptions/policy", "main", ("exceptions/deployments.yaml",)),
        Case("data/policy", "main", ("data/service.yaml",), ("data/exclusions",)),
    ],
    ids=str,
)
def test_simulate_says_the_same(examples: Path, tmp_path: Path, case: Case) -> None:
    repo = governed(case, examples, tmp_path / "r")
    code, out, err = maestro(repo, "simulate", "-m", case.inputs[0], "--format", "json")
    assert code == 10, err
    reasons = [reason for decision in json.loads(out)["decisions"] for reason in decision["reasons"]]
    found = said(*([one["message"] for one in reasons if one["mode"] == mode] for mode in ("enforce", "warn")))
    assert {case.inputs[0]: found} == theirs(case, examples)


def test_namespaces_of_one_folder_are_asked_apart(examples: Path, tmp_path: Path) -> None:
    """An entry each, as `conftest test --all-namespaces` asks each."""
    inputs = {"a.json": '{"Cmd": "x", "kind": "Pod"}', "b.json": '{"kind": "Job"}'}
    rego = {
        "p/pods.rego": 'package main\n\ndeny contains "no pods" if input.kind == "Pod"\n',
        "p/jobs.rego": 'package batch.jobs\n\nwarn contains "a job" if input.kind == "Job"\n',
        "p/lib.rego": "package lib\n\nunused := 1\n",
    }
    repo = GitRepo.init(tmp_path / "r")
    entries = [{"path": "p", "namespace": name, "match": ["*.json"]} for name in ("main", "batch.jobs")]
    repo.commit(inputs | rego | {"maestro.yaml": f"apiVersion: maestro-conductor/v1\npacks: {json.dumps(entries)}\n"})
    apart = [theirs(Case("p", name, tuple(inputs)), repo.path) for name in ("main", "batch.jobs")]
    assert apart[0] == {"a.json": said(["no pods"], []), "b.json": said([], [])}
    assert apart[1] == {"a.json": said([], []), "b.json": said([], ["a job"])}
    assert ours(repo, tuple(inputs)) == {"a.json": said(["no pods"], []), "b.json": said([], ["a job"])}


OLD = """package main

import data.lib.kubernetes

deny[msg] {
  kubernetes.containers[c]
  not c.resources.limits.memory
  msg = sprintf("%s in %s has no memory limit", [c.name, kubernetes.name])
}

warn[msg] {
  input.kind == "Service"
  msg = "a service"
}

exception[rules] {
  input.metadata.name == "legacy"
  rules = [""]
}
"""
OLD_HELPER = """package lib.kubernetes

name = input.metadata.name

containers[c] {
  c = input.spec.template.spec.containers[_]
}
"""
DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec: {template: {spec: {containers: [{name: a}, {name: b, resources: {limits: {memory: 1Gi}}}]}}}
"""


def test_what_init_writes_for_old_policies_gives_the_same(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    inputs = ("k8s/legacy.yaml", "k8s/web.yaml")
    files = {
        "policy/deny.rego": OLD,
        "policy/lib/kubernetes.rego": OLD_HELPER,
        "k8s/web.yaml": DEPLOYMENT.replace("NAME", "web") + "---\napiVersion: v1\nkind: Service\n",
        "k8s/legacy.yaml": DEPLOYMENT.replace("NAME", "legacy"),
    }
    repo.commit(files)
    assert maestro(repo, "init")[0] == 0
    settings = repo.path / "maestro.yaml"
    assert "rego_version: v0" in settings.read_text()
    repo.write("maestro.yaml", settings.read_text().replace("mode: warn", "mode: enforce"))
    repo.commit()
    expected = theirs(Case("policy", "main", inputs), repo.path, "--rego-version", "v0")
    assert expected == {
        "k8s/web.yaml": said(["a in web has no memory limit"], ["a service"]),
        "k8s/legacy.yaml": said([], []),
    }
    assert ours(repo, inputs) == expected
