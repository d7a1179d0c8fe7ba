"""The fluent way to a question: it reads like the question, and nothing in it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from blackcore.minimal.query_engine import (
    FilterGroup,
    InvalidFilterError,
    QueryError,
    QueryFilter,
    QueryPagination,
    QuerySearch,
    SortField,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.query import Condition, FieldExpression, Query, describe

if TYPE_CHECKING:
    from os import PathLike


class Recorder:
    """A runner that keeps what it was handed."""

    def __init__(self) -> None:
        self.handed: list[tuple[Any, ...]] = []

    def execute(self, query: StructuredQuery) -> str:
        self.handed.append(("execute", query))
        return "rows"

    def explain(self, query: StructuredQuery, analyze: bool = False) -> str:
        self.handed.append(("explain", query, analyze))
        return "plan"

    async def export(self, query: StructuredQuery, path: str | PathLike[str]) -> int:
        self.handed.append(("export", query, path))
        return 3


def query() -> Query[str, str]:
    return Query(Recorder(), "flights")


CONDITIONS: list[tuple[QueryFilter, QueryFilter]] = [
    (field("a") == 1, QueryFilter("a", "eq", 1)),
    (field("a") != 1, QueryFilter("a", "ne", 1)),
    (field("a") < 1, QueryFilter("a", "lt", 1)),
    (field("a") <= 1, QueryFilter("a", "lte", 1)),
    (field("a") > 1, QueryFilter("a", "gt", 1)),
    (field("a") >= 1, QueryFilter("a", "gte", 1)),
    (1 < field("a"), QueryFilter("a", "gt", 1)),  # noqa: SIM300 - the turned form is what is tested
    (field("a").equals("x"), QueryFilter("a", "eq", "x")),
    (field("a").equals("x", case_sensitive=False), QueryFilter("a", "eq", "x", False)),
    (field("a").not_equals("x", case_sensitive=False), QueryFilter("a", "ne", "x", False)),
    (field("a").contains("x"), QueryFilter("a", "contains", "x")),
    (field("a").contains("x", case_sensitive=False), QueryFilter("a", "contains", "x", False)),
    (field("a").not_contains("x"), QueryFilter("a", "not_contains", "x")),
    (field("a").is_in([1, 2]), QueryFilter("a", "in", [1, 2])),
    (field("a").is_in(n for n in (1, 2)), QueryFilter("a", "in", [1, 2])),
    (field("a").is_in({1: "x", 2: "y"}.keys()), QueryFilter("a", "in", [1, 2])),
    (field("a").is_in(np.array([1, 2])), QueryFilter("a", "in", [1, 2])),
    (field("a").not_in(["x"], case_sensitive=False), QueryFilter("a", "not_in", ["x"], False)),
    (field("a").between(1, 2), QueryFilter("a", "between", [1, 2])),
    (field("a").is_null(), QueryFilter("a", "is_null")),
    (field("a").is_not_null(), QueryFilter("a", "is_not_null")),
    (field("a").regex("^x"), QueryFilter("a", "regex", "^x")),
    (field("a").regex("^x", case_sensitive=False), QueryFilter("a", "regex", "^x", False)),
    (field("a").fuzzy("x"), QueryFilter("a", "fuzzy", {"text": "x", "threshold": 0.8})),
    (
        field("a").fuzzy("x", threshold=0.9),
        QueryFilter("a", "fuzzy", {"text": "x", "threshold": 0.9}),
    ),
    (
        field("a").fuzzy("x", 0.9, case_sensitive=False),
        QueryFilter("a", "fuzzy", {"text": "x", "threshold": 0.9}, False),
    ),
    (field("a") == None, QueryFilter("a", "eq", None)),  # noqa: E711 - a condition
]


@pytest.mark.parametrize(("built", "meant"), CONDITIONS, ids=str)
def test_a_field_compared_gives_the_filter(built: QueryFilter, meant: QueryFilter) -> None:
    assert built == meant
    assert built.case_sensitive == meant.case_sensitive


def test_conditions_combine() -> None:
    a, b, c = field("a") == 1, field("b") == 2, field("c") == 3
    assert (a & b) == FilterGroup("and", [a, b])
    assert (a | b | c) == FilterGroup("or", [a, b, c])
    assert (a & b | c) == FilterGroup("or", [FilterGroup("and", [a, b]), c])
    assert ~a == (field("a") != 1)
    assert ~(a | b) == FilterGroup("or", [a, b], negate=True)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: (field("a") == 1) and (field("b") == 2),
        lambda: (field("a") == 1) or (field("b") == 2),
        lambda: not (field("a") == 1),  # noqa: SIM201 - what is tested
        lambda: 1 < field("a") < 3,
        lambda: field("a") in [1, 2],
        lambda: "x" if field("a") == 1 else "y",
    ],
)
def test_python_s_own_logic_on_conditions_is_refused_with_the_remedy(
    wrong: Callable[[], object],
) -> None:
    with pytest.raises(QueryError, match=r"combine conditions with & \| ~ .*two of them"):
        wrong()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: field("a").is_in("abc"),
        lambda: field("a").is_in(5),  # type: ignore[arg-type]  # what is tested
        lambda: field("a").is_in({"x": 1}),
        lambda: field("a").not_in(b"abc"),
        lambda: field("a").between(1, None),
        lambda: field("a").fuzzy("x", threshold=80),
        lambda: field("a").regex("("),
        lambda: field("a") == field("b"),
        lambda: field("a") == object(),
        lambda: field("a").contains(b"x"),
    ],
)
def test_values_that_cannot_be_are_refused_where_they_are_written(
    wrong: Callable[[], object],
) -> None:
    with pytest.raises(InvalidFilterError):
        wrong()


def test_a_field_can_be_a_key_and_kept() -> None:
    assert {field("a"): 1}
    assert hash(field("a")) == hash(field("a"))
    assert isinstance(field("a.b"), FieldExpression)
    assert field("a.b").path == "a.b"


def test_the_question_reads_like_the_question() -> None:
    late = (
        query()
        .where(field("carrier") == "AA", field("distance") > 1000, field("dest").contains("LA"))
        .sort("-dep_delay", "carrier", SortField("month", "desc"))
        .page(1, size=100)
        .select("carrier", "dest")
        .distinct()
        .search("snow", weights={"note": 2}, min_score=0.5)
    )
    assert late.structured == StructuredQuery(
        database="flights",
        filters=[
            QueryFilter("carrier", "eq", "AA"),
            QueryFilter("distance", "gt", 1000),
            QueryFilter("dest", "contains", "LA"),
        ],
        sort_fields=[
            SortField("dep_delay", "desc"),
            SortField("carrier"),
            SortField("month", "desc"),
        ],
        pagination=QueryPagination(1, 100),
        select=["carrier", "dest"],
        distinct=True,
        search=QuerySearch("snow", {"note": 2.0}, 0.5),
    )


def test_each_method_returns_a_new_query() -> None:
    start = query()
    before = start.structured
    steps = [
        start.where(field("a") == 1),
        start.search("x"),
        start.sort("a"),
        start.page(2),
        start.select("a"),
        start.distinct(),
    ]
    assert all(step is not start for step in steps)
    assert start.structured is before
    assert start.structured == StructuredQuery(database="flights")
    assert len({step.structured for step in steps}) == len(steps)


def test_conditions_add_up_and_the_rest_replaces() -> None:
    a, b = field("a") == 1, field("b") == 2
    assert query().where(a).where(b).structured.filters == (a, b)
    assert query().where().structured.filters == ()
    assert query().sort("a").sort("b").structured.sort_fields == (SortField("b"),)
    assert query().page(1).page(2).structured.pagination == QueryPagination(2, 100)
    assert query().select("a").select("b").structured.select == ("b",)
    assert query().search("x").search("y").structured.search == QuerySearch("y")


def test_a_field_whose_name_begins_with_a_minus_is_sorted_by_as_a_sort_field() -> None:
    assert query().sort("--x").structured.sort_fields == (SortField("-x", "desc"),)
    assert query().sort(SortField("-x")).structured.sort_fields == (SortField("-x"),)


@pytest.mark.parametrize("wrong", [True, None, "a == 1", [field("a") == 1], field("a")])
def test_where_takes_conditions_alone(wrong: Any) -> None:
    with pytest.raises(QueryError, match=r"where\(\) was given .*; give conditions, as in"):
        query().where(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: query().page(0),
        lambda: query().page(1, size=0),
        lambda: query().sort(""),
        lambda: query().sort("-"),
        lambda: query().search(""),
        lambda: query().search("x", min_score=-1),
        lambda: query().select().structured,
        lambda: query().select("").structured,
        lambda: Query(Recorder(), "").structured,
    ],
)
def test_parts_that_cannot_be_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(QueryError):
        wrong()


async def test_running_explaining_and_exporting_hand_the_question_to_the_runner() -> None:
    runner = Recorder()
    asked = Query(runner, "flights").where(field("a") == 1)
    assert asked.run() == "rows"
    assert asked.explain() == "plan"
    assert asked.explain(analyze=True) == "plan"
    assert await asked.export("late.csv") == 3
    question = asked.structured
    assert runner.handed == [
        ("execute", question),
        ("explain", question, False),
        ("explain", question, True),
        ("export", question, "late.csv"),
    ]


@pytest.mark.parametrize(
    ("built", "text"),
    [
        (query(), "flights"),
        (query().where(field("a") == 1), "flights where a == 1"),
        (
            query().where(field("a") == 1, (field("b") > 2) | (field("c").is_null())),
            "flights where a == 1 and (b > 2 or c is_null)",
        ),
        (query().sort("a", "-b"), "flights sort a, -b"),
        (query().select("a", "b").distinct(), "flights select a, b distinct"),
        (query().search("snow").page(2, size=10), "flights search 'snow' page 2 of 10"),
    ],
)
def test_a_question_can_be_said_in_a_line(built: Query[str, str], text: str) -> None:
    assert str(built) == text
    assert describe(built.structured) == text
    assert repr(built) == f"<Query: {text}>"


def test_a_question_that_cannot_be_asked_shows_itself_and_why() -> None:
    shown = repr(query().select())
    assert shown.startswith("<Query: 'flights', not to be asked: ")
    assert "select" in shown


def test_the_structured_question_is_made_once() -> None:
    asked = query().where(field("a") == 1)
    assert asked.structured is asked.structured


def combined() -> Condition:
    return (field("a") == 1) & ~(field("b").is_in([1]))


def test_a_condition_is_a_value_of_its_own() -> None:
    assert combined() == combined()
    assert hash(combined()) == hash(combined())
