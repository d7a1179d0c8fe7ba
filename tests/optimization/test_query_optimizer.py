"""Plans: the cheapest exclusion first, the way that costs least, and whatever else they carry."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from blackcore.minimal.query_engine import (
    CostBasedOptimizer,
    ExecutionSettings,
    FilterGroup,
    OptimizedQuery,
    QueryOptimizer,
    QueryPagination,
    QueryStatistics,
    SettingsError,
    SortField,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.execution import Executor
from blackcore.minimal.query_engine.optimization import CostModel, Way, gather
from blackcore.minimal.query_engine.optimization.query_optimizer import (
    needed_fields,
    plan_as_written,
)
from blackcore.minimal.query_engine.query import evaluate

RARE = field("carrier") == "HA"
COMMON = field("distance") > 1_500
DEAR = field("note").fuzzy("late snow gate crew", threshold=0.7)
SLOW = field("note").regex("(?=late)snow|late")
OPTIMIZER = CostBasedOptimizer()


def asked(**parts: Any) -> StructuredQuery:
    return StructuredQuery(database="flights", **parts)


def optimized(
    records: Records, query: StructuredQuery, optimizer: CostBasedOptimizer = OPTIMIZER
) -> OptimizedQuery:
    return optimizer.optimize_query(query, gather(records, needed_fields(query)))


def test_it_is_an_optimizer() -> None:
    assert isinstance(OPTIMIZER, QueryOptimizer)
    assert not isinstance(object(), QueryOptimizer)


@pytest.mark.parametrize("order", list(permutations([RARE, COMMON, DEAR, SLOW])))
def test_cheap_and_selective_conditions_come_first_whatever_the_order_given(
    flights: Records, order: tuple[Any, ...]
) -> None:
    filters = list(optimized(flights, asked(filters=order)).filters)
    assert set(map(str, filters)) == set(map(str, order))
    assert filters.index(RARE) < filters.index(DEAR)
    assert filters.index(COMMON) < filters.index(SLOW)
    assert filters.index(DEAR) < filters.index(SLOW)
    assert filters[0] == RARE


def test_the_order_follows_selectivity_where_costs_are_equal(flights: Records) -> None:
    wide, narrow = field("distance") > 200, field("id") > 5_800
    assert optimized(flights, asked(filters=[wide, narrow])).filters == (narrow, wide)


def test_the_order_given_is_kept_where_asked_for(flights: Records) -> None:
    keeping = CostBasedOptimizer(keep_order=True)
    for order in permutations([SLOW, COMMON, RARE]):
        assert optimized(flights, asked(filters=order), keeping).filters == order
        small = Records("flights", flights.rows[:100])
        assert optimized(small, asked(filters=order), keeping).filters == order


def test_a_rule_that_there_is_not_cannot_be_switched_off() -> None:
    with pytest.raises(SettingsError, match="no rewriting rule 'flatten_group'; did you mean"):
        CostBasedOptimizer(switched_off=["flatten_group"])


def test_small_databases_are_passed_over_row_by_row(flights: Records) -> None:
    small = Records("flights", flights.rows[:4_999])
    plan = optimized(small, asked(filters=[SLOW, RARE, COMMON])).plan
    assert not plan.uses_columns
    assert {stage.way for stage in plan.filter_stages} == {Way.ROWS}
    assert plan.filter_stages[0].condition == RARE or plan.filter_stages[0].condition == COMMON
    assert plan.filter_stages[-1].condition == SLOW
    large = Records("flights", flights.rows[:5_000])
    assert optimized(large, asked(filters=[RARE])).plan.uses_columns


def test_where_small_ends_is_a_setting(flights: Records) -> None:
    small = Records("flights", flights.rows[:10])
    eager = CostBasedOptimizer(settings=ExecutionSettings(columns_from_rows=0))
    assert optimized(small, asked(filters=[RARE]), eager).plan.uses_columns
    never = CostBasedOptimizer(settings=ExecutionSettings(columns_from_rows=10**9))
    assert not optimized(flights, asked(filters=[RARE]), never).plan.uses_columns


def test_each_stage_tells_its_way_its_estimates_and_what_was_rejected(flights: Records) -> None:
    plan = optimized(flights, asked(filters=[RARE, COMMON])).plan
    first, second = plan.filter_stages
    assert 0 < first.selectivity < 0.05
    assert first.cost.rows == pytest.approx(len(flights) * first.selectivity)
    assert second.cost.rows == pytest.approx(first.cost.rows * second.selectivity)
    assert plan.estimated_rows == second.cost.rows
    for stage in plan.filter_stages:
        prices = [price for _, price in stage.rejected]
        assert prices == sorted(prices)
        assert all(price >= stage.cost.nanoseconds for price in prices)
        assert stage.way not in dict(stage.rejected)
    assert plan.cost.nanoseconds == pytest.approx(first.cost.nanoseconds + second.cost.nanoseconds)


def test_the_plan_carries_the_rest_of_the_question(flights: Records) -> None:
    query = asked(
        filters=[RARE],
        sort_fields=[SortField("distance", "desc")],
        pagination=QueryPagination(3, 10),
        select=["carrier"],
        distinct=True,
        search="snow",
    )
    made = optimized(flights, query)
    assert made.query is query
    assert made.estimated_cost == made.plan.cost
    assert [rule.name for rule in made.rules_fired] == ["take_top_rows"]
    plan = made.plan
    assert plan.database == "flights"
    assert plan.row_count == len(flights)
    assert plan.sort_fields == query.sort_fields
    assert (plan.select, plan.distinct, plan.searches) == (("carrier",), True, "snow")
    assert plan.order_cost is not None
    assert plan.cost.nanoseconds > plan.order_cost.nanoseconds


@pytest.mark.parametrize(
    ("sorts", "page", "limit"),
    [
        ([SortField("id")], None, None),
        ([SortField("id")], QueryPagination(1, 10), 10_000),
        ([SortField("id")], QueryPagination(3, 9_000), 27_000),
        ([], QueryPagination(1, 10), 10_000),
        ([], None, None),
    ],
)
def test_a_limit_is_what_a_sorted_page_needs_and_some_more(
    flights: Records, sorts: list[SortField], page: QueryPagination | None, limit: int | None
) -> None:
    made = optimized(flights, asked(sort_fields=sorts, pagination=page)).plan
    assert made.limit == limit
    little = CostBasedOptimizer(settings=ExecutionSettings(answer_prefix_rows=5))
    small = optimized(flights, asked(sort_fields=sorts, pagination=page), little).plan
    assert small.limit == (None if limit is None else page.stop)  # type: ignore[union-attr]  # it has a page


def test_no_filters_make_no_stages(flights: Records) -> None:
    plan = optimized(flights, asked()).plan
    assert plan.filter_stages == ()
    assert plan.estimated_rows == len(flights)
    assert plan.cost.nanoseconds == 0.0


def test_anded_groups_are_dissolved_so_that_each_member_has_its_stage(flights: Records) -> None:
    grouped = asked(filters=[DEAR & (SLOW & RARE), COMMON])
    filters = optimized(flights, grouped).filters
    assert sorted(map(str, filters)) == sorted(map(str, (DEAR, SLOW, RARE, COMMON)))
    assert filters[0] == RARE
    assert needed_fields(grouped) == ("note", "carrier", "distance")


def test_groups_of_alternatives_are_one_stage(flights: Records) -> None:
    either = RARE | (field("delay") > 100)
    assert set(optimized(flights, asked(filters=[either, COMMON])).filters) == {either, COMMON}


def test_other_costs_make_another_order(flights: Records) -> None:
    cheap_patterns = CostModel(
        regex_ns=0.001, number_compare_ns=5_000.0, row_lookup_ns=1e6, scattered_lookup_ns=1e6
    )
    flights.column("note")
    flights.column("distance")
    pattern = field("note").regex("snow.*late")
    filters = [pattern, COMMON]
    assert optimized(flights, asked(filters=filters)).filters == (COMMON, pattern)
    turned = CostBasedOptimizer(cheap_patterns)
    assert optimized(flights, asked(filters=filters), turned).filters == (pattern, COMMON)


def test_alternatives_are_tried_by_what_they_cost_for_the_rows_they_let_in(
    flights: Records,
) -> None:
    for path in ("note", "carrier", "distance"):
        flights.column(path)
    often, seldom = field("distance") > 200, field("distance") < 120
    for given in permutations([DEAR, seldom, often]):
        made = optimized(flights, asked(filters=[FilterGroup("or", given)])).filters[0]
        assert made == FilterGroup("or", [often, seldom, DEAR])
        both = optimized(flights, asked(filters=[~FilterGroup("and", [~each for each in given])]))
        assert both.filters[0] == FilterGroup("or", [often, seldom, DEAR])
    kept = CostBasedOptimizer(keep_order=True)
    either = FilterGroup("or", [DEAR, seldom, often])
    assert optimized(flights, asked(filters=[either]), kept).filters == (either,)


def test_alternatives_that_are_cheaper_or_let_in_more_move_forward(flights: Records) -> None:
    pattern, near = field("note").regex("snow.*late"), field("distance") < 2_000
    for path in ("note", "distance"):
        flights.column(path)
    either = asked(filters=[pattern | near])
    assert optimized(flights, either).filters[0] == (near | pattern)
    turned = CostBasedOptimizer(CostModel(regex_ns=0.001, number_compare_ns=5_000.0))
    assert optimized(flights, either, turned).filters[0] == (pattern | near)
    rarely = field("distance") < 101
    wide = asked(filters=[rarely | field("note").contains("e")])
    assert optimized(flights, wide).filters[0] == (field("note").contains("e") | rarely)


@pytest.mark.parametrize("row_count", [100, 6_000])
def test_patterns_that_may_be_slow_go_last_wherever_they_stand(
    flights: Records, row_count: int
) -> None:
    some = Records("flights", flights.rows[:row_count])
    common = field("note").contains("e")
    for given in permutations([SLOW, common, DEAR]):
        assert optimized(some, asked(filters=given)).filters[-1] == SLOW
        last = optimized(some, asked(filters=[FilterGroup("or", given)])).filters[0]
        assert isinstance(last, FilterGroup)
        assert last.filters[-1] == SLOW
    hidden = SLOW | RARE
    assert optimized(some, asked(filters=[hidden, common, DEAR])).filters[-1] == (RARE | SLOW)


def test_a_cost_tells_what_each_stage_adds(flights: Records) -> None:
    query = asked(filters=[COMMON, RARE], sort_fields=[SortField("id")])
    cost = OPTIMIZER.estimate_cost(query, gather(flights, ["carrier", "distance"]))
    assert [stage.name for stage in cost.stages] == [str(RARE), str(COMMON), "sort"]
    assert [stage.kind for stage in cost.stages] == ["filter", "filter", "sort"]
    assert sum(stage.nanoseconds for stage in cost.stages) == pytest.approx(cost.nanoseconds)
    assert cost.stages[-1].rows == cost.rows
    assert cost.stages[0].rows > cost.stages[1].rows


def test_conditions_on_one_field_are_not_taken_for_independent(flights: Records) -> None:
    band = asked(filters=[field("distance") > 1_400, field("distance") < 1_500])
    truth = sum(1_400 < row["distance"] < 1_500 for row in flights.rows)
    plan = optimized(flights, band).plan
    assert plan.estimated_rows == pytest.approx(truth, rel=0.3)
    first, second = plan.filter_stages
    assert first.cost.rows * second.selectivity == pytest.approx(second.cost.rows)


def known_plan(optimizer: CostBasedOptimizer, records: Records, *filters: Any) -> bool:
    return optimized(records, asked(filters=filters), optimizer).plan.is_known


def test_a_shape_seen_before_is_not_planned_anew(flights: Records) -> None:
    small = Records("flights", flights.rows[:3_000])
    optimizer = CostBasedOptimizer()
    assert not known_plan(optimizer, small, field("id") > 5, RARE)
    assert known_plan(optimizer, small, field("id") > 2_900, RARE)
    assert not known_plan(optimizer, small, RARE, field("id") > 5)
    assert not known_plan(optimizer, small, field("id") > 5.5, RARE)
    assert not known_plan(optimizer, small, field("id") > 5, RARE, COMMON)


def test_a_shape_is_that_of_values_that_leave_about_as_many_rows_in_a_larger_database(
    flights: Records,
) -> None:
    optimizer = CostBasedOptimizer(settings=ExecutionSettings(planned_anew_from_rows=5_000))
    assert not known_plan(optimizer, flights, field("id") > 3_500, DEAR)
    assert known_plan(optimizer, flights, field("id") > 3_600, DEAR)
    assert not known_plan(optimizer, flights, field("id") > 5_900, DEAR)
    assert optimized(flights, asked(filters=[field("id") > 3_550, DEAR]), optimizer).filters == (
        field("id") > 3_550,
        DEAR,
    )


def test_texts_that_leave_many_rows_are_of_another_shape_than_those_that_leave_few(
    flights: Records,
) -> None:
    optimizer = CostBasedOptimizer(settings=ExecutionSettings(planned_anew_from_rows=5_000))
    half = field("distance") > 1_500
    few, others, more, many = (field("note").contains(p) for p in ("zzz", "qqq", "yyy", "e"))
    assert not known_plan(optimizer, flights, few, half)
    assert known_plan(optimizer, flights, others, half)
    assert not known_plan(optimizer, flights, many, half)
    assert known_plan(optimizer, flights, more, half)


def test_a_look_around_is_a_shape_of_its_own(flights: Records) -> None:
    small = Records("flights", flights.rows[:3_000])
    optimizer = CostBasedOptimizer()
    plain = field("note").regex("^(late|snow)")
    assert not known_plan(optimizer, small, plain, COMMON)
    made = optimized(small, asked(filters=[SLOW, COMMON]), optimizer)
    assert not made.plan.is_known
    assert made.filters == (COMMON, SLOW)


def test_groups_have_shapes_too(flights: Records) -> None:
    small = Records("flights", flights.rows[:3_000])
    optimizer = CostBasedOptimizer()
    assert not known_plan(optimizer, small, RARE | (field("id") < 5))
    assert known_plan(optimizer, small, RARE | (field("id") < 7))
    assert not known_plan(optimizer, small, RARE & (field("id") < 7))


def test_a_shape_is_planned_anew_now_and_then(flights: Records) -> None:
    small = Records("flights", flights.rows[:3_000])
    optimizer = CostBasedOptimizer()
    known = [known_plan(optimizer, small, field("id") > n) for n in range(500)]
    assert 2 <= known.count(False) <= 5


def test_statistics_alone_are_enough() -> None:
    query = asked(filters=[SLOW, RARE], sort_fields=[SortField("id")])
    for rows in (0, 10, 10**9):
        made = OPTIMIZER.optimize_query(query, QueryStatistics("flights", rows))
        assert set(made.filters) == {SLOW, RARE}
        assert made.plan.row_count == rows
    plan = OPTIMIZER.generate_execution_plan(query)
    assert [stage.condition for stage in plan.filter_stages] == [RARE, SLOW]
    statistics = QueryStatistics("flights", 10**6)
    assert OPTIMIZER.estimate_cost(query, statistics).nanoseconds > 0


def test_a_larger_database_costs_more(flights: Records) -> None:
    query = asked(filters=[DEAR])
    eager = CostBasedOptimizer(settings=ExecutionSettings(columns_from_rows=0))
    half = Records("flights", flights.rows[: len(flights) // 2])
    small = eager.estimate_cost(query, gather(half, ["note"]))
    large = eager.estimate_cost(query, gather(flights, ["note"]))
    assert large.nanoseconds > 1.2 * small.nanoseconds
    assert large.rows > 1.5 * small.rows


def test_a_plan_as_written_runs_the_filters_in_the_order_given(flights: Records) -> None:
    query = asked(
        filters=[SLOW, RARE],
        sort_fields=[SortField("id", "desc")],
        pagination=QueryPagination(1, 5),
        search="x",
    )
    plan = plan_as_written(query, len(flights))
    assert [stage.condition for stage in plan.filter_stages] == [SLOW, RARE]
    assert not plan.uses_columns
    assert plan.limit is None
    assert plan.searches == "x"
    assert plan_as_written(asked(), 5).searches is None


@pytest.mark.parametrize("keep_order", [False, True])
def test_a_plan_gives_the_answer_of_the_query_as_written(
    flights: Records, keep_order: bool
) -> None:
    query = asked(
        filters=[DEAR, (RARE | (field("carrier") == "AA")), field("delay") > 0, COMMON],
        sort_fields=[SortField("delay", "desc"), SortField("carrier")],
    )
    plan = optimized(flights, query, CostBasedOptimizer(keep_order=keep_order)).plan
    answer, actuals = Executor().execute(plan, flights)
    assert answer.ids.tolist() == evaluate(query, flights.rows)
    assert [actual.kind for actual in actuals] == ["filter"] * 4 + ["sort"]
