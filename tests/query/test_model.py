"""The question as a value: frozen, checked when built, with errors of ours."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from pydantic import BaseModel, ValidationError

from blackcore.minimal.query_engine import (
    FilterGroup,
    InvalidFilterError,
    QueryDepthError,
    QueryEngineError,
    QueryError,
    QueryFilter,
    QueryOperator,
    QueryPagination,
    QuerySearch,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.query import Condition, condition_fields, evaluate
from blackcore.minimal.query_engine.settings import MAX_FILTER_DEPTH
from tests.strategies import questions

AA = QueryFilter("carrier", "eq", "AA")
FAR = QueryFilter("distance", "gt", 1000)


def groups(depth: int) -> FilterGroup:
    """Return groups as deep as asked, of turning modes so that none is flattened."""
    group = FilterGroup("and", [AA])
    for level in range(depth - 1):
        group = FilterGroup("or" if level % 2 else "and", [group], negate=True)
    return group


def as_mapping(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"field": "a", "operator": "eq", "value": 1}
    for _ in range(depth):
        made = {"mode": "and", "filters": [made]}
    return made


def test_a_filter_is_given_by_position_or_by_name() -> None:
    by_name = QueryFilter(field="name", operator="eq", value="x", case_sensitive=False)
    assert QueryFilter("name", "eq", "x", False) == by_name
    assert QueryFilter("name", QueryOperator.EQUALS, value="x", case_sensitive=False) == by_name
    assert QueryFilter("name", "is_null").value is None
    assert QueryFilter("name", "eq", "x").case_sensitive
    assert by_name.operator is QueryOperator.EQUALS


def test_the_other_parts_are_given_by_position_too() -> None:
    assert FilterGroup("or", [AA], True) == FilterGroup(mode="or", filters=[AA], negate=True)
    assert SortField("a", "desc") == SortField(field="a", order="desc")
    assert QueryPagination(2, 50) == QueryPagination(page=2, size=50)
    assert QuerySearch("x", {"a": 2}, 0.5) == QuerySearch(
        text="x", field_weights={"a": 2.0}, min_score=0.5
    )
    assert StructuredQuery("flights", [AA]) == StructuredQuery(database="flights", filters=[AA])


def test_the_defaults_ask_for_everything() -> None:
    query = StructuredQuery(database="flights")
    assert query.filters == ()
    assert query.sort_fields == ()
    assert query.pagination is None
    assert query.select is None
    assert query.distinct is False
    assert query.search is None
    assert QueryPagination() == QueryPagination(page=1, size=100)
    assert SortField("a").order == "asc"
    assert QuerySearch("x").min_score == 0.0
    assert FilterGroup().mode == "and"


def test_a_search_may_be_given_as_its_text() -> None:
    query = StructuredQuery(database="d", search="boeing 737")  # type: ignore[arg-type]  # a text becomes a search
    assert query.search == QuerySearch("boeing 737")


def test_mappings_become_parts() -> None:
    query = StructuredQuery.model_validate(
        {
            "database": "d",
            "filters": [
                {"field": "a", "operator": "eq", "value": 1},
                {"mode": "or", "filters": [{"field": "b", "operator": "is_null"}]},
                {},
            ],
            "sort_fields": [{"field": "a", "order": "desc"}],
            "pagination": {"page": 2},
            "search": {"text": "x"},
        }
    )
    assert query.filters == (
        QueryFilter("a", "eq", 1),
        FilterGroup("or", [QueryFilter("b", "is_null")]),
        FilterGroup(),
    )
    assert query.pagination == QueryPagination(2)
    assert query.sort_fields[0].descending
    assert not SortField("a").descending


MODELS: list[Any] = [QueryFilter, FilterGroup, SortField, QueryPagination, QuerySearch]

# what is built, what the message names, what it says of what is allowed
BAD: list[tuple[Any, tuple[Any, ...], dict[str, Any], tuple[str, ...]]] = [
    (QueryPagination, (0,), {}, ("page", "0", "greater than or equal to 1")),
    (QueryPagination, (), {"page": -1}, ("page", "-1", "greater than or equal to 1")),
    (QueryPagination, (1, 0), {}, ("size", "0", "greater than or equal to 1")),
    (QueryPagination, (1.5,), {}, ("page", "1.5", "valid integer")),
    (QueryPagination, ("1",), {}, ("page", "'1'", "valid integer")),
    (QueryPagination, (True,), {}, ("page", "True", "valid integer")),
    (QueryPagination, (None,), {}, ("page", "None", "valid integer")),
    (QueryFilter, ("", "eq", 1), {}, ("field", "''", "at least 1 character")),
    (QueryFilter, (5, "eq", 1), {}, ("field", "5", "valid string")),
    (QueryFilter, (None, "eq", 1), {}, ("field", "None", "valid string")),
    (QueryFilter, ("a", "like", 1), {}, ("operator", "'like'", "'contains'", "'fuzzy'")),
    (QueryFilter, ("a", None), {}, ("operator", "None", "'eq'")),
    (QueryFilter, ("a", "eq", 1, "perhaps"), {}, ("case_sensitive", "'perhaps'", "bool")),
    (QueryFilter, ("a", "eq"), {"vlaue": 1}, ("vlaue", "1", "not permitted")),
    (FilterGroup, ("xor",), {}, ("mode", "'xor'", "'and' or 'or'")),
    (FilterGroup, ("and", [5]), {}, ("filters.0", "5")),
    (FilterGroup, ("and", None), {}, ("filters", "None", "tuple")),
    (SortField, ("",), {}, ("field", "''", "at least 1 character")),
    (SortField, ("a", "down"), {}, ("order", "'down'", "'asc' or 'desc'")),
    (QuerySearch, ("",), {}, ("text", "''", "at least 1 character")),
    (QuerySearch, (5,), {}, ("text", "5", "valid string")),
    (QuerySearch, ("a", {"x": "much"}), {}, ("field_weights.x", "'much'", "number")),
    (QuerySearch, ("a",), {"min_score": -1}, ("min_score", "-1", "greater than or equal to 0")),
    (QuerySearch, ("a",), {"min_score": float("nan")}, ("min_score", "nan", "finite")),
    (QuerySearch, ("a",), {"min_score": float("inf")}, ("min_score", "inf", "finite")),
    (StructuredQuery, ("",), {}, ("database", "''", "at least 1 character")),
    (StructuredQuery, (5,), {}, ("database", "5", "valid string")),
    (StructuredQuery, ("d",), {"select": []}, ("select", "at least 1 item")),
    (StructuredQuery, ("d",), {"select": "a"}, ("select", "'a'", "tuple")),
    (StructuredQuery, ("d",), {"select": [""]}, ("select.0", "''", "at least 1 character")),
    (StructuredQuery, ("d",), {"sort_fields": ["a"]}, ("sort_fields.0", "'a'", "SortField")),
    (StructuredQuery, ("d",), {"pagination": 2}, ("pagination", "2", "QueryPagination")),
    (StructuredQuery, ("d",), {"search": 5}, ("search", "5", "QuerySearch")),
    (StructuredQuery, ("d",), {"filters": ["a"]}, ("filters.0", "'a'")),
    (StructuredQuery, ("d",), {"filters": None}, ("filters", "None", "tuple")),
    (StructuredQuery, ("d",), {"distinct": 2}, ("distinct", "2", "bool")),
    (StructuredQuery, ("d",), {"limit": 5}, ("limit", "5", "not permitted")),
    (StructuredQuery, (), {}, ("StructuredQuery", "database", "required")),
]


@pytest.mark.parametrize(
    ("model", "positional", "named", "words"), BAD, ids=lambda part: repr(part)[:40]
)
def test_a_bad_value_is_refused_with_what_was_given_and_what_is_allowed(
    model: Any, positional: tuple[Any, ...], named: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(QueryError) as caught:
        model(*positional, **named)
    message = str(caught.value)
    assert all(word in message for word in (model.__name__, *words)), message
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value.__cause__, ValidationError)
    assert "pydantic.dev" not in message
    assert "\n" not in message


def test_a_bad_part_deep_inside_is_refused_with_the_error_of_that_part() -> None:
    with pytest.raises(InvalidFilterError, match="'between' on field 'a' was given"):
        StructuredQuery.model_validate(
            {
                "database": "d",
                "filters": [{"filters": [{"field": "a", "operator": "between", "value": 5}]}],
            }
        )
    with pytest.raises(QueryError, match=r"QueryFilter: operator is .*; Field required"):
        FilterGroup.model_validate({"filters": [{"field": "a"}]})


def test_too_many_values_by_position_are_refused_with_the_names() -> None:
    with pytest.raises(QueryError, match=r"takes 2 values \(page, size\), 3 were given"):
        QueryPagination(1, 2, 3)  # type: ignore[call-arg]  # what is tested
    with pytest.raises(QueryError, match="SortField was given field twice"):
        SortField("a", field="b")  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (AA, "value"),
        (FilterGroup("and", [AA]), "negate"),
        (SortField("a"), "order"),
        (QueryPagination(), "page"),
        (QuerySearch("a"), "text"),
        (StructuredQuery(database="d"), "database"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_every_part_is_frozen(part: BaseModel, name: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(part, name, getattr(part, name))
    assert hash(part) == hash(copy.deepcopy(part))


def test_lists_given_are_kept_as_tuples() -> None:
    members = [AA]
    query = StructuredQuery(database="d", filters=members, select=["a"], sort_fields=[])
    members.append(FAR)
    assert query.filters == (AA,)
    assert query.select == ("a",)


def test_a_changed_copy_is_checked_like_a_new_one() -> None:
    query = StructuredQuery(database="d", filters=[AA], select=["a"])
    changed = query.model_copy(update={"pagination": QueryPagination(2), "filters": [FAR]})
    assert changed == StructuredQuery(
        database="d", filters=[FAR], select=["a"], pagination=QueryPagination(2)
    )
    assert query.filters == (AA,)
    assert query.model_copy() == query
    with pytest.raises(QueryError, match="page is 0"):
        QueryPagination().model_copy(update={"page": 0})
    with pytest.raises(QueryError, match="not permitted"):
        query.model_copy(update={"limit": 3})
    with pytest.raises(InvalidFilterError):
        AA.model_copy(update={"operator": "between"})


def test_a_changed_copy_has_a_fingerprint_of_its_own() -> None:
    query = StructuredQuery(database="d", filters=[AA])
    assert query.fingerprint != query.model_copy(update={"filters": [FAR]}).fingerprint
    assert (
        query.fingerprint == query.model_copy(update={"pagination": QueryPagination()}).fingerprint
    )


def test_equal_parts_are_equal_whatever_was_computed_of_one() -> None:
    one, other = StructuredQuery(database="d"), StructuredQuery(database="d")
    assert one.fingerprint
    assert one == other
    assert hash(one) == hash(other)


@settings(max_examples=25)
@given(questions())
def test_a_question_survives_its_own_dump(
    question: tuple[list[dict[str, Any]], StructuredQuery],
) -> None:
    rows, query = question
    again = StructuredQuery.model_validate(query.model_dump())
    assert again.fingerprint == query.fingerprint
    assert evaluate(again, rows) == evaluate(query, rows)


def test_a_question_of_json_values_survives_json() -> None:
    query = StructuredQuery(
        database="d",
        filters=[
            QueryFilter("a", "in", [1, 2.5, "é", None, True, [10**30], {"x": [1]}]),
            FilterGroup("or", [AA, ~FAR], negate=True),
            QueryFilter("n", "fuzzy", {"text": "x", "threshold": 0.7}, case_sensitive=False),
        ],
        sort_fields=[SortField("a", "desc")],
        pagination=QueryPagination(3, 7),
        select=["a", "b.c"],
        distinct=True,
        search=QuerySearch("x", {"a": 2.0}, 0.1),
    )
    again = StructuredQuery.model_validate_json(query.model_dump_json())
    assert again == query
    assert again.fingerprint == query.fingerprint


def test_a_date_becomes_a_text_in_json_which_means_another_question() -> None:
    dated = QueryFilter("day", "gt", date(2013, 1, 1))
    again = QueryFilter.model_validate_json(dated.model_dump_json())
    assert again.value == "2013-01-01"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "null", '{"database": 5}', '{"datbase": "d"}']
)
def test_json_that_is_no_question_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="StructuredQuery"):
        StructuredQuery.model_validate_json(text)


@pytest.mark.parametrize("thing", [None, 5, "flights", [], object()])
def test_what_is_no_mapping_is_no_question(thing: object) -> None:
    with pytest.raises(QueryError):
        StructuredQuery.model_validate(thing)


def test_filters_nest_64_deep_and_no_deeper() -> None:
    deepest = groups(MAX_FILTER_DEPTH)
    assert deepest.depth == 64
    assert StructuredQuery(database="d", filters=[deepest]).fingerprint
    assert condition_fields(deepest) == ["carrier"]
    with pytest.raises(QueryDepthError, match="nested deeper than 64; flatten"):
        groups(MAX_FILTER_DEPTH + 1)
    with pytest.raises(QueryDepthError):
        FilterGroup("and", [deepest])


def test_mappings_nest_64_deep_and_no_deeper() -> None:
    assert FilterGroup.model_validate(as_mapping(64)).depth == 64
    assert StructuredQuery.model_validate({"database": "d", "filters": [as_mapping(64)]})
    for depth in (65, 300, 5_000, 50_000):
        with pytest.raises(QueryDepthError, match="deeper than 64"):
            FilterGroup.model_validate(as_mapping(depth))
        with pytest.raises(QueryDepthError, match="deeper than 64"):
            StructuredQuery(database="d", filters=[as_mapping(depth)])  # type: ignore[list-item]  # a mapping becomes a part


@pytest.mark.parametrize("depth", [65, 150, 5_000])
def test_json_nested_deeper_is_refused(depth: int) -> None:
    inner = '{"field":"a","operator":"eq","value":1}'
    text = '{"filters":[' * depth + inner + "]}" * depth
    with pytest.raises(QueryEngineError):
        FilterGroup.model_validate_json(text)
    assert FilterGroup.model_validate_json(json.dumps(as_mapping(64))).depth == 64


def test_a_group_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {"mode": "and"}
    loop["filters"] = [loop, loop, loop]  # 3^64 ways down, which nobody may go
    with pytest.raises(QueryDepthError):
        FilterGroup.model_validate(loop)
    with pytest.raises(QueryDepthError):
        StructuredQuery(database="d", filters=[loop])  # type: ignore[list-item]  # as above


def test_a_long_chain_of_conditions_stays_one_group_deep() -> None:
    chain: Condition = QueryFilter("n", "eq", 0)
    for n in range(1, 200):
        chain = chain | QueryFilter("n", "eq", n)
    assert isinstance(chain, FilterGroup)
    assert chain.depth == 1
    assert len(chain.filters) == 200
    assert [len(group.filters) for group in (chain & AA & FAR, AA & (chain & FAR))] == [3, 3]  # type: ignore[union-attr]  # groups


def test_negated_groups_are_not_dissolved_into_others() -> None:
    negated = ~(AA & FAR)
    assert isinstance(negated, FilterGroup)
    assert (negated & AA).filters == (negated, AA)
    assert (~negated) == FilterGroup("and", [AA, FAR])


@pytest.mark.parametrize("operator", list(QueryOperator))
def test_a_negated_filter_is_its_complement_or_a_negated_group(operator: QueryOperator) -> None:
    values: dict[QueryOperator, Any] = {
        QueryOperator.IN: [1],
        QueryOperator.NOT_IN: [1],
        QueryOperator.BETWEEN: [1, 2],
        QueryOperator.REGEX: "1",
        QueryOperator.FUZZY: "1",
        QueryOperator.IS_NULL: None,
        QueryOperator.IS_NOT_NULL: None,
    }
    plain = QueryFilter("a", operator, values.get(operator, 1), case_sensitive=False)
    negated = ~plain
    rows: list[dict[str, Any]] = [{"a": v} for v in (0, 1, 2, "1", None, [1], True)] + [{}]
    held = evaluate(StructuredQuery(database="d", filters=[plain]), rows)
    left = evaluate(StructuredQuery(database="d", filters=[negated]), rows)
    assert sorted(held + left) == list(range(len(rows)))
    assert evaluate(StructuredQuery(database="d", filters=[~negated]), rows) == held


def test_all_fields_named_are_listed_once_in_order() -> None:
    query = StructuredQuery(
        database="d",
        filters=[FAR, FilterGroup("or", [AA, FilterGroup("and", [QueryFilter("x.y", "is_null")])])],
        sort_fields=[SortField("distance"), SortField("month")],
        select=["month", "day"],
        search=QuerySearch("x", {"title": 1.0, "x.y": 2.0}),
    )
    assert query.field_paths == ("distance", "carrier", "x.y", "month", "day", "title")


def test_pages_have_positions() -> None:
    assert (QueryPagination(1, 100).start, QueryPagination(1, 100).stop) == (0, 100)
    assert (QueryPagination(3, 7).start, QueryPagination(3, 7).stop) == (14, 21)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (QueryFilter("a", "eq", 1), "a == 1"),
        (QueryFilter("a", "ne", "x"), "a != 'x'"),
        (QueryFilter("a", "gt", 1), "a > 1"),
        (QueryFilter("a", "gte", 1), "a >= 1"),
        (QueryFilter("a", "lt", 1), "a < 1"),
        (QueryFilter("a", "lte", 1), "a <= 1"),
        (QueryFilter("a", "in", [1, 2]), "a in (1, 2)"),
        (QueryFilter("a.b", "is_null"), "a.b is_null"),
        (QueryFilter("a", "contains", "X", case_sensitive=False), "a contains 'X' (any case)"),
        (FilterGroup("or", [AA, FAR]), "(carrier == 'AA' or distance > 1000)"),
        (FilterGroup("and", [AA], negate=True), "not (carrier == 'AA')"),
        (FilterGroup("or"), "(no condition (or))"),
    ],
    ids=str,
)
def test_conditions_read_as_one_says_them(condition: Condition, text: str) -> None:
    assert str(condition) == text


def test_a_long_value_is_shown_by_its_beginning() -> None:
    assert str(QueryFilter("a", "eq", "x" * 1_000)) == f"a == '{'x' * 55} ..."


@pytest.mark.parametrize("condition", [AA, FilterGroup("and", [AA])])
def test_a_condition_is_neither_true_nor_false(condition: Condition) -> None:
    with pytest.raises(QueryError, match=r"combine conditions with & \| ~"):
        bool(condition)


@pytest.mark.parametrize("other", [True, None, "x", 5, [AA]])
def test_a_condition_combines_with_conditions_alone(other: Any) -> None:
    with pytest.raises(InvalidFilterError, match="cannot be combined with a condition; write it"):
        _ = AA & other
    with pytest.raises(InvalidFilterError, match="with brackets around each condition"):
        _ = FilterGroup("and", [AA]) | other


def test_a_condition_is_one_of_two_models() -> None:
    assert set(get_args(Condition)) == {QueryFilter, FilterGroup}
    assert not AA.is_group
    assert FilterGroup().is_group


def test_a_field_selected_twice_is_there_once() -> None:
    query = StructuredQuery(database="d", select=["b", "a", "b"])
    assert query.select == ("b", "a")
    assert query == StructuredQuery(database="d", select=["b", "a"])
