"""The table of a run, whole frames of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from runner.execution import Execution, Task, executions_of
from runner.lifecycle import Event
from runner.live_table import RunTable


def of(name: str, size: int, tenant: str = "acme") -> list[Execution]:
    return list(executions_of("run", Task(f"Manifest/{name}", ("true",), tenant=tenant), size))


def busy() -> RunTable:
    """Two manifests of two tenants, in the middle of it."""
    report, load = of("nightly-report", 10_000), of("load", 12, "umbrella")
    table = RunTable([*report, *load], slots=64)
    for one in [*report[:200], *load]:
        table.seen(one.id, Event("claim"))
    for number, one in enumerate([*report[:100], *load[:3]]):
        table.seen(one.id, Event("start"), 0.01 * number)
    for one in report[:40]:
        table.seen(one.id, Event("end", 1, "succeeded"))
        table.receipt(one.id, "succeeded")
    table.seen(report[40].id, Event("end", 1, "failed"))  # and is tried again
    table.receipt(load[0].id, "timed_out")
    return table


def test_a_frame(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(busy().frame(3725.4, 100, 24)) == snapshot


def test_a_frame_of_a_narrow_terminal(snapshot: SnapshotAssertion) -> None:
    frames = ["\n".join(busy().frame(65.0, columns, 24)) for columns in (70, 50, 30, 12)]
    assert "\n\n".join(frames) == snapshot


def test_the_last_frame(snapshot: SnapshotAssertion) -> None:
    executions = of("a", 3)
    table = RunTable(executions, slots=2)
    for one in executions:
        table.seen(one.id, Event("start"), 1.5)
        table.receipt(one.id, "succeeded")
    assert "\n".join(table.frame(2.0, 100, 24)) == snapshot


def test_what_does_not_find_room_is_counted(snapshot: SnapshotAssertion) -> None:
    executions = [one for number in range(50) for one in of(f"m{number:02}", 3)]
    table = RunTable(executions, slots=4)
    table.seen(executions[-1].id, Event("start"), 0.5)
    assert "\n".join(table.frame(1.0, 100, 9)) == snapshot


def test_names_cannot_move_the_cursor(snapshot: SnapshotAssertion) -> None:
    evil = of("a\x1b[2J\u202e\rb", 1, "t\nu") + of("数据" * 20, 1)
    frame = RunTable(evil, slots=1).frame(0.0, 60, 24)
    assert all(line.isprintable() for line in frame)
    assert "\n".join(frame) == snapshot


def test_what_comes_late_or_from_elsewhere_changes_nothing() -> None:
    executions = of("a", 2)
    table = RunTable(executions, slots=2)
    table.receipt(executions[0].id, "failed")
    before = table.frame(0.0, 100, 24)
    table.seen(executions[0].id, Event("start"), 1.0)
    table.seen("another", Event("start"), 1.0)
    table.receipt("another", "failed")
    assert table.frame(0.0, 100, 24) == before


EVENTS = st.sampled_from([Event("claim"), Event("start"), Event("end", 1, "failed"), None])


@given(
    happened=st.lists(st.tuples(st.integers(0, 29), EVENTS), max_size=80),
    columns=st.integers(1, 130),
    lines=st.integers(1, 12),
    slots=st.integers(1, 8),
)
def test_a_frame_fits_and_counts_everything(
    happened: list[tuple[int, Event | None]], columns: int, lines: int, slots: int
) -> None:
    executions = [*of("a", 10), *of("bbbbbbbbbbbb" * 3, 10), *of("ccc", 10)]
    table = RunTable(executions, slots)
    for number, event in happened:
        if event is None:
            table.receipt(executions[number].id, "succeeded")
        else:
            table.seen(executions[number].id, event, 1.0)
    frame = table.frame(12.0, columns, lines)
    assert len(frame) <= lines
    assert all(cell_len(line) <= columns for line in frame)
    if columns == 130 and lines >= 7:
        whole = next(line.split() for line in frame if line.startswith("all"))
        assert sum(map(int, whole[1:6])) == 30
