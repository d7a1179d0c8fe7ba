"""Plans made readable: what is estimated, and what really happened beside it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

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
from blackcore.minimal.query_engine.optimization.plan_drawing import drawn_steps
from blackcore.minimal.query_engine.optimization.plan_steps import PlanStep
from blackcore.minimal.query_engine.optimization.query_optimizer import (
    needed_fields,
    plan_as_written,
)


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
    assert made["actual_ns"] == sum(actual.nanoseconds for actual in analyzed.actuals)
    steps = made["steps"]
    assert isinstance(steps, list)
    assert [step["kind"] for step in steps] == ["read", "filter", "filter", "sort", "distinct"]
    assert [step["label"] for step in steps[1:3]] == ["carrier == 'HA'", "note contains 'snow'"]
    for step in steps[1:3]:
        assert set(step) == {
            "kind",
            "label",
            "way",
            "estimated_rows",
            "estimated_ns",
            "actual_rows",
            "actual_ns",
            "estimate_ratio",
            "rejected",
        }
        ratio = max(step["estimated_rows"], 1) / max(step["actual_rows"], 1)
        assert step["estimate_ratio"] == pytest.approx(ratio)
    assert all(step["actual_ns"] > 0 for step in steps[1:])
    planned = explained(flights, QUERY).to_dict()
    assert planned["actual_ns"] is None
    assert not any("actual_rows" in step for step in planned["steps"])  # type: ignore[attr-defined]  # a list


RULED = StructuredQuery(
    database="flights",
    filters=[
        field("carrier").is_in(["UA", "AA"]),
        field("carrier").is_in(["AA", "HA"]),
        field("note").contains("snow"),
    ],
    pagination=QueryPagination(1, 10),
)


def ruled(records: Records) -> Explanation:
    made = CostBasedOptimizer().optimize_query(RULED, gather(records, needed_fields(RULED)))
    return Explanation(RULED, made.plan, (), made.rules_fired)


def test_what_fired_is_told_with_what_changed_and_no_more(flights: Records) -> None:
    text = str(ruled(flights))
    assert (
        "|-- rewritten by merge_conjuncts: (carrier in ('UA', 'AA') and carrier in ('AA', 'HA'))"
        " -> carrier == 'AA'\n" in text
    )
    assert "|-- rewritten by stop_early: all rows as they come -> first 10,000 rows" in text
    assert text.endswith("`-- take the first 10,000, and count the others")
    fired = ruled(flights).to_dict()["rules_fired"]
    assert isinstance(fired, list)
    assert [each["rule"] for each in fired] == ["merge_conjuncts", "stop_early"]
    assert fired[0]["after"] == "carrier == 'AA'"


def test_a_plan_tells_its_steps_by_itself(flights: Records) -> None:
    plan = explained(flights, QUERY).plan
    assert plan.explain().splitlines()[0] == "|-- read flights: 6,000 rows"
    assert plan.explain() in str(explained(flights, QUERY))
    assert plan._repr_html_().count("<tr") == 1 + len(explained(flights, QUERY).steps)


def test_mermaid_draws_one_box_after_the_other(flights: Records) -> None:
    lines = explained(flights, QUERY, analyze=True).to_mermaid().splitlines()
    assert lines[0] == "flowchart TD"
    assert lines[1] == '    s0["read flights<br/>6,000 rows"]'
    assert lines[2].startswith('    s1["carrier == #39;HA#39;<br/>')
    assert "<br/>actual " in lines[2]
    assert ", estimate x" in lines[2]
    assert "estimate" not in lines[4]
    assert lines[-1] == "    s3 --> s4"
    assert len(lines) == 1 + 5 + 4


class Tags(HTMLParser):
    """Collects what a browser would take for tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes.update(name for name, _ in attrs)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags_of(html: str) -> Tags:
    parser = Tags()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


PLAIN_TAGS = {"div", "span", "b", "code", "details", "summary", "ul", "li"}
PLAIN_TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=y>&amp;`#]\x1b[31m\u202e\n-->"


def test_a_notebook_shows_the_tree_with_bars_and_nothing_that_was_written_into_it(
    flights: Records,
) -> None:
    hostile = StructuredQuery(
        database=HOSTILE,
        filters=[field(HOSTILE) == f"\ud800{HOSTILE}"] * 2,
        sort_fields=[SortField(HOSTILE)],
        search=HOSTILE,
    )
    made = CostBasedOptimizer().optimize_query(hostile, gather(flights, needed_fields(hostile)))
    explanation = Explanation(hostile, made.plan, (), made.rules_fired)
    assert made.rules_fired
    html = explanation._repr_html_()
    tags = tags_of(html)
    assert set(tags.names) <= PLAIN_TAGS
    assert tags.attributes == {"style"}
    assert "&lt;script&gt;" in html
    for text in (html, str(explanation), made.plan.explain(), explanation.to_mermaid()):
        assert text.replace("\n", "").isprintable()
        text.encode()
    drawn = explanation.to_mermaid()
    assert not set(drawn.replace("<br/>", "").replace("-->", "")) & set("<>'`")
    assert drawn.count('"') == 2 * len(explanation.steps)


def bar_widths(html: str, colour: str) -> list[int]:
    return [int(width) for width in re.findall(rf"width:(\d+)px;height:5px;[^\"]*{colour}", html)]


def test_bars_are_as_long_as_what_they_stand_for(flights: Records) -> None:
    analyzed = explained(flights, QUERY, analyze=True)
    html = analyzed.to_html()
    assert tags_of(html).names.count("tr") == 1 + len(analyzed.steps)
    rows = [step.actual_rows for step in analyzed.steps if step.actual_rows is not None]
    expected = [max(1, round(150 * left / 6_000)) for left in rows]
    assert bar_widths(html, "#3f7ad1")[: len(rows)] == expected
    spent = [step.actual_ns for step in analyzed.steps if step.actual_ns is not None]
    most = max([*spent, *(step.estimated_ns or 0 for step in analyzed.steps)])
    to_scale = [max(1, round(150 * ns / most)) for ns in spent]
    assert bar_widths(html, "#d98e3b")[: len(spent)] == to_scale
    assert "&times;" in html
    assert "took " in html
    estimated = explained(flights, QUERY).to_html()
    assert "actual rows" not in estimated
    assert "took " not in estimated


def test_an_estimate_that_is_far_off_stands_out() -> None:
    def drawn(estimated: float, actual: int) -> str:
        step = PlanStep("filter", "a", "row by row", estimated, 1.0, actual, 1)
        return drawn_steps("q", ["n"], [step])

    assert 'font-weight:600">&times;400<' in drawn(4_000.0, 10)
    assert 'font-weight:600">&times;0.1<' in drawn(10.0, 100)
    assert 'opacity:0.6">&times;2<' in drawn(20.0, 10)
    assert "&times;1<" in drawn(0.1, 0)


def test_long_texts_are_cut_in_a_drawing_and_whole_in_text() -> None:
    long = "x" * 5_000
    query = StructuredQuery(database="d", filters=[field(long) == 1])
    explanation = Explanation(query, plan_as_written(query, 5))
    assert len(explanation.to_html()) < 5_000
    assert "…" in explanation.to_html()
    assert long in str(explanation)


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
    ("way", "surviving", "over_all"),
    [
        (Way.COLUMN, 1.0, True),
        (Way.COLUMN, 0.001, True),
        (Way.DISTINCT, 1.0, True),
        (Way.DISTINCT, 0.1, True),
        (Way.DISTINCT, 0.01, False),
        (Way.SURVIVORS, 1.0, False),
        (Way.ROWS, 1.0, False),
    ],
)
def test_which_ways_look_at_all_rows(way: Way, surviving: float, over_all: bool) -> None:
    assert way.is_over_all_rows(surviving) is over_all
    assert way.is_over_all_rows(surviving * 1_000, 1_000) is over_all


def test_a_plan_without_stages_expects_every_row() -> None:
    plan = ExecutionPlan("d", 7, ())
    assert plan.estimated_rows == 7.0
    assert plan.cost == QueryCost(0.0, 7.0)
