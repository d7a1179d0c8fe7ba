"""How much memory an export takes, as the operating system sees it.

    python benchmarks/export_memory.py

Each export runs in a process of its own, from a generator that keeps nothing. A small export
comes first, so that what is loaded once does not count; then the peak of the resident set is read
against what it was.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("csv", "json", "jsonl", "csv.gz", "csv.zst")
TARGET_MB = 40

CHILD = """
import asyncio, os, resource, sys, tempfile
from blackcore.minimal.query_engine.export import StreamingExporter

def rows(count):
    for n in range(count):
        yield {"year": 2013, "flight": n, "tailnum": f"N{n}", "carrier": "UA", "origin": "EWR",
               "dest": "IAH", "air_time": n * 0.5, "distance": 1400, "hour": None, "minute": n % 60,
               "dep_time": 517, "sched_dep_time": 515, "dep_delay": 2, "arr_time": 830,
               "sched_arr_time": 819, "arr_delay": 11, "month": 1, "day": 1,
               "time_hour": "2013-01-01T10:00:00Z"}

async def rows_async(count):
    for row in rows(count):
        yield row

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

suffix, count, shape = sys.argv[1], int(sys.argv[2]), sys.argv[3]
exporter = StreamingExporter()

def export(path, count):
    if shape == "async":
        asyncio.run(exporter.export_async(rows_async(count), path))
    else:
        exporter.export(rows(count), path)

with tempfile.TemporaryDirectory() as folder:
    export(os.path.join(folder, "small." + suffix), 100)
    before = peak()
    export(os.path.join(folder, "large." + suffix), count)
    print((peak() - before) / 1024)
"""


def growth_mb(suffix: str, rows: int, shape: str) -> float:
    """Return by how many MB the resident set grew at most while so many rows were written."""
    command = [sys.executable, "-c", CHILD, suffix, str(rows), shape]
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
            print(f"  {suffix + ', ' + shape:16s}{line}")


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)
    print(f"{sys.version.split()[0]}, page size {resource.getpagesize()}")
    report()


if __name__ == "__main__":
    main()
