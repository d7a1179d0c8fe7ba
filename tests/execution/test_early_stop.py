"""A page without a sort finds its rows, and only counts the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import (
    CostBasedOptimizer,
    ExecutionSettings,
    QueryPagination,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.execution import Executor
from blackcore.minimal.query_engine.execution.column_filters import (
    first_positions,
    positions,
    sparse_positions,
)
from blackcore.minimal.query_engine.optimization import gather

ROWS: list[dict[str, Any]] = [{"a": n % 5, "b": n} for n in range(6_000)]
SETTINGS = ExecutionSettings(answer_prefix_rows=7)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 70) | st.none())
def test_the_first_positions_are_those_that_a_look_at_everything_finds(
    flags: list[bool], limit: int | None
) -> None:
    mask = np.array(flags, dtype=np.bool_)
    found = first_positions(mask, int(mask.sum()), limit)
    assert found.tolist() == np.flatnonzero(mask).tolist()[:limit]
    assert found.dtype == np.uint32


@given(
    st.integers(500, 3_000).flatmap(
        lambda rows: st.tuples(st.just(rows), st.sets(st.integers(0, rows - 1), max_size=8))
    ),
    st.integers(1, 10) | st.none(),
)
def test_positions_that_are_few_among_many_are_found_all_the_same(
    case: tuple[int, set[int]], limit: int | None
) -> None:
    rows, true = case
    mask = np.zeros(rows, dtype=np.bool_)
    mask[sorted(true)] = True
    for given_mask in (mask, np.repeat(mask, 2)[::2]):  # the second one is not contiguous
        found = sparse_positions(given_mask)
        words = {n // 8 for n in true if n < rows // 8 * 8}
        assert (found is None) is (len(words) * 100 > rows)
        assert found is None or found.tolist() == sorted(true)
        assert positions(given_mask, len(true)).tolist() == sorted(true)
        assert positions(given_mask, len(true)).dtype == np.uint32
        assert first_positions(given_mask, len(true), limit).tolist() == sorted(true)[:limit]


@pytest.mark.parametrize("rows", [6_000, 600], ids=["columns", "rows"])
@pytest.mark.parametrize(
    "filters",
    [[], [field("a") == 3], [field("a") > 1, field("b") > 9]],
    ids=len,
)
def test_a_page_has_its_rows_and_the_count_of_all(rows: int, filters: list[Any]) -> None:
    records = Records("db", ROWS[:rows])
    page = QueryPagination(2, 5)
    query = StructuredQuery(database="db", filters=filters, pagination=page)
    statistics = gather(records, ["a", "b"])
    plan = CostBasedOptimizer(settings=SETTINGS).optimize_query(query, statistics).plan
    answer, _ = Executor(SETTINGS).execute(plan, records)
    lowest = {0: (-1, -1), 1: (2, -1), 2: (1, 9)}[len(filters)]
    expected = [
        n
        for n, row in enumerate(records.rows)
        if row["a"] > lowest[0] and row["b"] > lowest[1] and (len(filters) != 1 or row["a"] == 3)
    ]
    assert answer.total_rows == len(expected)
    assert answer.ids.tolist() == expected[: page.stop]
    assert not answer.is_complete


def test_a_plan_that_is_empty_reads_nothing() -> None:
    query = StructuredQuery(database="db", filters=[field("a") > 5, field("a") < 1])
    plan = CostBasedOptimizer().optimize_query(query, gather(Records("db", ROWS), ["a"])).plan
    assert plan.is_empty

    class Untouchable(Records):
        def column(self, path: str) -> Any:
            raise AssertionError(path)

        def cells(self, path: str, ids: Any = None) -> Any:
            raise AssertionError(path)

    answer, actuals = Executor().execute(plan, Untouchable("db", ROWS))
    assert (answer.total_rows, len(answer.ids), actuals) == (0, 0, [])
