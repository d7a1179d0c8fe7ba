"""Each of the fifteen operators on each kind of value: the specification, sentence by sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from blackcore.minimal.query_engine.query import QueryFilter, QueryOperator, holds
from blackcore.minimal.query_engine.query.operators import (
    COMPLEMENT_OF,
    DEFAULT_FUZZY_THRESHOLD,
    NEGATION_OF,
    fuzzy_operand,
)
from blackcore.minimal.query_engine.query.values import is_null
from tests.strategies import ANYTHING, DATES, ROUGH_TEXTS, filters_on

NAN = float("nan")
NEW_YEAR = date(2013, 1, 1)

# one value of each kind, and some that are close to each other
VALUES: dict[str, object] = {
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "one and a half": 1.5,
    "big": 2**53 + 1,
    "text": "b",
    "upper": "B",
    "digit": "1",
    "empty": "",
    "iso": "2013-01-01",
    "date": NEW_YEAR,
    "list": [1, "b", None],
    "empty list": [],
    "object": {"b": 1},
    "null": None,
    "nan": NAN,
}

# operator, operand, and the names of the values it holds for
HOLDS: list[tuple[str, object, str]] = [
    # eq: same JSON type and equal; numbers exactly; a bool is not a number; NaN is null
    ("eq", 1, "one"),
    ("eq", 1.0, "one"),
    ("eq", Decimal(1), "one"),
    ("eq", Decimal("1.5"), "one and a half"),
    ("eq", True, "true"),
    ("eq", 0, "zero"),
    ("eq", False, "false"),
    ("eq", 2**53 + 1, "big"),
    ("eq", 2.0**53, ""),
    ("eq", "b", "text"),
    ("eq", "1", "digit"),
    ("eq", "", "empty"),
    ("eq", [1, "b", None], "list"),
    ("eq", [1.0, "b", NAN], "list"),
    ("eq", [], "empty list"),
    ("eq", {"b": 1.0}, "object"),
    ("eq", {}, ""),
    # eq None is is_null
    ("eq", None, "null, nan"),
    ("eq", NAN, "null, nan"),
    # against a date or datetime, strings are read as ISO 8601
    ("eq", NEW_YEAR, "iso, date"),
    ("eq", datetime(2013, 1, 1, tzinfo=UTC), "iso, date"),
    ("eq", "2013-01-01", "iso, date"),
    ("eq", "20130101", "date"),
    # contains: substring of a string, eq to a member of a list
    ("contains", "b", "text, list"),
    ("contains", "", "text, upper, digit, empty, iso"),
    ("contains", "-01-", "iso"),
    ("contains", 1, "list"),
    ("contains", 1.0, "list"),
    ("contains", True, ""),
    ("contains", None, "list"),
    ("contains", [], ""),
    ("contains", {"b": 1}, ""),
    ("contains", NEW_YEAR, ""),
    # in
    ("in", [], ""),
    ("in", [1, "b", True], "one, text, true"),
    ("in", [1.5, 0.0], "one and a half, zero"),
    ("in", [None], "null, nan"),
    ("in", [[1, "b", None], {"b": 1}], "list, object"),
    ("in", [NEW_YEAR, 2.0**53], "iso, date"),
    # orderings: within one type; any other pairing is no match
    ("gt", 0, "one, one and a half, big"),
    ("gt", 2.0**53, "big"),
    ("gt", "B", "text"),
    ("gt", "", "text, upper, digit, iso"),
    ("gt", True, ""),
    ("gt", None, ""),
    ("gt", [], ""),
    ("gt", {}, ""),
    ("gt", date(2012, 12, 31), "iso, date"),
    ("gt", NEW_YEAR, ""),
    ("gt", "2012", "text, upper, iso"),
    ("gte", 1, "one, one and a half, big"),
    ("gte", 1.0, "one, one and a half, big"),
    ("gte", "b", "text"),
    ("gte", NEW_YEAR, "iso, date"),
    ("gte", False, ""),
    ("gte", None, ""),
    ("lt", 1, "zero"),
    ("lt", Decimal("1.1"), "zero, one"),
    ("lt", "b", "upper, digit, empty, iso"),
    ("lt", datetime(2013, 1, 1, 0, 0, 1), "iso, date"),
    ("lt", None, ""),
    ("lte", 1, "zero, one"),
    ("lte", float("inf"), "zero, one, one and a half, big"),
    ("lte", "B", "upper, digit, empty, iso"),
    ("lte", NEW_YEAR, "iso, date"),
    ("lte", [1, "b", None], ""),
    # between is inclusive
    ("between", [0, 1], "zero, one"),
    ("between", [1, 1], "one"),
    ("between", [1, 0], ""),
    ("between", ["B", "b"], "text, upper"),
    ("between", ["", "z"], "text, upper, digit, empty, iso"),
    ("between", [0, "z"], ""),
    ("between", [False, True], ""),
    ("between", [[], [2]], ""),
    ("between", [NEW_YEAR, NEW_YEAR], "iso, date"),
    ("between", [NEW_YEAR, "2013-01-02"], "iso, date"),
    ("is_null", None, "null, nan"),
    # regex: found anywhere in a string, and in nothing else
    ("regex", "b", "text"),
    ("regex", "", "text, upper, digit, empty, iso"),
    ("regex", "1", "digit, iso"),
    ("regex", "(?i)B", "text, upper"),
    ("regex", "(?=B)", "upper"),
    # fuzzy
    ("fuzzy", "b", "text"),
    ("fuzzy", {"text": "b", "threshold": 0}, "text, upper, digit, empty, iso"),
    ("fuzzy", {"text": "2013-01-02", "threshold": 0.9}, "iso"),
    ("fuzzy", "2013-01-02", "iso"),
    ("fuzzy", {"text": "2013-01-02", "threshold": 0.95}, ""),
    ("fuzzy", {"text": "b"}, "text"),
    ("fuzzy", "1", "digit"),
]

ANY_CASE: list[tuple[str, object, str]] = [
    ("eq", "B", "text, upper"),
    ("eq", [1, "B", None], "list"),
    ("eq", {"b": 1}, "object"),
    ("eq", {"B": 1}, ""),  # the keys of objects are names
    ("eq", 1, "one"),
    ("eq", None, "null, nan"),
    ("contains", "B", "text, upper, list"),
    ("in", ["B"], "text, upper"),
    ("gt", "A", "text, upper"),
    ("gte", "B", "text, upper"),
    ("lt", "C", "text, upper, digit, empty, iso"),
    ("lte", "A", "digit, empty, iso"),
    ("between", ["A", "C"], "text, upper"),
    ("regex", "^B$", "text, upper"),
    ("regex", "(?=B)b", "text, upper"),
    ("fuzzy", {"text": "B", "threshold": 1}, "text, upper"),
    ("fuzzy", "B", "text, upper"),
    ("is_null", None, "null, nan"),
    ("gte", NEW_YEAR, "iso, date"),
]


def names_held(operator: str, operand: object, *, case_sensitive: bool = True) -> set[str]:
    asked = QueryFilter("f", operator, operand, case_sensitive)
    return {
        name
        for name, value in VALUES.items()
        if holds(asked.operator, value, asked.value, case_sensitive=case_sensitive)
    }


@pytest.mark.parametrize(("operator", "operand", "names"), HOLDS, ids=lambda part: repr(part)[:40])
def test_what_an_operator_holds_for(operator: str, operand: object, names: str) -> None:
    assert names_held(operator, operand) == set(filter(None, names.split(", ")))


@pytest.mark.parametrize(
    ("operator", "operand", "names"), ANY_CASE, ids=lambda part: repr(part)[:40]
)
def test_what_an_operator_holds_for_in_any_case(operator: str, operand: object, names: str) -> None:
    assert names_held(operator, operand, case_sensitive=False) == set(
        filter(None, names.split(", "))
    )


NEGATIVE = {"eq": "ne", "contains": "not_contains", "in": "not_in", "is_null": "is_not_null"}


@pytest.mark.parametrize(
    ("operator", "operand", "names"),
    [case for case in HOLDS if case[0] in NEGATIVE],
    ids=lambda part: repr(part)[:40],
)
def test_negative_operators_are_exact_complements_and_keep_null(
    operator: str, operand: object, names: str
) -> None:
    del names
    assert names_held(NEGATIVE[operator], operand) == set(VALUES) - names_held(operator, operand)
    assert names_held(NEGATIVE[operator], operand, case_sensitive=False) == set(VALUES) - (
        names_held(operator, operand, case_sensitive=False)
    )


def test_the_tables_name_every_operator() -> None:
    positive = {operator for operator, _, _ in HOLDS}
    assert positive | set(NEGATIVE.values()) == {operator.value for operator in QueryOperator}
    assert len(QueryOperator) == 15


def test_operators_are_their_texts() -> None:
    assert {operator.name: operator.value for operator in QueryOperator} == {
        "EQUALS": "eq",
        "NOT_EQUALS": "ne",
        "CONTAINS": "contains",
        "NOT_CONTAINS": "not_contains",
        "IN": "in",
        "NOT_IN": "not_in",
        "GT": "gt",
        "GTE": "gte",
        "LT": "lt",
        "LTE": "lte",
        "BETWEEN": "between",
        "IS_NULL": "is_null",
        "IS_NOT_NULL": "is_not_null",
        "REGEX": "regex",
        "FUZZY": "fuzzy",
    }
    assert {negative.value: positive.value for negative, positive in COMPLEMENT_OF.items()} == {
        negative: positive for positive, negative in NEGATIVE.items()
    }
    assert all(NEGATION_OF[NEGATION_OF[operator]] is operator for operator in NEGATION_OF)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße", "STRASSE"), ("ſ", "S"), ("K", "k"), ("ﬁ", "FI"), ("ΣΑΣ", "σας")],
)
def test_any_case_is_casefold_and_not_lower_case(one: str, other: str) -> None:
    assert holds(QueryOperator.EQUALS, one, other, case_sensitive=False)
    assert holds(QueryOperator.CONTAINS, f"x{one}x", other, case_sensitive=False)
    assert not holds(QueryOperator.EQUALS, one, other)


def test_strings_compare_by_code_point_and_not_by_utf16() -> None:
    assert holds(QueryOperator.GT, "🙂", "\uffff")
    assert holds(QueryOperator.LT, "Z", "a")
    assert not holds(QueryOperator.EQUALS, "é", "e\u0301")


@pytest.mark.parametrize(
    ("text", "threshold", "expected"),
    [
        ("Boeing", 1.0, True),
        ("Boing", fuzz.ratio("Boeing", "Boing") / 100, True),
        ("Boing", 0.91, False),
        ("boeing", 0.9, False),
        ("", 0.01, False),
    ],
)
def test_fuzzy_is_rapidfuzz_ratio_of_at_least_the_threshold(
    text: str, threshold: float, expected: bool
) -> None:
    operand = {"text": text, "threshold": threshold}
    assert holds(QueryOperator.FUZZY, "Boeing", operand) is expected


@settings(max_examples=100)
@given(ROUGH_TEXTS, ROUGH_TEXTS, st.sampled_from([0, 0.5, 0.8, 1]))
def test_fuzzy_is_the_ratio_for_any_two_strings(value: str, text: str, threshold: float) -> None:
    expected = fuzz.ratio(text, value) / 100 >= threshold
    assert holds(QueryOperator.FUZZY, value, {"text": text, "threshold": threshold}) is expected


def test_a_fuzzy_text_alone_has_the_threshold_of_four_fifths() -> None:
    assert fuzzy_operand("x") == fuzzy_operand({"text": "x"}) == ("x", 0.8)
    assert DEFAULT_FUZZY_THRESHOLD == 0.8
    assert fuzzy_operand({"text": "x", "threshold": 1}) == ("x", 1.0)


ANY_VALUE = st.one_of(ANYTHING, DATES)


@settings(max_examples=100)
@given(ANY_VALUE, filters_on("f", ANY_VALUE))
def test_no_value_is_an_error_and_complements_are_exact(
    value: object, condition: QueryFilter
) -> None:
    told = holds(
        condition.operator, value, condition.value, case_sensitive=condition.case_sensitive
    )
    negation = NEGATION_OF.get(condition.operator)
    if negation is not None:
        assert told is not holds(
            negation, value, condition.value, case_sensitive=condition.case_sensitive
        )
    elif is_null(value):
        assert not told  # only is_null, eq, in and the negative ones ever hold for null
