"""Hit ratios on traces: of real caches where a folder of them is given, else of Zipf's law.

A trace file holds one request a line, gzipped: a key (`*.txt.gz`), a key and its size in bytes
(`*.keysize.txt.gz`), or a key and the cost of its miss (`*.keycost.txt.gz`), tab-separated.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from pathlib import Path

import cachebox
import moka_py
import numpy as np
import theine

from blackcore.minimal.query_engine.cache import MemoryCache

try:
    import libcachesim
except ImportError as error:  # its wheel needs GLib from the system, which pip cannot bring
    LIBCACHESIM_MISSING: str | None = str(error)
else:
    LIBCACHESIM_MISSING = None

Replay = Callable[[Sequence[int], int], float]


def zipf_trace(exponent: float, requests: int, distinct: int, seed: int = 1) -> list[int]:
    """Return requests whose ranks follow Zipf's law."""
    numbers = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, distinct + 1) ** exponent
    return [int(key) for key in numbers.choice(distinct, requests, p=weights / weights.sum())]


def load_traces(folder: Path | None, requests: int) -> dict[str, list[int]]:
    """Return traces of keys by name."""
    if folder is None:
        return {
            f"zipf {exponent}": zipf_trace(exponent, requests, requests // 10)
            for exponent in (0.7, 0.9, 1.1)
        }
    return {
        path.name.removesuffix(".txt.gz"): [int(line) for line in gzip.open(path, "rt")]
        for path in sorted(folder.glob("*.txt.gz"))
        if path.name.count(".") == 2
    }


def load_pairs(folder: Path | None, kind: str, requests: int) -> list[tuple[int, int]]:
    """Return requests with the size, or the cost, of each; seeded ones without a folder."""
    if folder is None:
        keys = zipf_trace(0.9, requests, requests // 10)
        return [(key, 1 + (key * 2_654_435_761) % 1_000) for key in keys]
    pairs = []
    for path in sorted(folder.glob(f"*.{kind}.txt.gz")):
        with gzip.open(path, "rt") as lines:
            pairs += [(int(key), int(number)) for key, number in map(str.split, lines)]
    return pairs


def ours(policy: str) -> Replay:
    """Return how one of our policies replays a trace."""

    def replay(trace: Sequence[int], entries: int) -> float:
        cache = MemoryCache(max_entries=entries, policy=policy, sizer=lambda _: 0)  # type: ignore[arg-type]
        for key in trace:
            if cache.get(key) is None:
                cache.set(key, key)
        statistics = cache.get_statistics()
        assert statistics.total_requests == len(trace)
        return statistics.hit_rate

    return replay


def _count_hits(
    trace: Sequence[int], get: Callable[[int], object], put: Callable[[int], object]
) -> float:
    hits = 0
    for key in trace:
        if get(key) is None:
            put(key)
        else:
            hits += 1
    return hits / len(trace)


def _theine(trace: Sequence[int], entries: int) -> float:
    cache: theine.Cache[int, int] = theine.Cache(entries)
    get = cache.get
    return _count_hits(trace, lambda key: get(key)[0], lambda key: cache.set(key, key))


def _moka(trace: Sequence[int], entries: int) -> float:
    cache = moka_py.Moka(entries)
    return _count_hits(trace, cache.get, lambda key: cache.set(key, key))


def _cachebox(trace: Sequence[int], entries: int) -> float:
    cache: cachebox.LFUCache[int, int] = cachebox.LFUCache(entries)
    return _count_hits(trace, cache.get, lambda key: cache.insert(key, key))


def _libcachesim_s3fifo(trace: Sequence[int], entries: int) -> float:
    if entries < 20:  # it lets nothing in, or aborts, where its small queue has no room for two
        return math.nan
    cache = libcachesim.S3FIFO(entries, hashpower=16)
    request = libcachesim.Request()
    request.obj_size = 1
    numbers: dict[int, int] = {}
    hits = 0
    for key in trace:
        request.obj_id = numbers.setdefault(key, len(numbers) + 1)
        hits += cache.get(request)
    return hits / len(trace)


def optimum(trace: Sequence[int], entries: int) -> float:
    """Return Belady's hit ratio: whoever is asked for again the latest goes."""
    never = len(trace)
    following = [never] * len(trace)
    seen: dict[int, int] = {}
    for position in range(len(trace) - 1, -1, -1):
        following[position] = seen.get(trace[position], never)
        seen[trace[position]] = position
    held: dict[int, int] = {}
    latest: list[tuple[int, int]] = []
    hits = 0
    for position, key in enumerate(trace):
        if key in held:
            hits += 1
        elif len(held) >= entries:
            while True:
                negative, victim = heappop(latest)
                if held.get(victim) == -negative:
                    break
            # A newcomer that is asked for later than everybody is not let in at all.
            if -negative <= following[position]:
                heappush(latest, (negative, victim))
                continue
            del held[victim]
        held[key] = following[position]
        heappush(latest, (-following[position], key))
    return hits / len(trace)


REPLAYS: dict[str, Replay] = {
    "lru": ours("lru"),
    "s3fifo": ours("s3fifo"),
    "gdsf": ours("gdsf"),
    "libcachesim S3FIFO": _libcachesim_s3fifo,
    "theine": _theine,
    "moka-py": _moka,
    "cachebox LFU": _cachebox,
    "optimum": optimum,
}
if LIBCACHESIM_MISSING is not None:
    del REPLAYS["libcachesim S3FIFO"]


def saved_by(policy: str, pairs: Sequence[tuple[int, int]], kind: str, share: float) -> float:
    """Return the part of the misses' cost that a policy saves, with room for a share of all keys.

    With sizes, each miss costs the same and the room is bytes; with costs, each entry weighs the
    same.
    """
    distinct = dict(pairs)
    weighs = kind == "keysize"
    room = sum(distinct.values()) if weighs else len(distinct)
    cache = MemoryCache(
        room * share / 1024**2,
        policy=policy,  # type: ignore[arg-type]
        sizer=(lambda size: size) if weighs else (lambda _: 1),
    )
    saved = total = 0
    for key, number in pairs:
        cost = 1 if weighs else number
        total += cost
        if cache.get(key) is None:
            cache.set(key, number, cost=cost)
        else:
            saved += cost
    return saved / total
