"""Plans made readable: what is estimated, and what really happened beside it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from blackcore.minimal.query_engine import (
    CostBasedOptimizer,
    ExecutionPlan,
    Explanation,
    QueryPagination,
    SortField,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.execution import Executor
from blackcore.minimal.query_engine.optimization import FilterStage, QueryCost, Way, gather
from blackcore.minimal.query_engine.optimization.plan import shown_time
from blackcore.minimal.query_engine.optimization.query_optimizer import needed_fields


def explained(
    records: Records, query: StructuredQuery, *, analyze: bool = False, kept: bool = False
) -> Explanation:
    statistics = gather(records, needed_fields(query))
    plan = CostBasedOptimizer().optimize_query(query, statistics).plan
    actuals = tuple(Executor().execute(plan, records)[1]) if analyze else ()
    return Explanation(query, plan, actuals, (), 1_500, kept)


QUERY = StructuredQuery(
    database="flights",
    filters=[field("note").contains("snow"), field("carrier") == "HA"],
    sort_fields=[SortField("delay", "desc"), SortField("id")],
    pagination=QueryPagination(1, 10),
    select=["carrier"],
    distinct=True,
)


def test_the_text_names_the_question_the_steps_and_the_estimates(flights: Records) -> None:
    text = str(explained(flights, QUERY))
    lines = text.splitlines()
    assert lines[0] == (
        "flights where note contains 'snow' and carrier == 'HA' sort -delay, id "
        "select carrier distinct page 1 of 10"
    )
    assert lines[1] == "planned in 1.5 us"
    assert lines[2] == "|-- read flights: 6,000 rows"
    assert text.index("carrier == 'HA'  [") < text.index("note contains 'snow'  [")
    assert "est " in text
    assert "|   rejected: " in text
    assert "|-- sort by -delay, id first 10,000  est " in text
    assert lines[-1] == "`-- distinct rows as returned"
    assert "actual" not in text
    assert all(line.startswith(("|", "`--")) for line in lines[2:])


def test_every_way_has_a_name(flights: Records) -> None:
    plan = explained(flights, QUERY).plan
    names = set()
    for way in Way:
        stage = FilterStage(field("a") == 1, way, 0.5, QueryCost(1.0, 5.0))
        text = str(Explanation(QUERY, replace(plan, filter_stages=(stage,))))
        names.add(text.split("[")[1].split("]", maxsplit=1)[0])
    assert len(names) == len(Way)


def test_what_happened_stands_beside_what_was_estimated(flights: Records) -> None:
    analyzed = explained(flights, QUERY, analyze=True)
    text = str(analyzed)
    assert text.count("  actual ") == 4
    assert text.count("(estimate x") == 2
    rare = sum(row["carrier"] == "HA" for row in flights.rows)
    assert f"actual {rare:,} rows" in text


def test_a_kept_answer_a_search_and_an_empty_plan_are_said(flights: Records) -> None:
    assert "the answer is in the cache" in str(explained(flights, QUERY, kept=True))
    searched = StructuredQuery(database="flights", search="<snow>")
    assert "`-- search '<snow>': matches by score" in str(explained(flights, searched))
    empty = explained(flights, QUERY)
    empty = replace(empty, plan=replace(empty.plan, is_empty=True))
    assert "nothing can match: no row is read" in str(empty)
    assert "est " not in str(empty).split("sort by")[0]
    assert empty.plan.estimated_rows == 0.0


def test_a_question_without_filters_has_one_step(flights: Records) -> None:
    assert str(explained(flights, StructuredQuery(database="flights"))).splitlines()[2:] == [
        "`-- read flights: 6,000 rows"
    ]


def test_the_explanation_is_plain_values_and_json(flights: Records) -> None:
    analyzed = explained(flights, QUERY, analyze=True)
    made = analyzed.to_dict()
    assert json.loads(analyzed.to_json()) == made
    assert made["database"] == "flights"
    assert made["row_count"] == 6_000
    assert made["planning_ns"] == 1_500
    assert made["rules_fired"] == []
    assert made["estimated_ns"] == analyzed.plan.cost.nanoseconds
    stages = made["stages"]
    assert isinstance(stages, list)
    assert [stage["condition"] for stage in stages] == ["carrier == 'HA'", "note contains 'snow'"]
    assert all(
        set(stage)
        == {"condition", "way", "selectivity", "estimated_ns", "estimated_rows", "rejected"}
        for stage in stages
    )
    actuals = made["actuals"]
    assert isinstance(actuals, list)
    assert [actual["name"] for actual in actuals] == [
        "carrier == 'HA'",
        "note contains 'snow'",
        "sort",
        "distinct",
    ]
    assert all(actual["nanoseconds"] > 0 for actual in actuals)
    assert explained(flights, QUERY).to_dict()["actuals"] == []


def test_a_notebook_shows_the_text_and_nothing_that_was_written_into_it(flights: Records) -> None:
    hostile = StructuredQuery(
        database="flights", filters=[field("<script>alert(1)</script>") == "<img src=x>"]
    )
    html = explained(flights, hostile)._repr_html_()
    assert html.startswith("<pre>")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1 us"),
        (1_234_567, "1.23 ms"),
        (2e9, "2 s"),
        (3.6e12, "3.6e+03 s"),
    ],
)
def test_times_are_shown_in_the_unit_that_reads_best(nanoseconds: float, text: str) -> None:
    assert shown_time(nanoseconds) == text


def test_costs_read_well() -> None:
    assert str(QueryCost(1_500.0, 12_345.0)) == "1.5 us, 12,345 rows"


@pytest.mark.parametrize(
    ("way", "first", "over_all"),
    [
        (Way.COLUMN, True, True),
        (Way.COLUMN, False, True),
        (Way.DISTINCT, True, True),
        (Way.DISTINCT, False, False),
        (Way.SURVIVORS, True, False),
        (Way.ROWS, True, False),
    ],
)
def test_which_ways_look_at_all_rows(way: Way, first: bool, over_all: bool) -> None:
    assert way.is_over_all_rows(first=first) is over_all


def test_a_plan_without_stages_expects_every_row() -> None:
    plan = ExecutionPlan("d", 7, ())
    assert plan.estimated_rows == 7.0
    assert plan.cost == QueryCost(0.0, 7.0)
