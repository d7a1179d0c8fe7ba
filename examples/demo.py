"""Real queries over 336,776 flights: by hand, optimized, from cache, explained, exported.

make demo
"""

from __future__ import annotations

import csv
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from blackcore.minimal.query_engine import EngineSettings, JSONDataLoader, QueryEngine
from blackcore.minimal.query_engine.export import ExportProgress
from examples.demo_questions import QUESTIONS, Question, asked
from examples.flights import DATABASES, flights_directory

# a pipe or a log has no width of its own; 80 columns would cut the table
console = Console(highlight=False, width=None if sys.stdout.isatty() else 118)

ROUNDS = 5
REPEATS = 200


@dataclass(frozen=True, slots=True)
class Timing:
    """How one question was answered."""

    title: str
    rows: int
    by_hand_ms: float
    optimized_ms: float
    repeated_us: float
    equal: bool


def best_of(rounds: int, run: Callable[[], object]) -> float:
    """Return the seconds of the fastest of some runs."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def bar() -> Progress:
    """Return a progress bar for rows."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.fields[unit]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def written_once() -> Path:
    """Return the directory of databases, written with a progress bar where it is missing."""
    with bar() as progress:
        tasks: dict[str, TaskID] = {}

        def on_progress(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = progress.add_task(f"writing {table}", total=total, unit="rows")
            progress.update(tasks[table], completed=done)

        return flights_directory(on_progress=on_progress)


def loaded(directory: Path) -> QueryEngine:
    """Return an engine over the directory, having said what is in it."""
    start = time.perf_counter()
    loader = JSONDataLoader(directory)
    counts = {name: len(rows) for name, rows in loader.load_databases(DATABASES).loaded.items()}
    seconds = time.perf_counter() - start
    size = sum(file.stat().st_size for file in directory.glob("*.json"))
    shown = ", ".join(f"{name} [bold]{count:,}[/]" for name, count in counts.items())
    console.print(f"Loaded {shown}: {size / 1e6:,.0f} MB of JSON in {seconds:.1f} s\n")
    return QueryEngine(loader, settings=EngineSettings())


def timed(engine: QueryEngine, uncached: QueryEngine, question: Question) -> Timing:
    """Ask one question by hand, optimized without a cache, and again from the cache."""
    rows = uncached.loader.load_database(question.database)
    expected = question.by_hand(rows)
    query = asked(engine, question).structured
    answers = [uncached.execute(query).data, engine.execute(query).data, engine.execute(query).data]
    return Timing(
        question.title,
        len(expected),
        best_of(2, lambda: question.by_hand(rows)) * 1e3,
        best_of(ROUNDS, lambda: uncached.execute(query).data) * 1e3,
        best_of(REPEATS, lambda: engine.execute(query).data) * 1e6,
        all(answer == expected for answer in answers),
    )


def table_of(timings: list[Timing]) -> Table:
    """Return the table of all questions."""
    table = Table(title="336,776 flights: by hand, optimized, and asked again", title_style="bold")
    table.add_column("question", no_wrap=True)
    for name in ("rows", "by hand ms", "optimized ms", "speed-up", "again us", "speed-up "):
        table.add_column(name, justify="right")
    for t in timings:
        table.add_row(
            t.title,
            f"{t.rows:,}",
            f"{t.by_hand_ms:,.1f}",
            f"{t.optimized_ms:,.2f}",
            f"[green]{t.by_hand_ms / t.optimized_ms:,.0f}x[/]",
            f"{t.repeated_us:,.0f}",
            f"[green]{t.by_hand_ms / t.repeated_us * 1e3:,.0f}x[/]",
        )
    return table


def ask_everything(engine: QueryEngine) -> bool:
    """Ask all questions, print how fast they were answered, return whether all answers agree."""
    uncached = QueryEngine(engine.loader, cache=False)
    timings = []
    with bar() as progress:
        task = progress.add_task("asking", total=len(QUESTIONS), unit="questions")
        for question in QUESTIONS:
            timings.append(timed(engine, uncached, question))
            progress.advance(task)
    console.print(table_of(timings))
    speed_ups = [t.by_hand_ms / t.optimized_ms for t in timings]
    small = [t.repeated_us for t in timings if t.rows <= 100]
    console.print(
        f"Optimized against by hand: median [bold]{statistics.median(speed_ups):,.0f}x[/], "
        f"worst [bold]{min(speed_ups):,.1f}x[/]. "
        f"Asked again, up to 100 rows: median [bold]{statistics.median(small):,.0f} us[/], "
        f"worst {max(small):,.0f} us."
    )
    wrong = [t.title for t in timings if not t.equal]
    for title in wrong:
        console.print(f"[red]The answers to {title!r} differ.[/]")
    if not wrong:
        console.print("By hand, optimized and from cache: all answers are equal.\n")
    return not wrong


def explain_one(engine: QueryEngine) -> None:
    """Print how one question is run."""
    console.print("[bold]Why it is fast[/]: explain(analyze=True)")
    console.print(
        str(asked(engine, QUESTIONS[3]).explain(analyze=True)), markup=False, soft_wrap=True
    )
    console.print()


def export_everything(engine: QueryEngine) -> bool:
    """Export all flights as CSV and as JSON, read both back, return whether they are equal."""
    rows = engine.loader.load_database("flights")
    same = True
    with TemporaryDirectory() as folder:
        for suffix, read_back in (("csv", same_as_csv), ("json", same_as_json)):
            path = Path(folder) / f"flights.{suffix}"
            seconds = exported(engine, path)
            equal = read_back(path, rows)
            verdict = "reads back equal" if equal else "[red]DIFFERS when read back[/]"
            size = path.stat().st_size / 1e6
            console.print(
                f"Exported {len(rows):,} rows as {suffix.upper()}: {size:,.0f} MB in "
                f"{seconds:.2f} s, [bold]{len(rows) / seconds:,.0f} rows/s[/]; {verdict}"
            )
            same = same and equal
    return same


def exported(engine: QueryEngine, path: Path) -> float:
    """Export all flights with a progress bar and return the seconds it took."""
    with bar() as progress:
        total = len(engine.loader.load_database("flights"))
        task = progress.add_task(f"exporting {path.name}", total=total, unit="rows")

        def on_progress(state: ExportProgress) -> None:
            progress.update(task, completed=state.rows)

        start = time.perf_counter()
        engine.export_sync(engine.query("flights"), path, on_progress=on_progress)
        return time.perf_counter() - start


def same_as_csv(path: Path, rows: list[dict[str, object]]) -> bool:
    """Return whether a CSV file holds the rows, null as an empty cell and the rest as text."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return all(
            read == {name: "" if value is None else str(value) for name, value in row.items()}
            for read, row in zip(reader, rows, strict=True)
        )


def same_as_json(path: Path, rows: list[dict[str, object]]) -> bool:
    """Return whether a JSON file holds the rows."""
    return bool(orjson.loads(path.read_bytes()) == rows)


def main() -> int:
    """Run the demo; return the exit code, 1 where anything differed."""
    engine = loaded(written_once())
    agreed = ask_everything(engine)
    explain_one(engine)
    console.print("[bold]What the engine did[/]")
    console.print(str(engine.statistics()), markup=False)
    console.print()
    agreed = export_everything(engine) and agreed
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
