"""The mission's five figures, measured at once, beside the best peers of the same run.

    python benchmarks/bench_targets.py            measures and writes everything (`make targets`)
    python benchmarks/bench_targets.py compare    what got worse since the last committed result
    python benchmarks/bench_targets.py publish    README, status and plots from benchmarks/results/

Results go to benchmarks/results/latest.json, a page of plots beside it; the README's table and the
metrics in .coordination/status.json are written from it. Each part runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console

from benchmarks.targets import comparison, plots, surroundings, tables
from benchmarks.targets.figures import LATEST, Figure, Part, Results, names
from blackcore.minimal.query_engine.integration import refresh_metrics
from blackcore.minimal.query_engine.integration.coordination import STATUS_FILE
from blackcore.minimal.query_engine.integration.measured_targets import METRICS

if TYPE_CHECKING:
    import pytest

PARTS = ("cache", "queries", "export")
README = surroundings.ROOT / "README.md"
STATUS = surroundings.ROOT / STATUS_FILE


def cache() -> Part:
    """Return the cache's figures at full size."""
    from benchmarks.targets import cache_part

    return cache_part.measure(
        questions=10_000,
        distinct=500,
        entries=50_000,
        rounds=5,
        million=1_000_000,
        weighed=cache_part.PEERS,
    )


def queries() -> Part:
    """Return the optimizer's figures at full size: a million flights, and films."""
    from benchmarks import bench_optimizer, optimizer_data
    from benchmarks.targets import queries_part

    databases = {"flights": optimizer_data.flights(), "films": optimizer_data.films(None)}
    bench_optimizer.settle()
    return queries_part.measure(databases, sizes=[1_000, 10_000, 100_000, 1_000_000], rounds=5)


def export() -> Part:
    """Return the exporter's figures at full size."""
    import gc

    from benchmarks import bench_export
    from benchmarks.targets import export_part

    rows = bench_export.flights(1)
    gc.freeze()
    return export_part.measure(rows, rounds=3)


def small() -> list[Part]:
    """Return every part, over a few rows."""
    from benchmarks import bench_optimizer, optimizer_data
    from benchmarks.targets import cache_part, export_part, queries_part

    flights = optimizer_data.made_flights(2_000)
    return [
        cache_part.measure(
            questions=300, distinct=50, entries=100, rounds=1, million=1_000, weighed=["cachetools"]
        ),
        queries_part.measure(
            {"flights": flights, "films": optimizer_data.made_films(100)},
            sizes=[500, 1_000],
            rounds=1,
            questions=bench_optimizer.QUESTIONS[:4],
        ),
        export_part.measure(flights, rounds=1),
    ]


def measured_apart(console: Console) -> list[Part]:
    """Return every part at full size, each measured in a process of its own."""
    parts = []
    for name in PARTS:
        began = time.perf_counter()
        with console.status(f"measuring: {name}"):
            command = [sys.executable, __file__, "part", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this file
        parts.append(Part.from_json(done.stdout.splitlines()[-1]))
        console.print(f"measured {name} in {time.perf_counter() - began:.0f} s")
    return parts


def joined(parts: list[Part]) -> Results:
    """Return the results of all parts, in which all metrics of the status are."""
    figures: list[Figure] = [figure for part in parts for figure in part.figures]
    missing = {each for metric in METRICS.values() for each in metric} - names(figures)
    assert not missing, f"not measured: {missing}"
    series = {name: each for part in parts for name, each in part.plots.items()}
    return Results(
        surroundings.now(),
        surroundings.commit(),
        surroundings.machine(),
        surroundings.versions(),
        figures,
        series,
    )


def publish(path: Path, readme: Path, status: Path) -> None:
    """Write everything that is made from a results file: plots, table, metrics."""
    results = Results.read(path)
    plots.draw(results, path.with_suffix(".svg"))
    tables.write_readme(results, readme)
    refresh_metrics(path=status, results_path=path)


def report(path: Path, console: Console) -> None:
    """Print the table, what is missed, and what got worse."""
    results = Results.read(path)
    tables.show(results, console)
    missed = [each.title.strip() for each in results.figures if each.is_met is False]
    verdict = f"Missed: {'; '.join(missed)}." if missed else "All targets are met."
    console.print(verdict, comparison.told(comparison.committed(), results), sep="\n", markup=False)


def main() -> None:
    """Do what the words say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    what = ("measure", "compare", "publish", "part", "small")
    parser.add_argument("what", nargs="?", default="measure", choices=what)
    parser.add_argument("of", nargs="?", help="the name of a part; a folder for small results")
    chosen = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 132)
    if chosen.what == "part":
        print({"cache": cache, "queries": queries, "export": export}[chosen.of]().to_json())
        return
    if chosen.what == "small":
        joined(small()).write(Path(chosen.of) / LATEST.name)
        return
    if chosen.what == "measure":
        joined(measured_apart(console)).write(LATEST)
    if chosen.what in {"measure", "publish"}:
        publish(LATEST, README, STATUS)
        console.print(
            f"written: {', '.join(_shown(LATEST, LATEST.with_suffix('.svg'), README, STATUS))}"
        )
    report(LATEST, console)


def _shown(*paths: Path) -> list[str]:
    return [path.relative_to(surroundings.ROOT).as_posix() for path in paths]


def test_every_part_is_measured_and_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # in a process of its own: DuckDB and pandas in one report each other's types at its end
    subprocess.run([sys.executable, __file__, "small", str(tmp_path)], check=True)  # noqa: S603 - this file
    path, readme, status = (tmp_path / name for name in (LATEST.name, "README.md", "status.json"))
    readme.write_text(f"before\n{tables.BEGIN}old\n{tables.END}after\n", encoding="utf-8")
    publish(path, readme, status)
    assert json.loads(status.read_text())["agent_c"]["metrics"].keys() == METRICS.keys()
    text = readme.read_text(encoding="utf-8")
    results = Results.read(path)
    assert all(each.title.strip() in text for each in results.figures)
    assert (text[:6], text[-6:], "old" in text) == ("before", "after\n", False)
    assert path.with_suffix(".svg").read_text().startswith("<?xml")
    report(path, Console(width=132))
    assert "The five targets" in capsys.readouterr().out


if __name__ == "__main__":
    main()
