"""What is kept for one key, and the terms that entries of one moment share.

A million small values kept within a second have a handful of different times to live and weights.
They share one `Terms` for each, instead of carrying two floats and an int apiece: an entry is then
two or three pointers. How often an entry was served is part of its terms too, as a walk along
`after_hit` from the terms of never-served entries to those of entries served once, twice, and so
on, until an entry is so often served that it gets terms of its own, which simply count.
"""

from __future__ import annotations

from typing import Final

TICK_SECONDS: Final = 0.01
"""Entries kept within one tick may share the tick's first moment as their birth."""

SHARED_HITS: Final = 16
"""An entry served so often has terms of its own."""

_TICKS_OF_A_SHARED_TTL: Final = 100
_MAX_SHARED_TERMS: Final = 1_024


class Terms:
    """How long entries are served, what each weighs and cost, and how often each was served.

    Attributes:
        created_at: when the entry was kept, in seconds of the cache's clock.
        expires_at: when it stops being served.
        stale_until: when it has to go; later than `expires_at` where a stale value may be served
            while a new one is computed.
        ttl_seconds: as asked for.
        weight_bytes: what one entry weighs.
        cost_seconds: what the value took to compute; 0.0 where nobody said.
        tags: names it can be invalidated by.
        hits: how often the entry was served.
        after_hit: the terms of an entry served once more; None where nobody has made them yet;
            `OWN_TERMS` where these belong to one entry and count in place.
    """

    __slots__ = (
        "after_hit",
        "cost_seconds",
        "created_at",
        "expires_at",
        "hits",
        "stale_until",
        "tags",
        "ttl_seconds",
        "weight_bytes",
    )

    def __init__(
        self,
        created_at: float,
        ttl_seconds: float,
        weight_bytes: int,
        *,
        tags: tuple[str, ...] = (),
        cost_seconds: float = 0.0,
        stale_seconds: float = 0.0,
    ) -> None:
        self.created_at = created_at
        self.expires_at = created_at + ttl_seconds
        self.stale_until = self.expires_at + stale_seconds if stale_seconds else self.expires_at
        self.ttl_seconds = ttl_seconds
        self.weight_bytes = weight_bytes
        self.tags = tags
        self.cost_seconds = cost_seconds
        self.hits = 0
        self.after_hit: Terms | None = None

    def _copy(self) -> Terms:
        copy = Terms(self.created_at, self.ttl_seconds, self.weight_bytes, tags=self.tags)
        copy.expires_at = self.expires_at
        copy.stale_until = self.stale_until
        copy.cost_seconds = self.cost_seconds
        copy.hits = self.hits
        return copy


OWN_TERMS: Final = Terms(0.0, 0.0, 0)
"""Marks, as `after_hit`, terms that belong to one entry."""


class Entry:
    """A value and its terms. Policies add what they need to know."""

    __slots__ = ("terms", "value")

    def __init__(self, value: object, terms: Terms) -> None:
        self.value = value
        self.terms = terms


def record_hit(entry: Entry) -> None:
    """Count one more serving of an entry.

    Exact without a lock: CPython hands the GIL over only at calls and backward jumps, and between
    reading `entry.terms` and storing into it (or into `hits`) there is neither. What needs a call,
    making new terms, is done before and then tried again.
    """
    while True:
        terms = entry.terms
        following = terms.after_hit
        if following is OWN_TERMS:
            terms.hits += 1
            return
        if following is not None:
            entry.terms = following
            return
        _make_following(entry, terms)


def _make_following(entry: Entry, terms: Terms) -> None:
    copy = terms._copy()  # noqa: SLF001 - one module, one secret
    if terms.hits < SHARED_HITS - 1:
        copy.hits += 1
        if terms.after_hit is None:
            terms.after_hit = copy
        return
    copy.after_hit = OWN_TERMS
    if entry.terms is terms:
        entry.terms = copy


class TermsPool:
    """Hands out terms, the same ones to entries of one tick that agree in everything.

    Shared terms are as old as the first entry of the tick, so an entry may expire up to one tick
    early, never late; times to live under a hundred ticks are not shared. Not thread-safe: the
    cache asks under its lock.

    >>> pool = TermsPool()
    >>> pool.terms(5.0, 60.0, 100) is pool.terms(5.001, 60.0, 100)
    True
    >>> pool.terms(5.0, 60.0, 100) is pool.terms(5.1, 60.0, 100)
    False
    """

    __slots__ = ("_by_weight", "_shared", "_tick", "_ttl_seconds")

    def __init__(self) -> None:
        self._tick = 0.0
        self._shared: dict[float, dict[int, Terms]] = {}
        # The time to live asked for last, and the shared terms that have it.
        self._ttl_seconds = -1.0
        self._by_weight: dict[int, Terms] = {}

    def terms(self, now: float, ttl_seconds: float, weight_bytes: int) -> Terms:
        """Return terms for an entry without tags, cost or stale time."""
        if ttl_seconds != self._ttl_seconds or not 0.0 <= now - self._tick < TICK_SECONDS:
            if ttl_seconds < TICK_SECONDS * _TICKS_OF_A_SHARED_TTL:
                return self.own_terms(now, ttl_seconds, weight_bytes)
            self._turn_to(now, ttl_seconds)
        terms = self._by_weight.get(weight_bytes)
        if terms is None:
            if len(self._by_weight) >= _MAX_SHARED_TERMS:
                self._by_weight.clear()
            terms = self._by_weight[weight_bytes] = Terms(self._tick, ttl_seconds, weight_bytes)
        return terms

    def _turn_to(self, now: float, ttl_seconds: float) -> None:
        if not 0.0 <= now - self._tick < TICK_SECONDS or len(self._shared) >= _MAX_SHARED_TERMS:
            self._tick = now
            self._shared.clear()
        self._ttl_seconds = ttl_seconds
        self._by_weight = self._shared.setdefault(ttl_seconds, {})

    @staticmethod
    def own_terms(
        now: float,
        ttl_seconds: float,
        weight_bytes: int,
        *,
        tags: tuple[str, ...] = (),
        cost_seconds: float = 0.0,
        stale_seconds: float = 0.0,
    ) -> Terms:
        """Return terms that belong to one entry; what has tags or a cost is too dear to share."""
        terms = Terms(
            now,
            ttl_seconds,
            weight_bytes,
            tags=tags,
            cost_seconds=cost_seconds,
            stale_seconds=stale_seconds,
        )
        terms.after_hit = OWN_TERMS
        return terms
