"""A cache that follows what is searched for, and that an update need not empty."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ..errors import SearchError
from ..query_log import is_in_background
from ..settings import SearchAwareSettings
from .kept_answers import KeptAnswers
from .search_keeping import SearchKeeping
from .search_reach import SearchReach
from .search_updates import InvalidationReport, SearchUpdate
from .tracked_searches import TrackedSearches

if TYPE_CHECKING:
    from ..cache import CacheManager
    from ..data import AnsweredQuery
    from ..engine import QueryEngine
    from ..loaders.base import Record


class SearchAwareCacheOptimizer:
    """Learns what is searched for, and keeps the answers to that longer.

    - How much a search is wanted is estimated from how often it, its text, its terms and its way
      of asking (filters, order, weights) were asked lately. When an answer had to leave that is
      wanted more than others, it comes back and the least wanted goes. The answers to what is asked
      more than usual count for more cost and live longer, within bounds; so the cache's
      `compute_seconds_saved` counts them for more than they took.
    - `invalidate_records` keeps, through an update, the answers that are provably still right.

    It learns from an engine it is attached to, whose cache must be the one given; of a cache that
    is no `MemoryCache` it keeps nothing longer. It holds the rows of one version of each database
    that was searched: the engine's, or for a short while those before.

    Thread-safe.

    Args:
        cache: the engine's.
        search_engine: the one that the engine searches with; both forms of
            `calculate_relevance_score`, with and without weights, will do.
        engine: to be attached to; see `attach`.
        settings: bounds and rates.
        clock: seconds that never go back.

    Raises:
        CacheError: the cache is none.
        SearchError: the search engine is none, or the engine searches with another one.
    """

    def __init__(
        self,
        cache: CacheManager,
        search_engine: object,
        engine: QueryEngine | None = None,
        *,
        settings: SearchAwareSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cache = cache
        self.settings = settings or SearchAwareSettings()
        self._clock = clock
        self._kept = KeptAnswers(cache, ttl_seconds=self.settings.ttl_seconds, clock=clock)
        self._reach = SearchReach(search_engine)
        self._tracked = TrackedSearches(self.settings, clock)
        self._keeping = SearchKeeping(
            self._tracked, self._kept, self.settings, clock=clock, count=self._count
        )
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._engine: QueryEngine | None = None
        self._endings: list[Callable[[], None]] = []
        if engine is not None:
            self.attach(engine)

    def attach(self, engine: QueryEngine) -> Callable[[], None]:
        """Learn from an engine from now on, in the place of the one before; return what ends that.

        Raises:
            SearchError: the engine searches with another search engine.
        """
        ours = self._reach.engine
        theirs = getattr(engine, "search_engine", ours)
        if theirs is not ours:
            raise SearchError(
                f"the engine searches with {theirs!r}, and the optimizer was given {ours!r}; give "
                "both the same one: QueryEngine(loader, search=it, cache=cache)"
            )
        self.detach()
        self._engine = engine
        self._reach = SearchReach(ours, engine.settings.search)
        self._endings = [engine.add_observer(self)]
        if self._kept.memory is not None:
            self._endings.append(self._kept.memory.add_listener(self._keeping.note_left))
        return self.detach

    def detach(self) -> None:
        """Learn no more; what was learnt stays."""
        while self._endings:
            self._endings.pop()()
        self._engine = None

    def answered(self, event: AnsweredQuery) -> None:
        """Learn from one answer, and see to it that what is wanted more stays in the cache."""
        engine = self._engine
        if event.query.search is None or is_in_background() or engine is None:
            self._keeping.thread.take_victims()
            return
        self._keeping.learn(event, engine)

    def trending(self, limit: int = 10) -> list[tuple[str, float]]:
        """Return the terms asked most lately, with how the interest in each changes.

        Above 1.0 it rises, at 1.0 it is steady.
        """
        return [(term, trend) for term, _, trend in self._tracked.highest_terms(limit)]

    def reached_records(
        self, records: Iterable[Record], limit: int = 10
    ) -> list[tuple[Record, float]]:
        """Return those of some records that the terms of the day reach, the most wanted first.

        Each comes with its relevance to the terms asked most lately, a term counting for as much
        as it was asked.

        Args:
            records: to choose from.
            limit: so many terms are looked at.

        Raises:
            SearchError: the search engine has no `calculate_relevance_score`, or it failed.
        """
        terms = self._tracked.highest_terms(limit)
        scored = [
            (record, sum(count * self._reach.relevance(record, term) for term, count, _ in terms))
            for record in records
        ]
        return sorted((pair for pair in scored if pair[1] > 0), key=lambda pair: -pair[1])

    def statistics(self) -> Mapping[str, int]:
        """Return what was done so far, by name; what never happened is not there.

        `searches` seen, answers `brought_back` because they are wanted more, newcomers
        `turned_away` for them, and of updates `kept`, `reranked`, `reached`, `unproven` and
        `rewarmed` as in `InvalidationReport`; `cache_failures` of a foreign cache.
        """
        with self._lock:
            counts = {
                "searches": self._tracked.seen,
                **self._counts,
                "cache_failures": self._kept.failures,
            }
        return {name: count for name, count in counts.items() if count}

    def invalidate_records(self, database: str, records: Iterable[Record]) -> InvalidationReport:
        """Load a database anew after an update; keep the cached searches that are still right.

        The old rows are compared with the new ones, so the caller need not know all that changed.
        Only where the loader hands out the very dicts of before, changed in place, must all of
        them be given. Searches that find a changed record are dropped; the most wanted of what was
        dropped are answered anew, within the settings' bounds.

        Without an engine all answers of the database are dropped.

        Args:
            database: its name.
            records: changed, added or removed ones, as they are now or as they were.

        Raises:
            LoaderError: the database cannot be loaded anew; its old answers are dropped.
            CacheError: there is no engine, and the cache cannot drop answers by tag.
        """
        start = self._clock()
        engine, base = self._engine, self._tracked.base(database)
        if engine is None or base is None:
            if engine is None:
                self._kept.drop_database(database)
            else:
                engine.refresh(database)
            return InvalidationReport(elapsed_seconds=self._clock() - start)
        update = SearchUpdate(
            engine,
            self._reach,
            self._tracked,
            self._kept,
            thread=self._keeping.thread,
            settings=self.settings,
            clock=self._clock,
        )
        report = update.run(base, list(records))
        self._count(
            kept=report.kept,
            reranked=report.reranked,
            reached=report.reached,
            unproven=report.unproven,
            rewarmed=report.rewarmed,
        )
        return report

    def _count(self, *names: str, **counts: int) -> None:
        with self._lock:
            self._counts.update(names)
            self._counts.update(counts)
