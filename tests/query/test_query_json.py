from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import (
    FilterGroup,
    QueryError,
    QueryFilter,
    QueryPagination,
    QuerySearch,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.query.query_json import (
    query_from_json,
    query_to_json,
    value_from_json,
    value_to_json,
)
from tests.strategies import DATES, SCALARS, questions

VALUES = st.recursive(
    st.one_of(
        SCALARS.filter(lambda value: value == value),  # noqa: PLR0124 - NaN is null
        DATES,
        st.decimals(allow_nan=False),
        st.datetimes(timezones=st.none() | st.just(UTC)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(["x", "$date", "$", "$object", ""]), inner, max_size=2),
    ),
    max_leaves=6,
)


def through_text(written: object) -> object:
    return json.loads(json.dumps(written))


def same(one: Any, other: Any) -> bool:
    """Equal with equal types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, datetime):
        return one == other and one.utcoffset() == other.utcoffset()
    if isinstance(one, int):
        return one == other
    return repr(one) == repr(other)


@given(VALUES)
def test_any_value_comes_back_with_its_types(value: object) -> None:
    assert same(value_from_json(through_text(value_to_json(value))), value)


@given(questions())
def test_any_question_comes_back_equal_and_with_its_fingerprint(
    case: tuple[list[dict[str, Any]], StructuredQuery],
) -> None:
    _, query = case
    back = query_from_json(through_text(query_to_json(query)))
    assert back == query
    assert back.fingerprint == query.fingerprint


@pytest.mark.parametrize(
    "value",
    [
        date(2013, 1, 1),
        datetime(2013, 1, 1),
        datetime(2013, 1, 1, 5, 30, 0, 7, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
        Decimal("1.50"),
        pytest.param(10**5_000, id="an int of 5,001 digits"),
        float("-inf"),
        -0.0,
        "a\ud800",
    ],
)
def test_values_that_json_lacks_are_kept_as_what_they_are(value: object) -> None:
    asked = StructuredQuery("db", [QueryFilter("a", "eq", value)])
    back = query_from_json(through_text(query_to_json(asked)))
    assert same(back.filters[0].value, value)


def test_every_part_of_a_question_is_kept() -> None:
    asked = StructuredQuery(
        "db",
        filters=[
            ~FilterGroup("or", [QueryFilter("a", "in", ["x"], False), QueryFilter("b", "gt", 1)])
        ],
        sort_fields=[SortField("a", "desc")],
        pagination=QueryPagination(3, 7),
        select=["a", "b.c"],
        distinct=True,
        search=QuerySearch("war", {"$title": 2.0}, 0.5),
    )
    assert query_from_json(through_text(query_to_json(asked))) == asked


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (7, "a question is written as an object"),
        ({"database": "db", "filters": 3}, "a list is expected"),
        ({"database": "db", "filters": [4]}, "a filter is written as an object"),
        ({"database": "db", "sort_fields": [["a"]]}, "cannot be read"),
        ({"database": "db", "pagination": [1, 2, 3]}, "cannot be read"),
        ({"database": "db", "colour": 1}, "colour"),
        (
            {"database": "db", "filters": [{"field": "a", "operator": "eq", "value": {"$x": 1}}]},
            r"mark '\$x' is not known",
        ),
        (
            {
                "database": "db",
                "filters": [{"field": "a", "operator": "eq", "value": {"$date": 1}}],
            },
            "cannot be read",
        ),
        (
            {
                "database": "d",
                "filters": [{"field": "a", "operator": "eq", "value": {"$decimal": ""}}],
            },
            "cannot be read",
        ),
    ],
)
def test_what_is_no_question_is_refused_with_an_error_of_ours(written: object, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        query_from_json(written)


def test_a_value_of_a_foreign_type_is_refused() -> None:
    with pytest.raises(QueryError, match="type bytes has no place"):
        value_to_json(b"x")
