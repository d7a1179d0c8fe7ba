"""A cache that follows what is searched for, and that an update need not empty."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..answers import answer_tags
from ..cache import CacheManager, MemoryCache, TaggedCacheManager
from ..data import Answer, AnsweredQuery
from ..errors import CacheError, QueryEngineError, SearchError
from ..loaders.base import VersionedDataLoader
from ..settings import SearchAwareSettings
from .background import in_background, is_in_background
from .carry_over import CarryOver, Verdict
from .row_changes import row_changes
from .search_reach import SearchReach
from .tracked_searches import Base, TrackedSearch, TrackedSearches

if TYPE_CHECKING:
    from ..cache import EvictionCause
    from ..data import Records
    from ..engine import QueryEngine
    from ..loaders.base import Record

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidationReport:
    """What an update of records did to the cached searches of their database.

    Attributes:
        changed_rows: rows that are not what they were.
        considered: cached searches that were looked at.
        kept: of these, still right, and kept as they were.
        reranked: of these, kept with their rows in the order of new scores.
        reached: of these, dropped because they find a changed record.
        unproven: of these, dropped because nobody can say that they are still right.
        rewarmed: of the dropped, answered anew.
        elapsed_seconds: with loading, comparing and re-warming.
    """

    changed_rows: int = 0
    considered: int = 0
    kept: int = 0
    reranked: int = 0
    reached: int = 0
    unproven: int = 0
    rewarmed: int = 0
    elapsed_seconds: float = 0.0


class SearchAwareCacheOptimizer:
    """Learns what is searched for, and keeps the answers to that longer.

    - A search's interest is how often it, and the rarest of its terms, were asked lately. When an
      answer had to leave for a less wanted one, it comes back and the other goes. The answers to
      what is asked more than usual count for more cost and live longer, within bounds; so the
      cache's `compute_seconds_saved` counts them for more than they took.
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
        if not isinstance(cache, CacheManager):
            raise CacheError(
                f"{type(cache).__name__} is not a cache; it needs the methods get_cached_result, "
                "cache_result and get_statistics"
            )
        self.cache = cache
        self.settings = settings or SearchAwareSettings()
        self._reach = SearchReach(search_engine)
        self._clock = clock
        self._tracked = TrackedSearches(self.settings, clock)
        self._thread = _OfThread()
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
        if isinstance(self.cache, MemoryCache):
            self._endings.append(self.cache.add_listener(self._left))
        return self.detach

    def detach(self) -> None:
        """Learn no more; what was learnt stays."""
        while self._endings:
            self._endings.pop()()
        self._engine = None

    def answered(self, event: AnsweredQuery) -> None:
        """Learn from one answer, and see to it that what is wanted more stays in the cache."""
        victims = self._thread.take_victims()
        engine, query = self._engine, event.query
        if query.search is None or is_in_background() or engine is None:
            return
        key = engine.answer_key(query)
        if f"@{event.version}" not in key:
            return  # a newer version came in between
        if self._tracked.needs_base(query.database, event.version):
            records = engine.records(query.database)
            if records.version == event.version:
                self._tracked.note_version(records)
        known = self._tracked.by_key(key)
        if known is None or not event.from_cache:
            cost = self._tracked.cost_of(query) if event.from_cache else event.elapsed_ns / 1e9
            known = self._tracked.track(
                query, key=key, version=event.version, cost_seconds=cost, ttl=self._ttl(key)
            )
        self._tracked.asked(known)
        self._count("searches")
        if not event.from_cache:
            self._settle(known, victims)

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
        """Return what was done so far: searches seen, answers brought back, turned away, kept."""
        with self._lock:
            return dict(self._counts)

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
        """
        start = self._clock()
        given = list(records)
        engine, base = self._engine, self._tracked.base(database)
        if engine is None or base is None:
            self._drop_all(database)
            return InvalidationReport(elapsed_seconds=self._clock() - start)
        answers = self._answers_of(base)
        current = self._reloaded(engine, base)
        changes = row_changes(base.records.rows, current.rows, given)
        self._reach.forget(base.records.rows)  # changed in place, they are another index
        # the given ones count even where the rows do not show it
        reaching = [*changes.before, *changes.after, *given]
        carry = CarryOver(self._reach, changes, reaching, current)
        dropped: list[TrackedSearch] = []
        verdicts: Counter[str] = Counter()
        for search, answer in answers:
            verdict = self._carry(engine, carry, search, answer)
            verdicts[verdict] += 1
            if verdict in {"reached", "unproven"}:
                dropped.append(search)
        self._reach.forget(reaching)
        rewarmed = self._rewarm(engine, dropped)
        self._count(**verdicts, rewarmed=rewarmed)
        return InvalidationReport(
            changed_rows=changes.changed_rows,
            considered=len(answers),
            rewarmed=rewarmed,
            elapsed_seconds=self._clock() - start,
            **verdicts,
        )

    def _settle(self, newcomer: TrackedSearch, victims: list[tuple[TrackedSearch, Answer]]) -> None:
        """Bring back who is wanted more than the newcomer that he had to leave for."""
        interest = self._tracked.interest(newcomer)
        now = self._clock()
        worthier = [
            (search, answer)
            for search, answer in victims
            if search.expires_at > now and self._tracked.interest(search) > interest
        ]
        with self._thread.acting():
            if worthier and isinstance(self.cache, MemoryCache):
                self.cache.delete(newcomer.key)
                for search, answer in worthier:
                    self._keep(search, answer)
                self._count(turned_away=1, brought_back=len(worthier))
                return
            factor = self._tracked.factor(newcomer)
            kept = self._peek(newcomer.key)
            if kept is not None and factor != 1.0:
                self._keep(self._retracked(newcomer, self._ttl(newcomer.key) * factor), kept)

    def _retracked(self, search: TrackedSearch, ttl: float) -> TrackedSearch:
        return self._tracked.track(
            search.query,
            key=search.key,
            version=search.version,
            cost_seconds=search.cost_seconds,
            ttl=ttl,
        )

    def _keep(self, search: TrackedSearch, answer: Answer) -> None:
        tags = answer_tags(search.query.database, search.version)
        ttl = search.expires_at - self._clock()
        if isinstance(self.cache, MemoryCache):
            cost = search.cost_seconds * self._tracked.factor(search)
            self.cache.set(search.key, answer, ttl, tags, cost)
        else:
            self.cache.cache_result(search.key, answer, ttl, tags)

    def _ttl(self, key: str) -> float:
        """Return how long the cache serves an entry; a time to live of its own where it is gone."""
        if isinstance(self.cache, MemoryCache):
            described = self.cache.describe(key)
            if described is not None:
                return described.ttl
        return self.settings.ttl_seconds

    def _peek(self, key: str) -> Answer | None:
        if isinstance(self.cache, MemoryCache):
            described = self.cache.describe(key)
            found = None if described is None else described.result
        else:
            found = self.cache.get_cached_result(key)
        return found if isinstance(found, Answer) else None

    def _left(self, key: Hashable, value: object, cause: EvictionCause) -> None:
        """Note what leaves the cache."""
        search = self._tracked.by_key(key)
        if search is None or not isinstance(value, Answer):
            return
        if cause == "capacity":
            self._thread.note_victim(search, value)
        elif cause == "invalidated":
            self._tracked.let_go(key, value)

    def _answers_of(self, base: Base) -> list[tuple[TrackedSearch, Answer]]:
        found = {}
        for search in self._tracked.of_version(base.records):
            answer = self._peek(search.key)
            if answer is not None:
                found[search.query.fingerprint] = (search, answer)
        return list({**base.let_go, **found}.values())

    def _reloaded(self, engine: QueryEngine, base: Base) -> Records:
        database = base.records.name
        is_versioned = isinstance(engine.loader, VersionedDataLoader)
        if not is_versioned or engine.records(database).version == base.records.version:
            engine.refresh(database)
        current = engine.records(database)
        self._tracked.rebase(current)
        return current

    def _carry(
        self, engine: QueryEngine, carry: CarryOver, search: TrackedSearch, answer: Answer
    ) -> Verdict:
        version = carry.records.version
        try:
            carried = carry.carried(search.query, answer)
            key = engine.answer_key(search.query)
        except QueryEngineError:
            _log.warning("the answer to %r is dropped", search.query.search, exc_info=True)
            return "unproven"
        ttl = search.expires_at - self._clock()
        if carried.answer is None or ttl <= 0 or f"@{version}" not in key:
            return carried.verdict if carried.answer is None else "unproven"
        carried.answer.ids.flags.writeable = False  # it is handed to every later caller
        if self._peek(key) is None:  # or somebody asked meanwhile
            tracked = self._tracked.track(
                search.query, key=key, version=version, cost_seconds=search.cost_seconds, ttl=ttl
            )
            with self._thread.acting():
                self._keep(tracked, carried.answer)
        return carried.verdict

    def _rewarm(self, engine: QueryEngine, dropped: list[TrackedSearch]) -> int:
        end = self._clock() + self.settings.rewarm_seconds
        wanted = sorted(dropped, key=self._tracked.interest, reverse=True)
        rewarmed = 0
        for search in wanted[: self.settings.max_rewarmed]:
            if self._clock() >= end:
                break
            try:
                with in_background(), self._thread.acting():
                    engine.execute(search.query)
                    key = engine.answer_key(search.query)
                    version = engine.records(search.query.database).version
            except QueryEngineError:
                _log.warning("re-warming %r failed", search.query.search, exc_info=True)
                continue
            rewarmed += 1
            self._tracked.track(
                search.query,
                key=key,
                version=version,
                cost_seconds=search.cost_seconds,
                ttl=self._ttl(key),
            )
        return rewarmed

    def _drop_all(self, database: str) -> None:
        if self._engine is not None:
            self._engine.refresh(database)
        elif isinstance(self.cache, TaggedCacheManager):
            self.cache.invalidate_by_tags([database])
        else:
            raise CacheError(
                f"{type(self.cache).__name__} cannot drop the answers of {database!r}: it has no "
                "invalidate_by_tags; attach an engine, or use a cache that has it"
            )

    def _count(self, *names: str, **counts: int) -> None:
        with self._lock:
            self._counts.update(names)
            self._counts.update(counts)


class _OfThread(threading.local):
    """Who had to leave the cache for what this thread has just kept."""

    def __init__(self) -> None:
        self._victims: list[tuple[TrackedSearch, Answer]] = []
        self._acting = 0

    def acting(self) -> _OfThread:
        """Pass over who leaves inside: what is kept there is our own doing."""
        return self

    def __enter__(self) -> None:
        self._acting += 1

    def __exit__(self, *error: object) -> None:
        self._acting -= 1

    def note_victim(self, search: TrackedSearch, answer: Answer) -> None:
        """Remember who had to leave."""
        if not self._acting:
            self._victims.append((search, answer))

    def take_victims(self) -> list[tuple[TrackedSearch, Answer]]:
        """Return who had to leave since the last time."""
        victims, self._victims = self._victims, []
        return victims
