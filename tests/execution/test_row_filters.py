"""Conditions passed over the dicts in chunks: what is left, what each took, and in which order."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import count
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import FilterGroup, QueryFilter, QueryOperator, field
from blackcore.minimal.query_engine.execution.row_filters import RowFilters
from blackcore.minimal.query_engine.execution.row_scans import can_scan
from blackcore.minimal.query_engine.query import Condition, matches
from tests.strategies import ManyRecords, cases

Rows = list[dict[str, Any]]


def passed(rows: Rows, *conditions: Condition, chunk_rows: int = 4) -> list[int]:
    filters = RowFilters(ManyRecords("db", rows), 5, chunk_rows=chunk_rows)
    return list(filters.passed(conditions, None).ids)


def expected(rows: Rows, *conditions: Condition) -> list[int]:
    return [i for i, row in enumerate(rows) if all(matches(c, row) for c in conditions)]


class Raises:
    """A value that can be compared with nothing."""

    __hash__ = None  # type: ignore[assignment]  # nor hashed

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")


ODD: list[object] = [
    np.int64(3),
    np.float64(3.0),
    np.float64("nan"),
    np.bool_(True),
    Decimal(3),
    Decimal("NaN"),
    Fraction(3),
    3.0,
    True,
    None,
    "3",
    [3],
    {"3": 3},
]
UNCOMPARABLE: list[object] = [Raises(), np.array([3, 4]), np.array([]), Decimal("sNaN")]
OPERANDS: list[object] = [3, 2.5, 1, True, False, "3", "", None, 2**53 + 1, float("inf")]


@pytest.mark.parametrize("operand", OPERANDS, ids=repr)
@pytest.mark.parametrize("operator", ["eq", "ne", "gt", "gte", "lt", "lte", "contains"])
def test_values_that_json_does_not_have_are_told_apart_as_by_the_specification(
    operator: str, operand: object
) -> None:
    which = QueryOperator(operator)
    if operand is None and which is not QueryOperator.EQUALS:
        return
    rows = [{"a": value} for value in ODD * 3]
    condition = QueryFilter("a", which, operand)
    assert passed(rows, condition) == expected(rows, condition)
    listed = QueryFilter("a", QueryOperator.IN, [operand, operand])
    assert passed(rows, listed) == expected(rows, listed)


@pytest.mark.parametrize("value", UNCOMPARABLE, ids=lambda value: type(value).__name__)
def test_what_cannot_be_compared_is_asked_of_the_specification(value: object) -> None:
    rows: Rows = [{"a": 1}, {"a": 5}, {"a": value}, {"a": None}, {}, {"a": 7}]
    for condition in (field("a") > 3, field("a").between(2, 6), field("a").contains("x")):
        try:
            wanted = expected(rows, condition)
        except Exception as error:  # noqa: BLE001 - the same is expected of the scan
            with pytest.raises(type(error)):
                passed(rows, condition)
        else:
            assert passed(rows, condition) == wanted


def test_texts_that_read_as_dates_are_not_compared_as_texts() -> None:
    rows: Rows = [{"a": date(2013, 1, 1)}, {"a": "2013-01-01T00:00"}, {"a": "2013"}, {"a": 1}]
    for condition in (
        field("a") == "2013-01-01",
        field("a") >= "2013-01-01",
        field("a").is_in(["2013-01-01", "b"]),
        field("a").between("2013-01-01", "2013-01-02"),
    ):
        assert not can_scan(cast("QueryFilter", condition))
        assert passed(rows, condition) == expected(rows, condition)


def test_looking_for_a_field_adds_it_to_no_record() -> None:
    rows: Rows = [defaultdict(int, b=1), defaultdict(int, a=5)]
    assert passed(rows, field("a") >= 0) == [1]
    assert rows == [{"b": 1}, {"a": 5}]


def test_records_may_be_any_mapping() -> None:
    rows = cast("Rows", [MappingProxyType({"a": n}) for n in range(5)])
    assert passed(rows, field("a") > 2) == [3, 4]


def test_a_type_that_comes_late_changes_no_answer() -> None:
    values: list[object] = [*range(10), None, *range(10), "5", True, *range(10), [5], {}]
    rows: Rows = [{"a": value} for value in values]
    for condition in (
        field("a") > 4,
        field("a") == 5,
        field("a").between(3, 6),
        field("a").contains("5"),
        field("a").is_null(),
        field("a") != 1,
    ):
        for chunk_rows in (1, 2, 7, 100):
            assert passed(rows, condition, chunk_rows=chunk_rows) == expected(rows, condition)


def test_each_condition_sees_what_the_ones_before_it_left_and_is_timed() -> None:
    rows: Rows = [{"a": n, "b": n % 3} for n in range(10)]
    ticks = count(0, 5)
    filters = RowFilters(ManyRecords("db", rows), 5, chunk_rows=4, clock=lambda: next(ticks))
    found = filters.passed([field("a") > 3, field("b") == 0, field("a") < 9], None)
    assert list(found.ids) == [6]
    assert found.left == [6, 2, 1]
    # of three chunks the first ends with the first condition; each look takes a tick of five
    assert found.nanoseconds == [15, 10, 10]


def test_a_pattern_among_comparisons_keeps_its_place_in_the_order() -> None:
    rows: Rows = [{"a": n, "t": f"t{n}"} for n in range(30)]
    found = RowFilters(ManyRecords("db", rows), 5, chunk_rows=4).passed(
        [field("a") > 5, field("t").regex("t.?[13]$"), field("a") < 20], None
    )
    assert list(found.ids) == [11, 13]
    assert found.left == [24, 4, 2]


def test_no_conditions_leave_all_rows_and_no_rows_pass_none() -> None:
    rows: Rows = [{"a": 1}, {"a": 2}]
    assert passed(rows) == [0, 1]
    assert passed([], field("a") == 1) == []


_VALUES = st.sampled_from(
    [0, 1, 2, 2.0, True, None, "a", "A", "b", "2013-01-01", ["a"], float("nan")]
)
_FILTERS = st.one_of(
    st.builds(lambda v: field("a") == v, st.sampled_from([1, 2, "a", True, None])),
    st.builds(lambda v: field("b") != v, st.sampled_from([1, "a", 2.0])),
    st.builds(lambda v: field("b") > v, st.sampled_from([0, 1.5, "A"])),
    st.builds(lambda v: field("a").is_in(v), st.lists(st.sampled_from([1, 2, "a"]), min_size=1)),
    st.builds(lambda v: field("a").contains(v, case_sensitive=False), st.sampled_from(["a", "A"])),
    st.builds(lambda v: field("b").regex(v), st.sampled_from(["a", "^[ab]"])),
    st.just(field("a").is_not_null()),
)
_CONDITIONS = st.recursive(
    _FILTERS,
    lambda inner: st.builds(
        FilterGroup,
        st.sampled_from(["and", "or"]),
        st.lists(inner, min_size=1, max_size=3),
        st.booleans(),
    ),
    max_leaves=6,
)


@cases(200, 5_000)
@given(
    rows=st.lists(st.fixed_dictionaries({}, optional={"a": _VALUES, "b": _VALUES}), max_size=12),
    conditions=st.lists(_CONDITIONS, max_size=3),
    chunk_rows=st.integers(1, 6),
)
def test_groups_in_chunks_leave_what_the_evaluator_leaves(
    rows: Rows, conditions: list[Condition], chunk_rows: int
) -> None:
    assert passed(rows, *conditions, chunk_rows=chunk_rows) == expected(rows, *conditions)
