from __future__ import annotations

import csv
import datetime
import io
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from blackcore.minimal.query_engine.errors import ExportOptionError, ExportValueError
from blackcore.minimal.query_engine.export import CsvOptions, ExportProgress, StreamingExporter
from blackcore.minimal.query_engine.export.csv_writer import csv_text
from blackcore.minimal.query_engine.export.progress import Tally
from blackcore.minimal.query_engine.settings import ExportSettings

if TYPE_CHECKING:
    from pathlib import Path


def read(text: bytes, **options: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode("utf-8"), newline=""), **options))


def test_missing_keys_are_empty_cells(written_csv: Any) -> None:
    assert written_csv([{"a": 1, "b": 2}, {"b": 3}, {}]) == b"a,b\r\n1,2\r\n,3\r\n,\r\n"


def test_columns_are_found_in_the_whole_first_chunk(written_csv: Any) -> None:
    rows = [{"a": 1}] * 700 + [{"b": 2}]
    assert written_csv(rows).startswith(b"a,b\r\n1,\r\n")


def test_late_column_is_an_error_that_names_row_and_field(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    rows = [{"a": 1}] * 15 + [{"a": 1, "extra": 2}]
    with pytest.raises(ExportValueError, match=r"row 16, field 'extra': the column is new") as late:
        exporter.export_csv(iter(rows), tmp_path / "a.csv", 10)
    assert late.value.rows_written == 15
    assert only(tmp_path) == []


def test_late_column_beside_a_missing_one_is_noticed(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    rows = [{"a": 1}] * 15 + [{"extra": 2}]
    with pytest.raises(ExportValueError, match="row 16, field 'extra'"):
        exporter.export_csv(iter(rows), tmp_path / "a.csv", 10)


def test_late_column_can_be_left_out_with_a_warning(
    exporter: StreamingExporter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"a": 1}] * 15 + [{"a": 2, "extra": 2}] * 2
    options = CsvOptions(late_columns="ignore")
    assert exporter.export_csv(iter(rows), tmp_path / "a.csv", 10, options=options) == 17
    assert (tmp_path / "a.csv").read_bytes() == b"a\r\n" + b"1\r\n" * 15 + b"2\r\n" * 2
    assert [record.getMessage() for record in caplog.records] == [
        "column 'extra' first came in row 16 and is left out"
    ]


def test_late_column_can_be_gathered_by_a_second_pass(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    rows = [{"a": 1}] * 15 + [{"extra": 2}]
    options = CsvOptions(late_columns="gather")
    exporter.export_csv(rows, tmp_path / "a.csv", 10, options=options)
    assert (tmp_path / "a.csv").read_bytes() == b"a,extra\r\n" + b"1,\r\n" * 15 + b",2\r\n"


@pytest.mark.parametrize("kind", ["generator", "async"])
def test_second_pass_is_refused_where_the_source_can_be_read_once(
    exporter: StreamingExporter, awaited: Any, kind: Any, tmp_path: Path, only: Any
) -> None:
    rows = iter([{"a": 1}]) if kind == "generator" else awaited([{"a": 1}])
    with pytest.raises(ExportOptionError, match="reads the rows twice"):
        exporter.export_csv(rows, tmp_path / "a.csv", options=CsvOptions(late_columns="gather"))
    assert only(tmp_path) == []


def test_given_fields_choose_order_and_titles(written_csv: Any) -> None:
    rows = [{"a": 1, "b": 2, "c": 3}, {"b": 5, "d": 6}]
    text = written_csv(rows, fieldnames=["c", "b"], rename={"c": "See, here"})
    assert text == b'"See, here",b\r\n3,2\r\n,5\r\n'


def test_given_fields_need_no_second_pass(exporter: StreamingExporter, tmp_path: Path) -> None:
    options = CsvOptions(fieldnames=("a",), late_columns="gather")
    assert exporter.export_csv(iter([{"a": 1}]), tmp_path / "a.csv", options=options) == 1


def test_nested_values_are_json_text(written_csv: Any) -> None:
    rows = [{"n": 1, "list": [1, "é", None], "object": {"a": {"b": 1.5}}}]
    _, cells = read(written_csv(rows))
    assert [json.loads(cell) for cell in cells] == [1, [1, "é", None], {"a": {"b": 1.5}}]


def test_nested_objects_can_become_columns(written_csv: Any) -> None:
    rows = [{"n": 1, "at": {"x": 1, "deep": {"y": 2}}, "list": [1]}, {"n": 2, "at": {"x": 3}}]
    assert written_csv(rows, flatten=".") == b"n,at.x,at.deep.y,list\r\n1,1,2,[1]\r\n2,3,,\r\n"


def test_key_as_written_wins_over_a_flattened_one(written_csv: Any) -> None:
    assert written_csv([{"a": {"b": 1, "c": 2}, "a.b": 3}], flatten=".") == b"a.c,a.b\r\n2,3\r\n"


def test_late_flattened_column_is_noticed(exporter: StreamingExporter, tmp_path: Path) -> None:
    rows = [{"a": {"x": 1}}] * 15 + [{"a": {"y": 1}}]
    with pytest.raises(ExportValueError, match=r"row 16, field 'a.y'"):
        exporter.export_csv(iter(rows), tmp_path / "a.csv", 10, options=CsvOptions(flatten="."))


def test_header_mark_null_and_last_line_as_chosen(written_csv: Any) -> None:
    rows = [{"a": None, "b": "x"}, {"a": 1, "b": None}]
    assert written_csv(rows, header=False) == b",x\r\n1,\r\n"
    assert written_csv(rows, bom=True) == b"\xef\xbb\xbfa,b\r\n,x\r\n1,\r\n"
    assert written_csv(rows, null_text="NULL", line_end="\n") == b"a,b\nNULL,x\n1,NULL\n"
    assert written_csv(rows, null_text="missing") == b"a,b\r\nmissing,x\r\n1,missing\r\n"
    assert written_csv(rows, last_line="# {rows} rows") == b"a,b\r\n,x\r\n1,\r\n# 2 rows\r\n"


def test_quoting_all_and_other_marks(written_csv: Any) -> None:
    rows = [{"a": None, "b": "it's", "c": 1}]
    assert written_csv(rows, quoting="all") == b'"a","b","c"\r\n"","it\'s","1"\r\n'
    assert written_csv(rows, quote="'", delimiter="|") == b"a|b|c\r\n|'it''s'|1\r\n"


def test_strings_only_quoting_writes_everything_but_numbers_in_quotes(written_csv: Any) -> None:
    rows = [{"a": 'say "x"\n', "b": 1.5, "c": [1], "d": None, "e": True}]
    assert written_csv(rows, quoting="strings") == (
        b'"a","b","c","d","e"\r\n"say ""x""\n",1.5,"[1]",,True\r\n'
    )


def test_carriage_return_is_quoted_with_any_line_end(written_csv: Any) -> None:
    assert written_csv([{"a": "x\ry", "b": 1}], line_end="\n") == b'a,b\n"x\ry",1\n'


def test_float_and_datetime_formats(written_csv: Any) -> None:
    rows = [{"f": 1.005, "d": datetime.date(2020, 1, 2), "t": datetime.time(3, 4), "i": 7}]
    text = written_csv(rows, float_format=".1f", datetime_format="%d.%m.%Y")
    assert text == b"f,d,t,i\r\n1.0,02.01.2020,03:04:00,7\r\n"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\uff1d1", "'\uff1d1"),
        ("-5", "-5"),
        ("+1.5e3", "+1.5e3"),
        (-5, "-5"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_formulas_are_escaped_and_numbers_are_not(
    written_csv: Any, cell: Any, expected: Any
) -> None:
    rows = [{"a": cell, "=b": 1}]
    assert read(written_csv(rows, escape_formulas=True)) == [["a", "'=b"], [expected, "1"]]


def test_formulas_are_left_alone_unless_asked(written_csv: Any) -> None:
    assert written_csv([{"a": "=1+1", "b": 1}]) == b"a,b\r\n=1+1,1\r\n"


def test_lone_surrogate_is_an_error_that_names_row_and_field(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    rows = [{"a": "x", "b": "y"}, {"a": "x", "b": "\ud800"}]
    with pytest.raises(ExportValueError, match=r"row 2, field 'b': .* lone surrogate"):
        exporter.export_csv(rows, tmp_path / "a.csv")
    assert only(tmp_path) == []


def test_lone_surrogate_can_be_replaced(written_csv: Any) -> None:
    assert written_csv([{"a": "\ud800", "b": 1}], encoding_errors="replace") == b"a,b\r\n?,1\r\n"


@pytest.mark.parametrize("value", [object(), 1j, [1, {"deep": object()}]])
def test_value_without_text_is_named_by_row_field_and_type(
    exporter: StreamingExporter, value: Any, tmp_path: Path, only: Any
) -> None:
    rows = [{"a": 1, "b": 2}] * 600 + [{"a": 1, "b": value}]
    with pytest.raises(ExportValueError, match=r"row 601, field 'b.*has no JSON") as caught:
        exporter.export_csv(iter(rows), tmp_path / "a.csv")
    assert caught.value.rows_written == 600
    assert only(tmp_path) == []


def test_no_columns_no_rows_and_empty_rows(written_csv: Any) -> None:
    assert written_csv([]) == b""
    assert written_csv([{}, {}]) == b"\r\n\r\n"
    assert written_csv([{}, {"a": None}]) == b'a\r\n""\r\n""\r\n'


def test_ten_thousand_columns_and_a_cell_of_ten_megabytes(written_csv: Any) -> None:
    wide = {f"c{n}": n for n in range(10_000)}
    header, cells = read(written_csv([wide]))
    assert (header, cells) == (list(wide), [str(n) for n in range(10_000)])
    large = "x," * 5_000_000
    assert written_csv([{"a": large, "b": 1}]) == f'a,b\r\n"{large}",1\r\n'.encode()


def test_keys_that_are_no_strings_and_keys_alike_but_for_case(written_csv: Any) -> None:
    assert written_csv([{1: "x", None: "y", (2, 3): "z"}]) == b'1,null,"(2, 3)"\r\nx,y,z\r\n'
    assert written_csv([{"a": 1, "A": 2}]) == b"a,A\r\n1,2\r\n"


def test_mappings_that_are_no_dicts_are_rows_too(written_csv: Any) -> None:
    assert written_csv([MappingProxyType({"a": 1, "b": 2})]) == b"a,b\r\n1,2\r\n"


def test_left_out_values_are_counted_in_the_last_report(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    heard: list[ExportProgress] = []
    rows = [{"a": 1}] * 15 + [{"a": 2, "b": 2, "c": 3}] * 2
    exporter.export_csv(
        iter(rows),
        tmp_path / "a.csv",
        10,
        options=CsvOptions(late_columns="ignore"),
        on_progress=heard.append,
    )
    assert heard[-1].ignored_values == 4


def test_renaming_what_is_no_column_is_refused(written_csv: Any) -> None:
    message = r"rename names 'carier', .* did you mean 'carrier'"
    with pytest.raises(ExportOptionError, match=message):
        written_csv([{"carrier": 1}], rename={"carier": "C"})
    assert written_csv([], rename={"carrier": "C"}) == b""


@pytest.mark.parametrize("rows", [[{"a": 1, "b": 2}], [{1: 1, "1": 2}]])
def test_two_columns_of_one_title_are_refused(written_csv: Any, rows: Any) -> None:
    rename = {"a": "b"} if "a" in rows[0] else {}
    with pytest.raises(ExportOptionError, match="two columns have the title"):
        written_csv(rows, rename=rename)


def test_surrogate_in_a_title_is_named(written_csv: Any) -> None:
    with pytest.raises(ExportValueError, match=r"row 0, field .* lone surrogate"):
        written_csv([{"\ud800": 1}])


def test_rows_that_were_looked_at_ahead_are_written_with_a_pause_before_each_slice() -> None:
    happened: list[str] = []
    slices = [[{"a": n}] for n in range(3)]
    for _ in csv_text(
        slices, CsvOptions(), Tally(), ExportSettings(), pause=lambda: happened.append("pause")
    ):
        happened.append("text")  # noqa: PERF401 - two hands write the list
    assert happened == ["text", *["pause", "text"] * 3]


def test_times_with_a_zone_have_text(written_csv: Any) -> None:
    rows = [{"at": datetime.time(3, 4, tzinfo=datetime.UTC), "n": 1}]
    assert written_csv(rows) == b"at,n\r\n03:04:00Z,1\r\n"


def test_times_keep_each_zero_of_their_microseconds(written_csv: Any) -> None:
    rows = [{"at": datetime.time(3, 4, 5, 10_000), "n": 1}]
    assert written_csv(rows) == b"at,n\r\n03:04:05.010000,1\r\n"
