"""From a JSON file to the first answer: who opens it, reads it and answers one question."""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import orjson
import polars as pl

from benchmarks.optimizer_contenders import ByHand, DuckDB, Polars
from benchmarks.optimizer_question import comparable
from blackcore.minimal.query_engine import QueryEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.optimizer_question import Question, Rows

_CHUNK_ROWS = 20_000


def first_answers(rows: Rows, question: Question) -> None:
    """Print seconds from a file to the first answer, by who is asked; all answers agree."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flights.json"
        _write(rows, path)
        print(f"\nseconds from a file of {path.stat().st_size / 1e6:,.0f} MB to the first answer")
        expected = comparable(question.by_hand(rows))
        runs: dict[str, Callable[[], Rows]] = {
            "ours": lambda: _ours(path, question),
            "msgspec, then by hand": lambda: _by_hand(path, question),
            "DuckDB": lambda: _duckdb(path, rows, question),
            "Polars lazy": lambda: _polars(path, question),
        }
        for name, run in runs.items():
            gc.collect()
            start = time.perf_counter()
            found = run()
            print(f"{name:62}{time.perf_counter() - start:9.2f}", flush=True)
            assert comparable(found) == expected, name


def _write(rows: Rows, path: Path) -> None:
    with path.open("wb") as file:
        separator = b"["
        for start in range(0, len(rows), _CHUNK_ROWS):
            file.write(separator + orjson.dumps(rows[start : start + _CHUNK_ROWS])[1:-1])
            separator = b","
        file.write(b"]")


def _ours(path: Path, question: Question) -> Rows:
    engine = QueryEngine.open(path.parent)
    return engine.execute(question.ask(engine.query("flights"))).data


def _by_hand(path: Path, question: Question) -> Rows:
    rows = msgspec.json.decode(path.read_bytes(), type=list[dict[str, object]])
    return ByHand({"flights": rows}).answer(question)


def _duckdb(path: Path, rows: Rows, question: Question) -> Rows:
    """Read with the columns told, so that nothing is guessed and no time is read as such."""
    duck = DuckDB({})
    kinds = ", ".join(
        f"{name}: '{'VARCHAR' if any(isinstance(r[name], str) for r in rows[:100]) else 'BIGINT'}'"
        for name in rows[0]
    )
    read = f"read_json('{path}', format = 'array', columns = {{{kinds}}})"
    numbered = f"SELECT *, row_number() OVER () AS row_id FROM {read}"  # noqa: S608 - our own words
    duck.connection.execute(f"CREATE TABLE flights AS {numbered}")
    return duck.answer(question)


def _polars(path: Path, question: Question) -> Rows:
    frame = pl.read_json(path, infer_schema_length=None).with_row_index("row_id")
    return Polars({"flights": frame}).answer(question)
