from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from maestro.documents import fields
from maestro.documents.meant import Meant, meant
from maestro.documents.reading import read

TYPES: dict[str, Any] = {
    "date": fields.Date,
    "memory": fields.Memory,
    "duration": fields.Duration,
    "cpu": fields.Millicpu,
    "owner": fields.Owner,
    "name": fields.Name,
}


def guess(kind: str, value: Any) -> Meant | None:
    return meant(value, TypeAdapter(TYPES[kind]).json_schema())


@pytest.mark.parametrize(
    ("kind", "value", "text", "certain"),
    [
        ("date", "31.12.2026", "2026-12-31", True),
        ("date", "2026/1/5", "2026-01-05", True),
        ("date", "20260105", "2026-01-05", True),
        ("date", "2026-01-05T10:00:00Z", "2026-01-05", True),
        ("memory", "512MB", "512Mi` or `512M", False),
        ("memory", "2GiB", "2Gi", False),
        ("duration", "10 minutes", "10m", False),
        ("duration", 90, "90s", False),
        ("cpu", "2", "2", True),
        ("owner", "acme/data", '"@acme/data"', True),
        ("name", "My_Job", "my-job", False),
    ],
)
def test_what_is_probably_meant(kind: str, value: Any, text: str, certain: bool) -> None:
    assert guess(kind, value) == Meant(text, certain)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", "2026-02-30"),
        ("date", "12/11/2026"),  # whose month is it
        ("date", "soon"),
        ("memory", "much"),
        ("memory", 512),
        ("duration", "1h30m"),
        ("duration", True),
        ("duration", 0),
        ("cpu", "two"),
        ("owner", "data"),
        ("name", "<script>"),
        ("name", "---"),
    ],
)
def test_no_guess_is_better_than_a_wild_one(kind: str, value: Any) -> None:
    assert guess(kind, value) is None


written = st.text(st.sampled_from("0123456789-/.:mMGgKiBshd@aZ_ T"), max_size=20) | st.text(max_size=12)


@given(st.sampled_from(sorted(TYPES)), written | st.integers(-5, 10**6))
def test_what_is_certain_is_valid_where_it_is_written(kind: str, value: str | int) -> None:
    found = guess(kind, value)
    if found is not None and found.certain:
        (document,) = read("a.yaml", f"a: {found.text}\n".encode(), dialect="strict").documents
        assert isinstance(document.value, dict)
        TypeAdapter(TYPES[kind]).validate_python(document.value["a"], strict=True)
