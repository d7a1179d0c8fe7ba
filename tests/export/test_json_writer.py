from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from blackcore.minimal.query_engine.errors import ExportOptionError, ExportValueError
from blackcore.minimal.query_engine.export import JsonOptions, StreamingExporter

if TYPE_CHECKING:
    from pathlib import Path


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: int
    y: float


@dataclasses.dataclass
class Marked:
    _hidden: int
    shown: int


class Model(BaseModel):
    n: str
    at: datetime.date


class Struct(msgspec.Struct):
    a: int


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Broken(float):
    pass


VALUES = {
    "datetime": (datetime.datetime(2020, 1, 2, 3, 4, 5), "2020-01-02T03:04:05"),
    "utc": (datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC), "2020-01-02T00:00:00Z"),
    "date": (datetime.date(2020, 1, 2), "2020-01-02"),
    "time": (datetime.time(3, 4, 5), "03:04:05"),
    "time of few microseconds": (datetime.time(3, 4, 5, 10_000), "03:04:05.010000"),
    "time_utc": (datetime.time(3, 4, 5, tzinfo=datetime.UTC), "03:04:05Z"),
    "duration": (datetime.timedelta(seconds=90), "PT90S"),
    "decimal": (decimal.Decimal("1.50"), "1.50"),
    "uuid": (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    "enum": (Color.RED, "red"),
    "int_enum": (Level.HIGH, 3),
    "bytes": (b"abc", "YWJj"),
    "bytearray": (bytearray(b"abc"), "YWJj"),
    "set": ({7}, [7]),
    "frozenset": (frozenset([7]), [7]),
    "tuple": ((1, "a"), [1, "a"]),
    "np_int": (np.int64(5), 5),
    "np_float": (np.float64(0.5), 0.5),
    "np_float32": (np.float32(0.5), 0.5),
    "np_bool": (np.bool_(True), True),
    "np_array": (np.array([[1, 2]]), [[1, 2]]),
    "np_time": (np.datetime64("2020-01-02T03:04:05", "ns"), "2020-01-02T03:04:05"),
    "dataclass": (Point(1, 0.5), {"x": 1, "y": 0.5}),
    "dataclass_underscore": (Marked(1, 2), {"_hidden": 1, "shown": 2}),
    "pydantic": (Model(n="x", at=datetime.date(2020, 1, 2)), {"n": "x", "at": "2020-01-02"}),
    "struct": (Struct(1), {"a": 1}),
    "mapping": (MappingProxyType({"a": 1}), {"a": 1}),
    "str_kind": (Text("t"), "t"),
    "int_kind": (Whole(5), 5),
    "float_kind": (Broken(0.5), 0.5),
    "large": (2**64, 2**64),
    "larger": (-(10**40), -(10**40)),
    "u64": (2**64 - 1, 2**64 - 1),
    "surrogate": ("\ud800x", "\ud800x"),
    "nul": ("\x00", "\x00"),
    "nan": (math.nan, None),
    "infinity": (-math.inf, None),
    "int_keys": ({1: {2: 3}}, {"1": {"2": 3}}),
    "odd_keys": ({None: 1, True: 2, 0.5: 3}, {"null": 1, "true": 2, "0.5": 3}),
    "tuple_key": ({(1, 2): 1}, {"(1, 2)": 1}),
    "date_key": ({datetime.date(2020, 1, 2): 1}, {"2020-01-02": 1}),
    "time_key": ({datetime.time(3, tzinfo=datetime.UTC): 1}, {"03:00:00Z": 1}),
    "bytes_key": ({b"abc": 1}, {"YWJj": 1}),
    "enum_key": ({Color.RED: 1}, {"red": 1}),
    "surrogate_key": ({"\ud800": [1, 2**70]}, {"\ud800": [1, 2**70]}),
    "deep_decimal": ({"a": [decimal.Decimal("2.5")]}, {"a": ["2.5"]}),
}  # fmt: skip


@pytest.fixture
def written(exporter: StreamingExporter, tmp_path: Path) -> Any:
    """Give a function from rows, a format and options to the bytes that are written."""

    def write(rows: Any, format_name: str = "json", **options: Any) -> bytes:
        path = tmp_path / "written"
        exporter.export(rows, path, format_name, options=JsonOptions(**options))
        return path.read_bytes()

    return write


def read(text: bytes, format_name: str) -> Any:
    if format_name == "json":
        return json.loads(text)
    return [json.loads(line) for line in text.decode().split("\n")[:-1]]


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
@pytest.mark.parametrize("name", VALUES)
def test_values_that_json_does_not_have_become_what_is_promised(
    written: Any, name: Any, format_name: Any
) -> None:
    value, expected = VALUES[name]
    rows = [{"plain": 1}, {"v": value, "list": [value]}]
    assert read(written(rows, format_name), format_name) == [
        {"plain": 1},
        {"v": expected, "list": [expected]},
    ]


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
@pytest.mark.parametrize("name", VALUES)
def test_values_stay_the_same_beside_one_that_takes_the_careful_way(
    written: Any, name: Any, format_name: Any
) -> None:
    value, expected = VALUES[name]
    rows = [{"v": value, "large": 2**80}]
    assert read(written(rows, format_name), format_name) == [{"v": expected, "large": 2**80}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@given(
    st.lists(st.dictionaries(st.text(max_size=3), JSON, max_size=2), max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_any_json_reads_back_equal(rows: Any, indent: Any, sort_keys: Any) -> None:
    from blackcore.minimal.query_engine.export.json_writer import array_encoder, json_array
    from blackcore.minimal.query_engine.export.progress import Tally

    options = JsonOptions(indent=indent, sort_keys=sort_keys)
    slices = [rows[:2], rows[2:]] if len(rows) > 2 else [rows] if rows else []
    text = b"".join(json_array(slices, array_encoder(options), options, Tally()))
    assert json.loads(text) == rows


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), "v"),
        ([1, {"deep": 1j}], r"v\[1\]\.deep"),
        (int, "v"),
        ([{"x": int}], r"v\[0\]\.x"),
    ],
)
def test_value_without_json_is_named_by_row_field_and_type(
    exporter: StreamingExporter, format_name: Any, value: Any, path: Any, tmp_path: Path, only: Any
) -> None:
    rows = [{"v": 1}] * 700 + [{"v": value}]
    with pytest.raises(
        ExportValueError, match=rf"row 701, field '{path}': .* has no JSON"
    ) as caught:
        exporter.export(rows, tmp_path / "a", format_name)
    assert caught.value.rows_written == 700
    assert only(tmp_path) == []


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_value_within_itself_is_an_error(
    exporter: StreamingExporter, format_name: Any, tmp_path: Path
) -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ExportValueError, match=r"row 1, field .* within itself"):
        exporter.export([{"v": loop}], tmp_path / "a", format_name)


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
@pytest.mark.parametrize("value", [math.nan, math.inf, [1, -math.inf], {"a": math.nan}])
def test_non_finite_numbers_can_be_refused(written: Any, format_name: Any, value: Any) -> None:
    rows = [{"a": 1, "n": None}, {"v": value}]
    with pytest.raises(ExportValueError, match=r"row 2, field 'v.*non_finite='null'"):
        written(rows, format_name, non_finite="error")
    with pytest.raises(ExportValueError, match=r"row 1, field 'v.*non_finite='null'"):
        written([{"v": value, "large": 2**80}], format_name, non_finite="error")
    assert read(written(rows[:1], format_name, non_finite="error"), format_name) == rows[:1]


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_decimals_can_be_numbers_with_all_their_digits(written: Any, format_name: Any) -> None:
    rows = [
        {"d": decimal.Decimal("1.50"), "e": decimal.Decimal("1E+3"), "n": decimal.Decimal("NaN")}
    ]
    text = written(rows, format_name, decimals="number")
    assert text.strip(b"[]\n") == b'{"d":1.50,"e":1000,"n":"NaN"}'
    rows[0]["large"] = 2**70  # type: ignore[assignment]
    assert written(rows, format_name, decimals="number").startswith((b'[{"d":1.50', b'{"d":1.50'))


def test_array_is_what_orjson_writes_of_the_whole(written: Any) -> None:
    rows = [{"a": n, "b": [n, "x\n"], "c": {"d": None}} for n in range(1_200)]
    assert written(rows) == orjson.dumps(rows)
    assert written(rows, indent=True) == orjson.dumps(rows, option=orjson.OPT_INDENT_2)
    assert written(rows, sort_keys=True) == orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)
    assert written([]) == b"[]"
    assert written([], indent=True) == b"[]"
    assert written([{}], indent=True) == b"[\n  {}\n]"


@pytest.mark.parametrize("indent", [False, True])
@pytest.mark.parametrize("count", [0, 1, 1_200])
def test_wrapped_array_is_what_orjson_writes_of_the_whole(
    written: Any, indent: Any, count: Any
) -> None:
    rows = [{"a": n, "b": ["x\n"]} for n in range(count)]
    metadata = {"source": "flights", "at": datetime.date(2020, 1, 2), "list": [1, 2]}
    whole = {**metadata, "rows": rows, "row_count": count}
    flags = orjson.OPT_INDENT_2 if indent else 0
    assert written(rows, wrap_key="rows", metadata=metadata, indent=indent) == orjson.dumps(
        whole, option=flags
    )


def test_metadata_without_json_is_named(written: Any, only: Any, tmp_path: Path) -> None:
    with pytest.raises(ExportOptionError, match="metadata: 'm': a object has no JSON"):
        written([], wrap_key="rows", metadata={"m": object()})
    assert only(tmp_path) == []


def test_lines_can_end_with_the_row_count(written: Any) -> None:
    assert written([{"a": 1}], "jsonl", count_key="rows") == b'{"a":1}\n{"rows":1}\n'
    assert written([], "jsonl") == b""


def test_lines_can_have_sorted_keys(written: Any) -> None:
    assert written([{"b": {"d": 1, "c": 2}, "a": {3}}], "jsonl", sort_keys=True) == (
        b'{"a":[3],"b":{"c":2,"d":1}}\n'
    )


@pytest.mark.parametrize(
    ("format_name", "options", "message"),
    [
        ("jsonl", {"indent": True}, "indent is not for lines"),
        ("jsonl", {"wrap_key": "rows"}, "wrap_key is not for lines"),
        ("json", {"count_key": "n"}, "count_key is for lines"),
    ],
)
def test_options_of_the_other_layout_are_refused(
    written: Any, format_name: Any, options: Any, message: Any, tmp_path: Path, only: Any
) -> None:
    with pytest.raises(ExportOptionError, match=message):
        written([], format_name, **options)
    assert only(tmp_path) == []


def test_keys_that_json_would_take_for_one_are_refused(written: Any) -> None:
    with pytest.raises(ExportValueError, match="row 1, field 'v': two keys are the same"):
        written([{"v": {1: "a", "1": "b"}}])


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{}],
        [{}, {"a": 1}, {}],
        [{f"c{n}": n for n in range(10_000)}],
        [{"text": "x\u2028\\" * 3_000_000, "n": 1}, {"n": 2}],
        [{"a": 1, "A": 2}, {"A": 3}],
        [{"\x00": "nul\x00byte", "\x7f\x85": "\u2029\ufeff\uffff\U0010ffff"}],
    ],
    ids=["no rows", "no columns", "some without", "wide", "large cell", "alike", "naughty"],
)
def test_extremes_read_back_equal(written: Any, format_name: Any, rows: Any) -> None:
    assert read(written(rows, format_name), format_name) == rows


@pytest.mark.parametrize("format_name", ["json", "jsonl"])
def test_keys_that_are_no_strings_become_text_in_the_rows_themselves(
    written: Any, format_name: Any
) -> None:
    rows = [{1: "a", None: "b", False: "c", (1, 2): "d", datetime.date(2020, 1, 2): "e"}]
    assert read(written(rows, format_name), format_name) == [
        {"1": "a", "null": "b", "false": "c", "(1, 2)": "d", "2020-01-02": "e"}
    ]


def test_lines_write_keys_of_one_text_side_by_side(written: Any) -> None:
    # as JsonOptions admits: looking at each key would cost as much as writing it
    assert written([{"v": {1: "a", "1": "b"}}], "jsonl") == b'{"v":{"1":"a","1":"b"}}\n'
