"""What writing rows as text costs, against the libraries that people write it with.

    python benchmarks/bench_export.py [--copies 3] [--rounds 3]

Rows are 336,776 flight records of 19 fields, so many times over; every file is read back and
compared first. Rounds interleave all contenders of a group; the least time of each counts, as
wall and as processor time (which other work on the machine disturbs less). Ours writes a
temporary file and renames it; "durable" forces it to disk too, which no other contender does.

Compressed files have two references: the library given the finished bytes in one go, which need
not be formatted first, and the same after our own exporter has written them.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import platform
import re
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import zstandard

from benchmarks import export_groups, export_loop, export_memory
from benchmarks.export_groups import Group, csv_group, groups, json_group
from examples.flights import flights_directory

__all__ = ["Group", "check", "csv_group", "flights", "json_group", "measure"]

if TYPE_CHECKING:
    import pytest

    from benchmarks.export_groups import Rows


def unpacked(path: Path, suffix: str) -> bytes:
    """Return a file's text, with one kind of line end."""
    data = path.read_bytes()
    if suffix.endswith(".gz"):
        data = zlib.decompress(data, 31)
    elif suffix.endswith(".zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data.replace(b"\r\n", b"\n")


def read_back(data: bytes, suffix: str) -> object:
    """Return what a text says, so that equal ones compare equal."""
    if suffix.startswith("csv"):
        return list(csv.reader(data.decode().splitlines(keepends=True)))
    if suffix == "json":
        return msgspec.json.decode(data)
    return msgspec.json.Decoder().decode_lines(data)


def check(group: Group, folder: Path) -> dict[str, bool]:
    """Return which contenders' files say what the reference's does; ours must."""
    path = folder / f"checked.{group.suffix}"
    group.contenders[group.reference](path)
    expected = unpacked(path, group.suffix)
    meaning: object = None
    exact = {}
    for name, write in group.contenders.items():
        path.unlink()
        path.touch()
        write(path)
        found = unpacked(path, group.suffix)
        if found != expected and meaning is None:
            meaning = read_back(expected, group.suffix)
        exact[name] = (
            name == "async for alone"
            or found == expected
            or read_back(found, group.suffix) == meaning
        )
        assert exact[name] or not name.startswith("ours"), name
    return exact


def measure(group: Group, folder: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the least wall and processor seconds of each contender.

    Each round begins with another: who follows a large file finds the page cache in disorder.
    """
    least = dict.fromkeys(group.contenders, (float("inf"), float("inf")))
    order = list(group.contenders.items())
    for number in range(rounds):
        first = number % len(order)
        for name, write in order[first:] + order[:first]:
            path = folder / f"timed.{group.suffix}"
            path.unlink(missing_ok=True)
            gc.collect()
            wall, processor = time.perf_counter(), time.process_time()
            write(path)
            taken = time.perf_counter() - wall, time.process_time() - processor
            least[name] = min(least[name][0], taken[0]), min(least[name][1], taken[1])
    return least


def show(
    group: Group, rows: int, exact: dict[str, bool], least: dict[str, tuple[float, float]]
) -> None:
    print(f"\n{group.title}: {rows:,} rows")
    print(f"  {'':26s}{'K rows/s':>10s}{'cpu':>8s}   ours is, wall / cpu")
    for name, (wall, processor) in least.items():
        ratio = f"{wall / least['ours'][0]:8.2f}x /{processor / least['ours'][1]:6.2f}x"
        mark = "" if exact[name] else "   not exact"
        print(f"  {name:26s}{rows / wall / 1e3:10.0f}{rows / processor / 1e3:8.0f}   {ratio}{mark}")
    for target in group.targets:
        peer = min((name for name in target.peers if exact[name]), key=lambda name: least[name])
        wall, processor = (least[peer][i] / least[target.ours][i] for i in (0, 1))
        verdict = "met" if wall >= target.times else "MISSED"
        print(
            f"  target {target.times}x {peer}, {target.ours}: "
            f"{wall:.2f}x wall, {processor:.2f}x cpu: {verdict}"
        )
    sys.stdout.flush()


def flights(copies: int) -> Rows:
    data = (flights_directory() / "flights.json").read_bytes()
    rows: Rows = []
    for _ in range(copies):
        rows += msgspec.json.decode(data)
    return rows


def machine() -> str:
    libraries = (msgspec, orjson, pd, pl, pa, zstandard)
    versions = ", ".join(f"{library.__name__} {library.__version__}" for library in libraries)
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores; {versions}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=3, help="of the 336,776 flights")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="groups whose title this pattern finds")
    parser.add_argument("--folder", help="where files go; on tmpfs no disk disturbs the ratios")
    arguments = parser.parse_args()
    print(machine())
    rows = flights(arguments.copies)
    gc.freeze()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        for group in groups(rows, folder):
            if re.search(arguments.only, group.title):
                exact = check(group, folder)
                show(group, len(rows), exact, measure(group, folder, arguments.rounds))
    if not arguments.only:
        export_loop.report(rows)
        export_memory.report()


def test_every_group_agrees_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_groups, "CHUNK_ROWS", 300)
    rows: Rows = [
        {"n": n, "text": f"T{n}", "some": None if n % 2 else "x", "half": n + 0.5, "carrier": "UA"}
        for n in range(700)
    ]
    for group in groups(rows, tmp_path):
        exact = check(group, tmp_path)
        show(group, len(rows), exact, measure(group, tmp_path, 1))
    export_loop.report(rows, 1)
    assert export_memory.growth_mb("csv", 1_000, "async") < export_memory.TARGET_MB


if __name__ == "__main__":
    main()
