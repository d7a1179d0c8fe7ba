"""Columns stay within their bytes, and those that save least go first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from blackcore.minimal.query_engine.data import ColumnBudget, ColumnStore
from blackcore.minimal.query_engine.data.column_budget import HALF_LIFE_USES

ROWS: list[dict[str, Any]] = [
    {"a": n * 10**12, "b": -n * 10**12, "c": n / 3, "mixed": n if n % 2 else "x"}
    for n in range(100)
]
COLUMN_BYTES = 800
"""Of a column of 100 numbers of 8 bytes."""


def store(clock: Callable[[], int] | None = None) -> ColumnStore:
    """Return a store whose columns all take a nanosecond to make, unless a clock says otherwise."""
    return ColumnStore(ROWS, clock or count().__next__)


def used(budget: ColumnBudget, of: ColumnStore, *paths: str) -> None:
    for path in paths:
        budget.column(of, path)


def test_columns_within_the_bound_all_stay() -> None:
    budget, columns = ColumnBudget(3 * COLUMN_BYTES), store()
    used(budget, columns, "a", "b", "c", "mixed")
    budget.keep()
    assert sorted(path for path, made in columns.made.items() if made is not None) == [
        "a",
        "b",
        "c",
    ]
    assert budget.memory().used_bytes == columns.size_bytes == 3 * COLUMN_BYTES
    assert budget.memory().dropped == 0


def test_the_column_used_least_is_dropped_first_and_only_as_many_as_must() -> None:
    budget, columns = ColumnBudget(2 * COLUMN_BYTES), store()
    used(budget, columns, "a", "a", "b", "c", "c")
    budget.keep()
    assert sorted(columns.made) == ["a", "c"]
    assert budget.memory().used_bytes == 2 * COLUMN_BYTES
    assert budget.memory().dropped == 1


def test_what_took_long_to_make_stays_before_what_is_made_at_once() -> None:
    ticks = iter([0, 1_000, 1_000, 1_001, 1_001, 2_001])
    budget, columns = ColumnBudget(2 * COLUMN_BYTES), store(ticks.__next__)
    used(budget, columns, "a", "b", "c", "b", "b")
    budget.keep()
    assert sorted(columns.made) == ["a", "c"]


def test_uses_of_long_ago_count_less() -> None:
    budget, columns = ColumnBudget(2 * COLUMN_BYTES), store()
    used(budget, columns, *["a"] * 4, *["b"] * (HALF_LIFE_USES * 4), *["c"] * 3)
    budget.keep()
    assert sorted(columns.made) == ["b", "c"]


def test_a_use_of_today_does_not_renew_those_of_long_ago() -> None:
    budget, columns = ColumnBudget(2 * COLUMN_BYTES), store()
    used(budget, columns, *["a"] * 4, *["b"] * (HALF_LIFE_USES * 4), "a", *["c"] * 3)
    budget.keep()
    assert sorted(columns.made) == ["b", "c"]


def test_a_dropped_column_comes_back_once_it_is_used_more_than_another() -> None:
    budget, columns = ColumnBudget(COLUMN_BYTES), store()
    used(budget, columns, "a", "a", "a", "b")
    budget.keep()
    assert sorted(columns.made) == ["a"]
    assert budget.column(columns, "b") is None  # its second use
    assert sorted(columns.made) == ["a"]
    assert budget.column(columns, "b") is not None
    budget.keep()
    assert sorted(columns.made) == ["b"]


def test_a_column_larger_than_the_bound_is_made_once_and_never_again() -> None:
    made = count()

    class Counted(ColumnStore):
        def _make(self, path: str) -> Any:
            next(made)
            return super()._make(path)

    budget, columns = ColumnBudget(COLUMN_BYTES - 1), Counted(ROWS, count().__next__)
    assert budget.column(columns, "a") is not None
    budget.keep()
    assert columns.size_bytes == 0
    assert [budget.column(columns, "a") for _ in range(50)] == [None] * 50
    assert next(made) == 1


def test_the_bound_is_over_all_databases() -> None:
    budget, one, other = ColumnBudget(2 * COLUMN_BYTES), store(), store()
    used(budget, one, "a", "b", "b")
    used(budget, other, "a", "a", "b")
    budget.keep()
    assert one.size_bytes + other.size_bytes == 2 * COLUMN_BYTES == budget.memory().used_bytes
    assert sorted(one.made) == ["b"]
    assert sorted(other.made) == ["a"]


def test_a_database_that_is_gone_takes_no_room() -> None:
    budget, gone, kept = ColumnBudget(COLUMN_BYTES), store(), store()
    used(budget, gone, "a", "a", "a")
    del gone
    used(budget, kept, "a")
    budget.keep()
    assert budget.memory().used_bytes == COLUMN_BYTES
    assert budget.memory().dropped == 0


def test_a_field_without_a_column_is_known_to_have_none_and_costs_nothing() -> None:
    budget, columns = ColumnBudget(1), store()
    assert budget.column(columns, "mixed") is None
    budget.keep()
    assert columns.made == {"mixed": None}
    columns.drop("mixed")
    assert "mixed" in columns


def test_a_column_in_hand_outlives_its_drop() -> None:
    columns = store()
    made = columns.column("a")
    columns.drop("a")
    assert "a" not in columns
    assert made is not None
    assert made.size_bytes == COLUMN_BYTES
    again = columns.column("a")
    assert again is not None
    assert again is not made


@pytest.mark.parametrize("bound", [1, COLUMN_BYTES, 10 * COLUMN_BYTES])
def test_threads_share_columns_within_the_bound(bound: int) -> None:
    budget, columns = ColumnBudget(bound), store()
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def work(offset: int) -> None:
        try:
            start.wait()
            for turn in range(200):
                path = ("a", "b", "c")[(turn + offset) % 3]
                made = budget.column(columns, path)
                assert made is None or made.size_bytes == COLUMN_BYTES
                budget.keep()
        except BaseException as error:
            failures.append(error)
            raise

    workers = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    budget.keep()
    assert not failures
    assert columns.size_bytes <= bound
