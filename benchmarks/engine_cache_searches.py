"""Searches whose interests shift, and updates: what a cache that follows the searches keeps."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

from blackcore.minimal.query_engine import (
    DataLoader,
    FullTextSearch,
    MemoryCache,
    QueryEngine,
    QueryFilter,
    SearchAwareCacheOptimizer,
    SearchConfig,
    StructuredQuery,
)
from blackcore.minimal.query_engine.search.words import fold, parse, relevance, texts
from blackcore.minimal.query_engine.settings import CachePolicy, SearchAwareSettings

Row: TypeAlias = dict[str, Any]
MakeLoader: TypeAlias = Callable[..., Any]

GAIN_AT_LEAST = 0.03
KEPT_AT_LEAST = 0.8
SHIFTS = (100, 400, 1_600)
"""After so many searches one of the four topics of the moment gives way to another."""


class AloneEngine:
    """Scores each record by itself, as `calculate_relevance_score` of our own engines does."""

    scores_depend_on_corpus = False

    def calculate_relevance_score(
        self, item: Row, query_text: str, weights: dict[str, float]
    ) -> float:
        """Return the score of one record."""
        return relevance(dict(item), parse(query_text), dict(weights))

    def search(self, query_text: str, data: list[Row], config: SearchConfig) -> list[Any]:
        """Return the records that match."""
        phrases, weights = parse(query_text), dict(config.field_weights)
        scored = [{"entity": row, "score": relevance(row, phrases, weights)} for row in data]
        return [match for match in scored if match["score"] > 0]


def words_of(rows: list[Row]) -> list[str]:
    """Return the words of the records' names, each once."""
    named = [text for row in rows for path, text in texts(row) if path == "name"]
    found = {word for text in named for word in fold(text).split()}
    return sorted(word for word in found if len(word) > 2)


class Stream(NamedTuple):
    """Searches whose topics come and go, among others that are asked once.

    Attributes:
        shift_every: searches after which one of four topics of 20 words gives way to another.
        own_ways: whether each word is asked with filters of its own; otherwise the usual filters
            are the same for all words.
    """

    shift_every: int
    own_ways: bool = False

    def searches(self, words: list[str], count: int, seed: int) -> Iterator[StructuredQuery]:
        """Yield the searches."""
        draw = random.Random(seed)  # noqa: S311 - a replay
        topics = [draw.sample(words, 20) for _ in range(40)]
        popular = [1 / (rank + 1) for rank in range(20)]
        active = draw.sample(range(len(topics)), 4)
        for number in range(count):
            if number % self.shift_every == 0:
                active[draw.randrange(4)] = draw.randrange(len(topics))
            is_stray = draw.random() < 0.3
            topic = words if is_stray else topics[draw.choice(active)]
            text = draw.choices(topic, None if is_stray else popular)[0]
            way = draw.choices(range(10), [1 / (rank + 1) for rank in range(10)])[0]
            if self.own_ways:
                way = (way + crc32(text.encode())) % 10
            yield StructuredQuery("airports", [QueryFilter("alt", "gt", 500 * way)], search=text)


def hit_rates(
    make_loader: MakeLoader,
    rows: list[Row],
    *,
    count: int,
    entries: int,
    seeds: Sequence[int] = (5, 6, 7),
    shifts: Sequence[int] = SHIFTS,
) -> None:
    """Print the hit rates of streams with shifting interests, by policy: plain, search-aware."""
    words = words_of(rows)
    print(f"\n{count:,} searches with shifting interests, {entries} answers kept: hit rates, %")
    print(f"{'a topic shifts every':26}{'policy':>8}{'plain':>7}{'aware':>7}   gain by seed")
    streams = [Stream(each) for each in shifts]
    streams.append(Stream(shifts[len(shifts) // 2], own_ways=True))
    for stream in streams:
        name = f"{stream.shift_every:,}{', each word its ways' if stream.own_ways else ''}"
        for policy in ("lru", "s3fifo", "gdsf"):
            pairs = []
            for seed in seeds:
                asked = list(stream.searches(words, count, seed))
                pairs.append(
                    [
                        _hit_rate(make_loader(airports=rows), asked, policy, entries, aware=aware)
                        for aware in (False, True)
                    ]
                )
            _show_gain(name, policy, pairs)


def _show_gain(name: str, policy: str, pairs: list[list[float]]) -> None:
    plain, aware = (100 * sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    gains = [100 * (aware - plain) for plain, aware in pairs]
    shown = " ".join(f"{gain:+5.1f}" for gain in gains)
    verdict = "met" if min(gains) >= 100 * GAIN_AT_LEAST else "missed"
    print(
        f"{name:26}{policy:>8}{plain:7.1f}{aware:7.1f}   {shown}   "
        f"(each at least +{100 * GAIN_AT_LEAST:.0f}: {verdict})"
    )


def _hit_rate(
    loader: DataLoader,
    asked: list[StructuredQuery],
    policy: CachePolicy,
    entries: int,
    *,
    aware: bool,
) -> float:
    cache, search = MemoryCache(max_entries=entries, policy=policy), FullTextSearch()
    engine = QueryEngine(loader, search, cache)
    if aware:
        SearchAwareCacheOptimizer(cache, search, engine)
    return sum(engine.execute(query).from_cache for query in asked) / len(asked)


def updates(make_loader: MakeLoader, rows: list[Row], count: int) -> list[float]:
    """Print what an update of 1 % of the records leaves, by search engine; return the parts."""
    print(f"\nan update of 1 % of {len(rows):,} airports; no answer is stale")
    print(
        f"{'search engine':16}{'searches':>9}{'unaffected':>12}{'kept':>8}{'reranked':>10}"
        f"{'took':>10}"
    )
    return [_update(make_loader, rows, each, count) for each in (AloneEngine, FullTextSearch)]


def _update(
    make_loader: MakeLoader, rows: list[Row], search_of: Callable[[], Any], count: int
) -> float:
    draw = random.Random(2)  # noqa: S311 - a replay
    words = words_of(rows)
    stream = Stream(400).searches(words, count, 9)
    asked = list({query.fingerprint: query for query in stream}.values())
    loader, cache, search = make_loader(airports=rows), MemoryCache(), search_of()
    engine = QueryEngine(loader, search, cache)
    settings = SearchAwareSettings(max_rewarmed=0)
    optimizer = SearchAwareCacheOptimizer(cache, search, engine, settings=settings)
    for query in asked:
        engine.execute(query)
    places = draw.sample(range(len(rows)), max(1, len(rows) // 100))
    changed = {at: rows[at] | {"name": " ".join(draw.sample(words, 3))} for at in places}
    new = [changed.get(at, row) for at, row in enumerate(rows)]
    loader.databases["airports"] = new
    report = optimizer.invalidate_records("airports", list(changed.values()))
    cold = QueryEngine(make_loader(airports=new), search_of(), cache=False)
    touched = [*changed.values(), *(rows[at] for at in places)]
    unaffected = kept = 0
    for query in asked:
        result = engine.execute(query)
        assert result.ids.tolist() == cold.execute(query).ids.tolist()  # none is stale
        assert query.search is not None
        phrases = parse(query.search.text)
        if not any(relevance(row, phrases, {}) for row in touched):
            unaffected += 1
            kept += result.from_cache
    part = kept / unaffected
    print(
        f"{type(search).__name__:16}{report.considered:9,}{unaffected:12,}{part:8.1%}"
        f"{report.reranked:10,}{report.elapsed_seconds * 1e3:7.0f} ms   "
        f"(at least {KEPT_AT_LEAST:.0%}: {'met' if part >= KEPT_AT_LEAST else 'missed'})"
    )
    return part
