"""The memory cache beside its peers: time, threads, memory, hit ratios.

    python benchmarks/bench_cache.py [--traces FOLDER] [--rounds 25]

Ours and the peers take turns in one process, round by round, each with its defaults, a time to live
and its lock, over keys of 32 characters in random order; medians are shown. Ratios within one run
are what counts. Memory is measured in a process per cache. Without a folder of traces the hit
ratios are those of seeded Zipf traces.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from benchmarks.cache_latency import hit_ns, set_ns, thread_scaling, weighing
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
THREADS_TOGETHER_AT_LEAST = 0.9
WEIGHING_AT_MOST_US = 20.0
WEIGHING_ERROR_AT_MOST = 0.15
LRU_BEYOND_A_DICT_AT_MOST_MB = 100.0
S3FIFO_AT_MOST_MB = 100.0
BEHIND_LIBCACHESIM_AT_MOST = 0.5
REPEATED_QUERIES_AT_LEAST = 80.0
TARGETED_ENTRIES = 1_000_000


@dataclass
class Targets:
    """What was aimed at, and whether it was met: a line each as it comes, all together at last."""

    met: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def at_most(self, what: str, value: float, target: float, unit: str = "") -> None:
        """Note a figure that should not be above its target."""
        self._note(f"{what}: {value:,.2f}{unit}, at most {target:,g}{unit}", value <= target)

    def at_least(self, what: str, value: float, target: float, unit: str = "") -> None:
        """Note a figure that should not be below its target."""
        self._note(f"{what}: {value:,.2f}{unit}, at least {target:,g}{unit}", value >= target)

    def _note(self, line: str, is_met: bool) -> None:
        (self.met if is_met else self.missed).append(line)
        print(f"  -> {line}: {'met' if is_met else 'MISSED'}", flush=True)

    def summary(self) -> str:
        """Return how many were met, and those that were not."""
        lines = [f"\n{len(self.met)} targets met, {len(self.missed)} missed"]
        return "\n  ".join([*lines, *self.missed])


def show_times(
    title: str,
    times: Mapping[str, float],
    ratios: Mapping[tuple[str, str], float],
    targets: Targets,
) -> None:
    print(f"\n{title}\n  {'':26}{'ns':>8}  {'x of':>6}" + "".join(f"{peer:>12}" for peer in PEERS))
    for name, each in times.items():
        shown = "".join(f"{each / times[peer]:12.2f}" for peer in PEERS)
        print(f"  {name:26}{each:8,.0f}  {'':>6}{shown}")
    for (policy, peer), target in ratios.items():
        targets.at_most(
            f"{title}, {policy} beside {peer}", times[policy] / times[peer], target, "x"
        )


def show_threads(entries: int, rounds: int, threads: int, targets: Targets) -> None:
    print(f"\nhits by one thread, and by {threads} together (million a second)")
    rates = thread_scaling(entries, rounds, threads)
    for name, (one, many) in rates.items():
        print(f"  {name:26}{one:8.2f}{many:8.2f}{many / one:8.2f} x")
    one, many = rates["s3fifo"]
    targets.at_least(
        f"s3fifo, {threads} threads beside one", many / one, THREADS_TOGETHER_AT_LEAST, "x"
    )


def show_weighing(rounds: int, targets: Targets) -> None:
    took_us, walk_us, error = weighing(rounds)
    print(f"\nweighing 100 rows of 8 fields: {took_us:.1f} us; a walk through all {walk_us:.0f} us")
    targets.at_most("weighing 100 rows of 8 fields", took_us, WEIGHING_AT_MOST_US, " us")
    targets.at_most("weighing, furthest from the walk", error, WEIGHING_ERROR_AT_MOST)


def show_memory(entries: int, names: Sequence[str], targets: Targets) -> None:
    print(f"\nmemory of {entries:,} entries beside their keys and values (MB of 10**6 bytes)")
    print(f"  {'':26}{'tracemalloc':>12}{'RSS':>8}{'beyond a dict':>15}{'by RSS':>8}")
    plain = {by: measure_apart("dict", entries, by) for by in ("tracemalloc", "rss")}
    for name in names:
        taken = {by: measure_apart(name, entries, by) for by in plain}
        beyond = {by: taken[by] - plain[by] for by in plain}
        print(
            f"  {name:26}{taken['tracemalloc']:12.1f}{taken['rss']:8.1f}"
            f"{beyond['tracemalloc']:15.1f}{beyond['rss']:8.1f}",
            flush=True,
        )
        if entries < TARGETED_ENTRIES:
            continue
        if name == "lru":
            for by, each in beyond.items():
                targets.at_most(
                    f"lru beyond a dict, by {by}", each, LRU_BEYOND_A_DICT_AT_MOST_MB, " MB"
                )
        elif name == "s3fifo":
            targets.at_most(
                "s3fifo in all, by tracemalloc", taken["tracemalloc"], S3FIFO_AT_MOST_MB, " MB"
            )


def show_hit_ratios(folder: Path | None, requests: int, targets: Targets) -> None:
    print(f"\nhit ratio in %, capacity as % of the distinct keys\n  {'':32}", end="")
    print("".join(f"{name:>20}" for name in REPLAYS))
    if LIBCACHESIM_MISSING is not None:
        print(f"  libcachesim is left out: {LIBCACHESIM_MISSING}")
    behind: list[float] = []
    for name, trace in load_traces(folder, requests).items():
        distinct = len(set(trace))
        for share in (1, 5, 10):
            entries = max(1, distinct * share // 100)
            ratios = {policy: 100 * replay(trace, entries) for policy, replay in REPLAYS.items()}
            assert all(ratios[policy] <= ratios["optimum"] + 1e-9 for policy in OURS)
            shown = "".join(f"{each:20.2f}" for each in ratios.values())
            print(f"  {name:16}{share:3} % ={entries:8,} {shown}", flush=True)
            theirs = ratios.get("libcachesim S3FIFO", math.nan)
            if not math.isnan(theirs):
                behind.append(theirs - ratios["s3fifo"])
    if folder is not None and behind:
        targets.at_most(
            "s3fifo behind libcachesim's, where furthest",
            max(behind),
            BEHIND_LIBCACHESIM_AT_MOST,
            " points",
        )


def show_savings(folder: Path | None, requests: int, targets: Targets) -> None:
    print("\ncost of misses saved in %, with room for a share of all that is asked for")
    for kind in ("keysize", "keycost"):
        pairs = load_pairs(folder, kind, requests)
        for share in (0.01, 0.05, 0.10):
            saved = {policy: 100 * saved_by(policy, pairs, kind, share) for policy in OURS}
            shown = "".join(f"  {policy} {each:6.2f}" for policy, each in saved.items())
            print(f"  {kind} {share:5.0%}{shown}", flush=True)
            if folder is not None:
                targets.at_least(
                    f"saved by gdsf beside lru, {kind} {share:.0%}",
                    saved["gdsf"],
                    round(saved["lru"], 2),
                    " %",
                )


def show_replays(requests: int, distinct: int, targets: Targets) -> None:
    entries = distinct // 5
    print(f"\n{requests:,} queries, {distinct} distinct, room for {entries}: hit ratio in %")
    for exponent in (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3):
        trace = zipf_trace(exponent, requests, distinct)
        ratios = {policy: 100 * ours(policy)(trace, entries) for policy in OURS}
        ratios["optimum"] = 100 * optimum(trace, entries)
        shown = "".join(f"  {policy} {each:5.1f}" for policy, each in ratios.items())
        print(f"  exponent {exponent}{shown}")
    for policy in OURS:  # of the last exponent
        targets.at_least(
            f"repeated queries at 1.3, {policy}", ratios[policy], REPEATED_QUERIES_AT_LEAST, " %"
        )


def run(
    folder: Path | None,
    *,
    entries: int,
    rounds: int,
    requests: int,
    million: int,
    measured: Sequence[str] = ("dict", *OURS, *PEERS),
) -> Targets:
    targets = Targets()
    show_times(f"a hit among {entries:,}", hit_ns(entries, rounds), HIT_TARGETS, targets)
    show_times("a set that makes another leave", set_ns(entries // 2, rounds), SET_TARGETS, targets)
    show_threads(entries, max(3, rounds // 3), 4, targets)
    show_weighing(rounds, targets)
    show_memory(million, measured, targets)
    show_replays(10_000, 500, targets)
    show_savings(folder, requests, targets)
    show_hit_ratios(folder, requests, targets)
    return targets


def main() -> None:
    parser = argparse.ArgumentParser(description="The memory cache beside its peers.")
    parser.add_argument("--traces", type=Path, help="a folder of traces; none: seeded Zipf traces")
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    versions = ["cachetools", "cachebox", "moka-py", "theine", "libcachesim"]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    print(", ".join(f"{name} {version(name)}" for name in versions))
    targets = run(
        options.traces,
        entries=10_000,
        rounds=options.rounds,
        requests=200_000,
        million=TARGETED_ENTRIES,
    )
    print(targets.summary())


def test_every_part_of_the_cache_benchmark_runs() -> None:
    targets = run(None, entries=200, rounds=2, requests=1_000, million=500, measured=["lru"])
    assert len(targets.met) + len(targets.missed) == len(HIT_TARGETS) + len(SET_TARGETS) + 6


if __name__ == "__main__":
    main()
