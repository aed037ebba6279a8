"""What is written is read back by the library's own OpenMetrics parser, and by promtool."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from maestro.errors import ToolFailure
from maestro.metrics import BUCKETS_MS, MOST_PACKS, DecisionLabels, render
from maestro.output_file import write
from tests.support.tools import tool


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def counted(text: str) -> dict[tuple[str, str, str], float]:
    return {
        (dict(labels)["pack"], dict(labels)["mode"], dict(labels)["outcome"]): value
        for (name, labels), value in samples(text).items()
        if name == "mc_policy_decisions_total"
    }


def test_the_whole_text() -> None:
    text = render(sim_ms=[0.1, 0.2, 3000], decisions={DecisionLabels("mc.flags", "warn", "deny"): 3}, disagreements={})
    lines = text.splitlines()
    assert lines[:3] == [
        "# HELP mc_policy_sim_ms Milliseconds that a policy decision took.",
        "# TYPE mc_policy_sim_ms histogram",
        'mc_policy_sim_ms_bucket{le="0.1"} 1.0',
    ]
    assert lines[-3:] == [
        "# HELP mc_policy_disagreements Decisions about one thing that differ between check, merge and execution.",
        "# TYPE mc_policy_disagreements counter",
        "# EOF",
    ]
    assert 'mc_policy_decisions_total{mode="warn",outcome="deny",pack="mc.flags"} 3.0' in lines
    found = samples(text)
    assert found["mc_policy_sim_ms_bucket", (("le", "2500.0"),)] == 2
    assert found["mc_policy_sim_ms_bucket", (("le", "+Inf"),)] == found["mc_policy_sim_ms_count", ()] == 3


NAMES = st.text(max_size=20) | st.sampled_from(['a"b', "a\\b", "a\nb", '"} 1\n# EOF\n', "\udcff", "{pack=", "é\u2028"])


@given(st.dictionaries(NAMES, st.integers(0, 2**40), max_size=5))
def test_any_name_comes_back_as_it_was(counts: dict[str, int]) -> None:
    found = counted(render(decisions={DecisionLabels(name, "warn", "allow"): n for name, n in counts.items()}))
    expected: dict[str, float] = {}
    for name, count in counts.items():
        shown = name.encode("utf-8", "backslashreplace").decode()
        expected[shown] = expected.get(shown, 0) + count
    assert found == {(name, "warn", "allow"): value for name, value in expected.items()}
    disagreed = samples(render(disagreements=counts))
    assert sum(disagreed.values()) == sum(counts.values())


@given(st.lists(st.floats(0, 1e7)))
def test_buckets_hold_what_they_say(values: list[float]) -> None:
    found = samples(render(sim_ms=values, decisions={}))
    for bound in BUCKETS_MS:
        expected = sum(value <= bound for value in values)
        assert found["mc_policy_sim_ms_bucket", (("le", str(bound)),)] == expected
    assert found["mc_policy_sim_ms_count", ()] == len(values)


def test_packs_beyond_the_limit_share_a_label() -> None:
    counts = {DecisionLabels(f"p{number:04}", "warn", "deny"): 1 for number in range(10_000)}
    found = counted(render(decisions=counts))
    assert len(found) == MOST_PACKS + 1
    assert found["other", "warn", "deny"] == 10_000 - MOST_PACKS


def test_promtool_reads_it(tmp_path: Path) -> None:
    """It reads the older text format, to which `_total` names no help; and it would rather have seconds."""
    text = render(sim_ms=[1.0], decisions={DecisionLabels('a"\\', "warn", "deny"): 3}, disagreements={"a\nb": 1})
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert "error while linting" not in done.stderr
    said = {line.partition(" ")[2] for line in done.stderr.splitlines()}
    assert done.returncode in (0, 3), done.stderr
    assert said <= {"no help text", "metric names should not contain abbreviated units"}, done.stderr


def test_it_is_written_in_one_step_and_readable_for_all(tmp_path: Path) -> None:
    target = tmp_path / "maestro.prom"
    target.write_text("old")
    write(target, "new\n", "the metrics")
    assert target.read_text() == "new\n"
    assert [path.name for path in tmp_path.iterdir()] == ["maestro.prom"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o444
    with pytest.raises(ToolFailure, match="could not be written"):
        write(tmp_path / "none" / "maestro.prom", "x", "the metrics")
    (tmp_path / "folder.prom").mkdir()
    with pytest.raises(ToolFailure):
        write(tmp_path / "folder.prom", "x", "the metrics")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.prom", "maestro.prom"]
