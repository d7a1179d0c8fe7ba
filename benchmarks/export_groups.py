"""Who writes rows as text, in groups of one job each, and what ours are to reach in it."""

from __future__ import annotations

import asyncio
import csv
import zlib
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import zstandard

from blackcore.minimal.query_engine.data import QueryResult, Records
from blackcore.minimal.query_engine.export import StreamingExporter
from blackcore.minimal.query_engine.settings import ExportSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    Rows = list[dict[str, object]]
    Contender = Callable[[Path], object]
    Compress = Callable[[bytes, Path], None]

CHUNK_ROWS = 10_000
OURS = StreamingExporter(ExportSettings(durable=False))
DURABLE = StreamingExporter(ExportSettings(durable=True))


@dataclass(frozen=True)
class Target:
    """So many times the rate of the best exact one of the peers, for one of our contenders."""

    times: float
    peers: tuple[str, ...]
    ours: str = "ours"


@dataclass(frozen=True)
class Group:
    """Contenders for one job, and what ours are to reach; the reference's file is the right one."""

    title: str
    suffix: str
    contenders: dict[str, Contender]
    targets: tuple[Target, ...]
    reference: str


def chunks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), CHUNK_ROWS):
        yield rows[start : start + CHUNK_ROWS]


def csv_group(rows: Rows, title: str = "CSV from dict rows") -> Group:
    fields = list(rows[0])

    def dict_writer(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            for chunk in chunks(rows):
                writer.writerows(chunk)

    def item_getter(path: Path) -> None:
        pick = itemgetter(*fields)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(fields)
            for chunk in chunks(rows):
                writer.writerows(map(pick, chunk))

    def pandas(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            for number, chunk in enumerate(chunks(rows)):
                frame = pd.DataFrame.from_records(chunk, columns=fields)
                frame.to_csv(file, index=False, header=number == 0)

    def arrow(path: Path) -> None:
        with path.open("wb") as file:
            for number, chunk in enumerate(chunks(rows)):
                options = pa.csv.WriteOptions(include_header=number == 0, quoting_style="needed")
                pa.csv.write_csv(pa.Table.from_pylist(chunk), file, options)

    def polars_chunks(path: Path) -> None:
        with path.open("wb") as file:
            for number, chunk in enumerate(chunks(rows)):
                frame = pl.from_dicts(chunk, infer_schema_length=None)
                frame.write_csv(file, include_header=number == 0)

    def polars_whole(path: Path) -> None:
        pl.from_dicts(rows, infer_schema_length=None).write_csv(path)

    peers: dict[str, Contender] = {
        "csv.DictWriter": dict_writer,
        "csv.writer + itemgetter": item_getter,
        "pandas, chunks": pandas,
        "pyarrow, chunks": arrow,
        "Polars, chunks": polars_chunks,
        "Polars, whole": polars_whole,
    }
    targets = (Target(4, ("csv.DictWriter",)), Target(1.2, tuple(peers)))
    return Group(
        title,
        "csv",
        {
            "ours": lambda path: OURS.export_csv(rows, path),
            "ours, durable": lambda path: DURABLE.export_csv(rows, path),
            "ours, async chunks": in_async_chunks(rows),
            **peers,
            **inexact_rust(rows),
        },
        (*targets, *(replace(target, ours="ours, async chunks") for target in targets)),
        "csv.DictWriter",
    )


def inexact_rust(rows: Rows) -> dict[str, Contender]:
    """Return a writer in Rust, if it is there: no peer, for it shifts cells where keys differ."""
    try:
        from rustpy_xlsxwriter import write_csv
    except ImportError:
        return {}
    return {"rustpy-xlsxwriter": lambda path: write_csv(rows, str(path))}


def in_async_chunks(rows: Rows) -> Contender:
    async def source() -> AsyncIterator[Rows]:
        for chunk in chunks(rows):
            yield chunk

    def export(path: Path) -> None:
        asyncio.run(OURS.export_async(source(), path))

    return export


def awkward_group(rows: Rows) -> Group:
    """Return the group in which no slice can take the fast way: every row has a quote."""
    awkward = [{**row, "note": 'said "late", left'} for row in rows]
    group = csv_group(awkward, "CSV from dict rows with a quote in each")
    names = ("ours", "csv.DictWriter", "csv.writer + itemgetter")
    kept = {name: group.contenders[name] for name in names}
    return replace(group, contenders=kept, targets=(Target(1, ("csv.DictWriter",)),))


def json_group(rows: Rows) -> Group:
    def by_chunks(path: Path) -> None:
        with path.open("wb") as file:
            lead = b"["
            for chunk in chunks(rows):
                file.write(lead)
                file.write(memoryview(orjson.dumps(chunk))[1:-1])
                lead = b","
            file.write(b"]")

    return Group(
        "JSON array from dict rows",
        "json",
        {
            "ours": lambda path: OURS.export_json(rows, path),
            "ours, async chunks": in_async_chunks(rows),
            "orjson, chunks": by_chunks,
        },
        (
            Target(0.95, ("orjson, chunks",)),
            Target(0.95, ("orjson, chunks",), "ours, async chunks"),
        ),
        "orjson, chunks",
    )


def lines_group(rows: Rows) -> Group:
    def by_chunks(path: Path) -> None:
        encode = msgspec.json.Encoder().encode_lines
        with path.open("wb") as file:
            for chunk in chunks(rows):
                file.write(encode(chunk))

    def by_rows(path: Path) -> None:
        with path.open("wb") as file:
            for row in rows:
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    return Group(
        "JSON lines from dict rows",
        "jsonl",
        {
            "ours": lambda path: OURS.export_jsonl(rows, path),
            "ours, async chunks": in_async_chunks(rows),
            "msgspec, chunks": by_chunks,
            "orjson, rows": by_rows,
        },
        (
            Target(0.95, ("msgspec, chunks",)),
            Target(0.95, ("msgspec, chunks",), "ours, async chunks"),
        ),
        "msgspec, chunks",
    )


def result_of(rows: Rows) -> QueryResult:
    """Return all rows as a query answers them, with the columns of all fields built."""
    records = Records("flights", rows)
    for name in rows[0]:
        records.column(name)
    result = QueryResult(records, np.arange(len(rows), dtype=np.uint32), len(rows))
    assert result.built_columns() is not None
    return result


def column_groups(rows: Rows) -> Iterator[Group]:
    frame = pl.from_dicts(rows, infer_schema_length=None)
    result = result_of(rows)
    polars = {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "json": frame.write_json}
    for suffix, write in polars.items():
        yield Group(
            f"{suffix} from a result whose columns are built",
            suffix,
            {
                "ours": lambda path: OURS.export(result, path),
                "ours, of the frame": lambda path: OURS.export(frame, path),
                "Polars": lambda path, write=write: write(path),
            },
            (Target(0.8, ("Polars",)),) if suffix != "json" else (),
            "Polars",
        )


def compressed_groups(rows: Rows, folder: Path) -> Iterator[Group]:
    result = result_of(rows)

    def gzip(text: bytes, path: Path) -> None:
        codec = zlib.compressobj(6, zlib.DEFLATED, 31)
        path.write_bytes(codec.compress(text) + codec.flush())

    def zstd(text: bytes, path: Path) -> None:
        path.write_bytes(zstandard.ZstdCompressor(level=3).compress(text))

    in_memory, after_ours = "bytes in memory, one go", "our text, then one go"
    for suffix, compress in {"csv.gz": gzip, "csv.zst": zstd, "jsonl.zst": zstd}.items():
        plain = folder / f"plain.{suffix[:-4] if suffix.endswith('.zst') else suffix[:-3]}"
        OURS.export(rows, plain)
        text = plain.read_bytes()

        def formatted(path: Path, compress: Compress = compress, plain: Path = plain) -> None:
            OURS.export(rows, plain)
            compress(plain.read_bytes(), path)

        yield Group(
            f"{suffix} from dict rows",
            suffix,
            {
                "ours": lambda path: OURS.export(rows, path),
                "ours, of built columns": lambda path: OURS.export(result, path),
                in_memory: lambda path, compress=compress, text=text: compress(text, path),
                after_ours: formatted,
            },
            (
                Target(0.9, (in_memory,)),
                Target(0.9, (in_memory,), "ours, of built columns"),
                Target(0.9, (after_ours,)),
            ),
            in_memory,
        )


def async_group(rows: Rows) -> Group:
    async def one_by_one() -> AsyncIterator[dict[str, object]]:
        for row in rows:
            yield row

    async def pass_over() -> None:
        async for _ in one_by_one():
            pass

    return Group(
        "CSV beside an event loop",
        "csv",
        {
            "ours": lambda path: OURS.export_csv(rows, path),
            "ours, async chunks": in_async_chunks(rows),
            "ours, async rows": lambda path: asyncio.run(OURS.export_csv_async(one_by_one(), path)),
            "async for alone": lambda _: asyncio.run(pass_over()),
        },
        (),
        "ours",
    )


def groups(rows: Rows, folder: Path) -> Iterator[Group]:
    yield csv_group(rows)
    yield awkward_group(rows)
    yield json_group(rows)
    yield lines_group(rows)
    yield from column_groups(rows)
    yield from compressed_groups(rows, folder)
    yield async_group(rows)
