"""What a JSON value means: kinds, equality, order, paths."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine.query.values import (
    Kind,
    compare,
    folded,
    frozen,
    instant_of,
    is_null,
    json_equal,
    json_text,
    kind_of,
    project,
    reach,
    sort_key,
    walk,
)
from tests.strategies import ANYTHING, DATES, SCALARS

NAN = float("nan")
INFINITY = float("inf")
ONE_O_CLOCK_EAST = timezone(timedelta(hours=1))


class Colour(IntEnum):
    RED = 1


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, Kind.BOOL),
        (np.bool_(0), Kind.BOOL),
        (0, Kind.NUMBER),
        (10**400, Kind.NUMBER),
        (-0.0, Kind.NUMBER),
        (INFINITY, Kind.NUMBER),
        (Decimal("1.5"), Kind.NUMBER),
        (Decimal("Infinity"), Kind.NUMBER),
        (np.int64(3), Kind.NUMBER),
        (np.float32(0.5), Kind.NUMBER),
        (Colour.RED, Kind.NUMBER),
        ("", Kind.STRING),
        (Name("x"), Kind.STRING),
        (np.str_("x"), Kind.STRING),
        (date(2013, 1, 1), Kind.DATE),
        (datetime(2013, 1, 1), Kind.DATE),
        ([], Kind.LIST),
        ((), Kind.LIST),
        ({}, Kind.OBJECT),
        (OrderedDict(), Kind.OBJECT),
        (MappingProxyType({}), Kind.OBJECT),
        (b"x", Kind.OTHER),
        ({1}, Kind.OTHER),
        (timedelta(1), Kind.OTHER),
        (None, Kind.NULL),
        (NAN, Kind.NULL),
        (np.float64("nan"), Kind.NULL),
        (np.float32("nan"), Kind.NULL),
        (Decimal("NaN"), Kind.NULL),
        (Decimal("sNaN"), Kind.NULL),
    ],
    ids=repr,
)
def test_every_value_has_one_kind(value: object, kind: Kind) -> None:
    assert kind_of(value) is kind
    assert is_null(value) is (kind is Kind.NULL)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-01", 0),
        ("19700102", 86_400),
        ("1970-01-01T00:00:01", 1),
        ("1970-01-01 00:00:01", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31", -86_400),
        (date(1970, 1, 2), 86_400),
        (datetime(1970, 1, 1, 0, 0, 5), 5),
        (datetime(1970, 1, 1, 1, tzinfo=ONE_O_CLOCK_EAST), 0),
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
    ],
    ids=str,
)
def test_dates_and_iso_texts_are_instants_and_without_a_zone_utc(
    value: object, seconds: int
) -> None:
    assert instant_of(value) == seconds * 1_000_000


def test_an_instant_is_exact_to_the_microsecond() -> None:
    assert instant_of("1970-01-01T00:00:00.000001") == 1
    assert instant_of("1969-12-31T23:59:59.999999") == -1


def test_the_ends_of_the_calendar_have_instants_in_every_zone() -> None:
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59)))
    last = datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=23, minutes=59)))
    low, high = instant_of(first), instant_of(last)
    assert low is not None
    assert high is not None
    assert low < instant_of(date.min) < instant_of(date.max) < high  # type: ignore[operator]  # neither is None


@pytest.mark.parametrize("value", ["", "soon", "2013-02-30", "\ud800", None, 5, True, [], {}])
def test_what_is_no_date_has_no_instant(value: object) -> None:
    assert instant_of(value) is None


EQUAL: list[tuple[object, object]] = [
    (1, 1.0),
    (0.0, -0.0),
    (1, Decimal(1)),
    (2**53, 2.0**53),
    (10**400, 10**400),
    (np.int64(2), 2),
    (np.bool_(1), True),
    ("é", "é"),
    ([1, [True]], (1.0, (True,))),
    ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}),
    (None, NAN),
    (NAN, NAN),
    ([None], [NAN]),
    (INFINITY, Decimal("Infinity")),
    (date(2013, 1, 1), datetime(2013, 1, 1)),
    (date(2013, 1, 1), "2013-01-01"),
    ("20130101", datetime(2013, 1, 1)),
    (datetime(2013, 1, 1, 1, tzinfo=ONE_O_CLOCK_EAST), "2013-01-01"),
    ([date(2013, 1, 1)], ["2013-01-01T00:00"]),
]
UNEQUAL: list[tuple[object, object]] = [
    (1, True),
    (0, False),
    (1, "1"),
    (2**53 + 1, 2.0**53),
    (10**400, INFINITY),
    (0.1, Decimal("0.1")),
    ("e\u0301", "é"),
    ("a", "A"),
    ("2013-01-01", "20130101"),
    (date(2013, 1, 1), "soon"),
    (date(2013, 1, 1), 15_706),
    (date(2013, 1, 1), None),
    ([1], [1, 1]),
    ([1, 2], [2, 1]),
    ([1], 1),
    ([], {}),
    ({"a": 1}, {"b": 1}),
    ({"a": None}, {}),
    ({"a": 1}, {"a": True}),
    (None, 0),
    (None, ""),
    (None, []),
]


@pytest.mark.parametrize(("left", "right"), EQUAL, ids=repr)
def test_equal_as_json_either_way_round(left: object, right: object) -> None:
    assert json_equal(left, right)
    assert json_equal(right, left)


@pytest.mark.parametrize(("left", "right"), UNEQUAL, ids=repr)
def test_unequal_as_json_either_way_round(left: object, right: object) -> None:
    assert not json_equal(left, right)
    assert not json_equal(right, left)


def test_equality_of_deep_values_needs_no_stack() -> None:
    one: object = 1
    other: object = 1.0
    for _ in range(50_000):
        one, other = [one], (other,)
    assert json_equal(one, other)


@pytest.mark.parametrize(
    ("smaller", "greater"),
    [
        (1, 2.5),
        (-1, True + 0),
        (2.0**53, 2**53 + 1),
        (10**400, INFINITY),
        (-INFINITY, -(10**400)),
        (Decimal("0.1"), 0.1),
        ("A", "a"),
        ("Z", "a"),
        ("", "\x00"),
        ("\uffff", "🙂"),
        ("a", "aa"),
        (date(2013, 1, 1), datetime(2013, 1, 1, 0, 0, 1)),
        (date(2013, 1, 1), "2013-01-02"),
        ("2012-12-31T23:59:59", date(2013, 1, 1)),
        ("2013-01-01T00:59:59+01:00", date(2013, 1, 1)),
    ],
    ids=repr,
)
def test_order_within_one_kind(smaller: object, greater: object) -> None:
    assert compare(smaller, greater) == -1
    assert compare(greater, smaller) == 1
    assert compare(smaller, smaller) == 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, "1"),
        (1, True),
        (True, False),
        (None, 1),
        (NAN, 1.0),
        (NAN, NAN),
        (None, None),
        ([1], [2]),
        ({}, {}),
        ("soon", date(2013, 1, 1)),
        (1, date(2013, 1, 1)),
        (None, date(2013, 1, 1)),
        (b"a", b"b"),
    ],
    ids=repr,
)
def test_other_pairings_have_no_order_and_are_no_error(left: object, right: object) -> None:
    assert compare(left, right) is None
    assert compare(right, left) is None


@given(st.one_of(SCALARS, DATES), st.one_of(SCALARS, DATES))
def test_order_agrees_with_equality_where_there_is_one(left: object, right: object) -> None:
    order = compare(left, right)
    if order is not None:
        assert (order == 0) == json_equal(left, right)
        assert compare(right, left) == -order


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Straße", "strasse"),
        ("ſ", "s"),
        ("K", "k"),
        ("ﬁ", "fi"),
        ("İ", "i̇"),
        (["A", ["B"]], ["a", ["b"]]),
        (("A",), ["a"]),
        ({"Key": "Value"}, {"Key": "value"}),
        (5, 5),
        (None, None),
        (True, True),
        (date(2013, 1, 1), date(2013, 1, 1)),
    ],
)
def test_folding_reaches_every_string_but_no_key(value: object, expected: object) -> None:
    assert folded(value) == expected


@settings(max_examples=100)
@given(ANYTHING, ANYTHING)
def test_frozen_values_are_equal_exactly_when_the_json_values_are(left: Any, right: Any) -> None:
    assert (frozen(left) == frozen(right)) == json_equal(left, right)
    hash(frozen(left))


def test_frozen_dates_are_their_instant_and_no_string() -> None:
    assert frozen(date(2013, 1, 1)) == frozen(datetime(2013, 1, 1))
    assert frozen(date(2013, 1, 1)) != frozen("2013-01-01")
    assert frozen(b"x") == frozen(b"x") != frozen(b"y")


def test_sorting_puts_bool_before_number_before_string_before_the_rest() -> None:
    values = [{"a": 1}, "b", [2], 3, "a", True, -1.5, [10], False, "B"]
    expected = [False, True, -1.5, 3, "B", "a", "b", [10], [2], {"a": 1}]
    assert sorted(values, key=sort_key) == expected


@settings(max_examples=60)
@given(st.lists(ANYTHING.filter(lambda v: not is_null(v)), max_size=5))
def test_the_order_is_total(values: list[Any]) -> None:
    ordered = sorted(values, key=sort_key)
    assert all(
        sort_key(a) <= sort_key(b)  # type: ignore[operator]  # keys of one rank are of one type
        for a, b in pairwise(ordered)
    )


def test_objects_sort_by_their_text_with_sorted_keys() -> None:
    assert sort_key({"b": 1, "a": 2}) == sort_key({"a": 2, "b": 1})
    assert json_text({"b": [1, "é"], "a": None}) == '{"a":null,"b":[1,"é"]}'


def test_what_json_does_not_know_has_a_text_all_the_same() -> None:
    assert json_text(date(2013, 1, 1)) == '"2013-01-01"'
    assert json_text([Decimal("1.5")]) == '["1.5"]'
    assert json.loads(json_text({1: (2, {None: 3}), "a": [4]})) == {"1": [2, {"None": 3}], "a": [4]}


@pytest.mark.parametrize(
    ("record", "path", "found", "through_list"),
    [
        ({"a": 1}, "a", [1], False),
        ({"a": None}, "a", [None], False),
        ({}, "a", [], False),
        ({"a": {"b": {"c": 1}}}, "a.b.c", [1], False),
        ({"a": {"b": 1}}, "a", [{"b": 1}], False),
        ({"a": 1}, "a.b", [], False),
        ({"a": None}, "a.b", [], False),
        ({"a": "text"}, "a.b", [], False),
        # a key that literally holds the dots wins, the longest first
        ({"a.b": 1, "a": {"b": 2}}, "a.b", [1], False),
        ({"a.b": None, "a": {"b": 2}}, "a.b", [None], False),
        ({"a.b": {"c": 1}, "a": {"b.c": 2}}, "a.b.c", [1], False),
        ({"a": {"b.c": 2, "b": {"c": 3}}}, "a.b.c", [2], False),
        ({"x": [{"a.b": 1}, {"a": {"b": 2}}]}, "x.a.b", [1, 2], True),
        # lists on the way, and at the end
        ({"a": [1, 2]}, "a", [[1, 2]], False),
        ({"a": [{"b": 1}, {"b": 2}]}, "a.b", [1, 2], True),
        ({"a": [{"b": [1, 2]}, {"b": []}]}, "a.b", [[1, 2], []], True),
        ({"a": [[{"b": 1}], [{"b": 2}, {}]]}, "a.b", [1, 2], True),
        ({"a": ({"b": 1},)}, "a.b", [1], True),
        ({"a": [{"b": None}]}, "a.b", [None], True),
        ({"a": []}, "a.b", [], True),
        ({"a": [1, "x", None]}, "a.b", [], True),
        # strange names are names
        ({"": 1}, "", [1], False),
        ({"a": {"": 1}}, "a.", [1], False),
        ({"": {"a": 1}}, ".a", [1], False),
        ({"..": 1}, "..", [1], False),
    ],
    ids=repr,
)
def test_what_a_path_reaches(
    record: object, path: str, found: list[object], through_list: bool
) -> None:
    assert walk(record, path) == (found, through_list)
    assert reach(record, path) == (found or [None])


def test_long_paths_and_deep_lists_need_no_stack() -> None:
    node: object = {"x": 1}
    for _ in range(20_000):
        node = [node]
    assert walk({"a": node}, "a.x") == ([1], True)
    deep: dict[str, object] = {"a": 1}
    for _ in range(300):
        deep = {"a": deep}
    assert walk(deep, ".".join(["a"] * 301)) == ([1], False)


@pytest.mark.parametrize(
    ("record", "path", "shown"),
    [
        ({"a": {"b": 1}}, "a.b", 1),
        ({"a": {}}, "a.b", None),
        ({"a": [1, 2]}, "a", [1, 2]),
        ({"a": [{"b": 1}]}, "a.b", [1]),
        ({"a": [{"b": 1}, {}, {"b": None}]}, "a.b", [1, None]),
        ({"a": []}, "a.b", None),
        ({"a": [{}]}, "a.b", None),
    ],
    ids=repr,
)
def test_what_a_projection_shows(record: object, path: str, shown: object) -> None:
    assert project(record, path) == shown
