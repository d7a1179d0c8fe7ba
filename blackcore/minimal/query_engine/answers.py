"""Answers in the cache: found, kept and dropped, whatever cache it is and however it fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from .cache import CacheManager, CacheStatistics, MemoryCache, TaggedCacheManager
from .data import Answer, Records
from .errors import CacheError

if TYPE_CHECKING:
    from .monitoring import Monitor
    from .query import StructuredQuery
    from .settings import CacheSettings

_log = logging.getLogger(__name__)


class AnswerCache:
    """Keeps answers under the digest of their question and the version of their database.

    So an answer is never found for rows that changed. A cache that raises or returns something else
    is bypassed, counted and logged; it never changes an answer.

    Args:
        cache: a cache manager; None for a `MemoryCache`, False for none.
        settings: bounds of the one made for None.
        monitor: counts the failures.

    Raises:
        CacheError: the object given is no cache manager.
    """

    def __init__(
        self,
        cache: CacheManager | Literal[False] | None,
        settings: CacheSettings,
        monitor: Monitor,
    ) -> None:
        self._monitor = monitor
        self._reported: set[str] = set()
        self._cache: CacheManager | None
        if cache is None:
            self._cache = MemoryCache(settings.max_size_mb, settings.ttl_seconds)
        elif cache is False:
            self._cache = None
        elif isinstance(cache, CacheManager):
            self._cache = cache
        else:
            raise CacheError(
                f"{type(cache).__name__} is not a cache; it needs the methods get_cached_result, "
                "cache_result and get_statistics"
            )

    def find(self, query: StructuredQuery, records: Records) -> Answer | None:
        """Return the answer that is kept, None where there is none."""
        if self._cache is None:
            return None
        try:
            found = self._cache.get_cached_result(_key(query, records))
        except Exception as error:  # noqa: BLE001 - whatever a foreign cache raises, the answer is computed
            self._failed("get_cached_result", f"raised {error!r}")
            return None
        if found is None or isinstance(found, Answer):
            return found
        self._failed("get_cached_result", f"returned {type(found).__name__}")
        return None

    def holds(self, query: StructuredQuery, records: Records) -> bool:
        """Return whether an answer is kept that covers the page asked for."""
        found = self.find(query, records)
        page = query.pagination
        return found is not None and found.covers(None if page is None else page.stop)

    def keep(self, query: StructuredQuery, records: Records, answer: Answer) -> None:
        """Keep an answer."""
        if self._cache is None:
            return
        answer.ids.flags.writeable = False  # it is handed to every later caller
        try:
            self._cache.cache_result(_key(query, records), answer, tags=_tags(records))
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("cache_result", f"raised {error!r}")

    def drop(self, records: Records) -> None:
        """Drop the answers of one version of a database, where the cache knows tags."""
        if not isinstance(self._cache, TaggedCacheManager):
            return  # they are never found again, and leave by age
        try:
            self._cache.invalidate_by_tags(_tags(records)[1:])
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("invalidate_by_tags", f"raised {error!r}")

    def statistics(self) -> CacheStatistics | None:
        """Return the cache's statistics, None without a cache or where it fails to tell."""
        if self._cache is None:
            return None
        try:
            return self._cache.get_statistics()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("get_statistics", f"raised {error!r}")
            return None

    def _failed(self, method: str, what: str) -> None:
        self._monitor.cache_failed()
        level = logging.DEBUG if method in self._reported else logging.WARNING
        self._reported.add(method)  # a cache that fails does so at every query
        _log.log(level, "cache %s.%s %s; it was bypassed", type(self._cache).__name__, method, what)


def _key(query: StructuredQuery, records: Records) -> str:
    return f"{query.fingerprint}@{records.version}"


def _tags(records: Records) -> tuple[str, str]:
    return (records.name, f"{records.name}@{records.version}")
