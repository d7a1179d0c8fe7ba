"""Mixed work on one engine by several threads: what a long-lived process does with it, sped up.

Every answer is compared with the plain evaluator's, of one of the two contents that a database
has in turn.

    python -m tests.soak FOLDER OPERATIONS WARM_UP_OPERATIONS

prints as JSON what was done, and what it left behind after the warm-up.
"""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import os
import random
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from blackcore.minimal.query_engine import (
    FilterGroup,
    MemoryCache,
    QueryEngine,
    QueryFilter,
    QueryLog,
    QueryPagination,
    SlowQueryLog,
    SlowQueryLogSettings,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.loaders import JSONDataLoader
from blackcore.minimal.query_engine.query import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = dict[str, Any]

RECORDS = 300
QUESTIONS = 60
THREADS = 4
CACHE_MB = 1
"""So little that it is full long before the warm-up ends."""
WORDS = ("river", "night", "city", "love", "war", "north", "garden", "stone")
_LONG_AGO_NS = 1_500_000_000_000_000_000


class SourceFailedError(Exception):
    """What a source of rows raises in the middle of an export."""


def made_rows(seed: int) -> list[Row]:
    """Return seeded records: numbers, texts, gaps, nested objects, lists of them."""
    draw = random.Random(seed)  # noqa: S311 - test data
    return [
        {
            "number": number,
            "kind": draw.choice("abcdef"),
            "size": draw.choice([None, *range(50)]),
            "title": " ".join(draw.choices(WORDS, k=3)),
            "place": {"town": draw.choice(WORDS)},
            "parts": [{"name": draw.choice(WORDS)} for _ in range(draw.randrange(3))],
        }
        for number in range(RECORDS)
    ]


def made_question(draw: random.Random) -> StructuredQuery:
    """Return a question of up to three conditions, perhaps sorted, paged, distinct."""
    conditions = [
        QueryFilter("kind", "in", draw.sample("abcdef", 2)),
        QueryFilter("size", "gt", draw.randrange(50)),
        QueryFilter("title", "contains", draw.choice(WORDS)),
        QueryFilter("title", "regex", f"^{draw.choice(WORDS)}"),
        QueryFilter("place.town", "fuzzy", draw.choice(WORDS)),
        QueryFilter("parts.name", "eq", draw.choice(WORDS)),
        FilterGroup("or", [QueryFilter("size", "is_null"), QueryFilter("number", "lt", 30)]),
    ]
    return StructuredQuery(
        database="records",
        filters=draw.sample(conditions, draw.randrange(1, 4)),
        sort_fields=[SortField("size", "desc")] if draw.random() < 0.5 else [],
        pagination=QueryPagination(draw.randrange(1, 3), 10) if draw.random() < 0.5 else None,
        select=("kind", "size") if draw.random() < 0.2 else None,
    )


def expected(query: StructuredQuery, rows: list[Row]) -> list[int]:
    """Return the positions of the rows that a question has, of its page."""
    ids = evaluate(query.model_copy(update={"pagination": None}), rows)
    page = query.pagination
    return ids if page is None else ids[(page.page - 1) * page.size :][: page.size]


class Soak:
    """One engine with all that hangs on it, and the work that is done on it.

    Args:
        folder: for the database, exports and logs.
        seed: of everything.
    """

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir()
        self.contents = [made_rows(seed), made_rows(seed + 1)]
        draw = random.Random(seed)  # noqa: S311 - test data
        self.questions = [made_question(draw) for _ in range(QUESTIONS)]
        self.answers = {
            query.fingerprint + repr(query.pagination): [expected(query, c) for c in self.contents]
            for query in self.questions
        }
        self.turn = 0
        self.writing = threading.Lock()
        self.replace_file()
        self.cache = MemoryCache(max_size_mb=CACHE_MB)
        self.engine = QueryEngine(JSONDataLoader(self.data), cache=self.cache)
        self.log = QueryLog(folder / "questions.jsonl")
        self.observed = [
            self.engine.add_observer(self.log),
            self.engine.add_observer(SlowQueryLog(settings=SlowQueryLogSettings(threshold_ms=0.1))),
        ]
        self.done: Counter[str] = Counter()
        self.failures: list[BaseException] = []

    def run(self, operations: int, seed: int) -> None:
        """Do so many operations, divided among the threads; raise what one of them raised."""
        workers = [
            threading.Thread(target=self._work, args=(operations // THREADS, seed * 1000 + number))
            for number in range(THREADS)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if self.failures:
            raise self.failures[0]

    def close(self) -> None:
        """Let go of everything that was begun."""
        for end in self.observed:
            end()
        self.log.close()

    def _work(self, operations: int, seed: int) -> None:
        draw = random.Random(seed)  # noqa: S311 - test data
        names, weights = zip(*WEIGHTS.items(), strict=True)
        done: Counter[str] = Counter()
        try:
            for name in draw.choices(names, weights, k=operations):
                getattr(self, name)(draw)
                done[name] += 1
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self.failures.append(error)
        with self.writing:
            self.done += done

    # -- operations --------------------------------------------------------------------------------

    def ask(self, draw: random.Random) -> None:
        """Ask a question that was asked before."""
        query = self.questions[min(int(draw.expovariate(1 / 25)), QUESTIONS - 1)]
        self._check(query, self.engine.execute(query).ids.tolist())

    def ask_anew(self, draw: random.Random) -> None:
        """Ask what nobody asked before."""
        low = draw.random() * RECORDS
        result = self.engine.execute(
            StructuredQuery("records", [QueryFilter("number", "between", [low, low + 20])])
        )
        assert [row["number"] for row in result.data] == [
            number for number in range(RECORDS) if low <= number <= low + 20
        ]

    def search(self, draw: random.Random) -> None:
        """Search a word; every record found has it."""
        word = draw.choice(WORDS)
        found = self.engine.query("records").search(word).page(1, 20).run()
        assert found.data
        assert all(word in json.dumps(row) for row in found.data)

    def explain(self, draw: random.Random) -> None:
        """Explain a question, and run what was explained."""
        query = draw.choice(self.questions)
        assert str(self.engine.explain(query, analyze=draw.random() < 0.5))

    def ask_together(self, draw: random.Random) -> None:
        """Ask several questions at once on an event loop, and export one."""
        chosen = draw.sample(self.questions, 3)
        path = self._own_file("async.json")

        async def all_at_once() -> list[Any]:
            asked = [self.engine.execute_async(query) for query in chosen]
            return await asyncio.gather(*asked, self.engine.export(chosen[0], path))

        *results, _ = asyncio.run(all_at_once())
        for query, result in zip(chosen, results, strict=True):
            self._check(query, result.ids.tolist())
        assert isinstance(json.loads(path.read_bytes()), list)

    def export(self, draw: random.Random) -> None:
        """Write an answer to a file, and count its lines."""
        query = draw.choice(self.questions)
        path = self._own_file(draw.choice(("out.csv", "out.jsonl", "out.jsonl.gz")))
        rows = self.engine.export_sync(query, path)
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        header = path.suffix == ".csv"
        assert rows == 0 or text.count(b"\n") == rows + header  # no row: perhaps no header

    def break_export(self, draw: random.Random) -> None:
        """Write from a source that fails: the file that was there stays."""
        path = self._own_file("kept.csv")
        path.write_text("kept")
        rows = draw.randrange(1, 50)

        def source() -> Iterator[Row]:
            yield from self.contents[0][:rows]
            raise SourceFailedError

        try:
            self.engine.exporter.export(source(), path)
        except SourceFailedError:
            pass
        else:
            raise AssertionError("a failed source went unnoticed")
        assert path.read_text() == "kept"

    def replace_file(self, _: random.Random | None = None) -> None:
        """Give the database its other content."""
        with self.writing:
            self.turn += 1
            new = self.folder / "new.json"
            new.write_text(json.dumps(self.contents[self.turn % 2]))
            moment = _LONG_AGO_NS + self.turn * 1_000_000_000
            os.utime(new, ns=(moment, moment))  # each content has a time of its own
            new.replace(self.data / "records.json")

    def refresh(self, draw: random.Random) -> None:
        """Forget what was loaded."""
        self.engine.refresh(draw.choice(["records", None]))

    def invalidate(self, draw: random.Random) -> None:
        """Take answers out of the cache, one way or another."""
        ways: list[Callable[[], object]] = [
            lambda: self.cache.invalidate_by_tags([f"tag{draw.randrange(20)}"]),
            lambda: self.cache.delete(f"key{draw.randrange(500)}"),
            lambda: self.cache.resize(draw.choice([CACHE_MB / 2, CACHE_MB])),
            self.cache.expire,
            self.cache.clear,
        ]
        draw.choices(ways, [10, 10, 2, 2, 1])[0]()

    def keep(self, draw: random.Random) -> None:
        """Keep something of another kind beside the answers, with a tag, and find it."""
        key = f"key{draw.randrange(500)}"
        value = self.cache.get_or_compute(key, lambda: key * 20, tags=[f"tag{draw.randrange(20)}"])
        assert value == key * 20

    def look(self, _: random.Random) -> None:
        """Look at the figures."""
        statistics = self.cache.get_statistics()
        assert statistics.cache_hits + statistics.cache_misses == statistics.total_requests
        assert statistics.memory_used_bytes <= CACHE_MB * 1024**2
        assert str(self.engine.statistics())

    def _check(self, query: StructuredQuery, ids: list[int]) -> None:
        assert ids in self.answers[query.fingerprint + repr(query.pagination)], query

    def _own_file(self, name: str) -> Path:
        return self.folder / f"{threading.get_ident()}.{name}"


def begun() -> dict[str, int]:
    """Return how many threads there are, and how many files are open."""
    gc.collect()
    return {"threads": threading.active_count(), "files": psutil.Process().num_fds()}


def leftovers(folder: Path) -> list[str]:
    """Return the files that no operation meant to leave."""
    meant = (".csv", ".json", ".jsonl", ".jsonl.gz", ".lock")
    return [p.name for p in folder.rglob("*") if p.is_file() and not p.name.endswith(meant)]


def main() -> None:
    """Soak in rounds, so that threads come and go, and tell what was left behind."""
    folder, operations, warm_up = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    soak = Soak(folder)
    soak.run(warm_up, 1)
    before, held_bytes = begun(), psutil.Process().memory_info().rss
    grown_bytes = []
    for number in range(ROUNDS):
        soak.run((operations - warm_up) // ROUNDS, 2 + number)
        after = begun()
        grown_bytes.append(psutil.Process().memory_info().rss - held_bytes)
    soak.close()
    told = {
        "done": soak.done.total(),
        "kinds": len(soak.done),
        "before": before,
        "after": after,
        "grown_bytes": grown_bytes,
        "leftovers": leftovers(folder),
    }
    sys.stdout.write(f"{json.dumps(told)}\n")


ROUNDS = 8
WEIGHTS = {
    "ask": 600,
    "ask_anew": 130,
    "search": 10,
    "explain": 10,
    "ask_together": 1,
    "export": 3,
    "break_export": 2,
    "replace_file": 0.5,
    "refresh": 0.5,
    "invalidate": 10,
    "keep": 220,
    "look": 5,
}
"""How often an operation comes, among all."""

if __name__ == "__main__":
    main()
