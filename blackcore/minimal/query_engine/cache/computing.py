"""Values that are computed where they are missing: once, for everybody who asks."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, cast

from .arguments import checked_not_negative, checked_positive, checked_tags
from .single_flight import SingleFlight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator

    from .entries import Entry
    from .single_flight import Flight

T = TypeVar("T")

_logger = logging.getLogger(__name__)

ABSENT: Final = object()
"""What no cache holds."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a computed value is to be kept, and how eagerly it is to be computed anew."""

    key: Hashable
    ttl_seconds: float | None
    tags: tuple[str, ...]
    stale_seconds: float
    early_refresh: float


@dataclass(slots=True)
class _Step:
    """What to do next: serve `value`, lead `flight`, or wait for it."""

    value: object = None
    flight: Flight | None = None
    leads: bool = False
    old: Entry | None = None
    """What can be served if the computation that is led fails."""

    def outcome(self) -> object:
        """Return what the flight came to, or raise it; the flight is let go of."""
        flight = cast("Flight", self.flight)
        # Or the error, its traceback, the frames in that and the flight would keep each other.
        self.flight = None
        try:
            return flight.outcome()
        finally:
            del flight


class ComputingCache(ABC):
    """The part of a cache that computes: single-flight, early refresh, stale-while-revalidate."""

    get_hit: Callable[[Hashable, object], object]
    """Returns the value of a fresh entry, its hit counted; the default, nothing counted, else."""

    def __init__(self, *, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._flights = SingleFlight()

    def get_or_compute(
        self,
        key: Hashable,
        compute: Callable[[], T],
        *,
        ttl_seconds: float | None = None,
        tags: Iterable[str] = (),
        stale_seconds: float = 0.0,
        early_refresh: float = 0.0,
    ) -> T:
        """Return the cached value, or the computed one, which is then kept.

        However many threads and tasks ask for a key, one of them computes and the others get its
        value; if it raises, they raise the same and nothing is kept. If its task is cancelled,
        another one computes. A key or tag that is invalidated meanwhile keeps the value from being
        kept, not from being returned.

        Args:
            key: what to look up.
            compute: called without arguments where there is no value.
            ttl_seconds: how long to serve the computed value; None is the cache's own.
            tags: names it can be invalidated by.
            stale_seconds: how much longer it is served, once its time is over, while somebody
                computes it anew; should that fail, the old value is returned, and the failure
                logged and counted.
            early_refresh: 0.0 for never; around 1.0, now and then one caller computes anew before
                the time is over, the likelier the nearer it is and the longer the value took
                (XFetch: Vattani, Chierichetti, Lowenstein, "Optimal probabilistic cache stampede
                prevention", VLDB 2015). The others are served the value there is.

        Raises:
            SingleFlightError: waiting for the value would never end.
        """
        if not early_refresh and (value := self.get_hit(key, ABSENT)) is not ABSENT:
            return cast("T", value)
        recipe = _recipe(key, ttl_seconds, tags, stale_seconds, early_refresh)
        step = self._begin(recipe, is_retry=False)
        while step.flight is not None:
            if step.leads:
                with self._leading(recipe, step):
                    step.value = compute()
                break
            step.flight.wait()
            if not step.flight.abandoned:
                return cast("T", step.outcome())
            step = self._begin(recipe, is_retry=True)
        return cast("T", step.value)

    async def get_or_compute_async(
        self,
        key: Hashable,
        compute: Callable[[], Awaitable[T]],
        *,
        ttl_seconds: float | None = None,
        tags: Iterable[str] = (),
        stale_seconds: float = 0.0,
        early_refresh: float = 0.0,
    ) -> T:
        """Return as `get_or_compute`, awaiting the computation; both kinds share one per key."""
        if not early_refresh and (value := self.get_hit(key, ABSENT)) is not ABSENT:
            return cast("T", value)
        recipe = _recipe(key, ttl_seconds, tags, stale_seconds, early_refresh)
        step = self._begin(recipe, is_retry=False)
        while step.flight is not None:
            if step.leads:
                with self._leading(recipe, step):
                    step.value = await compute()
                break
            await step.flight.wait_async()
            if not step.flight.abandoned:
                return cast("T", step.outcome())
            step = self._begin(recipe, is_retry=True)
        return cast("T", step.value)

    def _begin(self, recipe: Recipe, *, is_retry: bool) -> _Step:
        key = recipe.key
        entry, is_fresh = self._find_servable(key)
        if entry is not None and (
            (is_fresh and not self._is_due(entry, recipe.early_refresh))
            or self._flights.running(key)
        ):
            return self._serve(key, entry, is_fresh=is_fresh)
        flight, leads = self._flights.join(key, recipe.tags)
        if entry is not None and not leads:
            return self._serve(key, entry, is_fresh=is_fresh)
        if leads:
            # Another flight may have landed since we looked.
            newer, is_fresh = self._find_servable(key)
            if newer is not None and newer is not entry and is_fresh:
                self._flights.land(flight, newer.value)
                return self._serve(key, newer, is_fresh=True)
        if not is_retry:
            self._count_miss(key)
        return _Step(flight=flight, leads=leads, old=entry)

    def _serve(self, key: Hashable, entry: Entry, *, is_fresh: bool) -> _Step:
        self._count_hit(key, entry, is_stale=not is_fresh)
        return _Step(entry.value)

    def _is_due(self, entry: Entry, early_refresh: float) -> bool:
        if not early_refresh:
            return False
        terms = entry.terms
        ahead = -math.log(1.0 - self._random()) * early_refresh * terms.cost_seconds
        return self._clock() + ahead >= terms.expires_at

    @contextmanager
    def _leading(self, recipe: Recipe, step: _Step) -> Iterator[None]:
        """Run the computation inside; keep its value and end the flight, whatever comes of it."""
        flight = cast("Flight", step.flight)
        began = self._clock()
        try:
            with flight.computing():
                yield
        except Exception as error:
            self._flights.land(flight, error=error)
            if step.old is None:
                raise
            _logger.warning(
                "computing %r anew failed; the old value is served", recipe.key, exc_info=True
            )
            self._count_failed_refresh()
            step.value = step.old.value
        except BaseException:
            # A cancelled task or an interrupted thread is no answer: let another one lead.
            self._flights.land(flight, abandoned=True)
            raise
        else:
            try:
                self._keep_computed(recipe, step.value, self._clock() - began, flight)
            finally:
                # Kept first: whoever finds the flight gone finds the value.
                self._flights.land(flight, step.value)
        finally:
            # As in `_Step.outcome`.
            step.flight = None
            del flight

    @abstractmethod
    def _find_servable(self, key: Hashable) -> tuple[Entry | None, bool]:
        """Return the entry, if it may be served at all, and whether it is fresh."""

    @abstractmethod
    def _keep_computed(
        self, recipe: Recipe, value: object, cost_seconds: float, flight: Flight
    ) -> None:
        """Keep a computed value, unless the flight was revoked."""

    @abstractmethod
    def _count_hit(self, key: Hashable, entry: Entry, *, is_stale: bool) -> None: ...

    @abstractmethod
    def _count_miss(self, key: Hashable) -> None: ...

    @abstractmethod
    def _count_failed_refresh(self) -> None: ...


def _recipe(
    key: Hashable,
    ttl_seconds: float | None,
    tags: Iterable[str],
    stale_seconds: float,
    early_refresh: float,
) -> Recipe:
    return Recipe(
        key,
        None if ttl_seconds is None else checked_positive("ttl_seconds", ttl_seconds),
        checked_tags(tags),
        checked_not_negative("stale_seconds", stale_seconds),
        checked_not_negative("early_refresh", early_refresh),
    )
