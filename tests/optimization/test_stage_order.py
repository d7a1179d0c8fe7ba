"""Conditions come in the order of their ranks, unless looks at whole columns say otherwise."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import FilterGroup, QueryFilter, field
from blackcore.minimal.query_engine.optimization import CostModel, FilterStage, Way
from blackcore.minimal.query_engine.optimization.stage_order import StageOrder
from blackcore.minimal.query_engine.optimization.statistics import (
    ColumnState,
    FieldStatistics,
    TableStatistics,
)
from blackcore.minimal.query_engine.query import Condition
from blackcore.minimal.query_engine.query.values import Kind

ROWS = 1_000_000
NUMBER = FieldStatistics("n", ROWS, ROWS, kinds=frozenset({Kind.NUMBER}), distinct_count=1e5)
TEXT = FieldStatistics(
    "t", ROWS, ROWS, kinds=frozenset({Kind.STRING}), distinct_count=1_000, average_length=20.0
)
STATISTICS = TableStatistics(
    "db",
    ROWS,
    {"n": NUMBER, "m": replace(NUMBER, field="m"), "t": TEXT, "cold": NUMBER, "colder": NUMBER},
    {
        "n": ColumnState("number"),
        "m": ColumnState("number"),
        "t": ColumnState("string", has_codes=True),
    },
)
LATE = field("n") > 60
LATER = field("m") > 60
SAID = QueryFilter("t", "contains", "fog", case_sensitive=False)
EITHER = FilterGroup("or", [LATE, SAID])
SLOW = field("t").regex("(?<=a)b")


def stages(
    conditions: list[Condition], fractions: list[float], model: CostModel | None = None
) -> tuple[FilterStage, ...]:
    return StageOrder(conditions, fractions, STATISTICS, model or CostModel()).stages()


def order(conditions: list[Condition], fractions: list[float]) -> list[Condition]:
    return [stage.condition for stage in stages(conditions, fractions)]


def test_what_costs_less_for_the_rows_it_leaves_out_comes_first() -> None:
    assert order([LATE, LATER], [0.9, 0.01]) == [LATER, LATE]
    assert order([LATE, LATER], [0.01, 0.9]) == [LATE, LATER]


def test_all_codes_are_looked_up_before_a_cheap_look_that_would_not_make_them_few() -> None:
    made = stages([LATE, SAID], [0.1, 0.001])
    assert [stage.condition for stage in made] == [SAID, LATE]
    assert [stage.way for stage in made] == [Way.DISTINCT, Way.SURVIVORS]


def test_a_cheap_look_that_leaves_few_codes_to_look_up_stays_first() -> None:
    made = stages([SAID, LATE], [0.001, 0.0001])
    assert [stage.condition for stage in made] == [LATE, SAID]


def test_slow_patterns_stay_last_whatever_that_costs() -> None:
    dear = CostModel(backtracking_ns=0.001)
    made = stages([SLOW, SAID, LATE], [0.0001, 0.5, 0.5], dear)
    assert made[-1].condition is SLOW


def test_no_conditions_make_no_stages() -> None:
    assert stages([], []) == ()


def test_looks_at_rows_stay_in_the_order_of_their_ranks() -> None:
    cold, other = field("cold") > 1, field("colder") > 1
    assert order([cold, other], [0.9, 0.1]) == [other, cold]


def test_a_group_that_comes_first_leaves_a_mask() -> None:
    both = FilterGroup("and", [LATE, SAID])
    asked = StageOrder([both, LATER], [0.9, 0.9], STATISTICS, CostModel())
    ways = [stage.way for stage in asked.stages(keep_order=True)]
    assert ways == [Way.SURVIVORS, Way.COLUMN]


CONDITIONS: list[Condition] = [
    LATE,
    LATER,
    SAID,
    field("cold") == 5,
    FilterGroup("or", [LATE, SAID]),
]


@given(st.lists(st.floats(0.0001, 0.9999), min_size=5, max_size=5), st.integers(2, 5))
def test_an_order_costs_no_more_than_that_of_the_ranks_alone(
    fractions: list[float], count: int
) -> None:
    asked = StageOrder(CONDITIONS[:count], fractions[:count], STATISTICS, CostModel())
    by_rank = asked._by_rank()
    swapped = asked._swapped(by_rank)
    assert asked._price(swapped) <= asked._price(by_rank)
    assert {step.position for step in swapped} == set(range(count))
    assert swapped == asked._in_order([step.position for step in swapped])


@given(st.lists(st.floats(0.0001, 0.9999), min_size=2, max_size=2))
def test_of_two_conditions_no_order_is_much_cheaper(fractions: list[float]) -> None:
    for pair in permutations(CONDITIONS, 2):
        asked = StageOrder(pair, fractions, STATISTICS, CostModel())
        chosen = asked._price(asked._swapped(asked._by_rank()))
        others = [asked._price(asked._in_order(positions)) for positions in ((0, 1), (1, 0))]
        assert chosen <= min(others) / 0.96
