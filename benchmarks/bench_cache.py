"""The memory cache beside its peers: time, threads, memory, hit ratios.

    python benchmarks/bench_cache.py [--traces FOLDER] [--rounds 25]

Ours and the peers take turns in one process, round by round, each with its defaults, a time to live
and its lock; medians are shown. Ratios within one run are what counts. Memory is measured in a
process per cache. Without a folder of traces the hit ratios are those of seeded Zipf traces.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cache_contenders import OURS, PEERS
from benchmarks.cache_hit_ratios import (
    LIBCACHESIM_MISSING,
    REPLAYS,
    load_pairs,
    load_traces,
    optimum,
    ours,
    saved_by,
    zipf_trace,
)
from benchmarks.cache_latency import hit_ns, set_ns, thread_scaling
from benchmarks.cache_memory import measure_apart

HIT_TARGETS = {
    ("s3fifo", "moka-py"): 0.8,
    ("s3fifo", "theine"): 0.5,
    ("s3fifo", "cachetools"): 0.35,
    ("s3fifo", "cachebox"): 2.5,
    ("lru", "moka-py"): 1.2,
    ("lru", "theine"): 0.6,
    ("lru", "cachetools"): 0.5,
}
SET_TARGETS = {(policy, peer): 1.0 for policy in OURS for peer in ("cachetools", "theine")}


def show_times(
    title: str, times: Mapping[str, float], targets: dict[tuple[str, str], float]
) -> None:
    print(f"\n{title}\n  {'':26}{'ns':>8}  {'x of':>6}" + "".join(f"{peer:>12}" for peer in PEERS))
    for name, each in times.items():
        ratios = "".join(f"{each / times[peer]:12.2f}" for peer in PEERS)
        print(f"  {name:26}{each:8,.0f}  {'':>6}{ratios}")
    for (policy, peer), target in targets.items():
        ratio = times[policy] / times[peer]
        verdict = "met" if ratio <= target else "missed"
        print(f"  {policy} at most {target} x {peer}: {ratio:.2f}, {verdict}")


def show_threads(entries: int, rounds: int, threads: int) -> None:
    print(f"\nhits by one thread, and by {threads} together (million a second)")
    for name, (one, many) in thread_scaling(entries, rounds, threads).items():
        print(f"  {name:26}{one:8.2f}{many:8.2f}{many / one:8.2f} x")


def show_memory(entries: int, names: Sequence[str]) -> None:
    print(f"\nmemory of {entries:,} entries beside their keys and values (MB of 10**6 bytes)")
    print(f"  {'':26}{'tracemalloc':>12}{'RSS':>8}{'beyond a dict':>15}")
    plain = measure_apart("dict", entries, "tracemalloc")
    for name in names:
        traced = measure_apart(name, entries, "tracemalloc")
        resident = measure_apart(name, entries, "rss")
        print(f"  {name:26}{traced:12.1f}{resident:8.1f}{traced - plain:15.1f}", flush=True)


def show_hit_ratios(folder: Path | None, requests: int) -> None:
    print(f"\nhit ratio in %, capacity as % of the distinct keys\n  {'':32}", end="")
    print("".join(f"{name:>20}" for name in REPLAYS))
    if LIBCACHESIM_MISSING is not None:
        print(f"  libcachesim is left out: {LIBCACHESIM_MISSING}")
    for name, trace in load_traces(folder, requests).items():
        distinct = len(set(trace))
        for share in (1, 5, 10):
            entries = max(1, distinct * share // 100)
            ratios = {policy: 100 * replay(trace, entries) for policy, replay in REPLAYS.items()}
            assert all(ratios[policy] <= ratios["optimum"] + 1e-9 for policy in OURS)
            shown = "".join(f"{each:20.2f}" for each in ratios.values())
            print(f"  {name:16}{share:3} % ={entries:8,} {shown}", flush=True)


def show_savings(folder: Path | None, requests: int) -> None:
    print("\ncost of misses saved in %, with room for a share of all that is asked for")
    for kind in ("keysize", "keycost"):
        pairs = load_pairs(folder, kind, requests)
        for share in (0.01, 0.05, 0.10):
            saved = {policy: 100 * saved_by(policy, pairs, kind, share) for policy in OURS}
            shown = "".join(f"  {policy} {each:6.2f}" for policy, each in saved.items())
            print(f"  {kind} {share:5.0%}{shown}", flush=True)


def show_replays(requests: int, distinct: int) -> None:
    entries = distinct // 5
    print(f"\n{requests:,} queries, {distinct} distinct, room for {entries}: hit ratio in %")
    for exponent in (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3):
        trace = zipf_trace(exponent, requests, distinct)
        ratios = {policy: 100 * ours(policy)(trace, entries) for policy in OURS}
        ratios["optimum"] = 100 * optimum(trace, entries)
        shown = "".join(f"  {policy} {each:5.1f}" for policy, each in ratios.items())
        print(f"  exponent {exponent}{shown}")


def run(
    folder: Path | None,
    *,
    entries: int,
    rounds: int,
    requests: int,
    million: int,
    measured: Sequence[str] = ("dict", *OURS, *PEERS),
) -> None:
    show_times(
        f"a hit among {entries:,} keys of 32 characters", hit_ns(entries, rounds), HIT_TARGETS
    )
    show_times("a set that makes another leave", set_ns(entries // 2, rounds), SET_TARGETS)
    show_threads(entries, max(3, rounds // 3), 4)
    show_memory(million, measured)
    show_replays(10_000, 500)
    show_savings(folder, requests)
    show_hit_ratios(folder, requests)


def main() -> None:
    parser = argparse.ArgumentParser(description="The memory cache beside its peers.")
    parser.add_argument("--traces", type=Path, help="a folder of traces; none: seeded Zipf traces")
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    versions = ["cachetools", "cachebox", "moka-py", "theine", "libcachesim"]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    print(", ".join(f"{name} {version(name)}" for name in versions))
    run(options.traces, entries=10_000, rounds=options.rounds, requests=200_000, million=1_000_000)


def test_every_part_of_the_cache_benchmark_runs() -> None:
    run(None, entries=200, rounds=2, requests=1_000, million=500, measured=["lru"])


if __name__ == "__main__":
    main()
