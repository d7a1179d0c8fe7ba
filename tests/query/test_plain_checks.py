"""Models given by position are checked without pydantic where they can be, to the same effect."""

from __future__ import annotations

import copy
import pickle
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import (
    FilterGroup,
    QueryDepthError,
    QueryEngineError,
    QueryFilter,
    QueryOperator,
    QueryPagination,
    SortField,
)
from blackcore.minimal.query_engine.query.values import json_text
from blackcore.minimal.query_engine.settings import MAX_FILTER_DEPTH
from tests.strategies import ANYTHING


class Word(str):
    __slots__ = ()


class Kind(StrEnum):
    EQUALS = "eq"
    DESCENDING = "desc"


ODD = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.0, 2.5, "", "a", Word("a"), Word("eq"), "1", [], ["a"], ("a",)]
)
FIELDS = st.sampled_from(["a", "a.b", "ä", "", " "]) | ODD
OPERATORS = (
    st.sampled_from(list(QueryOperator))
    | st.sampled_from([each.value for each in QueryOperator])
    | st.sampled_from(["EQ", "like", "EQUALS", "", Kind.EQUALS, 5, None])
)
VALUES = (
    ANYTHING
    | ODD
    | st.sampled_from(
        [
            [1, 2],
            (1, None),
            range(3),
            {"text": "x"},
            {"text": "x", "threshold": 0.5},
            {"text": "x", "threshold": 2},
            {1: 2},
            "(",
            "^a+$",
            "(?=a)",
            date(2013, 1, 1),
            Decimal("1.5"),
            Decimal("nan"),
            np.int64(5),
            np.float32("nan"),
            np.datetime64("2013-01-01"),
            object,
            {1, 2},
            b"bytes",
        ]
    )
)
CASES = st.booleans() | ODD


def made(model: Any, names: tuple[str, ...], values: tuple[Any, ...], *, named: bool) -> Any:
    """Return what comes of it: all that can be seen of the model, or of the error."""
    try:
        one = model(**dict(zip(names, values, strict=True))) if named else model(*values)
    except QueryEngineError as error:
        return type(error), str(error)
    seen = {name: getattr(one, name) for name in type(one).model_fields}
    types = {name: type(value) for name, value in seen.items()}
    return json_text(seen), types, one.model_fields_set, repr(one), hash(one)


def assert_the_same(model: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
    by_position = made(model, names, values, named=False)
    assert by_position == made(model, names, values, named=True)


@given(st.tuples(FIELDS, OPERATORS, VALUES, CASES), st.integers(min_value=1, max_value=4))
def test_a_filter_is_the_same_by_position_and_by_name(values: Any, count: int) -> None:
    names = ("field", "operator", "value", "case_sensitive")
    assert_the_same(QueryFilter, names[:count], values[:count])


@given(st.tuples(FIELDS, st.sampled_from(["asc", "desc", "up", "", Kind.DESCENDING]) | ODD))
def test_a_sort_field_is_the_same_by_position_and_by_name(values: Any) -> None:
    for count in (1, 2):
        assert_the_same(SortField, ("field", "order")[:count], values[:count])


@given(st.tuples(ODD | st.integers(-2, 5), ODD | st.integers(-2, 5)))
def test_a_page_is_the_same_by_position_and_by_name(values: Any) -> None:
    for count in (0, 1, 2):
        assert_the_same(QueryPagination, ("page", "size")[:count], values[:count])


A_FILTER = QueryFilter("a", "eq", 1)
MEMBERS = st.sampled_from(
    [A_FILTER, FilterGroup("or", [A_FILTER]), {"field": "a", "operator": "eq", "value": 1}, "a", 5]
)


@given(
    st.tuples(
        st.sampled_from(["and", "or", "xor", "", Kind.EQUALS]) | ODD,
        st.lists(MEMBERS, max_size=3) | st.lists(MEMBERS, max_size=3).map(tuple) | ODD,
        CASES,
    ),
    st.integers(min_value=0, max_value=3),
)
def test_a_group_is_the_same_by_position_and_by_name(values: Any, count: int) -> None:
    assert_the_same(FilterGroup, ("mode", "filters", "negate")[:count], values[:count])


def test_groups_nested_too_deep_are_refused_by_position_and_by_name() -> None:
    group = FilterGroup("and", [A_FILTER])
    while group.depth < MAX_FILTER_DEPTH:
        group = FilterGroup("and", [group])
    for make in (lambda: FilterGroup("and", [group]), lambda: FilterGroup(filters=[group])):
        with pytest.raises(QueryDepthError, match="nested deeper than 64"):
            make()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (QueryFilter("a", "in", [1, 2]), QueryFilter(field="a", operator="in", value=[1, 2])),
        (SortField("a", "desc"), SortField(field="a", order="desc")),
        (FilterGroup("or", [A_FILTER]), FilterGroup(mode="or", filters=[A_FILTER])),
        (QueryPagination(2, 50), QueryPagination(page=2, size=50)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_can_be_done_with_a_model_can_be_done_with_both(one: Any, other: Any) -> None:
    for do in (
        copy.copy,
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),  # noqa: S301 - our own bytes
        lambda model: type(model).model_validate_json(model.model_dump_json()),
        lambda model: type(model).model_validate(model.model_dump()),
        lambda model: model.model_copy(),
    ):
        assert do(one) == do(other) == one
        assert hash(do(one)) == hash(other)
    assert one.model_dump_json(exclude_unset=True) == other.model_dump_json(exclude_unset=True)
    with pytest.raises(Exception, match="frozen"):
        one.mode = one.field = "b"


def test_a_subclass_that_checks_more_is_checked_by_pydantic() -> None:
    class Narrow(QueryPagination):
        def model_post_init(self, _context: object) -> None:
            if self.size > 10:
                raise ValueError("too wide")

    assert Narrow(1, 10).size == 10
    with pytest.raises(QueryEngineError, match="too wide"):
        Narrow(1, 11)


@pytest.mark.parametrize("model", [QueryFilter, FilterGroup, SortField, QueryPagination])
def test_more_values_than_fields_are_refused(model: Any) -> None:
    with pytest.raises(QueryEngineError, match=r"takes \d values .*, 5 were given"):
        model("a", "eq", 1, True, 5)
