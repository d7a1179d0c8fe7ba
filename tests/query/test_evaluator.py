"""Whole questions answered record by record: paths, groups, order, distinct rows, projections."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from blackcore.minimal.query_engine.query import (
    FilterGroup,
    QueryFilter,
    QueryPagination,
    SortField,
    StructuredQuery,
    evaluate,
    field,
    matches,
    projected,
)
from blackcore.minimal.query_engine.query.values import json_equal
from tests.strategies import databases, queries, questions

FILM: dict[str, Any] = {
    "title": "Casablanca",
    "year": 1942,
    "note": None,
    "genres": ["Drama", "War"],
    "cast": [{"name": "Bogart", "roles": ["Rick"]}, {"name": "Bergman"}, {}],
    "crew": [],
    "a.b": "dotted",
    "a": {"b": "nested"},
}


def asked(**parts: Any) -> StructuredQuery:
    return StructuredQuery(database="films", **parts)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # a list on the way: the filter holds if it holds for any element reached
        (field("cast.name") == "Bergman", True),
        (field("cast.name") == "Lorre", False),
        (field("cast.name").regex("^Bo"), True),
        # the negative ones are complements of the whole filter, not of each element
        (field("cast.name") != "Bergman", False),
        (field("cast.name") != "Lorre", True),
        (field("cast.name").not_in(["Bogart"]), False),
        (field("cast.name").not_contains("Bo"), False),
        # elements that reach nothing are not there
        (field("cast.name").is_null(), False),
        (field("cast.name").is_not_null(), True),
        # a list at the end is one value
        (field("genres").contains("War"), True),
        (field("genres") == "War", False),
        (field("genres") == ["Drama", "War"], True),
        (field("genres").regex("War"), False),
        (field("cast.roles").contains("Rick"), True),
        # what reaches nothing is null: a missing key, an empty list on the way
        (field("studio").is_null(), True),
        (field("studio") == None, True),  # noqa: E711 - a condition, not a comparison
        (field("studio.name").is_null(), True),
        (field("title.first").is_null(), True),
        (field("crew.name").is_null(), True),
        (field("crew.name") != "Curtiz", True),
        (field("crew") == [], True),
        (field("crew").is_null(), False),
        (field("note").is_null(), True),
        # a key that literally holds the dots wins
        (field("a.b") == "dotted", True),
        (field("a.b") == "nested", False),
    ],
    ids=str,
)
def test_what_a_filter_finds_at_the_end_of_a_path(condition: QueryFilter, expected: bool) -> None:
    assert matches(condition, FILM) is expected


def test_an_element_that_is_null_makes_the_filter_is_null_hold() -> None:
    record = {"cast": [{"name": "Ann"}, {"name": None}]}
    assert matches(field("cast.name").is_null(), record)
    assert not matches(field("cast.name").is_not_null(), record)


TRUE = QueryFilter("year", "eq", 1942)
FALSE = QueryFilter("year", "eq", 1900)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (TRUE & TRUE, True),
        (TRUE & FALSE, False),
        (TRUE | FALSE, True),
        (FALSE | FALSE, False),
        (~(TRUE & FALSE), True),
        (~(TRUE | FALSE), False),
        (~TRUE, False),
        (~FALSE, True),
        (~(field("year") > 1950), True),
        (FilterGroup("and"), True),
        (FilterGroup("or"), False),
        (FilterGroup("and", [], negate=True), False),
        (FilterGroup("or", [], negate=True), True),
        (FilterGroup("or", [FALSE, FilterGroup("and", [TRUE, ~FALSE])]), True),
    ],
    ids=str,
)
def test_groups_combine_and_negate(condition: Any, expected: bool) -> None:
    assert matches(condition, FILM) is expected


def test_a_negated_ordering_holds_for_nulls_and_other_types() -> None:
    below = ~(field("n") > 5)
    assert [matches(below, row) for row in ({"n": 9}, {"n": 5}, {"n": "9"}, {"n": None}, {})] == [
        False,
        True,
        True,
        True,
        True,
    ]


def test_filters_are_anded_and_no_filter_holds_for_all() -> None:
    rows = [{"n": n} for n in range(6)]
    assert evaluate(asked(), rows) == [0, 1, 2, 3, 4, 5]
    assert evaluate(asked(filters=[field("n") > 1, field("n") < 4]), rows) == [2, 3]
    assert evaluate(asked(filters=[field("n") > 1]), []) == []


def test_the_page_is_left_out_of_account() -> None:
    rows = [{"n": n} for n in range(5)]
    assert evaluate(asked(pagination=QueryPagination(2, 2)), rows) == [0, 1, 2, 3, 4]


MIXED: list[dict[str, Any]] = [
    {"v": "b"},
    {"v": None},
    {"v": 2},
    {"v": True},
    {"v": [1]},
    {"v": 1.5},
    {},
    {"v": "B"},
    {"v": False},
    {"v": float("nan")},
    {"v": {"x": 1}},
]


def sorted_values(rows: list[dict[str, Any]], *sorts: SortField) -> list[int]:
    return evaluate(asked(sort_fields=sorts), rows)


def test_sorting_is_total_and_nulls_are_last_in_both_orders() -> None:
    assert sorted_values(MIXED, SortField("v")) == [8, 3, 5, 2, 7, 0, 4, 10, 1, 6, 9]
    assert sorted_values(MIXED, SortField("v", "desc")) == [10, 4, 0, 7, 2, 5, 3, 8, 1, 6, 9]


def test_equal_rows_keep_the_records_order_in_both_orders() -> None:
    rows = [{"v": 1, "k": k % 2} for k in range(6)]
    assert sorted_values(rows, SortField("v")) == [0, 1, 2, 3, 4, 5]
    assert sorted_values(rows, SortField("v", "desc")) == [0, 1, 2, 3, 4, 5]
    assert sorted_values(rows, SortField("k", "desc")) == [1, 3, 5, 0, 2, 4]


def test_later_sort_fields_break_ties_of_the_first() -> None:
    rows = [{"a": 1, "b": 1}, {"a": 0, "b": 2}, {"a": 1, "b": 3}, {"a": None, "b": 0}]
    assert sorted_values(rows, SortField("a"), SortField("b", "desc")) == [1, 2, 0, 3]


def test_ints_and_floats_sort_exactly_beyond_two_to_the_53() -> None:
    rows: list[dict[str, Any]] = [{"v": 2**53 + 1}, {"v": 2.0**53}, {"v": 10**400}, {"v": -1e300}]
    assert sorted_values(rows, SortField("v")) == [3, 1, 0, 2]


def test_a_list_on_the_way_sorts_by_the_first_value_reached() -> None:
    rows: list[dict[str, Any]] = [
        {"c": [{"n": "b"}, {"n": "a"}]},
        {"c": [{}, {"n": "a"}, {"n": "z"}]},
        {"c": []},
        {"c": [{"n": None}, {"n": "0"}]},
    ]
    assert sorted_values(rows, SortField("c.n")) == [1, 0, 2, 3]
    assert sorted_values(rows, SortField("c.n", "desc")) == [0, 1, 2, 3]


def test_lists_sort_by_their_json_text() -> None:
    rows: list[dict[str, Any]] = [{"v": [2]}, {"v": [10]}, {"v": []}, {"v": {"b": 1, "a": 2}}]
    assert sorted_values(rows, SortField("v")) == [1, 0, 2, 3]


@pytest.mark.parametrize(
    ("rows", "select", "kept"),
    [
        ([{"a": 1}, {"a": 1.0}, {"a": True}, {"a": "1"}], None, [0, 2, 3]),
        ([{"a": None}, {"a": float("nan")}], None, [0]),
        ([{"a": None}, {}], None, [0, 1]),  # the whole record differs
        ([{"a": None}, {}], ["a"], [0]),  # what is returned does not
        ([{"a": 1, "b": 1}, {"a": 1, "b": 2}], ["a"], [0]),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], None, [0]),
        ([{"a": [1, {"x": 2}]}, {"a": [1, {"x": 2.0}]}, {"a": [{"x": 2}, 1]}], None, [0, 2]),
        ([{"a": 2**53 + 1}, {"a": 2.0**53}], ["a"], [0, 1]),
        ([{"c": [{"n": 1}]}, {"c": [{"n": 1}, {}]}, {"c": {"n": 1}}], ["c.n"], [0, 2]),
    ],
)
def test_distinct_compares_what_is_returned_and_keeps_the_first(
    rows: list[dict[str, Any]], select: list[str] | None, kept: list[int]
) -> None:
    assert evaluate(asked(distinct=True, select=select), rows) == kept


def test_distinct_keeps_the_first_in_the_order_asked_for() -> None:
    rows = [{"a": 1, "b": 1}, {"a": 2, "b": 3}, {"a": 1, "b": 2}]
    query = asked(distinct=True, select=["a"], sort_fields=[SortField("b", "desc")])
    assert evaluate(query, rows) == [1, 2]


def test_select_alone_leaves_equal_rows_in() -> None:
    assert evaluate(asked(select=["a"]), [{"a": 1}, {"a": 1}]) == [0, 1]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("title", "Casablanca"),
        ("note", None),
        ("studio", None),
        ("genres", ["Drama", "War"]),
        ("cast.name", ["Bogart", "Bergman"]),
        ("cast.roles", [["Rick"]]),
        ("crew.name", None),
        ("a.b", "dotted"),
        ("a", {"b": "nested"}),
    ],
)
def test_a_projected_row_has_the_path_as_its_key(path: str, value: object) -> None:
    assert projected(FILM, [path, "year"]) == {path: value, "year": 1942}


def test_a_search_orders_by_score_then_record_and_the_filters_come_after() -> None:
    rows = [{"n": n % 2} for n in range(6)]
    scores = {5: 1.0, 0: 2.0, 3: 2.0, 2: 0.5}
    assert evaluate(asked(), rows, scores) == [0, 3, 5, 2]
    assert evaluate(asked(filters=[field("n") == 1]), rows, scores) == [3, 5]
    by_field = asked(sort_fields=[SortField("n", "desc")])
    assert evaluate(by_field, rows, scores) == [3, 5, 0, 2]


@settings(max_examples=25)
@given(questions())
def test_an_answer_holds_each_position_once_and_just_what_matches(
    question: tuple[list[dict[str, Any]], StructuredQuery],
) -> None:
    rows, query = question
    answer = evaluate(query, rows)
    assert len(set(answer)) == len(answer)
    wanted = FilterGroup("and", query.filters)
    assert all(matches(wanted, rows[i]) for i in answer)
    if not query.distinct:
        expected = [i for i, row in enumerate(rows) if matches(wanted, row)]
        assert sorted(answer) == expected


@settings(max_examples=20)
@given(databases(max_rows=8).flatmap(lambda rows: queries(rows).map(lambda query: (rows, query))))
def test_rows_left_out_as_equal_are_equal_to_one_that_stays(
    question: tuple[list[dict[str, Any]], StructuredQuery],
) -> None:
    rows, query = question
    every = evaluate(query.model_copy(update={"distinct": False}), rows)
    kept = evaluate(query.model_copy(update={"distinct": True}), rows)

    def shown(i: int) -> dict[str, object]:
        return rows[i] if query.select is None else projected(rows[i], query.select)

    for i in every:
        equal = [k for k in kept if json_equal(shown(k), shown(i))]
        assert len(equal) == 1
        assert every.index(equal[0]) <= every.index(i)
