"""The command line, called as a function over directories of files, and once as a process."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine import QueryError, QueryFilter, QueryOperator
from blackcore.minimal.query_engine.__main__ import main
from blackcore.minimal.query_engine.command_line import commands
from blackcore.minimal.query_engine.command_line.filters import FilterSyntaxError, parse_filter
from blackcore.minimal.query_engine.command_line.output import ProgressLine, size_text
from blackcore.minimal.query_engine.command_line.tables import (
    columns_of,
    columns_taken,
    cut,
    escaped,
    table_lines,
)
from blackcore.minimal.query_engine.export import ExportProgress
from blackcore.minimal.query_engine.loaders import LoadProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEOPLE = [
    {"name": "Ada", "born": 1815, "city": "London", "tags": ["math", 1], "zip": "10001"},
    {"name": "Alan", "born": 1912, "city": "London", "tags": [], "zip": "10002"},
    {"name": "Grace", "born": 1906, "city": "New York", "home": {"state": "NY"}, "zip": "10003"},
    {"name": "Edsger", "born": None, "city": "Rotterdam, NL", "zip": "10001"},
]
HOSTILE = "\x1b[2J\x9b1m\r\n\u202e\ud800\u2028\x07"


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    os.utime(path, ns=(1_500_000_000_000_000_000,) * 2)  # so old that no loader waits for it
    return path


@pytest.fixture
def data(tmp_path: Path) -> str:
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder, "people.json", PEOPLE)
    return str(folder)


class Terminal(io.TextIOWrapper):
    """An output that says it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal of 60 columns; redirect an output to it in the test."""
    monkeypatch.setenv("COLUMNS", "60")
    with Terminal() as made:
        yield made


def shown_on(terminal: Terminal, *words: str) -> str:
    with redirect_stdout(terminal):
        assert main(words) == 0
        return terminal.text


def names_found(capsys: pytest.CaptureFixture[str], data: str, *words: str) -> list[str]:
    assert main(["query", data, "people", "--format", "jsonl", *words]) == 0
    return [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]


def usage_error(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one line on standard error of a command that cannot be done."""
    assert main(words) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("blackcore-query: ")
    return shown.err


# -- filters ---------------------------------------------------------------------------------------

FORMS = {
    "born == 1815": ["Ada"],
    "born = 1815": ["Ada"],
    "born eq 1815": ["Ada"],
    "born==1815": ["Ada"],
    "born != 1815": ["Alan", "Grace", "Edsger"],
    "born ne 1815": ["Alan", "Grace", "Edsger"],
    "born < 1906": ["Ada"],
    "born lt 1906": ["Ada"],
    "born <= 1906": ["Ada", "Grace"],
    "born lte 1906": ["Ada", "Grace"],
    "born > 1906": ["Alan"],
    "born gt 1906": ["Alan"],
    "born>=1906": ["Alan", "Grace"],
    "born gte 1906": ["Alan", "Grace"],
    "born between 1900,1910": ["Grace"],
    "born between [1900, 1910]": ["Grace"],
    "born in 1815,1906": ["Ada", "Grace"],
    "born in [1815]": ["Ada"],
    "born in 1815": ["Ada"],
    "born not_in 1815,1906": ["Alan", "Edsger"],
    "name in Ada, Alan": ["Ada", "Alan"],
    'name in "Ada","Alan"': ["Ada", "Alan"],
    'city in ["Rotterdam, NL"]': ["Edsger"],
    'city in "Rotterdam, NL","Paris"': ["Edsger"],
    "city contains York": ["Grace"],
    "city not_contains London": ["Grace", "Edsger"],
    "tags contains 1": ["Ada"],
    'tags contains "1"': [],
    "born is_null": ["Edsger"],
    "born == null": ["Edsger"],
    "born is_not_null": ["Ada", "Alan", "Grace"],
    "name regex ^A.a$": ["Ada"],
    "name ~ ^A": ["Ada", "Alan"],
    'name ~ "^A"': ["Ada", "Alan"],
    "zip ~ [12]$": ["Ada", "Alan", "Edsger"],
    "zip regex 10003": ["Grace"],
    "name fuzzy Edsgar": ["Edsger"],
    'name fuzzy {"text": "Alam", "threshold": 0.7}': ["Alan"],
    "zip fuzzy 10001": ["Ada", "Alan", "Grace", "Edsger"],
    "zip == 10001": [],
    'zip == "10001"': ["Ada", "Edsger"],
    "city == New York": ["Grace"],
    '"city" == "New York"': ["Grace"],
    "home.state == NY": ["Grace"],
    'name == ""': [],
    "name == NaN": [],
    "zip < NaN": ["Ada", "Alan", "Grace", "Edsger"],  # a text like any other
    "  name   ==   Ada  ": ["Ada"],
}


@pytest.mark.parametrize(("text", "expected"), FORMS.items())
def test_each_way_to_write_a_filter_finds_its_rows(
    data: str, capsys: pytest.CaptureFixture[str], text: str, expected: list[str]
) -> None:
    assert names_found(capsys, data, text) == expected


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte", "contains", "not_contains"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=3,
    ),
    st.booleans(),
)
def test_a_filter_in_json_says_exactly_what_it_says(
    name: str, operator: str, value: object, case_sensitive: bool
) -> None:
    text = f"{json.dumps(name)} {operator} {json.dumps(value)}"

    assert parse_filter(text, case_sensitive=case_sensitive) == QueryFilter(
        name, operator, value, case_sensitive
    )


@given(st.text())
def test_any_text_is_a_filter_or_a_fault_that_is_told(text: str) -> None:
    try:
        parsed = parse_filter(text)
    except (FilterSyntaxError, QueryError):
        return
    assert parsed.field


def test_a_field_ends_at_the_first_operator_unless_it_is_quoted() -> None:
    assert parse_filter("born in city == Oslo").field == "born"
    quoted = parse_filter('"born in city" == Oslo')
    assert (quoted.field, quoted.operator) == ("born in city", QueryOperator.EQUALS)
    assert parse_filter("Due Date is_null").field == "Due Date"
    assert parse_filter("in in 1,2").field == "in"
    assert parse_filter('"odd ==" > 1').field == "odd =="
    assert parse_filter('"odd\\q" > 1').field == '"odd\\q"'  # no JSON, so as it stands


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("distance", "is no filter; write 'field operator value'"),
        ("", "is no filter"),
        ("== 5", "is no filter"),
        ("born =~ 5", "unknown operator '=~'"),
        ("born <> 5", "unknown operator '<>'"),
        ("born ==", "has no value"),
        ("born in", "has no value"),
        ("born in 1,,x", "empty value between commas"),
        (f"born == {'[' * 100_000}", "too many lists"),
    ],
)
def test_text_that_is_no_filter_is_a_usage_error(
    data: str, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert said in usage_error(capsys, "query", data, "people", text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name ~ [", "invalid regular expression '[' at position 0"),
        ("born between 5", "it takes two bounds"),
        ("born is_null 5", "it takes no value"),
        ('name fuzzy {"text": "x", "threshold": 7}', "0.0 to 1.0"),
        ("brn > 5", "unknown field 'brn' in database 'people'; did you mean 'born'?"),
    ],
)
def test_a_filter_that_cannot_be_asked_fails_with_its_reason(
    data: str, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert said in failure(capsys, "query", data, "people", text)


# -- query -----------------------------------------------------------------------------------------


def test_filters_join_by_and_or_by_or(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    both = ("city == London", "born > 1900")

    assert names_found(capsys, data, *both) == ["Alan"]
    assert names_found(capsys, data, *both, "--any") == ["Ada", "Alan", "Grace"]
    assert len(names_found(capsys, data, "--any")) == 4


def test_case_is_ignored_where_that_is_asked(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert names_found(capsys, data, "name == ADA") == []
    assert names_found(capsys, data, "name == ADA", "--ignore-case") == ["Ada"]
    assert names_found(capsys, data, "name ~ ^ada", "--ignore-case") == ["Ada"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--sort", "-born"], ["Alan", "Grace", "Ada", "Edsger"]),
        (["--sort=-born"], ["Alan", "Grace", "Ada", "Edsger"]),
        (["--sort", "city,-name"], ["Alan", "Ada", "Grace", "Edsger"]),
        (["--sort", "city", "--sort", "-name"], ["Alan", "Ada", "Grace", "Edsger"]),
        (["--sort", "-city,name"], ["Edsger", "Grace", "Ada", "Alan"]),
        (["--limit", "2"], ["Ada", "Alan"]),
        (["--limit", "3", "--page", "2"], ["Edsger"]),
        (["--page", "2"], []),
        (["--search", "york"], ["Grace"]),
        (["city == London", "--limit", "9", "born > 1900", "--sort", "name"], ["Alan"]),
        (["--sort", "name", "--", "city == London"], ["Ada", "Alan"]),
    ],
)
def test_options_mean_what_the_query_means(
    data: str, capsys: pytest.CaptureFixture[str], words: list[str], expected: list[str]
) -> None:
    assert names_found(capsys, data, *words) == expected


def test_select_and_distinct_shape_the_rows(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["query", data, "people", "--select", "city", "--distinct", "--format", "json"]

    assert main(words) == 0

    out = capsys.readouterr().out
    assert json.loads(out) == [{"city": c} for c in ("London", "New York", "Rotterdam, NL")]
    assert out.endswith("]\n")


def test_a_name_with_a_comma_is_selected_by_a_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "x.json", [{"a,b": 1, "c": 2, "[d": 3}])

    assert main(["query", str(tmp_path), "x", "--format", "csv", "--select", '["a,b"]']) == 0
    assert capsys.readouterr().out == '"a,b"\n1\n'
    assert main(["query", str(tmp_path), "x", "--format", "csv", "--select", "[d,c"]) == 0
    assert capsys.readouterr().out == "[d,c\n3,2\n"


def test_csv_has_every_field_of_every_row_and_plain_line_ends(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["query", data, "people", "--format", "csv"]) == 0

    out = capsys.readouterr().out
    assert "\r" not in out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["name"] for row in rows] == [row["name"] for row in PEOPLE]
    assert rows[2]["home"] == '{"state":"NY"}'


def test_csv_of_no_rows_still_has_the_fields_that_were_chosen(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["query", data, "people", "born > 3000", "--format", "csv", "--select", "name,born"]

    assert main(words) == 0
    assert capsys.readouterr().out == "name,born\n"


def test_a_table_shows_nulls_missing_fields_and_nested_values(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["query", data, "people", "born is_null"]) == 0
    assert main(["query", data, "people", "name in Ada,Grace"]) == 0

    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "name    born  city           zip",
        "------  ----  -------------  -----",
        "Edsger  null  Rotterdam, NL  10001",
        "name   born  city      tags        zip    home",
        "-----  ----  --------  ----------  -----  --------------",
        'Ada    1815  London    ["math",1]  10001',
        'Grace  1906  New York              10003  {"state":"NY"}',
    ]
    assert "1 of 1 rows in " in shown.err


def test_a_table_shows_the_first_page_and_says_how_to_see_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "n.json", [{"n": n} for n in range(120)])

    assert main(["query", str(tmp_path), "n"]) == 0
    first = capsys.readouterr()
    assert main(["query", str(tmp_path), "n", "--page", "3"]) == 0
    last = capsys.readouterr()

    assert len(first.out.splitlines()) == 2 + commands.DEFAULT_ROWS
    assert "50 of 120 rows" in first.err
    assert "--page 2" in first.err
    assert last.out.splitlines()[-1].strip() == "119"
    assert "--page" not in last.err


def test_the_other_formats_give_all_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "n.json", [{"n": n} for n in range(120)])

    assert main(["query", str(tmp_path), "n", "--format", "jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 120


def test_a_number_that_found_nothing_is_pointed_out(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["query", data, "people", "zip == 10001"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "10001 was read as JSON; for the text write '\"10001\"'" in shown.err

    assert main(["query", data, "people", "zip == x", "name == true"]) == 0
    assert "JSON" not in capsys.readouterr().err


def test_explain_shows_the_plan_and_analyze_what_happened(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["query", data, "people", "born > 1900", "--sort", "name"]

    assert main([*words, "--explain"]) == 0
    planned = capsys.readouterr().out
    assert main([*words, "--analyze"]) == 0
    analyzed = capsys.readouterr().out

    assert "born > 1900" in planned
    assert "actual" not in planned
    assert "actual 2 rows" in analyzed


def test_a_plan_can_be_had_as_json(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["query", data, "people", "born > 1900", "--explain", "--analyze", "--format", "json"]

    assert main(words) == 0

    plan = json.loads(capsys.readouterr().out)
    assert plan["database"] == "people"
    assert [step.get("actual_rows") for step in plan["steps"]] == [None, 2]


# -- list ------------------------------------------------------------------------------------------


def test_list_goes_on_after_a_bad_database_and_tells_its_fault(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    write(folder, "broken.json", b'[{"a": 1')
    write(folder, "empty.jsonl", b"")
    write(folder, "zipped.jsonl.gz", b'{"a":1}\n{"a":2}\n')

    assert main(["list", data]) == 1

    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].split() == ["database", "records", "size", "load", "time"]
    assert lines[2].split() == ["broken", "failed", "8", "bytes"]
    assert lines[3].split()[:2] == ["empty", "0"]
    assert lines[4].split()[:2] == ["people", "4"]
    assert lines[5].split()[:2] == ["zipped", "2"]
    assert shown.err.startswith("cannot load 'broken': ")
    assert "broken.json" in shown.err
    assert shown.err.count("\n") == 1


def test_list_is_data_too(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", data, "--format", "json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    write(tmp_path / "data", "broken.json", b"{")
    assert main(["list", data, "--format", "jsonl"]) == 1
    broken = json.loads(capsys.readouterr().out.splitlines()[0])

    assert entry.pop("seconds") >= 0
    size = (tmp_path / "data" / "people.json").stat().st_size
    assert entry == {"database": "people", "records": 4, "bytes": size, "fault": None}
    assert broken["records"] is None
    assert "broken.json" in broken["fault"]


def test_list_shows_a_file_that_cannot_be_read(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = "/proc/self/mem"  # its first page is nobody's, so reading it fails for root too
    if not os.path.exists(memory):  # noqa: PTH110 - no Path is needed
        pytest.skip("this system has no such file")
    (tmp_path / "data" / "unreadable.json").symlink_to(memory)

    assert main(["list", data]) == 1

    shown = capsys.readouterr()
    assert shown.out.splitlines()[3].split() == ["unreadable", "failed"]
    assert "cannot read" in shown.err


def test_sizes_are_shown_in_the_unit_that_reads_best() -> None:
    assert [size_text(n) for n in (0, 999, 1_000, 2_500_000, 3 * 10**9)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "2.5 MB",
        "3 GB",
    ]


# -- export ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["json", "jsonl", "ndjson", "jsonl.gz"])
def test_export_writes_what_the_query_finds(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    path = tmp_path / f"out.{suffix}"
    words = ["--sort", "-born", "born > 1900", "--limit", "1", "--select", "name"]

    assert main(["export", data, "people", str(path), *words]) == 0

    raw = gzip.decompress(path.read_bytes()) if suffix.endswith("gz") else path.read_bytes()
    rows = json.loads(raw) if suffix == "json" else list(map(json.loads, raw.splitlines()))
    assert rows == [{"name": "Alan"}]
    shown = capsys.readouterr()
    assert shown.out.startswith(f"wrote 1 rows to {path} in ")
    assert "rows/s" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_export_to_csv_holds_fields_that_only_late_rows_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, delimiter: str
) -> None:
    rows: list[dict[str, int]] = [{"a": n} for n in range(10_100)]
    rows.append({"a": 1, "late": 2})
    write(tmp_path, "x.json", rows)
    path = tmp_path / f"out.{suffix}"

    assert main(["export", str(tmp_path), "x", str(path)]) == 0

    lines = path.read_text().splitlines()
    assert lines[0].split(delimiter) == ["a", "late"]
    assert lines[-1].split(delimiter) == ["1", "2"]
    assert len(lines) == 10_102
    assert capsys.readouterr().out.startswith("wrote 10,101 rows")


def test_export_overwrites_unless_told_not_to(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.csv"
    path.write_text("precious")

    assert "out.csv" in failure(
        capsys, "export", data, "people", str(path), "--no-overwrite", "born > 1900"
    )
    assert path.read_text() == "precious"
    assert main(["export", data, "people", str(path), "--select", "name"]) == 0
    assert path.read_text().startswith("name\n")


def test_a_value_that_csv_cannot_hold_fails_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "x.json", [{"a": "\ud800"}])
    path = tmp_path / "out.csv"

    assert "lone surrogate" in failure(capsys, "export", str(tmp_path), "x", str(path))
    assert not path.exists()


# -- bad input -------------------------------------------------------------------------------------


def test_what_is_not_there_is_named(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "nowhere")
    out = str(tmp_path / "no" / "out.csv")

    assert "did you mean 'people'?" in failure(capsys, "query", data, "peple")
    assert "does not exist" in failure(capsys, "query", nowhere, "people")
    assert "does not exist" in failure(capsys, "list", nowhere)
    assert "unknown field 'x'" in failure(capsys, "query", data, "people", "--sort", "-x")
    assert "unknown field 'x'" in failure(capsys, "query", data, "people", "--select", "x")
    assert "does not exist" in failure(capsys, "export", data, "people", out)


def test_a_suffix_that_says_no_format_is_told_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failure(capsys, "export", str(tmp_path / "nowhere"), "people", "out.xls")

    assert "no format is known by the suffix of 'out.xls'" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--page", "0"], "'0' is not a whole number from 1"),
        (["--limit", "0"], "'0' is not a whole number from 1"),
        (["--limit", "many"], "'many' is not a whole number from 1"),
        (["--select", "a,,b"], "empty name"),
        (["--select", ""], "empty name"),
        (["--sort", "--distinct"], "expected one argument"),
        (["--format", "xml"], "invalid choice"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["--dist"], "unrecognized arguments: --dist"),
    ],
)
def test_arguments_that_cannot_be_read_are_usage_errors(
    data: str, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert said in usage_error(capsys, "query", data, "people", *words)


def test_a_command_is_needed_and_list_takes_no_more(
    data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "COMMAND" in usage_error(capsys)
    assert "invalid choice: 'delete'" in usage_error(capsys, "delete", data)
    assert "unrecognized arguments: people" in usage_error(capsys, "list", data, "people")


@pytest.mark.parametrize("command", [[], ["list"], ["query"], ["export"]])
def test_help_has_examples_and_ends_well(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])

    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: blackcore-query" in shown
    assert command == ["list"] or "examples:" in shown


def test_every_operator_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["query", "--help"])

    words = capsys.readouterr().out.split()
    assert {operator.value for operator in QueryOperator} <= set(words)


# -- terminals -------------------------------------------------------------------------------------


@pytest.fixture
def hostile(tmp_path: Path) -> str:
    folder = tmp_path / "hostile"
    folder.mkdir()
    write(folder, "x.json", [{"text": HOSTILE.replace("\ud800", ""), f"k{HOSTILE}": 1}])
    return str(folder)


@pytest.mark.parametrize("output", ["table", "json", "jsonl", "csv"])
def test_control_characters_in_data_do_not_reach_a_terminal(
    hostile: str, terminal: Terminal, output: str
) -> None:
    words = ["query", hostile, "x", "--format", output]
    if output == "csv":  # a field's name in CSV must be UTF-8
        words += ["--select", "text"]

    shown = shown_on(terminal, *words)

    assert not set(shown) & set("\x1b\x9b\r\u202e\ud800\u2028\x07")
    assert "\\u001b[2J\\u009b1m" in shown
    assert "\\u202e" in shown


def test_hostile_names_and_messages_are_escaped_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "x.json", [{"a": 1}])
    write(tmp_path, "\x1b[2J.json", b"nonsense")

    assert main(["list", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert "\\u001b[2J" in shown.out
    assert "\x1b" not in failure(capsys, "query", str(tmp_path), "\x1b\n")


def test_json_on_a_terminal_still_says_the_same(hostile: str, terminal: Terminal) -> None:
    shown = shown_on(terminal, "query", hostile, "x", "--format", "json")

    assert json.loads(shown)[0]["text"] == HOSTILE.replace("\ud800", "")


def test_a_table_on_a_terminal_is_cut_to_its_width(
    tmp_path: Path, terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = {"id": 7, "text": "x" * 5_000, "east": "東京" * 30}
    many = {f"field {n}": n for n in range(40)}
    write(tmp_path, "x.json", [wide | many])

    shown_on(terminal, "query", str(tmp_path), "x", "--select", "id,text,east")
    shown = shown_on(terminal, "query", str(tmp_path), "x")

    lines = shown.splitlines()
    assert {columns_taken(line) <= 60 for line in lines} == {True}
    assert lines[2].startswith(" 7  xxxxx")
    assert "…  東京" in lines[2]
    assert lines[3] == "id  text      east      field 0  field 1  field 2  field 3"
    assert "36 more fields, --select chooses" in capsys.readouterr().err


def test_into_a_pipe_a_table_is_not_cut_to_a_width(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "x.json", [{f"f{n}": "v" * 50 for n in range(30)}, {"g": "w" * 101}])

    assert main(["query", str(tmp_path), "x"]) == 0

    out = capsys.readouterr().out
    assert out.splitlines()[2].count("v" * 50) == 30
    assert f"{'w' * 99}…" in out


def test_what_an_encoding_lacks_is_shown_rather_than_fatal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "x.json", [{"a": "é\ud800"}])
    ascii_only = Terminal("ascii")
    monkeypatch.setattr(sys, "stdout", ascii_only)

    assert main(["query", str(tmp_path), "x"]) == 0
    assert ascii_only.text.splitlines()[2] == "\\xe9\\ud800"


JSON_CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)


@settings(max_examples=60)
@given(
    st.lists(st.dictionaries(st.text(max_size=12), JSON_CELLS, max_size=6), min_size=1, max_size=4),
    st.integers(8, 120),
)
def test_no_row_breaks_a_table(rows: list[dict[str, object]], width: int) -> None:
    columns = columns_of(rows)
    lines, hidden = table_lines(columns, width)

    assert 0 <= hidden < max(len(columns), 1)
    assert len(lines) == (len(rows) + 2 if columns else 0)
    assert all(columns_taken(line) <= width for line in lines)
    assert all(escaped(line) == line for line in lines)


def test_a_mark_on_a_letter_takes_no_column_of_its_own() -> None:
    assert columns_taken("cafe\u0301") == 4
    assert cut("cafe\u0301s", 5) == "cafe\u0301s"


@given(st.text(), st.integers(1, 30))
def test_a_cut_text_fits_and_a_short_one_is_whole(text: str, columns: int) -> None:
    short = cut(text, columns)

    assert columns_taken(short) <= columns
    assert (short == text) == (columns_taken(text) <= columns)


# -- progress --------------------------------------------------------------------------------------


def load_report(**changes: object) -> LoadProgress:
    values = {"bytes_read": 5, "total_bytes": 10, "records": None, "done": False}
    named = {"database": "x", "elapsed_seconds": 0.0, **values, **changes}
    return LoadProgress(**named)  # type: ignore[arg-type]  # names and types as above


def test_progress_begins_after_a_second_and_goes_when_done(terminal: Terminal) -> None:
    times = iter([0.0, 0.5, 1.5, 1.55, 2.0])

    with redirect_stderr(terminal), ProgressLine(clock=lambda: next(times)) as line:
        line.loading(load_report())  # at 0.5 s: too early
        assert terminal.text == ""
        line.loading(load_report(database="\x1b"))
        assert terminal.text == "\rloading \\u001b: 50% of 10 bytes"
        line.loading(load_report())  # at 1.55 s: too soon after the last
        line.exporting(ExportProgress(rows=1_500, bytes=1, elapsed_seconds=1.0, total_rows=3_000))

    shown = terminal.text.split("\r")
    assert shown[2].strip() == "writing: 1,500 of 3,000 rows, 1,500 rows/s"
    assert shown[3].isspace()
    assert shown[4] == ""


def test_progress_without_a_total_says_what_it_knows(terminal: Terminal) -> None:
    times = iter([0.0, 2.0])

    with redirect_stderr(terminal):
        line = ProgressLine(clock=lambda: next(times))
        line.exporting(ExportProgress(rows=10, bytes=1, elapsed_seconds=2.0))

    assert terminal.text == "\rwriting: 10 rows, 5 rows/s"


def test_progress_is_for_terminals_only(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 5.0])

    with ProgressLine(clock=lambda: next(times)) as line:
        line.loading(load_report())

    assert capsys.readouterr().err == ""


# -- endings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["table", "json", "jsonl", "csv"])
def test_a_reader_that_has_gone_ends_it_quietly(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
) -> None:
    write(tmp_path, "x.json", [{"n": n} for n in range(50_000)])
    reader, writer = os.pipe()
    os.close(reader)
    words = ["query", str(tmp_path), "x", "--format", output]

    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert main(words) == 0

    assert "rror" not in capsys.readouterr().err


@pytest.mark.parametrize("output", ["table", "csv", "json"])
def test_a_full_disk_is_told_in_a_line_and_once(
    data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    if not os.path.exists("/dev/full"):  # noqa: PTH110 - a device
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["query", data, "people", "--format", output]) == 1

    err = capsys.readouterr().err.splitlines()[-1]
    assert err == "blackcore-query: the output takes no more: No space left on device"


def test_an_output_without_bytes_takes_text(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = io.StringIO()
    monkeypatch.setattr(sys, "stdout", made)

    assert main(["query", data, "people", "--format", "csv", "--select", "name"]) == 0
    assert made.getvalue().split() == ["name", "Ada", "Alan", "Grace", "Edsger"]


def test_a_broken_output_that_is_no_file_ends_quietly_too(
    data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())

    assert main(["query", data, "people"]) == 0


def test_an_interrupt_has_its_own_code(
    data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdout", Interrupted())

    assert main(["query", data, "people"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_as_a_process_it_answers_and_tells_its_code(data: str) -> None:
    program = [sys.executable, "-m", "blackcore.minimal.query_engine"]

    done = subprocess.run(  # noqa: S603 - our own program, our own words
        [*program, "query", data, "people", "born > 1900", "--sort", "-born", "--format", "jsonl"],
        capture_output=True,
        text=True,
        check=False,
    )
    failed = subprocess.run(  # noqa: S603 - as above
        [*program, "query", data, "nobody"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["Alan", "Grace"]
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("blackcore-query: unknown database 'nobody'")
    assert failed.stderr.count("\n") == 1
