"""Questions meant to hurt: what could hang or be misread is answered, or refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from blackcore.minimal.query_engine import (
    CostBasedOptimizer,
    ExecutionSettings,
    FilterGroup,
    PatternTimeoutError,
    QueryDepthError,
    QueryFilter,
    QueryOperator,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.execution import Executor
from blackcore.minimal.query_engine.optimization import ExecutionPlan, gather
from blackcore.minimal.query_engine.optimization.query_optimizer import needed_fields
from blackcore.minimal.query_engine.query import Condition, evaluate, matches
from blackcore.minimal.query_engine.settings import MAX_FILTER_DEPTH

BY_COLUMNS = ExecutionSettings(columns_from_rows=0, pattern_timeout_seconds=60)
BY_ROWS = ExecutionSettings(columns_from_rows=10**9, pattern_timeout_seconds=60)
WAYS = pytest.mark.parametrize("settings", [BY_COLUMNS, BY_ROWS], ids=["columns", "rows"])
LONG = "a" * 10_000 + "b"


def planned(records: Records, settings: ExecutionSettings, *filters: Condition) -> ExecutionPlan:
    query = StructuredQuery(database="db", filters=filters)
    statistics = gather(records, needed_fields(query))
    return CostBasedOptimizer(settings=settings).optimize_query(query, statistics).plan


def answered(records: Records, settings: ExecutionSettings, *filters: Condition) -> list[int]:
    plan = planned(records, settings, *filters)
    return Executor(settings).execute(plan, records)[0].ids.tolist()


@WAYS
def test_a_pattern_that_backtracks_for_ever_elsewhere_returns_at_once(
    settings: ExecutionSettings,
) -> None:
    records = Records("db", [{"a": LONG}, {"a": "aa"}, {"a": None}] * 20)
    found = answered(records, settings, field("a").regex("^(a+)+$"))
    assert found == list(range(1, 60, 3))


@WAYS
def test_look_around_works_and_sees_only_what_the_others_leave(
    settings: ExecutionSettings,
) -> None:
    # on the long text it would come to no end before its time is up
    records = Records("db", [{"a": LONG, "n": 1}, {"a": "aab", "n": 2}, {"a": "ab", "n": 2}])
    slow = field("a").regex(r"(?=aa)(a+)+b$|(a+)+c")
    cheap, dear = field("n") == 2, field("a").fuzzy("ab", threshold=0.1)
    for given in ([slow, cheap], [cheap, slow], [dear, slow, cheap]):
        assert planned(records, settings, *given).filter_stages[-1].condition == slow
        assert answered(records, settings, *given) == [1]


@WAYS
def test_look_around_that_takes_too_long_is_an_error_that_names_the_pattern(
    settings: ExecutionSettings,
) -> None:
    records = Records("db", [{"a": "a" * 10_000}])
    settings = replace(settings, pattern_timeout_seconds=0.02)
    with pytest.raises(PatternTimeoutError, match=r"\(\?=a\)\(a\+\)\+c.* took more than 0.02 s"):
        answered(records, settings, field("a").regex("(?=a)(a+)+c"))


@WAYS
def test_filters_nested_as_deep_as_allowed_are_planned_and_deeper_ones_refused(
    settings: ExecutionSettings,
) -> None:
    rows = [{"a": n, "b": -n} for n in range(100)]
    deep: Condition = field("a") > 5
    for level in range(MAX_FILTER_DEPTH):
        beside = QueryFilter("b", "gt", -90 + level)
        deep = FilterGroup("or" if level % 2 else "and", (deep, beside), negate=level % 3 == 0)
    records = Records("db", rows)
    assert answered(records, settings, deep) == [
        n for n, row in enumerate(rows) if matches(deep, row)
    ]
    with pytest.raises(QueryDepthError, match="deeper than 64"):
        FilterGroup("and", (deep,))


@WAYS
def test_lists_of_a_hundred_thousand_values_meet_without_comparing_each_with_each(
    settings: ExecutionSettings,
) -> None:
    many = [f"k{n}" for n in range(100_000)]
    records = Records("db", [{"a": f"k{n * 7}"} for n in range(50)] + [{"a": None}, {"a": 7}])
    both = (field("a").is_in(many), field("a").is_in([*many[::2], "z"]))
    assert answered(records, settings, *both) == list(range(0, 50, 2))


@WAYS
@pytest.mark.parametrize("operator", list(QueryOperator))
def test_objects_can_be_asked_anything(
    operator: QueryOperator, settings: ExecutionSettings
) -> None:
    cells: list[Any] = [{"x": 1}, {"x": 1.0}, {}, {"y": [1]}, None, {"x": {"z": "a"}}]
    records = Records("db", [{"a": cell} for cell in cells] * 3)
    values: dict[QueryOperator, Any] = {
        QueryOperator.IN: [{"x": 1}, None],
        QueryOperator.NOT_IN: [{"x": 1}, None],
        QueryOperator.BETWEEN: [1, 2],
        QueryOperator.REGEX: "x",
        QueryOperator.FUZZY: "x",
        QueryOperator.IS_NULL: None,
        QueryOperator.IS_NOT_NULL: None,
    }
    asked = QueryFilter("a", operator, values.get(operator, {"x": 1}))
    for condition in (asked, ~asked):
        query = StructuredQuery(database="db", filters=[condition])
        assert answered(records, settings, condition) == evaluate(query, records.rows)
