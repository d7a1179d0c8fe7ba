"""What is written reads back equal: by the csv module, by Polars and by DuckDB."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

NAUGHTY = [
    "",
    " ",
    ",",
    '"',
    '""',
    "'",
    "a,b",
    "line\nbreak",
    "line\r\nbreak",
    "\r",
    "\n",
    "\t",
    "'; drop table flights; --",
    "<script>alert(1)</script>",
    "../../etc/passwd\x00",
    "%s%d%n {0} ${x} #{y}",
    "Ω≈ç√∫˜µ≤≥÷",
    "田中さんにあげて下さい",
    "👩🏽‍🚒 zero\u200bwidth",
    "Z\u0351\u036b\u0343\u036a\u0302a\u0328lgo",
    "\u202etest\u202c",
    "\ufeffbom",
    "\ufffe\uffff",
    "\u2028\u2029\x85",
    "null",
    "true",
    "NaN",
    "-Infinity",
    "0x10",
    "1e309",
    "007",
    "-",
    "=1+1",
    "＝1",
    "\\",
    "\\n",
    "\\,",
    "$(touch x)",
    "nul\x00byte",
    "\x01\x08\x1f",
    "\x7f\x1b[31m",
    " both ends ",
]


def read(text: bytes, **options: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), **options))


def read_by_duckdb(path: Path, **options: Any) -> list[list[str | None]]:
    """Read in a process of its own: with pandas in it, DuckDB reports leaks at the end of one."""
    script = (
        "import duckdb, json, sys\n"
        "options = json.loads(sys.argv[2])\n"
        "found = duckdb.connect().read_csv(sys.argv[1], all_varchar=True, **options).fetchall()\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script, str(path), json.dumps({"header": True, **options})],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_naughty_strings_read_back_equal_by_the_csv_module(written_csv: Any) -> None:
    rows = [{"n": n, "text": text} for n, text in enumerate(NAUGHTY)]
    header, *lines = read(written_csv(rows))
    assert header == ["n", "text"]
    assert lines == [[str(n), text] for n, text in enumerate(NAUGHTY)]


def test_naughty_strings_as_titles_read_back_equal(written_csv: Any) -> None:
    assert read(written_csv([dict.fromkeys(NAUGHTY, 1)]))[0] == NAUGHTY


def test_naughty_strings_read_back_equal_by_polars_and_duckdb(
    written_csv: Any, tmp_path: Path
) -> None:
    # an empty string and null are one in minimal quoting; "strings" tells them apart
    rows: list[dict[str, Any]] = [
        {"n": n, "text": text, "none": None} for n, text in enumerate(NAUGHTY)
    ]
    written_csv(rows, quoting="strings")
    path = tmp_path / "written.csv"
    frame = pl.read_csv(path)
    assert [text or "" for text in frame["text"]] == NAUGHTY
    assert frame["none"].null_count() == len(NAUGHTY)
    rows = [row for row in rows if "\x00" not in row["text"] and row["text"] != "\r"]
    written_csv(rows, quoting="strings")
    assert [row[1] or "" for row in read_by_duckdb(path)] == [row["text"] for row in rows]


SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "as it is": ({}, {}, {}, {}),
    "semicolons": (
        {"delimiter": ";"},
        {"delimiter": ";"},
        {"separator": ";"},
        {"delimiter": ";"},
    ),
    "tabs and other quotes": (
        {"delimiter": "\t", "quote": "'"},
        {"delimiter": "\t", "quotechar": "'"},
        {"separator": "\t", "quote_char": "'"},
        {"delimiter": "\t", "quotechar": "'", "escapechar": "'"},
    ),
    "all quoted": ({"quoting": "all"}, {}, {}, {}),
    "strings quoted": ({"quoting": "strings"}, {}, {}, {}),
    "short line ends": ({"line_end": "\n"}, {}, {}, {}),
    "for Excel": ({"bom": True}, {}, {}, {}),
    "null named": (
        {"null_text": "NA"},
        {},
        {"null_values": ["NA"]},
        {"na_values": ["NA"]},
    ),
    "no header": ({"header": False}, {}, {"has_header": False}, {"header": False}),
}
"""Our options, and how the csv module, Polars and DuckDB are told of them."""


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_file_reads_back_equal_by_all_three(
    written_csv: Any, shape: Any, tmp_path: Path
) -> None:
    ours, theirs, polars, duckdb = SHAPES[shape]
    texts = ["plain", "a,b", "c;d", "e\tf", 'say "g"', "it's", "two\nlines", "é"]
    rows = [
        {"n": n, "text": text, "half": n + 0.5, "flag": n % 2 == 0, "none": None, "list": [n, "x"]}
        for n, text in enumerate(texts)
    ]
    expected = [
        [str(n), text, f"{n}.5", str(n % 2 == 0), None, f'[{n},"x"]']
        for n, text in enumerate(texts)
    ]
    written = written_csv(rows, **ours)
    path = tmp_path / "written.csv"
    null = ours.get("null_text", "")
    lines = read(written, **theirs)[1 if ours.get("header", True) else 0 :]
    assert [[None if cell == null else cell for cell in line] for line in lines] == expected
    frame = pl.read_csv(path, infer_schema=False, **polars)
    # all quoted, a null is an empty string like any other
    found = [[cell or None for cell in row] for row in frame.rows()]
    assert found == expected
    assert [[cell or None for cell in row] for row in read_by_duckdb(path, **duckdb)] == expected


LIKE_CSV_SPECTRUM = {
    "comma_in_quotes": [{"first": "John", "address": "120 any st.", "city": "Anytown, WW"}],
    "empty": [{"a": "1", "b": "", "c": ""}, {"a": "2", "b": "3", "c": "4"}],
    "escaped_quotes": [{"a": "1", "b": 'ha "ha" ha'}, {"a": "3", "b": "4"}],
    "json": [{"key": "1", "val": '{"type": "Point", "coordinates": [102.0, 0.5]}'}],
    "location_coordinates": [{"id": "1", "at": "(54.9, -1.5)", "": "untitled"}],
    "newlines": [{"a": "1", "b": "2"}, {"a": "Once upon \na time", "b": "5"}],
    "newlines_crlf": [{"a": "Once upon \r\na time", "b": "5"}],
    "quotes_and_newlines": [{"a": "1", "b": 'ha \n"ha" \nha'}, {"a": "3", "b": "4"}],
    "simple": [{"a": "1", "b": "2", "c": "3"}],
    "utf8": [{"a": "1", "b": "2"}, {"a": "4", "b": "ʤ"}],
}
"""The kinds of cases that the csv-spectrum suite has; each is written with both line ends."""


@pytest.mark.parametrize("case", LIKE_CSV_SPECTRUM)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_awkward_kinds_of_cells_read_back_equal(written_csv: Any, case: Any, line_end: Any) -> None:
    rows = LIKE_CSV_SPECTRUM[case]
    text = written_csv(rows, line_end=line_end)
    assert list(csv.DictReader(io.StringIO(text.decode(), newline=""))) == rows


@pytest.mark.skipif("CSV_SPECTRUM" not in os.environ, reason="CSV_SPECTRUM names no folder")
def test_csv_spectrum_reads_back_equal(written_csv: Any) -> None:
    cases = sorted(Path(os.environ["CSV_SPECTRUM"], "json").glob("*.json"))
    assert cases
    for case in cases:
        rows = json.loads(case.read_bytes())
        for line_end in ("\n", "\r\n"):
            text = written_csv(rows, line_end=line_end)
            read_rows = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
            assert read_rows == rows, case.name
