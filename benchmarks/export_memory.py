"""How much memory an export takes, as the operating system sees it.

    python benchmarks/export_memory.py

Each export runs in a process of its own, from a generator that keeps nothing. A small export
comes first, so that what is loaded once does not count; then the peak of the resident set is read
against what it was. Linux keeps that peak and can begin it anew; elsewhere a thread looks every
few milliseconds. (`ru_maxrss` would not do: a child's begins with that of its parent.)
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

from blackcore.minimal.query_engine.export import StreamingExporter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("csv", "json", "jsonl", "csv.gz", "csv.zst")
TARGET_MB = 40
_CLEAR = Path("/proc/self/clear_refs")
_LOOK_SECONDS = 0.005


class Peak:
    """By how much the resident set grew at most since this was made."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._start = self._most = self._process.memory_info().rss
        self._kept_by_system = _CLEAR.exists()
        if self._kept_by_system:
            _CLEAR.write_text("5")
        else:
            threading.Thread(target=self._watch, daemon=True).start()

    def growth_mb(self) -> float:
        """Return the growth in megabytes."""
        if self._kept_by_system:
            lines = Path("/proc/self/status").read_text().splitlines()
            high = next(line for line in lines if line.startswith("VmHWM"))
            self._most = int(high.split()[1]) * 1024
        return (self._most - self._start) / 1e6

    def _watch(self) -> None:
        while True:
            self._most = max(self._most, self._process.memory_info().rss)
            time.sleep(_LOOK_SECONDS)


def _rows(count: int) -> Iterator[dict[str, object]]:
    for n in range(count):
        yield {
            "year": 2013, "month": 1, "day": 1, "dep_time": 517, "sched_dep_time": 515,
            "dep_delay": 2, "arr_time": 830, "sched_arr_time": 819, "arr_delay": 11,
            "carrier": "UA", "flight": n, "tailnum": f"N{n}", "origin": "EWR", "dest": "IAH",
            "air_time": n * 0.5, "distance": 1400, "hour": None, "minute": n % 60,
            "time_hour": "2013-01-01T10:00:00Z",
        }  # fmt: skip


async def _rows_async(count: int) -> AsyncIterator[dict[str, object]]:
    for row in _rows(count):
        yield row


def _export(path: Path, count: int, shape: str) -> None:
    exporter = StreamingExporter()
    if shape == "async":
        asyncio.run(exporter.export_async(_rows_async(count), path))
    else:
        exporter.export(_rows(count), path)


def _child(suffix: str, count: int, shape: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _export(Path(folder, f"small.{suffix}"), 100, shape)
        peak = Peak()
        _export(Path(folder, f"large.{suffix}"), count, shape)
        print(peak.growth_mb())


def growth_mb(suffix: str, rows: int, shape: str) -> float:
    """Return by how many MB the resident set grew at most while so many rows were written."""
    command = [sys.executable, __file__, suffix, str(rows), shape]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - ours
    return float(done.stdout)


def report(counts: tuple[int, ...] = (1_000_000, 3_000_000)) -> None:
    """Print the growth for each format."""
    print(f"\ngrowth of the resident set in MB (target: at most {TARGET_MB})")
    print(f"  {'':16s}" + "".join(f"{count:>14,}" for count in counts) + "   rows")
    for suffix in FORMATS:
        for shape in ("plain", "async"):
            grown = [growth_mb(suffix, count, shape) for count in counts]
            line = "".join(f"{megabytes:14.1f}" for megabytes in grown)
            verdict = "met" if max(grown) <= TARGET_MB else "MISSED"
            print(f"  {suffix + ', ' + shape:16s}{line}   {verdict}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _child(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    else:
        report()
