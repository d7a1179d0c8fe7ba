"""Rows a second from dict rows to a file, beside the libraries that people write it with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import bench_export
from benchmarks.targets.figures import Figure, Part, figure

if TYPE_CHECKING:
    from benchmarks.bench_export import Group, Rows

TARGET_ROWS_PER_SECOND = 100_000.0


def measure(rows: Rows, *, rounds: int) -> Part:
    """Return the rates of CSV and JSON, and those of everybody for the plot."""
    figures: list[Figure] = []
    rates: dict[str, dict[str, float]] = {}
    groups = {"csv": bench_export.csv_group(rows), "json": bench_export.json_group(rows)}
    with tempfile.TemporaryDirectory() as folder:
        for name, group in groups.items():
            exact = bench_export.check(group, Path(folder))
            least = bench_export.measure(group, Path(folder), rounds)
            rates[name] = {who: len(rows) / wall for who, (wall, _) in least.items() if exact[who]}
            figures.append(_figure(name, group, rates[name], len(rows)))
    return Part(figures, {"export": rates})


def _figure(name: str, group: Group, rates: dict[str, float], rows: int) -> Figure:
    exact_peers = {peer for target in group.targets for peer in target.peers}
    peers = {who: rate for who, rate in rates.items() if who in exact_peers}
    return figure(
        f"{name}_rows_per_second",
        "export",
        f"{group.title}, {rows:,} rows",
        "rows/s",
        rates["ours"],
        "above",
        TARGET_ROWS_PER_SECOND,
        peers,
    )
