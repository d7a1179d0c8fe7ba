"""Columns hold what the rows hold, exactly, or are not there."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine.data import BoolColumn, NumberColumn, Records, StringColumn
from blackcore.minimal.query_engine.data.columns import (
    EXACT_FLOAT_INTEGER,
    Column,
    cells_of,
    column_of,
)
from blackcore.minimal.query_engine.query.values import is_null, json_equal, sort_key
from tests.strategies import FIELD_KINDS

NAN = float("nan")


def column(*cells: Any) -> Column | None:
    rows = [{"a": cell} for cell in cells]
    return column_of(*cells_of(rows, "a"))


def held(made: Column) -> list[object]:
    """Return what a column holds as the values of its rows."""
    if isinstance(made, StringColumn):
        return made.series.to_list()
    values: list[object] = list(made.values.tolist())
    if isinstance(made, BoolColumn):
        values = [value == 1 for value in values]
    if made.valid is None:
        return values
    return [v if ok else None for v, ok in zip(values, made.valid.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("cells", "kind", "dtype"),
    [
        ([1, 2], NumberColumn, np.int8),
        ([1, None], NumberColumn, np.int8),
        ([-128, 127], NumberColumn, np.int8),
        ([-129, 0], NumberColumn, np.int16),
        ([None, 128], NumberColumn, np.int16),
        ([2**15, None], NumberColumn, np.int32),
        ([-(2**15) - 1], NumberColumn, np.int32),
        ([2**31, None], NumberColumn, np.int64),
        ([2**63 - 1, -(2**63)], NumberColumn, np.int64),
        ([2**63 - 1, -(2**63), None], NumberColumn, np.int64),
        ([1.5, -0.0, float("inf")], NumberColumn, np.float64),
        ([1.5, None, NAN], NumberColumn, np.float64),
        ([1, 1.5, None], NumberColumn, np.float64),
        ([2**53, -(2**53), 0.5], NumberColumn, np.float64),
        ([True, False, None], BoolColumn, np.int8),
    ],
    ids=repr,
)
def test_fields_of_one_type_become_columns(cells: list[Any], kind: type, dtype: type) -> None:
    made = column(*cells)
    assert type(made) is kind
    assert isinstance(made, NumberColumn)
    assert made.values.dtype == dtype
    assert made.is_integer is (dtype is not np.float64)
    assert all(json_equal(a, b) for a, b in zip(held(made), cells, strict=True))


@pytest.mark.parametrize("cells", [["b", "a"], ["", None, "é"], ["🙂", "\x00", "a\nb"]], ids=repr)
def test_strings_become_a_series(cells: list[Any]) -> None:
    made = column(*cells)
    assert isinstance(made, StringColumn)
    assert held(made) == cells


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [None, None],
        [1, True],
        [1, "1"],
        ["a", 1.5],
        [True, None, "a"],
        [[1]],
        [{}],
        ["a", []],
        [2**63],
        [2**63, None],
        [-(2**63) - 1],
        [10**400, None],
        [2**53 + 1, 0.5],
        [-(2**53) - 1, None, NAN],
        [10**400, 1.5],
        ["\ud800"],
        ["a", None, "\udfff"],
        [date(2013, 1, 1)],
        [Decimal(1)],
        [np.int64(1)],
        [np.float64(1)],
    ],
    ids=repr,
)
def test_whatever_a_column_could_not_hold_exactly_has_none(cells: list[Any]) -> None:
    assert column(*cells) is None


def test_whole_numbers_beside_floats_are_held_as_far_as_floats_are_exact() -> None:
    assert EXACT_FLOAT_INTEGER == 2**53
    assert column(2**53, 0.5) is not None
    assert column(2**53 + 1, 0.5) is None
    assert column(2**53 + 1, 5) is not None


@settings(max_examples=150)
@given(st.sampled_from(sorted(FIELD_KINDS)).flatmap(lambda k: st.lists(FIELD_KINDS[k], max_size=6)))
def test_a_column_holds_just_what_the_rows_hold(cells: list[Any]) -> None:
    made = column(*cells)
    if made is not None:
        assert len(held(made)) == len(cells)
        assert all(json_equal(a, b) for a, b in zip(held(made), cells, strict=True))
        expected = [not is_null(cell) for cell in cells]
        assert made.valid is None or made.valid.tolist() == expected
        assert made.valid is not None or all(expected)


@settings(max_examples=100)
@given(
    st.sampled_from(["integers", "floats", "texts", "booleans", "numbers"]).flatmap(
        lambda k: st.lists(FIELD_KINDS[k], min_size=1, max_size=6)
    )
)
def test_sort_keys_order_rows_as_their_values_do(cells: list[Any]) -> None:
    made = column(*cells)
    if made is None:
        return
    keys = made.sort_keys.tolist()
    present = [i for i, cell in enumerate(cells) if not is_null(cell)]
    for i in present:
        for k in present:
            assert (keys[i] < keys[k]) == (sort_key(cells[i]) < sort_key(cells[k]))  # type: ignore[operator]  # of one type


@pytest.mark.parametrize(
    "cells",
    [
        ["b", "a", "b", "a", "b"],
        ["c", "b", "a"],
        ["b", None, "a", None],
        ["🙂", "\uffff", "a", "a"],
    ],
)
def test_codes_are_positions_in_the_sorted_distinct_values(cells: list[str | None]) -> None:
    made = column(*cells)
    assert isinstance(made, StringColumn)
    assert not made.has_codes
    distinct = made.distinct.to_list()
    assert distinct == sorted({cell for cell in cells if cell is not None})
    assert made.codes.tolist() == [-1 if c is None else distinct.index(c) for c in cells]
    assert made.has_codes


def test_a_column_tells_what_it_keeps_with_what_was_made_of_it() -> None:
    made = column(*(["a", "b"] * 500))
    assert isinstance(made, StringColumn)
    bare = made.size_bytes
    assert bare >= 1_000
    _ = made.codes
    assert made.size_bytes >= bare + made.codes.nbytes
    numbers, gaps = column(*range(100)), column(*range(99), None)
    assert numbers is not None
    assert gaps is not None
    assert numbers.size_bytes == 100
    assert gaps.size_bytes == 200


@pytest.mark.parametrize(
    ("cells", "unlike"),
    [
        (["a", None, "NO"], None),
        (["é", "日本", "e\u0301"], None),
        (["É", "a", None, "ß", "é"], [True, False, False, True, False]),
        (["ſ", "\u212a", "ﬁ", "ς", "İ"], [True] * 5),
    ],
    ids=ascii,
)
def test_a_string_column_knows_what_casefolds_otherwise_than_ascii_does(
    cells: list[Any], unlike: list[bool] | None
) -> None:
    made = column(*cells)
    assert isinstance(made, StringColumn)
    bare = made.size_bytes
    found = made.unlike_ascii
    assert (None if found is None else found.tolist()) == unlike
    assert made.size_bytes == bare + (0 if unlike is None else len(cells))


def test_the_code_of_a_text_is_found_if_a_row_has_it() -> None:
    made = column("b", "a", None, "c", "a")
    assert isinstance(made, StringColumn)
    assert [made.code_of(text) for text in ("a", "c", "bb", "", "d")] == [0, 2, None, None, None]


@pytest.mark.parametrize("distinct", [100, 127, 128, 40_000, 70_000])
def test_codes_are_no_wider_than_they_must(distinct: int) -> None:
    texts = [f"t{n:06}" for n in range(distinct)] * 2
    made = column(*texts, None)
    assert isinstance(made, StringColumn)
    assert made.codes.tolist() == [*range(distinct), *range(distinct), -1]
    wide = {100: 1, 127: 1, 128: 2, 40_000: 4, 70_000: 4}[distinct]
    assert made.codes.dtype.itemsize == wide
    assert made.first_code("t000050") == 50
    assert made.first_code("t000050", above=True) == 51
    assert made.code_of("t0000505") is None


def test_a_null_row_has_a_value_no_less_than_the_least() -> None:
    made = column(None, 5, None, 300, -7)
    assert isinstance(made, NumberColumn)
    assert made.values.tolist() == [-7, 5, -7, 300, -7]


def test_booleans_are_keys_and_truths() -> None:
    made = column(True, None, False)
    assert isinstance(made, BoolColumn)
    assert made.truth.tolist()[::2] == [True, False]


@pytest.mark.parametrize(
    ("rows", "path", "cells", "types", "through_list"),
    [
        ([{"a": 1}, {}], "a", [1, None], {int, type(None)}, False),
        ([{"a": {"b": 1}}, {"a": 2}], "a.b", [1, None], {int, type(None)}, False),
        ([{"a.b": 1}, {"a": {"b": "x"}}], "a.b", [1, "x"], {int, str}, False),
        ([{"a": [{"b": 1}, {"b": 2}]}], "a.b", [[1, 2]], {int}, True),
        (
            [{"a": [{"b": 1}]}, {"a": {"b": 3}}, {}],
            "a.b",
            [[1], [3], [None]],
            {int, type(None)},
            True,
        ),
        ([{"a": []}], "a.b", [[None]], {type(None)}, True),
        ([{"a": [1, 2]}], "a", [[1, 2]], {list}, False),
    ],
)
def test_one_cell_per_row_and_the_types_of_its_values(
    rows: list[dict[str, Any]],
    path: str,
    cells: list[Any],
    types: set[type],
    through_list: bool,
) -> None:
    made, known = cells_of(rows, path)
    assert made == cells
    assert known.types == types
    assert known.through_list is through_list
    assert known.is_plain is (not through_list)


def test_a_field_through_lists_has_no_column() -> None:
    assert Records("d", [{"a": [{"b": 1}]}, {"a": {"b": 2}}]).column("a.b") is None


def test_a_nested_field_has_a_column_like_any_other() -> None:
    made = Records("d", [{"a": {"b": 1}}, {"a": None}, {"a.b": 3}]).column("a.b")
    assert made is not None
    assert held(made) == [1, None, 3]


def test_types_that_json_has_not_are_not_plain() -> None:
    _, known = cells_of([{"a": date(2013, 1, 1)}], "a")
    assert not known.is_plain


@pytest.mark.parametrize(
    ("text", "at_least", "above"), [("", 0, 0), ("a", 0, 1), ("b", 1, 2), ("bb", 2, 2), ("z", 3, 3)]
)
def test_a_bound_is_found_among_the_codes(text: str, at_least: int, above: int) -> None:
    made = column("b", "a", None, "c", "a")
    assert isinstance(made, StringColumn)
    assert made.first_code(text) == at_least
    assert made.first_code(text, above=True) == above


def scanned(made: StringColumn, nanoseconds: float, times: int) -> bool:
    for _ in range(times):
        made.note_scan(nanoseconds)
    return made.has_codes


def test_codes_are_made_once_looks_at_the_strings_are_expected_to_cost_as_much() -> None:
    made = column(*(["a", "b", None, "c"] * 20))
    assert isinstance(made, StringColumn)
    assert not scanned(made, 2.0, 13)
    assert scanned(made, 2.0, 1)
    dear = column(*(["a", "b"] * 20))
    assert isinstance(dear, StringColumn)
    assert scanned(dear, 60.0, 1)


def test_codes_of_few_strings_are_made_sooner() -> None:
    made = column(*(["a", "b", None, "c"] * 200))
    assert isinstance(made, StringColumn)
    assert not scanned(made, 2.0, 3)
    assert scanned(made, 2.0, 1)


def test_strings_that_hardly_repeat_get_no_codes_unasked() -> None:
    made = column(*(f"note {n // 2}" for n in range(400)))
    assert isinstance(made, StringColumn)
    assert not scanned(made, 60.0, 1_000)
