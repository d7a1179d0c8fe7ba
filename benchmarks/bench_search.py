"""Text search: SQLite's FTS5 and tantivy, as we index with them, against a scan in plain Python.

    python benchmarks/bench_search.py [--films PATH] [--rows N] [--rounds N]

PATH is a JSON list of records, gzipped or not; without one, records of seeded words are made.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import random
import sqlite3
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from blackcore.minimal.query_engine.search import (
    BoundSearch,
    FullTextSearch,
    Records,
    TantivySearch,
    wire_search,
)
from blackcore.minimal.query_engine.search.words import fold, parse, texts
from blackcore.minimal.query_engine.settings import SearchSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUESTIONS = (
    "spielberg",
    "love war",
    '"new york"',
    "american comedy film",
    "film",
)


COMMON_WORDS = {
    0: "film",
    8: "american",
    20: "comedy",
    30: "love",
    60: "war",
    90: "new york",
    500: "spielberg",
}
"""By how many words are more frequent, in the records that are made."""


class Timing(NamedTuple):
    """Milliseconds of one question, medians over the rounds."""

    question: str
    rows: int
    scan_ms: float
    fts5_ms: float
    tantivy_ms: float


def made_records(rows: int, seed: int = 1) -> Records:
    """Return records of seeded words, as unevenly frequent as those of a language."""
    chance = random.Random(seed)  # noqa: S311 # reproducible rather than secret
    vocabulary = [f"w{number:x}" for number in range(60_000)]
    for rank, word in COMMON_WORDS.items():
        vocabulary.insert(rank, word)
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    drawn = iter(chance.choices(vocabulary, weights, k=rows * 70))
    return [
        {
            "title": " ".join(next(drawn) for _ in range(4)),
            "year": 1900 + row % 120,
            "cast": [f"{next(drawn)} {next(drawn)}" for _ in range(3)],
            "extract": " ".join(next(drawn) for _ in range(60)).capitalize() + ".",
        }
        for row in range(rows)
    ]


def read_records(path: Path) -> Records:
    """Return the records of a JSON file, gzipped or not."""
    raw = path.read_bytes()
    records: Records = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    return records


def scanned(question: str, records: Records) -> list[int]:
    """Return the rows that a scan finds, which folds every text and looks for every phrase."""
    wanted = [f" {' '.join(phrase.words)} " for phrase in parse(question)]
    found = []
    for row, record in enumerate(records):
        values = [f" {' '.join(fold(text).split())} " for _, text in texts(record)]
        if all(any(phrase in value for value in values) for phrase in wanted):
            found.append(row)
    return found


def milliseconds(run: Callable[[], object]) -> float:
    """Return what one call takes."""
    begun = perf_counter()
    run()
    return (perf_counter() - begun) * 1e3


def compare(records: Records, engines: Sequence[BoundSearch], rounds: int) -> list[Timing]:
    """Return the times of each question, after the answers were found to be the same."""
    timings = []
    for question in QUESTIONS:
        expected = scanned(question, records)
        for engine in engines:
            rows = engine.matches(question, records, "bench")
            assert sorted(rows.ids.tolist()) == expected, (question, engine)
        runs = [partial(engine.matches, question, records, "bench") for engine in engines]
        scan_ms = milliseconds(partial(scanned, question, records))
        taken = [[milliseconds(run) for run in runs] for _ in range(rounds)]
        fts5, tantivy = (median(times) for times in zip(*taken, strict=True))
        timings.append(Timing(question, len(expected), scan_ms, fts5, tantivy))
    return timings


def build_seconds(engine: BoundSearch, records: Records) -> float:
    """Return what the first search of these records takes."""
    engine.forget(records)
    return milliseconds(lambda: engine.matches("spielberg", records, "bench")) / 1e3


def print_timings(timings: Sequence[Timing]) -> None:
    print(f"{'question':<24}{'rows':>8}{'scan ms':>10}{'fts5 ms':>10}{'tantivy ms':>12}", end="")
    print(f"{'scan/fts5':>11}{'fts5/tantivy':>14}")
    for each in timings:
        print(
            f"{each.question:<24}{each.rows:>8,}{each.scan_ms:>10.1f}{each.fts5_ms:>10.2f}"
            f"{each.tantivy_ms:>12.2f}{each.scan_ms / each.fts5_ms:>10.0f}x"
            f"{each.fts5_ms / each.tantivy_ms:>13.1f}x"
        )


def run(records: Records, rounds: int) -> list[Timing]:
    """Build both indexes, compare, and print."""
    fts5, tantivy = wire_search(FullTextSearch()), wire_search(TantivySearch())
    for name, engine in (("fts5", fts5), ("tantivy", tantivy)):
        print(f"{name} index of {len(records):,} rows: {build_seconds(engine, records):.2f} s")
    timings = compare(records, [fts5, tantivy], rounds)
    print_timings(timings)
    fuzzy = wire_search(FullTextSearch(), settings=SearchSettings(mode="fuzzy"))
    fuzzy.matches("warm up", records, "bench")
    found = len(fuzzy.matches("spielburg", records, "bench"))
    took = median(
        milliseconds(lambda: fuzzy.matches("spielburg", records, "bench")) for _ in range(rounds)
    )
    print(f"fts5, fuzzy 'spielburg': {found:,} rows in {took:.1f} ms")
    return timings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--films", type=Path, help="a JSON list of records, gzipped or not")
    parser.add_argument("--rows", type=int, default=36_000, help="records to make without --films")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    records = read_records(options.films) if options.films else made_records(options.rows)
    print(
        f"python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"tantivy {version('tantivy')}, {platform.machine()} {sys.platform}"
    )
    run(records, options.rounds)


def test_both_engines_find_what_a_scan_finds() -> None:
    timings = run(made_records(300), rounds=1)
    assert [each.question for each in timings] == list(QUESTIONS)
    assert all(each.rows for each in timings)


def test_a_file_of_records_is_read_gzipped_or_not(tmp_path: Path) -> None:
    records = made_records(3)
    plain, zipped = tmp_path / "films.json", tmp_path / "films.json.gz"
    plain.write_text(json.dumps(records))
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_records(plain) == read_records(zipped) == records


if __name__ == "__main__":
    main()
