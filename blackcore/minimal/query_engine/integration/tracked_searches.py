"""The searches that an engine answered: where each answer is kept, and from which rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .interest import Interest, terms_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..data import Answer, Records
    from ..query import StructuredQuery
    from ..settings import SearchAwareSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedSearch:
    """A search that was answered.

    Attributes:
        query: as last asked.
        terms: of its text.
        key: that its answer is kept under.
        version: of the database it was answered from.
        cost_seconds: what computing it took.
        expires_at: when its answer's time is over.
    """

    query: StructuredQuery
    terms: tuple[str, ...]
    key: str
    version: str
    cost_seconds: float
    expires_at: float


@dataclass(slots=True)
class Base:
    """The version of a database that its cached searches were answered from.

    Attributes:
        records: its rows.
        let_go: searches and answers that left the cache with the version, by fingerprint.
        since: when a newer version was first seen; None while there is none.
    """

    records: Records
    let_go: dict[str, tuple[TrackedSearch, Answer]] = field(default_factory=dict)
    since: float | None = None


class TrackedSearches:
    """What is known of the searches, and how much each is wanted. Thread-safe.

    Never calls the cache, which may call it.
    """

    def __init__(self, settings: SearchAwareSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._interest = Interest(settings)
        self._searches: OrderedDict[str, TrackedSearch] = OrderedDict()
        self._by_key: dict[Hashable, TrackedSearch] = {}
        self._bases: dict[str, Base] = {}

    def by_key(self, key: Hashable) -> TrackedSearch | None:
        """Return the search whose answer is kept under a key."""
        return self._by_key.get(key)

    def cost_of(self, query: StructuredQuery) -> float:
        """Return what computing a search took when it was last computed; 0.0 where nobody knows."""
        known = self._searches.get(query.fingerprint)
        return 0.0 if known is None else known.cost_seconds

    def track(
        self, query: StructuredQuery, *, key: str, version: str, cost_seconds: float, ttl: float
    ) -> TrackedSearch:
        """Note where the answer to a search is kept."""
        assert query.search is not None  # noqa: S101 - for the type checker; callers have looked
        search = TrackedSearch(
            query=query,
            terms=terms_of(query.search.text),
            key=key,
            version=version,
            cost_seconds=cost_seconds,
            expires_at=self._clock() + ttl,
        )
        with self._lock:
            old = self._searches.pop(query.fingerprint, None)
            if old is not None:
                self._by_key.pop(old.key, None)
            self._searches[query.fingerprint] = self._by_key[key] = search
            while len(self._searches) > self._settings.max_searches:
                _, oldest = self._searches.popitem(last=False)
                self._by_key.pop(oldest.key, None)
        return search

    def asked(self, search: TrackedSearch) -> None:
        """Count a search as asked once."""
        with self._lock:
            self._interest.note(search.query.fingerprint, search.terms)

    def interest(self, search: TrackedSearch) -> float:
        """Return how much a search is wanted."""
        with self._lock:
            return self._interest.of(search.query.fingerprint, search.terms)

    def factor(self, search: TrackedSearch) -> float:
        """Return how much a search is wanted in parts of the usual, within bounds."""
        with self._lock:
            return self._interest.factor(search.query.fingerprint, search.terms)

    def highest_terms(self, limit: int) -> list[tuple[str, float, float]]:
        """Return the terms asked most lately, each with how much, and how that changes."""
        with self._lock:
            terms, now = self._interest.terms, self._interest.now
            highest = terms.highest(limit, now)
            return [(str(term), count, terms.trend(term, now)) for term, count in highest]

    def base(self, database: str) -> Base | None:
        """Return the version that the searches of a database were answered from."""
        return self._bases.get(database)

    def needs_base(self, database: str, version: str) -> bool:
        """Return whether a version is another one than the base."""
        base = self._bases.get(database)
        return base is None or base.records.version != version

    def note_version(self, records: Records) -> None:
        """Take a version as the base, unless an older one still waits to be compared with it."""
        now = self._clock()
        with self._lock:
            base = self._bases.get(records.name)
            if base is not None and base.records.version != records.version and base.let_go:
                base.since = now if base.since is None else base.since
                if now - base.since < self._settings.old_version_seconds:
                    return
            if base is None or base.records.version != records.version:
                self._bases[records.name] = Base(records)

    def rebase(self, records: Records) -> None:
        """Take a version as the base at once."""
        with self._lock:
            self._bases[records.name] = Base(records)

    def let_go(self, key: Hashable, answer: Answer) -> None:
        """Note an answer that left the cache with the version of its database."""
        search = self._by_key.get(key)
        if search is None:
            return
        with self._lock:
            base = self._bases.get(search.query.database)
            if base is not None and base.records.version == search.version:
                base.let_go[search.query.fingerprint] = (search, answer)

    def of_version(self, records: Records) -> list[TrackedSearch]:
        """Return the searches answered from a version."""
        with self._lock:
            return [
                search
                for search in self._searches.values()
                if search.query.database == records.name and search.version == records.version
            ]
