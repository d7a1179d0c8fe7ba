"""What was planned is used again for equal conditions, and only while nothing new is known."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import datetime
from typing import Any
from weakref import ref
from zoneinfo import ZoneInfo

from blackcore.minimal.query_engine import (
    CostBasedOptimizer,
    FilterGroup,
    QueryFilter,
    QueryPagination,
    SortField,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.optimization import OptimizedQuery, TableStatistics, gather
from blackcore.minimal.query_engine.optimization.query_optimizer import needed_fields

FILTERS = [field("distance") > 500, field("distance") < 900, field("carrier").is_in(["HA"])]


def planned(
    optimizer: CostBasedOptimizer, records: Records, filters: Any = FILTERS, **parts: Any
) -> OptimizedQuery:
    query = StructuredQuery(database="flights", filters=filters, **parts)
    return optimizer.optimize_query(query, gather(records, needed_fields(query)))


def is_same(one: OptimizedQuery, other: OptimizedQuery) -> bool:
    return one.plan.filter_stages is other.plan.filter_stages


def test_equal_conditions_are_planned_once_whatever_order_and_page_they_have(
    flights: Records,
) -> None:
    optimizer = CostBasedOptimizer()
    first = planned(optimizer, flights)
    copies = [QueryFilter(f.field, f.operator, f.value) for f in FILTERS]
    sorts = (SortField("id"), SortField("id", "desc"))
    again = planned(
        optimizer, flights, copies, sort_fields=sorts, pagination=QueryPagination(2, 10)
    )
    assert is_same(first, again)
    assert again.plan.sort_fields == sorts[:1]
    assert again.plan.limit == 10_000
    names = [rule.name for rule in again.rules_fired]
    assert names == [rule.name for rule in first.rules_fired] + [
        "drop_decided_keys",
        "take_top_rows",
    ]


def test_other_values_are_planned_anew(flights: Records) -> None:
    optimizer = CostBasedOptimizer()
    first = planned(optimizer, flights)
    assert not is_same(first, planned(optimizer, flights, [*FILTERS[:2], field("carrier") == "UA"]))
    assert not is_same(first, planned(optimizer, flights, FILTERS[::-1]))
    for inside in ([1], [True], {"a": 1}, {"a": True}):
        asked = field("mixed") == inside
        assert planned(optimizer, flights, [asked]).filters == (asked,)
    truth, one = field("diverted") == True, field("diverted") == 1  # noqa: E712 - a condition
    assert planned(optimizer, flights, [truth]).filters == (truth,)
    assert planned(optimizer, flights, [one]).filters == (one,)


def test_the_hour_that_comes_twice_is_planned_for_each_time(flights: Records) -> None:
    optimizer = CostBasedOptimizer()
    first = datetime(2020, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    for moment in (first, first, first.replace(fold=1)):
        asked = field("mixed") == moment
        assert planned(optimizer, flights, [asked]).filters[0].value.fold == moment.fold


def test_what_is_learnt_since_is_planned_with(flights: Records) -> None:
    optimizer = CostBasedOptimizer()
    first = planned(optimizer, flights)
    flights.column("carrier")
    second = planned(optimizer, flights)
    assert not is_same(first, second)
    assert is_same(second, planned(optimizer, flights))
    flights.row_passes["distance"] += 1
    assert not is_same(second, planned(optimizer, flights))


def test_another_version_is_planned_anew_even_with_as_many_rows() -> None:
    optimizer = CostBasedOptimizer()
    pattern = [field("a").regex("^x")]
    texts, mixed = ([{"a": "xy"}, {"a": other}] for other in ("z", ["x"]))
    plain = planned(optimizer, Records("flights", texts), pattern)
    assert plain.rules_fired
    assert not planned(optimizer, Records("flights", mixed), pattern).rules_fired


def test_an_empty_plan_is_kept_as_such(flights: Records) -> None:
    optimizer = CostBasedOptimizer()
    never = [field("distance") > 5, field("distance") < 1]
    assert planned(optimizer, flights, never).plan.is_empty
    again = planned(optimizer, flights, never)
    assert again.plan.is_empty
    assert [rule.name for rule in again.rules_fired] == ["merge_conjuncts"]


def test_long_lists_are_not_kept(flights: Records) -> None:
    optimizer = CostBasedOptimizer()
    long = [field("id").is_in(list(range(200)))]
    assert not is_same(planned(optimizer, flights, long), planned(optimizer, flights, long))
    grouped = [FilterGroup("or", [long[0], field("distance") > 5])]
    assert not is_same(planned(optimizer, flights, grouped), planned(optimizer, flights, grouped))


def test_conditions_are_planned_anew_now_and_then(flights: Records) -> None:
    optimizer = CostBasedOptimizer()
    stages = {id(planned(optimizer, flights).plan.filter_stages): None for _ in range(150)}
    kept = [planned(optimizer, flights) for _ in range(300)]
    assert len(stages) == 1
    assert 2 <= len({id(each.plan.filter_stages) for each in kept}) <= 4


def test_no_version_is_held_in_memory_by_what_was_planned_for_it() -> None:
    optimizer = CostBasedOptimizer()
    records = Records("flights", [{"a": n} for n in range(10)])
    planned(optimizer, records, [field("a") > 5])
    known = ref(gather(records, ["a"]).fields["a"])
    assert known() is not None
    del records
    gc.collect()
    assert known() is None


def test_what_was_proven_of_a_version_that_is_gone_holds_for_nobody_else() -> None:
    optimizer = CostBasedOptimizer()
    records = Records("flights", [{"a": "xy"}])
    assert planned(optimizer, records, [field("a").regex("^x")]).rules_fired
    del records
    gc.collect()
    query = StructuredQuery(database="flights", filters=[field("a").regex("^x")])
    assert not optimizer.optimize_query(query, TableStatistics("flights", 1)).rules_fired


def test_fewer_rows_are_other_statistics(flights: Records) -> None:
    optimizer = CostBasedOptimizer()
    query = StructuredQuery(database="flights", filters=FILTERS)
    statistics = gather(flights, needed_fields(query))
    first = optimizer.optimize_query(query, statistics)
    fewer = optimizer.optimize_query(query, replace(statistics, row_count=7))
    assert fewer.plan.row_count == 7
    assert not is_same(first, fewer)
