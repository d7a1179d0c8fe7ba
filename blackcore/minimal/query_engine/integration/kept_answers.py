"""The answers to searches in the cache, whatever cache it is and however it fails."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..answers import answer_tags
from ..cache import CacheManager, MemoryCache, TaggedCacheManager
from ..cache.tuning import SelfTuningCache
from ..data import Answer
from ..errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .tracked_searches import TrackedSearch

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class RoomLeft:
    """What a cache has room for.

    Attributes:
        left: entries, or bytes.
        by_entries: which of them.
    """

    left: int
    by_entries: bool

    def taken_by(self, search: TrackedSearch) -> int:
        """Return what the answer to a search takes."""
        return 1 if self.by_entries else max(1, search.weight_bytes)


class KeptAnswers:
    """Looks at answers without their being counted as asked for, and keeps some.

    What a foreign cache raises is logged and counted; the answer is then not there, or not kept.

    Args:
        cache: the engine's.
        ttl_seconds: for which a cache that does not tell is thought to serve an answer.
        clock: seconds that never go back.

    Attributes:
        memory: the cache, where it is a `MemoryCache`, which tells more and takes more; else None.
        failures: times that a foreign cache raised or returned rubbish.

    Raises:
        CacheError: it is no cache.
    """

    def __init__(
        self, cache: CacheManager, *, ttl_seconds: float, clock: Callable[[], float]
    ) -> None:
        if not isinstance(cache, CacheManager):
            raise CacheError(
                f"{type(cache).__name__} is not a cache; it needs the methods get_cached_result, "
                "cache_result and get_statistics"
            )
        self.memory: Final = cache if isinstance(cache, MemoryCache) else None
        self.failures = 0
        self._cache = cache
        self._ttl_seconds = ttl_seconds
        self._clock = clock

    def peek(self, key: str) -> Answer | None:
        """Return the answer that is kept under a key, None where there is none."""
        if self.memory is not None:
            described = self.memory.describe(key)
            found = None if described is None else described.result
            return found if isinstance(found, Answer) else None
        try:
            found = self._cache.get_cached_result(key)
        except Exception:  # noqa: BLE001 - whatever a foreign cache raises: the answer is not there
            self._failed("get_cached_result")
            return None
        if found is not None and not isinstance(found, Answer):
            self._failed("get_cached_result")
            return None
        return found

    def ttl_of(self, key: str) -> float:
        """Return the seconds for which the answer under a key is served from its keeping on."""
        described = None if self.memory is None else self.memory.describe(key)
        return self._ttl_seconds if described is None else described.ttl

    def keep(self, search: TrackedSearch, answer: Answer, *, cost_factor: float) -> bool:
        """Keep the answer to a search until its time is over; return whether it is kept.

        Args:
            search: says where, and until when.
            answer: to the search.
            cost_factor: what its cost counts for, in parts of what it was.
        """
        tags = answer_tags(search.query.database, search.version)
        ttl = search.expires_at - self._clock()
        if ttl <= 0:
            return False
        if self.memory is not None:
            return self.memory.set(search.key, answer, ttl, tags, search.cost_seconds * cost_factor)
        try:
            self._cache.cache_result(search.key, answer, ttl, tags)
        except Exception:  # noqa: BLE001 - as above
            self._failed("cache_result")
            return False
        return True

    @property
    def weighs_cost(self) -> bool:
        """Whether what an answer cost decides who stays in the cache."""
        return self.memory is not None and self.memory.policy == "gdsf"

    def exchange(
        self,
        leaving: Iterable[TrackedSearch],
        back: TrackedSearch,
        answer: Answer,
        *,
        cost_factor: float,
    ) -> None:
        """Let go of some answers for one that had left; of a foreign cache none leave."""
        memory = self.memory
        if memory is not None:
            keys = [search.key for search in leaving]
            if isinstance(memory, SelfTuningCache):
                values = [(key, self.peek(key)) for key in keys]
                memory.exchanged(back.key, [pair for pair in values if pair[1] is not None])
            for key in keys:
                memory.delete(key)
        self.keep(back, answer, cost_factor=cost_factor)

    def room(self) -> RoomLeft:
        """Return the room that is left, by the bound that binds."""
        memory = self.memory
        if memory is None:
            return RoomLeft(0, by_entries=True)
        if memory.max_entries is not None and len(memory) >= memory.max_entries:
            return RoomLeft(memory.max_entries - len(memory), by_entries=True)
        used_bytes = memory.get_statistics().memory_used_bytes
        return RoomLeft(memory.max_bytes - used_bytes, by_entries=False)

    def drop_database(self, database: str) -> None:
        """Drop the answers of all versions of a database.

        Raises:
            CacheError: the cache cannot.
        """
        if not isinstance(self._cache, TaggedCacheManager):
            raise CacheError(
                f"{type(self._cache).__name__} cannot drop the answers of {database!r}: it has no "
                "invalidate_by_tags; attach an engine, or use a cache that has it"
            )
        try:
            self._cache.invalidate_by_tags([database])
        except Exception as error:
            raise CacheError(
                f"{type(self._cache).__name__} failed to drop the answers of {database!r}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _failed(self, method: str) -> None:
        level = logging.DEBUG if self.failures else logging.WARNING
        self.failures += 1  # one that fails does so again and again
        _log.log(
            level,
            "cache %s.%s failed; it was bypassed",
            type(self._cache).__name__,
            method,
            exc_info=True,
        )
