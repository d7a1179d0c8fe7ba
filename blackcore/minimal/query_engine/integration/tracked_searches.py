"""The searches that an engine answered: where each answer is kept, and from which rows."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from .interest import Interest, Wish, wish_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..data import Answer, Records
    from ..query import StructuredQuery
    from ..settings import SearchAwareSettings

K = TypeVar("K", bound="Hashable")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedSearch:
    """A search that was answered.

    Attributes:
        query: as last asked.
        wish: what of it may be asked for again.
        key: that its answer is kept under.
        version: of the database it was answered from.
        cost_seconds: what computing it took, undisturbed as far as is known.
        weight_bytes: what its answer weighs in the cache.
        ttl_seconds: what its answer may be served without more interest than usual.
        kept_at: when that time began.
        expires_at: when its answer's time is over.
    """

    query: StructuredQuery
    wish: Wish
    key: str
    version: str
    cost_seconds: float
    weight_bytes: int
    ttl_seconds: float
    kept_at: float
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


class DrawableSet(Generic[K]):
    """A set to draw from at random; each operation takes the same however many are in it.

    >>> some = DrawableSet()
    >>> for word in ("war", "peace", "end"):
    ...     some.add(word)
    >>> some.discard("war")
    >>> sorted(set(some.draw(50)))
    ['end', 'peace']
    """

    def __init__(self) -> None:
        self._members: list[K] = []
        self._places: dict[K, int] = {}
        self._random = random.Random(0)  # noqa: S311 - no secret; the same runs end the same

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: K) -> None:
        """Put in a member, if it is not there."""
        if member not in self._places:
            self._places[member] = len(self._members)
            self._members.append(member)

    def discard(self, member: K) -> None:
        """Take out a member, if it is there."""
        place = self._places.pop(member, None)
        if place is None:
            return
        last = self._members.pop()
        if place < len(self._members):
            self._members[place] = last
            self._places[last] = place

    def draw(self, count: int) -> list[K]:
        """Return up to so many members, each once: all where there are no more."""
        if len(self._members) <= count:
            return [*self._members]
        return self._random.sample(self._members, count)


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
        self._kept: DrawableSet[str] = DrawableSet()
        self._bases: dict[str, Base] = {}

    @property
    def seen(self) -> int:
        """How many searches were asked so far."""
        return self._interest.now

    def by_key(self, key: Hashable) -> TrackedSearch | None:
        """Return the search whose answer is kept under a key."""
        return self._by_key.get(key)

    def cost_of(self, query: StructuredQuery, version: str) -> float | None:
        """Return what computing a search of a version took; None where nobody knows."""
        known = self._searches.get(query.fingerprint)
        return None if known is None or known.version != version else known.cost_seconds

    def track(
        self,
        query: StructuredQuery,
        *,
        key: str,
        version: str,
        cost_seconds: float,
        weight_bytes: int,
        ttl: float,
    ) -> TrackedSearch:
        """Note where the answer to a search is kept.

        Args:
            query: the search.
            key: that its answer is kept under.
            version: of the database it was answered from.
            cost_seconds: what computing it took.
            weight_bytes: what its answer weighs in the cache.
            ttl: seconds for which its answer may be served, without more interest than usual.
        """
        assert query.search is not None  # noqa: S101 - for the type checker; callers have looked
        now = self._clock()
        known = self._searches.get(query.fingerprint)
        search = TrackedSearch(
            query=query,
            wish=wish_of(query, query.search) if known is None else known.wish,
            key=key,
            version=version,
            cost_seconds=cost_seconds,
            weight_bytes=weight_bytes,
            ttl_seconds=ttl,
            kept_at=now,
            expires_at=now + ttl,
        )
        with self._lock:
            old = self._searches.pop(query.fingerprint, None)
            if old is not None and old.key != key:
                self._forget_key(old.key)
            self._searches[query.fingerprint] = self._by_key[key] = search
            self._kept.add(key)
            while len(self._searches) > self._settings.max_searches:
                _, oldest = self._searches.popitem(last=False)
                self._forget_key(oldest.key)
        return search

    def prolonged(self, search: TrackedSearch, expires_at: float) -> TrackedSearch:
        """Note another end of an answer's time."""
        with self._lock:
            if self._by_key.get(search.key) is search:
                search = replace(search, expires_at=expires_at)
                self._searches[search.query.fingerprint] = self._by_key[search.key] = search
        return search

    def _forget_key(self, key: str) -> None:
        self._by_key.pop(key, None)
        self._kept.discard(key)

    def came(self, key: str) -> None:
        """Note that the answer of a tracked search is in the cache."""
        with self._lock:
            if key in self._by_key:
                self._kept.add(key)

    def left(self, key: str) -> None:
        """Note that the answer of a search is not in the cache any more."""
        with self._lock:
            self._kept.discard(key)

    def draw_kept(self, count: int) -> list[TrackedSearch]:
        """Return up to so many of the searches whose answers are in the cache, by chance."""
        with self._lock:
            drawn = self._kept.draw(count)
            return [self._by_key[key] for key in drawn if key in self._by_key]

    def asked(self, search: TrackedSearch) -> None:
        """Count a search as asked once."""
        with self._lock:
            self._interest.note(search.wish)

    def interest(self, search: TrackedSearch) -> float:
        """Return how much a search is wanted."""
        with self._lock:
            return self._interest.of(search.wish)

    def factor(self, search: TrackedSearch) -> float:
        """Return how much a search is wanted in parts of the usual, within bounds."""
        with self._lock:
            return self._interest.factor(search.wish)

    def highest_terms(self, limit: int) -> list[tuple[str, float, float]]:
        """Return the terms asked most lately, each with how much, and how that changes."""
        with self._lock:
            highest = self._interest.terms.highest(limit, self._interest.now)
            named = [(str(term), count) for term, count in highest]
            return [(term, count, self._interest.trend(term)) for term, count in named]

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
