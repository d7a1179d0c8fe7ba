from __future__ import annotations

import asyncio
import csv
import inspect
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from blackcore.minimal.query_engine import QueryEngine, field
from blackcore.minimal.query_engine.errors import (
    ExportOptionError,
    ExportPathError,
    ExportValueError,
    UnknownFieldError,
)
from blackcore.minimal.query_engine.export import (
    CsvOptions,
    ExportProgress,
    JsonOptions,
    StreamingExporter,
)
from blackcore.minimal.query_engine.settings import ExportSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (0, 1, 3, 499, 500, 501, 1_250)


def flights(count: int) -> list[dict[str, object]]:
    return [
        {
            "year": 2013,
            "carrier": ("UA", "AA", "B6")[index % 3],
            "dep_delay": None if index % 7 == 0 else index % 90 - 10,
            "air_time": index * 0.5,
            "tailnum": f"N{index:05d}",
            "cancelled": index % 7 == 0,
        }
        for index in range(count)
    ]


def dict_writer_bytes(rows: list[dict[str, object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def in_chunks(rows: list[dict[str, object]], size: int = 300) -> Iterator[list[dict[str, object]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@pytest.fixture(params=["list", "generator", "chunks", "tuple_chunks", "async", "async_chunks"])
def shaped(request: pytest.FixtureRequest, awaited: Any) -> Any:
    """Give a function that brings rows into each of the shapes a source may have."""
    shape = {
        "list": lambda rows: rows,
        "generator": iter,
        "chunks": in_chunks,
        "tuple_chunks": lambda rows: [tuple(chunk) for chunk in in_chunks(rows)],
        "async": awaited,
        "async_chunks": lambda rows: awaited(in_chunks(rows)),
    }
    return shape[request.param]


@pytest.mark.parametrize("count", SIZES)
async def test_json_array_reads_back_equal_from_every_shape_of_source(
    exporter: StreamingExporter, shaped: Any, count: Any, tmp_path: Path
) -> None:
    rows = flights(count)
    path = tmp_path / "flights.json"
    assert await exporter.export_json_async(shaped(rows), path) == count
    assert json.loads(path.read_bytes()) == rows


@pytest.mark.parametrize("count", SIZES)
async def test_json_lines_read_back_equal_from_every_shape_of_source(
    exporter: StreamingExporter, shaped: Any, count: Any, tmp_path: Path
) -> None:
    rows = flights(count)
    path = tmp_path / "flights.jsonl"
    assert await exporter.export_jsonl_async(shaped(rows), path) == count
    assert [json.loads(line) for line in path.read_text().splitlines()] == rows


@pytest.mark.parametrize("count", SIZES[1:])
async def test_csv_is_what_the_csv_module_writes_from_every_shape_of_source(
    exporter: StreamingExporter, shaped: Any, count: Any, tmp_path: Path
) -> None:
    rows = flights(count)
    path = tmp_path / "flights.csv"
    assert await exporter.export_csv_async(shaped(rows), path) == count
    assert path.read_bytes() == dict_writer_bytes(rows)


async def test_csv_of_no_rows_is_empty_or_the_header_that_is_given(
    exporter: StreamingExporter, shaped: Any, tmp_path: Path
) -> None:
    path = tmp_path / "none.csv"
    assert await exporter.export_csv_async(shaped([]), path) == 0
    assert path.read_bytes() == b""
    options = CsvOptions(fieldnames=("a", "b"))
    assert await exporter.export_csv_async(shaped([]), path, options=options) == 0
    assert path.read_bytes() == b"a,b\r\n"


def test_plain_calls_write_what_the_async_ones_do(
    exporter: StreamingExporter, shaped: Any, tmp_path: Path
) -> None:
    rows = flights(700)
    assert exporter.export_csv(shaped(rows), tmp_path / "a.csv") == 700
    assert exporter.export_json(shaped(rows), tmp_path / "a.json") == 700
    assert exporter.export_jsonl(shaped(rows), tmp_path / "a.jsonl") == 700
    assert (tmp_path / "a.csv").read_bytes() == dict_writer_bytes(rows)
    assert json.loads((tmp_path / "a.json").read_bytes()) == rows
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == 700


async def test_plain_call_works_where_a_loop_is_running(
    exporter: StreamingExporter, shaped: Any, tmp_path: Path
) -> None:
    assert exporter.export(shaped(flights(3)), tmp_path / "a.json") == 3


@pytest.mark.parametrize("chunk_size", [1, 2, 7, 10_000])
async def test_chunk_size_does_not_change_the_bytes(
    exporter: StreamingExporter, awaited: Any, chunk_size: Any, tmp_path: Path
) -> None:
    rows = flights(30)
    await exporter.export_csv_async(awaited(rows), tmp_path / "a.csv", chunk_size)
    assert (tmp_path / "a.csv").read_bytes() == dict_writer_bytes(rows)


@pytest.mark.parametrize("chunk_size", [0, -1])
def test_chunk_size_below_one_is_refused(
    exporter: StreamingExporter, chunk_size: Any, tmp_path: Path
) -> None:
    with pytest.raises(ExportOptionError, match="1 or greater"):
        exporter.export_csv([], tmp_path / "a.csv", chunk_size)


async def test_format_is_chosen_by_suffix_or_by_name(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    rows = [{"a": 1, "b": "x"}]
    wanted = {
        "r.csv": b"a,b\r\n1,x\r\n",
        "r.TSV": b"a\tb\r\n1\tx\r\n",
        "r.json": b'[{"a":1,"b":"x"}]',
        "r.ndjson": b'{"a":1,"b":"x"}\n',
    }
    for name, expected in wanted.items():
        await exporter.export_async(rows, tmp_path / name)
        assert (tmp_path / name).read_bytes() == expected
    await exporter.export_async(rows, str(tmp_path / "r.txt"), "jsonl")
    assert (tmp_path / "r.txt").read_bytes() == wanted["r.ndjson"]


@pytest.mark.parametrize(
    ("name", "format_name", "message"),
    [
        ("r.xyz", None, "no format is known by the suffix of"),
        ("r", None, "no format is known"),
        ("r.csv", "jsn", "unknown format 'jsn'; did you mean 'json'"),
    ],
)
def test_unknown_format_is_refused_and_nothing_is_made(
    exporter: StreamingExporter,
    name: Any,
    format_name: Any,
    message: Any,
    tmp_path: Path,
    only: Any,
) -> None:
    with pytest.raises(ExportOptionError, match=message):
        exporter.export([], tmp_path / name, format_name)
    assert only(tmp_path) == []


def test_options_of_the_other_family_are_refused(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    with pytest.raises(ExportOptionError, match="give CsvOptions"):
        exporter.export([], tmp_path / "a.csv", options=JsonOptions())


@pytest.mark.parametrize("data", ["rows.json", b"x", {"a": 1}, 7, None, Path("x")])
def test_what_is_no_source_of_rows_is_refused(
    exporter: StreamingExporter, data: Any, tmp_path: Path, only: Any
) -> None:
    with pytest.raises(ExportOptionError, match="iterable of dicts"):
        exporter.export_csv(data, tmp_path / "a.csv")
    assert only(tmp_path) == []


async def test_member_that_is_no_row_is_named_by_its_number(
    exporter: StreamingExporter, shaped: Any, tmp_path: Path, only: Any
) -> None:
    rows = [*flights(600), 5]
    with pytest.raises(ExportValueError, match="row 601 ") as caught:
        await exporter.export_json_async(shaped(rows), tmp_path / "a.json")
    assert caught.value.rows_written == 600
    assert only(tmp_path) == []


async def test_folder_that_does_not_exist_is_named(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    with pytest.raises(ExportPathError, match="does not exist; create it first"):
        await exporter.export_async([], tmp_path / "nowhere" / "a.csv")


def test_exports_side_by_side_do_not_touch_each_other(
    exporter: StreamingExporter, awaited: Any, tmp_path: Path
) -> None:
    rows = flights(1_100)

    async def export_all() -> list[int]:
        return await asyncio.gather(
            *(exporter.export_csv_async(awaited(rows), tmp_path / f"{n}.csv") for n in range(8))
        )

    counts = asyncio.run(export_all())
    assert counts == [1_100] * 8
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {dict_writer_bytes(rows)}


def test_settings_without_durability_or_with_it_write_the_same(tmp_path: Path) -> None:
    for durable in (True, False):
        exporter = StreamingExporter(ExportSettings(durable=durable))
        exporter.export_json([{"a": 1}], tmp_path / f"{durable}.json")
    assert (tmp_path / "True.json").read_bytes() == (tmp_path / "False.json").read_bytes()


@pytest.mark.parametrize("name", ["csv", "json", "jsonl"])
def test_signature_is_the_one_that_callers_were_promised(name: str) -> None:
    for method in (f"export_{name}_async", f"export_{name}"):
        parameters = inspect.signature(getattr(StreamingExporter, method)).parameters
        assert list(parameters)[:4] == ["self", "data_iterator", "output_path", "chunk_size"]
        assert parameters["chunk_size"].default == 10_000
    assert inspect.iscoroutinefunction(getattr(StreamingExporter, f"export_{name}_async"))


async def test_settings_bound_what_a_chunk_size_asks_for(awaited: Any, tmp_path: Path) -> None:
    exporter = StreamingExporter(ExportSettings(chunk_rows=10))
    rows = [{"a": 1}] * 15 + [{"a": 1, "late": 2}]
    with pytest.raises(ExportValueError, match="row 16, field 'late'"):
        await exporter.export_csv_async(awaited(rows), tmp_path / "a.csv", 50_000)


PEOPLE = [
    {"name": "Ada", "born": 1815, "home": {"city": "London"}},
    {"name": "Grace", "born": 1906},
]


class Shelf:
    """A loader of one database."""

    def load_database(self, name: str) -> list[dict[str, Any]]:
        return PEOPLE

    def get_available_databases(self) -> list[str]:
        return ["people"]

    def refresh_cache(self, name: str | None = None) -> None:
        pass


@pytest.mark.parametrize("ask", [lambda query: query, lambda query: query.run()])
async def test_queries_and_results_are_sources_of_rows(
    exporter: StreamingExporter, ask: Any, tmp_path: Path
) -> None:
    query = QueryEngine(Shelf()).query("people")
    heard: list[ExportProgress] = []
    path = tmp_path / "people.json"
    assert await exporter.export_json_async(ask(query), path, on_progress=heard.append) == 2
    assert json.loads(path.read_bytes()) == PEOPLE
    assert heard[-1].total_rows == 2
    projected = ask(query.select("born", "home.city").sort("-born"))
    exporter.export_csv(projected, tmp_path / "people.csv")
    assert (tmp_path / "people.csv").read_bytes() == b"born,home.city\r\n1906,\r\n1815,London\r\n"
    none = ask(query.where(field("born") > 2_000).select("name"))
    assert [block async for block in exporter.stream_csv(none)] == [b"name\r\n"]


async def test_query_that_cannot_be_answered_leaves_the_old_file(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    (tmp_path / "a.csv").write_bytes(b"old")
    query = QueryEngine(Shelf()).query("people").select("nmae")
    with pytest.raises(UnknownFieldError, match="did you mean 'name'"):
        await exporter.export_csv_async(query, tmp_path / "a.csv")
    with pytest.raises(UnknownFieldError):
        await anext(exporter.stream_csv(query))
    assert (tmp_path / "a.csv").read_bytes() == b"old"
    assert only(tmp_path) == ["a.csv"]


def test_what_runs_but_gives_no_rows_is_refused(
    exporter: StreamingExporter, tmp_path: Path, only: Any
) -> None:
    class Job:
        def run(self) -> None: ...

    with pytest.raises(ExportOptionError, match="data is a NoneType; give an iterable of dicts"):
        exporter.export_csv(Job(), tmp_path / "a.csv")
    assert only(tmp_path) == []
