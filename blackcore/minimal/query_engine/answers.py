"""Answers in the cache: found, kept and dropped, whatever cache it is and however it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, cast

from .cache import CacheManager, CacheStatistics, MemoryCache, TaggedCacheManager
from .cache.making import cache_from
from .cache.single_flight import Flight, SingleFlight
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
        search_token: differs between search engines that may answer differently, for caches that
            several engines share.

    Raises:
        CacheError: the object given is no cache manager.
    """

    def __init__(
        self,
        cache: CacheManager | Literal[False] | None,
        settings: CacheSettings,
        monitor: Monitor,
        search_token: str = "",
    ) -> None:
        self._search_token = search_token
        self._monitor = monitor
        self._reported: set[str] = set()
        self._flights = SingleFlight()
        self._cache: CacheManager | None
        if cache is None:
            self._cache = cache_from(settings)
        elif cache is False:
            self._cache = None
        elif isinstance(cache, CacheManager):
            self._cache = cache
        else:
            raise CacheError(
                f"{type(cache).__name__} is not a cache; it needs the methods get_cached_result, "
                "cache_result and get_statistics"
            )

        # what it hands out is what was given to it; of another cache nobody knows
        self._is_ours = type(self._cache) is MemoryCache

    def key(self, query: StructuredQuery, version: str) -> str:
        """Return the key of the answer to a query, for a version of its database."""
        key = f"{query.fingerprint}@{version}"
        return key if query.search is None else f"{key}~{self._search_token}"

    def answer(
        self, query: StructuredQuery, records: Records, compute: Callable[[StructuredQuery], Answer]
    ) -> tuple[Answer, bool]:
        """Return an answer that covers the page asked for, and whether it was there already.

        However many threads ask one question at a time, one of them computes.

        Args:
            query: the question.
            records: the version of its database to answer from.
            compute: answers a query; it is given one without a page where a page was asked for
                that lies beyond what was kept under a limit. From then on all rows are kept.
        """
        key = self.key(query, records.version)
        stop = None if query.pagination is None else query.pagination.stop
        kept = self._find(key, len(records))
        if kept is not None and kept.covers(stop):
            return kept, True
        wanted = query
        while True:
            if kept is not None:
                wanted = query.model_copy(update={"pagination": None})
            flight, leads = self._flights.join((key, wanted.pagination is None), ())
            if leads:
                return self._led(flight, key, stop, records, lambda q=wanted: compute(q))  # type: ignore[misc]  # binds this round's
            flight.wait()
            if flight.abandoned:
                continue
            kept = cast("Answer", flight.outcome())
            if kept.covers(stop):
                return kept, True

    def _led(
        self,
        flight: Flight,
        key: str,
        stop: int | None,
        records: Records,
        compute: Callable[[], Answer],
    ) -> tuple[Answer, bool]:
        """Compute an answer for everybody who waits for it, and keep it."""
        try:
            # somebody may have landed between our look and our lead
            newer = self._peek(key, len(records))
            if newer is not None and newer.covers(stop):
                self._flights.land(flight, newer)
                return newer, True
            start = time.perf_counter()
            with flight.computing():
                answer = compute()
            self._keep(key, records, answer, time.perf_counter() - start)
            if records.is_superseded:  # its drop may have come before what we kept
                self.drop(records)
        except Exception as error:
            self._flights.land(flight, error=error)
            raise
        except BaseException:
            self._flights.land(flight, abandoned=True)  # an interrupt is no answer
            raise
        self._flights.land(flight, answer)
        return answer, False

    def _find(self, key: str, row_count: int) -> Answer | None:
        if self._cache is None:
            return None
        try:
            found = self._cache.get_cached_result(key)
        except Exception as error:  # noqa: BLE001 - whatever a foreign cache raises, the answer is computed
            self._failed("get_cached_result", f"raised {error!r}")
            return None
        if found is None:
            return None
        name = type(found).__name__
        if isinstance(found, Answer):
            if self._is_ours or found.is_of(row_count):
                return found
            name = f"an {name} that cannot be of {row_count:,} rows"
        self._failed("get_cached_result", f"returned {name}")
        return None

    def holds(self, query: StructuredQuery, records: Records) -> bool:
        """Return whether an answer is kept that covers the page asked for."""
        found = self._peek(self.key(query, records.version), len(records))
        return _covering(query, found) is not None

    def at_hand(self, query: StructuredQuery, records: Records) -> Answer | None:
        """Return a kept answer that covers the page asked for, as a request that is counted.

        None, and nothing counted, where there is none, or where it is not our own cache that would
        have to be asked: another one may take its time.
        """
        if not self._is_ours or not self.holds(query, records):
            return None
        return _covering(query, self._find(self.key(query, records.version), len(records)))

    def _peek(self, key: str, row_count: int) -> Answer | None:
        """Return what is kept without counting a request, where the cache can do that."""
        if not isinstance(self._cache, MemoryCache):
            return self._find(key, row_count)
        described = self._cache.describe(key)
        found = None if described is None else described.result
        return found if isinstance(found, Answer) else None

    def _keep(self, key: str, records: Records, answer: Answer, seconds: float) -> None:
        answer.ids.flags.writeable = False  # it is handed to every later caller
        tags = answer_tags(records.name, records.version)
        try:
            if isinstance(self._cache, MemoryCache):
                self._cache.set(key, answer, tags=tags, cost=seconds)
            elif self._cache is not None:
                self._cache.cache_result(key, answer, tags=tags)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("cache_result", f"raised {error!r}")

    def drop(self, records: Records) -> None:
        """Drop the answers of one version of a database, where the cache knows tags."""
        if not isinstance(self._cache, TaggedCacheManager):
            return  # they are never found again, and leave by age
        try:
            self._cache.invalidate_by_tags(answer_tags(records.name, records.version)[1:])
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("invalidate_by_tags", f"raised {error!r}")

    def statistics(self) -> CacheStatistics | None:
        """Return the cache's statistics, None without a cache or where it fails to tell."""
        if self._cache is None:
            return None
        try:
            told: object = self._cache.get_statistics()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("get_statistics", f"raised {error!r}")
            return None
        if isinstance(told, CacheStatistics):
            return told
        self._failed("get_statistics", f"returned {type(told).__name__}")
        return None

    def _failed(self, method: str, what: str) -> None:
        self._monitor.cache_failed()
        level = logging.DEBUG if method in self._reported else logging.WARNING
        self._reported.add(method)  # a cache that fails does so at every query
        _log.log(level, "cache %s.%s %s; it was bypassed", type(self._cache).__name__, method, what)


def _covering(query: StructuredQuery, found: Answer | None) -> Answer | None:
    """Return an answer if it covers the page that a query asks for."""
    page = query.pagination
    stop = None if page is None else page.stop
    return found if found is not None and found.covers(stop) else None


def answer_tags(database: str, version: str) -> tuple[str, str]:
    """Return the tags of an answer: its database, and the version of it."""
    return (database, f"{database}@{version}")
