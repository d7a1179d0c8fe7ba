"""What a filter may be compared with: made plain and immutable, or refused by name."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine import InvalidFilterError, QueryDepthError, QueryFilter
from blackcore.minimal.query_engine.errors import InvalidPatternError
from blackcore.minimal.query_engine.query import QueryOperator
from blackcore.minimal.query_engine.query.operands import check_operand, plain_operand
from blackcore.minimal.query_engine.query.values import json_equal
from blackcore.minimal.query_engine.settings import MAX_FILTER_DEPTH
from tests.strategies import ANYTHING, DATES


class Colour(IntEnum):
    RED = 3


class Fruit(StrEnum):
    PLUM = "plum"


class Word(str):
    __slots__ = ()


class Ratio(float):
    __slots__ = ()


class Day(date):
    __slots__ = ()


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (10**400, 10**400),
        (1.5, 1.5),
        ("x", "x"),
        ("\ud800", "\ud800"),
        (Decimal("1.5"), Decimal("1.5")),
        (date(2013, 1, 1), date(2013, 1, 1)),
        (datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 1, tzinfo=UTC)),
        # a number that is none is the null it is
        (float("nan"), None),
        (Decimal("NaN"), None),
        (np.float64("nan"), None),
        ([float("nan")], (None,)),
        # lists of any kind become tuples
        ([1, [2]], (1, (2,))),
        ((1,), (1,)),
        (range(3), (0, 1, 2)),
        ({4}, (4,)),
        (frozenset(["a"]), ("a",)),
        # subclasses and numpy's scalars become what they stand for
        (Colour.RED, 3),
        (Fruit.PLUM, "plum"),
        (Word("w"), "w"),
        (Ratio(0.5), 0.5),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (np.bool_(1), True),
        (np.str_("s"), "s"),
        (np.datetime64("2013-01-01"), date(2013, 1, 1)),
        (np.datetime64("2013-01-01T00:00:01"), datetime(2013, 1, 1, 0, 0, 1)),
        (Day(2013, 1, 1), Day(2013, 1, 1)),
        ([np.int8(1)], (1,)),
        ({"a": [np.int64(1)]}, {"a": (1,)}),
        (OrderedDict(a=1), {"a": 1}),
        ({Word("k"): 1}, {"k": 1}),
    ],
    ids=repr,
)
def test_a_value_becomes_plain(given: object, plain: object) -> None:
    made = plain_operand(given)
    assert made == plain
    assert isinstance(made, type(plain))
    if isinstance(made, dict):
        assert {type(key) for key in made} == {str}


@settings(max_examples=100)
@given(st.one_of(ANYTHING, DATES))
def test_a_plain_value_is_equal_as_json_to_what_was_given(value: object) -> None:
    assert json_equal(plain_operand(value), value)


def test_a_plain_value_shares_nothing_that_its_giver_can_change() -> None:
    members: list[Any] = [1, [2], {"a": [3]}]
    made = QueryFilter("f", "in", members).value
    members[1].append(9)
    members[2]["a"].append(9)
    members.append(9)
    assert made == (1, (2,), {"a": (3,)})


class Shape(Enum):
    ROUND = object()


@pytest.mark.parametrize(
    "value",
    [
        b"x",
        object(),
        Shape.ROUND,
        UUID(int=0),
        1 + 2j,
        deque([1]),
        np.array([1, 2]),
        (n for n in (1, 2)),
        {"a": b"x"},
        [object()],
        len,
        int,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_has_no_place_for_is_refused_with_the_remedy(value: object) -> None:
    with pytest.raises(InvalidFilterError, match=r"cannot be compared .*; give None, a bool, num"):
        plain_operand(value)


def test_an_object_with_keys_that_are_no_strings_is_refused() -> None:
    with pytest.raises(InvalidFilterError, match=r"the key 1 of an object .* is not a string"):
        QueryFilter("f", "eq", {1: "a"})


def test_a_value_may_be_nested_as_deep_as_filters_and_not_deeper() -> None:
    plain_operand(nested(MAX_FILTER_DEPTH))
    for depth in (MAX_FILTER_DEPTH + 2, 100_000):
        with pytest.raises(QueryDepthError, match="nested deeper than 64 lists or objects"):
            plain_operand(nested(depth))


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(QueryDepthError):
        QueryFilter("f", "eq", loop)


LONG = "x" * 100_000

REFUSED: list[tuple[str, object, str]] = [
    ("between", None, "two bounds"),
    ("between", 5, "two bounds"),
    ("between", "ab", "two bounds"),
    ("between", [], "two bounds"),
    ("between", [1], "two bounds"),
    ("between", [1, 2, 3], "two bounds"),
    ("between", {"low": 1, "high": 2}, "two bounds"),
    ("between", [None, 1], "not null (or use gte or lte)"),
    ("between", [1, None], "not null (or use gte or lte)"),
    ("between", [float("nan"), 1], "not null"),
    ("in", None, "a list of values"),
    ("in", "abc", "a list of values"),
    ("in", 5, "a list of values"),
    ("in", {"a": 1}, "a list of values"),
    ("not_in", "abc", "a list of values"),
    ("not_in", None, "a list of values"),
    ("regex", None, "a regular expression as a string"),
    ("regex", 5, "a regular expression as a string"),
    ("regex", ["a"], "a regular expression as a string"),
    ("fuzzy", None, '"threshold": 0.0 to 1.0'),
    ("fuzzy", 5, '"threshold": 0.0 to 1.0'),
    ("fuzzy", ["a", 0.5], '"threshold": 0.0 to 1.0'),
    ("fuzzy", {}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"threshold": 0.5}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": 5}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": None}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": "a", "threshold": -0.01}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": "a", "threshold": 1.01}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": "a", "threshold": 80}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": "a", "threshold": float("nan")}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": "a", "threshold": None}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": "a", "threshold": "0.5"}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": "a", "threshold": True}, '"threshold": 0.0 to 1.0'),
    ("fuzzy", {"text": "a", "limit": 1}, '"threshold": 0.0 to 1.0'),
    ("is_null", 0, "no value"),
    ("is_not_null", "x", "no value"),
]


@pytest.mark.parametrize(
    ("operator", "value", "allowed"), REFUSED, ids=lambda part: repr(part)[:40]
)
def test_an_operator_refuses_what_it_cannot_take_and_says_what_it_takes(
    operator: str, value: object, allowed: str
) -> None:
    with pytest.raises(InvalidFilterError) as caught:
        QueryFilter("arr_delay", operator, value)
    message = str(caught.value)
    assert f"the operator {operator!r} on field 'arr_delay' was given" in message
    assert allowed in message
    assert repr(plain_operand(value))[:70] in message


def test_a_long_value_is_shown_by_its_beginning() -> None:
    with pytest.raises(InvalidFilterError) as caught:
        QueryFilter("f", "in", LONG)
    assert len(str(caught.value)) < 200
    assert "'xxx" in str(caught.value)
    assert " ...; it takes a list of values" in str(caught.value)


def test_a_pattern_that_does_not_compile_is_refused_when_the_filter_is_built() -> None:
    with pytest.raises(InvalidPatternError, match="at position 1: unclosed group"):
        QueryFilter("f", "regex", "a(b")
    with pytest.raises(InvalidPatternError):
        QueryFilter("f", "regex", "a(b", case_sensitive=False)


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("eq", None),
        ("eq", [1]),
        ("ne", {"a": 1}),
        ("gt", None),
        ("gt", True),
        ("lt", [1]),
        ("contains", None),
        ("contains", 5),
        ("in", ()),
        ("in", {1, 2}),
        ("between", (2, 1)),
        ("between", [date(2013, 1, 1), "2013-02-01"]),
        ("fuzzy", ""),
        ("fuzzy", {"text": "", "threshold": 0}),
        ("fuzzy", {"text": "a", "threshold": 1}),
        ("regex", ""),
        ("is_null", None),
    ],
    ids=repr,
)
def test_whatever_else_an_operator_takes_it_takes(operator: str, value: object) -> None:
    made = QueryFilter("f", operator, value)
    assert made.operator == operator
    check_operand("f", QueryOperator(operator), made.value, case_sensitive=True)
