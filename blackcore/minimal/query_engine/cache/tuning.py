"""A cache that grows while that pays and memory allows, and shrinks when memory is wanted."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import psutil

from ..settings import CacheTuningSettings
from .forking import survive_fork
from .ghost import Ghost
from .memory_cache import MemoryCache
from .sizing import weigh_entry

if TYPE_CHECKING:
    from ..settings import CachePolicy, CacheSettings
    from .base import EvictionCause
    from .computing import Recipe
    from .single_flight import Flight

_logger = logging.getLogger(__name__)

_MB = 2**20
_REMEMBERED_STEPS = 100

StepKind: TypeAlias = Literal["grown", "shrunk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningStep:
    """One change of a cache's size, and the reason.

    Attributes:
        kind: which way.
        at_seconds: of the cache's clock.
        from_mb: the bound before, in mebibytes.
        to_mb: the bound since.
        seconds_per_mb: computing that each mebibyte would have saved lately, of as many more as
            would have paid best.
        available_mb: the memory that the system had left.
    """

    kind: StepKind
    at_seconds: float
    from_mb: float
    to_mb: float
    seconds_per_mb: float
    available_mb: float

    def __str__(self) -> str:
        """Return the step in a line."""
        return (
            f"{self.kind} from {self.from_mb:,.1f} to {self.to_mb:,.1f} MB; a MB more would have "
            f"saved {self.seconds_per_mb:.3g} s, {self.available_mb:,.0f} MB of memory are left"
        )


class SelfTuningCache(MemoryCache):
    """A `MemoryCache` that sizes itself: what `CacheSettings(auto_tune=True)` makes.

    It looks every so many insertions. While the system has less memory left than it should, it
    shrinks by a step. Otherwise, where it is full, and values that had to leave were computed
    again and cost at least so many seconds per mebibyte, it grows by one. Both within bounds. Where
    `max_entries` is what keeps it small, it does not grow. There is no thread: a cache that nobody
    fills does not change.

    Args:
        settings: the cache's, and in `tuning` the bounds and steps.
        clock: seconds that never go back.
        available_bytes: the memory that the system has left.

    Attributes:
        grown: steps up so far.
        shrunk: steps down so far.
    """

    def __init__(
        self,
        settings: CacheSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        available_bytes: Callable[[], int] = lambda: psutil.virtual_memory().available,
    ) -> None:
        policy: CachePolicy = settings.policy
        super().__init__(
            settings.max_size_mb,
            settings.ttl_seconds,
            max_entries=settings.max_entries,
            policy=policy,
            clock=clock,
        )
        self.tuning = settings.tuning or CacheTuningSettings()
        self.grown = 0
        self.shrunk = 0
        self._lowest_mb = self.tuning.min_size_mb or settings.max_size_mb / 4
        self._highest_mb = self.tuning.max_size_mb or settings.max_size_mb * 4
        self._available_bytes = available_bytes
        self._ghost = Ghost(self.max_bytes, self._step_bytes())
        self._ghost_lock = survive_fork(threading.RLock())
        self._steps: deque[TuningStep] = deque(maxlen=_REMEMBERED_STEPS)
        self._until_look = self.tuning.look_every_insertions
        self._tuning_process = 0
        self.add_listener(self._remember)

    @property
    def steps(self) -> tuple[TuningStep, ...]:
        """The last hundred changes of size, the latest last."""
        return tuple(self._steps)

    def set(
        self,
        key: Hashable,
        value: object,
        ttl_seconds: float | None = None,
        tags: Iterable[str] = (),
        cost: float | None = None,
    ) -> bool:
        """Keep a value, as `MemoryCache.set` does, and now and then look at the size."""
        self._note_return(key, cost or 0.0)
        kept = super().set(key, value, ttl_seconds, tags, cost)
        self._look_now_and_then()
        return kept

    def _keep_computed(
        self, recipe: Recipe, value: object, cost_seconds: float, flight: Flight
    ) -> None:
        self._note_return(recipe.key, cost_seconds)
        super()._keep_computed(recipe, value, cost_seconds, flight)
        self._look_now_and_then()

    def _remember(self, key: Hashable, value: object, cause: EvictionCause) -> None:
        if cause != "capacity":
            return
        weight_bytes = weigh_entry(key, value)
        with self._ghost_lock:
            self._ghost.evicted(key, weight_bytes)

    def exchanged(self, back: Hashable, gone: Iterable[tuple[Hashable, object]]) -> None:
        """Note that somebody else chose who has to leave, before he puts it right.

        Args:
            back: the key of what had left and comes back, without having been computed.
            gone: keys and values that leave in its place, for want of room all the same.
        """
        with self._ghost_lock:
            self._ghost.forget(back)
        for key, value in gone:
            self._remember(key, value, "capacity")

    def _note_return(self, key: Hashable, cost_seconds: float) -> None:
        # before room is made, which pushes the oldest ghosts out
        with self._ghost_lock:
            self._ghost.kept(key, cost_seconds=cost_seconds)

    def _look_now_and_then(self) -> None:
        with self._ghost_lock:
            self._until_look -= 1
            if self._until_look > 0:
                return
            self._until_look = self.tuning.look_every_insertions
        self.tune()

    def tune(self) -> TuningStep | None:
        """Look at the size now; return the step that was made, None where none was called for.

        Of several threads that look at a time one does, and the others go on.
        """
        with self._ghost_lock:
            if self._tuning_process == os.getpid():
                return None
            self._tuning_process = os.getpid()  # a child's parent is no reason to wait
            seconds_per_mb = self._ghost.read().seconds_per_mb
        try:
            return self._tuned(seconds_per_mb, self._available_bytes())
        finally:
            self._tuning_process = 0

    def _tuned(self, seconds_per_mb: float, available_bytes: int) -> TuningStep | None:
        size_mb = self.max_bytes / _MB
        step_mb = self._step_bytes() / _MB
        if available_bytes < self.tuning.min_available_mb * _MB:
            target_mb = max(self._lowest_mb, size_mb - step_mb)
        elif (
            seconds_per_mb >= self.tuning.grow_seconds_per_mb
            and self._is_full()
            and available_bytes - step_mb * _MB >= self.tuning.min_available_mb * _MB
        ):
            target_mb = min(self._highest_mb, size_mb + step_mb)
        else:
            return None
        return self._resized(size_mb, target_mb, seconds_per_mb, available_bytes)

    def _resized(
        self, size_mb: float, target_mb: float, seconds_per_mb: float, available_bytes: int
    ) -> TuningStep | None:
        if (target_mb < size_mb) != (available_bytes < self.tuning.min_available_mb * _MB):
            return None  # somebody resized it beyond the bounds, which is his right
        if int(target_mb * _MB) == self.max_bytes:
            return None
        self.resize(target_mb)
        step = TuningStep(
            kind="grown" if target_mb > size_mb else "shrunk",
            at_seconds=self._clock(),
            from_mb=size_mb,
            to_mb=target_mb,
            seconds_per_mb=seconds_per_mb,
            available_mb=available_bytes / _MB,
        )
        with self._ghost_lock:
            self.grown += step.kind == "grown"
            self.shrunk += step.kind == "shrunk"
            self._steps.append(step)
            self._ghost.resize(self.max_bytes, self._step_bytes())
        _logger.info("cache %s", step)
        return step

    def _is_full(self) -> bool:
        return self.get_statistics().memory_used_bytes > self.max_bytes - self._step_bytes()

    def _step_bytes(self) -> int:
        return max(1, round(self.max_bytes * self.tuning.step_fraction))
