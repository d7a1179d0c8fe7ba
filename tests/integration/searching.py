"""An engine that searches, its cache, and an optimizer attached to it."""

from __future__ import annotations

import random
from typing import Any

from blackcore.minimal.query_engine import MemoryCache, QueryEngine, StructuredQuery
from blackcore.minimal.query_engine.integration import SearchAwareCacheOptimizer
from blackcore.minimal.query_engine.settings import SearchAwareSettings
from tests.integration.search_engines import WordEngine

WORDS = ["war", "peace", "love", "end", "sea", "night", "road", "house"]


def rows_of(count: int = 80) -> list[dict[str, Any]]:
    draw = random.Random(3)  # noqa: S311 - test data
    return [{"id": n, "t": " ".join(draw.sample(WORDS, 2))} for n in range(count)]


def search(text: str, **more: Any) -> StructuredQuery:
    return StructuredQuery("db", search=text, **more)


class Setup:
    """An engine, its cache, and an optimizer attached to it."""

    def __init__(
        self, loader: Any, engine: Any = None, *, cache: Any = None, clock: Any = None, **more: Any
    ) -> None:
        self.loader = loader
        self.search = engine or WordEngine()
        times = {} if clock is None else {"clock": clock}
        # an empty cache is falsy, as every mapping
        self.cache = MemoryCache(ttl_seconds=100, **times) if cache is None else cache
        self.engine = QueryEngine(loader, self.search, self.cache)
        self.optimizer = SearchAwareCacheOptimizer(
            self.cache, self.search, self.engine, settings=SearchAwareSettings(**more), **times
        )

    def ask(self, *texts: str) -> list[bool]:
        return [self.engine.execute(search(text)).from_cache for text in texts]

    def kept(self, *texts: str) -> list[str]:
        """Return those of the texts whose answers are kept, without asking them."""
        return [text for text in texts if self.engine.explain(search(text)).kept]


class Foreign:
    """A cache that only speaks the Protocol, or fails on demand."""

    def __init__(self) -> None:
        self.kept: dict[str, object] = {}
        self.fails = False

    def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object:
        if self.fails:
            raise ConnectionError("gone")
        return self.kept.get(query_hash)

    def cache_result(
        self, query_hash: str, result: object, ttl: float | None = None, tags: Any = ()
    ) -> object:
        if self.fails:
            raise ConnectionError("gone")
        self.kept[query_hash] = result
        return True

    def get_statistics(self) -> Any:
        return None
