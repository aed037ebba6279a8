from __future__ import annotations

from maestro.counting import many


def test_one_is_one() -> None:
    assert [many(count, "run") for count in (0, 1, 2, 12000)] == ["0 runs", "1 run", "2 runs", "12,000 runs"]
