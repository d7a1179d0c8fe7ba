"""The writing side of the memory cache: entries come and leave, and all bookkeeping with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Final

from .base import EvictionCause
from .entries import Entry, TermsPool
from .forking import survive_fork
from .policies import POLICIES, EvictionPolicy
from .tags import TagIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..settings import CachePolicy
    from .counters import Counters

Listener = Callable[[Hashable, object, EvictionCause], object]
"""Called with key, value and cause when an entry has left."""

_Left = list[tuple[Hashable, object, EvictionCause]]

_logger = logging.getLogger(__name__)

_SWEEP_ENTRIES: Final = 512
_SWEEP_AT_ANY_TIME_ENTRIES: Final = 64
_SWEEP_WAIT_PARTS: Final = 4


class EntryStore:
    """Entries within their bounds, their tags, and who is told when one leaves.

    Every change is made under `lock`. What leaves is handed to the listeners, and let go of, after
    the lock was given back: listeners and destructors may use the cache. So lists of what leaves
    are local to the functions that take the lock, and outlive it.

    What the garbage collector finalizes in the middle of a change, on its thread, may use the cache
    too: a change that comes then has to wait, and is made right after the one it came into.

    A change that is broken off, by an interrupt or by a key that fails to compare, may have been
    made or not, or in part; what is held is in order either way.
    """

    def __init__(
        self,
        policy: CachePolicy,
        max_bytes: int,
        max_entries: int | None,
        *,
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self.lock = survive_fork(RLock())
        self.policy: EvictionPolicy[Entry] = POLICIES[policy](self.lock, max_bytes, max_entries)
        self.entries = self.policy.entries
        self.tags = TagIndex()
        self.listeners: tuple[Listener, ...] = ()
        self._pool = TermsPool()
        self._counters = counters
        self._clock = clock
        self._earliest_end = float("inf")
        self._insertions_until_sweep = 0
        self._is_changing = False
        self._waiting: list[Callable[[], object]] = []

    def put(  # noqa: C901, PLR0912 - an insertion, written out: a call costs a twentieth of it
        self,
        key: Hashable,
        value: object,
        weight_bytes: int,
        ttl_seconds: float,
        tags: tuple[str, ...] = (),
        cost_seconds: float = 0.0,
        stale_seconds: float = 0.0,
        is_refused: Callable[[], bool] | None = None,
    ) -> bool:
        """Keep a value; return whether it fits, and nobody, asked under the lock, refuses it."""
        left: _Left = []
        victims: Sequence[tuple[Hashable, Entry]] = ()
        with self.lock:
            if self._is_changing:
                again = (key, value, weight_bytes, ttl_seconds, tags, cost_seconds, stale_seconds)
                self._waiting.append(partial(self.put, *again, is_refused))
                return True
            if is_refused is not None and is_refused():
                return False
            self._is_changing = True
            try:
                policy = self.policy
                kept = weight_bytes <= policy.max_bytes
                if not kept:
                    self._counters.rejected += 1
                    self._take_out(key, "replaced", left)
                else:
                    now = self._clock()
                    if self._insertions_until_sweep:
                        self._insertions_until_sweep -= 1
                    elif self._earliest_end <= now and policy.lacks_room(
                        weight_bytes, key not in self.entries
                    ):
                        self._sweep(now, left)
                    if tags or cost_seconds or stale_seconds:
                        terms = self._pool.own_terms(
                            now,
                            ttl_seconds,
                            weight_bytes,
                            tags=tags,
                            cost_seconds=cost_seconds,
                            stale_seconds=stale_seconds,
                        )
                    else:
                        terms = self._pool.terms(now, ttl_seconds, weight_bytes)
                    old = self.entries.get(key)
                    if old is None:
                        victims = policy.add(key, value, terms)
                    else:
                        victims = policy.replace(key, old, value, terms)
                        is_over = old.terms.stale_until <= now
                        self._note_left(key, old, "expired" if is_over else "replaced", left)
                    if victims:
                        self._counters.causes["capacity"] += len(victims)
                        if self.tags.keys_by_tag or self.listeners:
                            self._note_evicted(victims, left)
                    if tags:
                        self.tags.add(key, tags)
                    if terms.stale_until < self._earliest_end:  # noqa: PLR1730 - min() is a call
                        self._earliest_end = terms.stale_until
            except BaseException:
                self._put_right()
                raise
            finally:
                self._is_changing = False
        if left:
            self._tell(left)
        if self._waiting:
            self._catch_up()
        return kept

    def remove(self, key: Hashable) -> list[object]:
        """Take out an entry; return its value, none where there was none that was not expired."""
        left = self._change(partial(self._remove, key))
        return [value for _, value, cause in left if cause == "explicit"]

    def remove_tagged(self, tags: tuple[str, ...]) -> int:
        """Take out what carries any of the tags; return how many that were."""
        return len(self._change(partial(self._remove_tagged, tags)))

    def remove_expired(self, keys: Iterable[Hashable] | None = None) -> int:
        """Take out those of the keys (None: of all) that may not be served; return how many."""
        return len(self._change(partial(self._remove_expired, keys)))

    def clear(self) -> None:
        """Take out everything."""
        self._change(self._clear)

    def resize(self, max_bytes: int, max_entries: int | None) -> None:
        """Change the bounds; what has expired goes first."""
        self._change(partial(self._resize, max_bytes, max_entries))

    def _change(self, change: Callable[[_Left], object]) -> _Left:
        """Make a change under the lock, as `put` does; return what left."""
        left: _Left = []
        with self.lock:
            if self._is_changing:
                self._waiting.append(partial(self._change, change))
                return left
            self._is_changing = True
            try:
                change(left)
            except BaseException:
                self._put_right()
                raise
            finally:
                self._is_changing = False
        self._tell(left)
        if self._waiting:
            self._catch_up()
        return left

    def _catch_up(self) -> None:
        with self.lock:
            waiting, self._waiting = self._waiting, []
        for change in waiting:
            change()

    def _put_right(self) -> None:
        """Bring order, sums and tags into step with the entries: a change was broken off."""
        self.policy.put_right()
        self.tags.clear()
        for key, entry in self.policy.held():
            self.tags.add(key, entry.terms.tags)

    def _remove(self, key: Hashable, left: _Left) -> None:
        entry = self.entries.get(key)
        if entry is not None:
            is_over = entry.terms.expires_at <= self._clock()
            self._take_out(key, "expired" if is_over else "explicit", left)

    def _remove_tagged(self, tags: tuple[str, ...], left: _Left) -> None:
        for key in self.tags.keys_of(tags):
            self._take_out(key, "invalidated", left)

    def _remove_expired(self, keys: Iterable[Hashable] | None, left: _Left) -> None:
        now = self._clock()
        if keys is None:
            keys = [key for key, _ in self.policy.held()]
        for key in keys:
            entry = self.entries.get(key)
            if entry is not None and entry.terms.stale_until <= now:
                self._take_out(key, "expired", left)

    def _clear(self, left: _Left) -> None:
        left.extend((key, entry.value, "explicit") for key, entry in self.policy.clear())
        self.tags.clear()
        self._counters.causes["explicit"] += len(left)

    def _resize(self, max_bytes: int, max_entries: int | None, left: _Left) -> None:
        self._sweep(self._clock(), left)
        victims = self.policy.resize(max_bytes, max_entries)
        self._counters.causes["capacity"] += len(victims)
        self._note_evicted(victims, left)

    def _sweep(self, now: float, left: _Left) -> None:
        candidates = list(self.policy.next_in_line(_SWEEP_ENTRIES))
        earliest = float("inf")
        for key in candidates:
            entry = self.entries.get(key)
            if entry is None:
                continue
            if entry.terms.stale_until <= now:
                self._take_out(key, "expired", left)
            else:
                earliest = min(earliest, entry.terms.stale_until)
        if len(self.entries) <= len(candidates):
            self._earliest_end = earliest
        if len(candidates) > _SWEEP_AT_ANY_TIME_ENTRIES:
            self._insertions_until_sweep = len(candidates) // _SWEEP_WAIT_PARTS

    def _take_out(self, key: Hashable, cause: EvictionCause, left: _Left) -> None:
        entry = self.policy.remove(key)
        if entry is not None:
            self._note_left(key, entry, cause, left)

    def _note_left(self, key: Hashable, entry: Entry, cause: EvictionCause, left: _Left) -> None:
        self._counters.causes[cause] += 1
        if entry.terms.tags:
            self.tags.discard(key, entry.terms.tags)
        left.append((key, entry.value, cause))

    def _note_evicted(self, victims: Sequence[tuple[Hashable, Entry]], left: _Left) -> None:
        if self.tags.keys_by_tag:
            for key, entry in victims:
                self.tags.discard(key, entry.terms.tags)
        if self.listeners:
            left.extend((key, entry.value, "capacity") for key, entry in victims)

    def _tell(self, left: _Left) -> None:
        for listener in self.listeners:
            for key, value, cause in left:
                try:
                    listener(key, value, cause)
                except Exception:
                    self._counters.listener_errors += 1
                    _logger.warning("a listener failed on %r (%s)", key, cause, exc_info=True)
