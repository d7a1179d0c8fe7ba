"""What the entries of a cache take beside the keys and values, which are there already.

Each contender has a process to itself: `python benchmarks/cache_memory.py lru 1000000 rss`.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

from benchmarks.cache_contenders import OURS, PEERS, Contender, ours
from benchmarks.cache_latency import make_keys


def measure(name: str, entries: int, by: str) -> int:
    """Return the bytes that filling a cache takes in this process, by "tracemalloc" or "rss"."""
    keys = make_keys(entries)
    values = [f"value {number:026}" for number in range(entries)]
    process = psutil.Process()
    gc.collect()
    if by == "tracemalloc":
        tracemalloc.start()
    before = (
        tracemalloc.get_traced_memory()[0] if by == "tracemalloc" else process.memory_info().rss
    )
    held: object
    if name == "dict":
        held = {}
        for key, value in zip(keys, values, strict=True):
            held[key] = value
    else:
        held = _contender(name, 2 * entries)
        for key, value in zip(keys, values, strict=True):
            held.set(key, value)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0] if by == "tracemalloc" else process.memory_info().rss
    assert held
    return after - before


def _contender(name: str, entries: int) -> Contender:
    return ours(name, entries) if name in OURS else PEERS[name](entries)


def measure_apart(name: str, entries: int, by: str) -> float:
    """Return megabytes (10**6 bytes), measured in a process of its own."""
    command = [sys.executable, __file__, name, str(entries), by]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    return int(output) / 1e6


if __name__ == "__main__":
    print(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
