"""A pack written for conftest gives the failures and warnings that `conftest test` gives on the same files."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from policy.decide import Decision, decide
from policy.pack import Pack
from tests.policy.engines.conftest_here import conftest_engine
from tests.policy.memory_files import load
from tests.support.tools import tool

ASSETS = Path(__file__).parents[1] / "assets" / "rego" / "conftest-style"
ENTRY = "[{path: rules, namespace: main, match: ['**']}]"


def the_pack(sources: dict[str, str]) -> Pack:
    found = load({f"rules/{name}": source for name, source in sources.items()}, ENTRY)
    assert [problem for problem in found.problems if problem.rule.mode == "enforce"] == []
    return found.packs[0]


SOURCES = {path.name: path.read_text() for path in sorted(ASSETS.glob("*.rego"))}


def theirs(documents: list[Any], sources: dict[str, str]) -> list[tuple[list[str], list[str]]]:
    """(failures, warnings) of each document, by `conftest test` on JSON files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policy").mkdir()
        for file, source in sources.items():
            (folder / "policy" / file).write_text(source)
        names = [f"d{index}.json" for index in range(len(documents))]
        for file, document in zip(names, documents, strict=True):
            (folder / file).write_text(json.dumps(document))
        argv = [tool("conftest"), "test", "-o", "json", "--parser", "json", *names]
        done = subprocess.run(argv, cwd=folder, capture_output=True, env={"HOME": name})
        results = {item["filename"]: item for item in json.loads(done.stdout)}
    return [
        (
            sorted(item["msg"] for item in results[file].get("failures") or []),
            sorted(item["msg"] for item in results[file].get("warnings") or []),
        )
        for file in names
    ]


def ours(decisions: list[Decision]) -> list[tuple[list[str], list[str]]]:
    assert [decision.error for decision in decisions] == [None] * len(decisions)
    return [
        (
            sorted(reason.message for reason in decision.reasons if reason.mode == "enforce"),
            sorted(reason.message for reason in decision.reasons if reason.mode == "warn"),
        )
        for decision in decisions
    ]


CONTAINERS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "\u00e9\"'", ""]),
        "image": st.sampled_from(["nginx", "nginx:latest", "ghcr.io/acme/x:1.2", "", 7]),
        "securityContext": st.fixed_dictionaries({}, optional={"privileged": st.booleans() | st.none()}),
        "resources": st.none() | st.just({"limits": {"cpu": "1"}}),
        "env": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["PASSWORD", "HOME"])}), max_size=2),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["Deployment", "Service", "Pod", None]),
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from(["web", "legacy-db"]),
                "labels": st.dictionaries(
                    st.sampled_from(["team", "legacy", "app"]), st.sampled_from(["x", "yes", ""])
                ),
            },
        ),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "replicas": st.integers(0, 3) | st.sampled_from(["2", None, 2.5]),
                "type": st.sampled_from(["LoadBalancer", "ClusterIP"]),
                "template": st.fixed_dictionaries(
                    {"spec": st.fixed_dictionaries({"containers": st.lists(CONTAINERS, max_size=2)})}
                ),
            },
        ),
    },
)
BAD = {
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {"containers": [{"name": "a", "image": "nginx:latest", "securityContext": {"privileged": True}}]}
        },
    },
}


@given(st.lists(DOCUMENTS, min_size=20, max_size=40))
@example([BAD, {**BAD, "metadata": {"name": "legacy-db", "labels": {"legacy": "yes"}}}, {"kind": "Service"}, {}])
@settings(max_examples=12, deadline=None)
def test_same_failures_and_warnings(documents: list[Any]) -> None:
    assert ours(decide(the_pack(SOURCES), documents, conftest_engine())) == theirs(documents, SOURCES)


def test_the_policies_do_speak() -> None:
    """So that the comparison above compares something."""
    failures, warnings = ours(decide(the_pack(SOURCES), [BAD], conftest_engine()))[0]
    assert len(failures) >= 4
    assert len(warnings) >= 1
    legacy = {**BAD, "metadata": {"name": "legacy-db", "labels": {"legacy": "yes"}}}
    (decision,) = decide(the_pack(SOURCES), [legacy], conftest_engine())
    assert "main/replicas" in decision.excepted
