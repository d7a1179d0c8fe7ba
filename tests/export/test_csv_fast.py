"""The fast way must write what the careful way writes, or decline."""

from __future__ import annotations

import csv
import datetime
import decimal
import enum
import io
import math
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.export import CsvOptions
from blackcore.minimal.query_engine.export.csv_fast import SliceEditor
from blackcore.minimal.query_engine.export.csv_lines import LineWriter


class Color(enum.Enum):
    RED = "red"


TRICKY = st.sampled_from(
    [
        "",
        ",",
        '"',
        "\n",
        "\r",
        "a,b",
        "null",
        ",null",
        "true",
        "],[",
        "[null",
        "{",
        "}",
        "1e5",
        "e-",
        "0.00001",
        "\\",
        "é,é",
        "\ufeff",
        "\x00",
        "\x7f",
        "\u2028",
        "=1+1",
        "-1",
        "'",
        ";",
        "\t",
        "3e",
        " lead",
        "trail ",
        "＝x",
    ]
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    TRICKY,
    st.text(max_size=6),
)
RICH = st.one_of(
    PLAIN,
    st.lists(st.integers(), max_size=2),
    st.dictionaries(TRICKY, st.integers(), max_size=2),
    st.decimals(allow_nan=True),
    st.datetimes(),
    st.datetimes(timezones=st.just(datetime.UTC)),
    st.dates(),
    st.times(timezones=st.none() | st.just(datetime.UTC)),
    st.uuids(),
    st.binary(max_size=4),
    st.just(Color.RED),
)
OPTIONS = st.builds(
    CsvOptions,
    delimiter=st.sampled_from([",", ";", "\t", "|", "["]),
    quoting=st.sampled_from(["minimal", "strings", "all"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    null_text=st.sampled_from(["", "NA", "null", "\\N", "a,b", "missing"]),
    escape_formulas=st.booleans(),
    encoding_errors=st.just("backslashreplace"),
)


def tables(cell: st.SearchStrategy) -> st.SearchStrategy:
    return st.integers(1, 4).flatmap(
        lambda width: st.lists(st.tuples(*[cell] * width), min_size=1, max_size=6)
    )


def carefully(rows: Any, options: CsvOptions) -> bytes:
    return LineWriter(options, [str(n) for n in range(len(rows[0]))]).lines(rows, 0)


def quickly(rows: Any, options: CsvOptions) -> bytes | None:
    editor = SliceEditor(options, len(rows[0]))
    return editor.lines(rows) if editor.usable else None


@given(tables(RICH), OPTIONS)
def test_whatever_is_not_declined_is_byte_for_byte_what_the_careful_way_writes(
    rows: Any, options: Any
) -> None:
    fast = quickly(rows, options)
    if fast is not None:
        assert fast == carefully(rows, options)


@given(tables(PLAIN.filter(lambda value: not isinstance(value, float) or not math.isnan(value))))
def test_whatever_is_not_declined_is_byte_for_byte_what_the_csv_module_writes(rows: Any) -> None:
    fast = quickly(rows, CsvOptions())
    if fast is not None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        assert fast == text.getvalue().encode()


@pytest.mark.parametrize(
    "row",
    [
        (1, "a", None),
        (None, None, None),
        (True, False, None),
        ("", "", ""),
        ("a,b", "null,true", ",null"),
        ("],[", "[null", "{x"),
        (1.5, -0.0, 1e15),
        (float("nan"), float("inf"), float("-inf")),
        (2**63, -(2**63), 0),
        ("N1e5", "3e", "e"),
        (datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), "x"),
        (uuid.UUID(int=0x3E), decimal.Decimal("1.50"), b"abc"),
        ("é", "\u2028", "\x7f"),
    ],
)
def test_common_rows_take_the_fast_way_with_the_same_bytes(row: Any) -> None:
    rows = [row, (7, "plain", 2), row]
    assert quickly(rows, CsvOptions()) == carefully(rows, CsvOptions())


@pytest.mark.parametrize(
    "value",
    ["\n", 'q"', "\\", [1], {}, {"a": 1}, 1e-5, 1e-300, 1e16 * 10, 2**64, "\ud800", {1}],
)
def test_awkward_values_are_declined_and_written_carefully(value: Any) -> None:
    assert quickly([(1, value)], CsvOptions()) is None


@pytest.mark.parametrize(
    "options",
    [
        CsvOptions(quoting="all"),
        CsvOptions(quote="'"),
        CsvOptions(float_format=".1f"),
        CsvOptions(datetime_format="%Y"),
        CsvOptions(null_text="missing"),
        CsvOptions(null_text=","),
    ],
)
def test_options_that_the_fast_way_does_not_know_make_it_unusable(options: Any) -> None:
    assert not SliceEditor(options, 3).usable


def test_single_column_is_left_to_the_careful_way_since_empty_cells_are_quoted_there() -> None:
    assert not SliceEditor(CsvOptions(), 1).usable
    assert carefully([("",), (None,)], CsvOptions()) == b'""\r\n""\r\n'


def test_formulas_are_declined_only_where_they_are_to_be_escaped() -> None:
    rows = [("=1+1", "x"), ("-5", "@a")]
    assert quickly(rows, CsvOptions()) == b"=1+1,x\r\n-5,@a\r\n"
    assert quickly(rows, CsvOptions(escape_formulas=True)) is None
    assert carefully(rows, CsvOptions(escape_formulas=True)) == b"'=1+1,x\r\n-5,'@a\r\n"


def test_strings_stay_quoted_where_null_is_to_be_told_from_empty() -> None:
    options = CsvOptions(quoting="strings", null_text="NA")
    assert quickly([("", None, 1), ("NA", True, 2.5)], options) == b'"",NA,1\r\n"NA",True,2.5\r\n'


def test_decimals_are_numbers_where_strings_are_quoted() -> None:
    options = CsvOptions(quoting="strings")
    rows = [("a", decimal.Decimal("1.50"))]
    assert quickly(rows, options) is None
    assert carefully(rows, options) == b'"a",1.50\r\n'


def test_guarded_strings_keep_their_quotes_with_any_delimiter() -> None:
    rows = [("a;b", "a,b"), ("c", ";")]
    assert quickly(rows, CsvOptions(delimiter=";")) == b'"a;b";a,b\r\nc;";"\r\n'
