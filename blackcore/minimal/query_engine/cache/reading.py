"""The reading side of the memory cache: a hit, a miss, and what they count."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from .arguments import unusable_key
from .counters import TIMED_EVERY
from .entries import OWN_TERMS, record_hit

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .counters import Counters
    from .entries import Entry
    from .store import EntryStore

_UNTIMED: Final = TIMED_EVERY - 1


class Reader:
    """Finds entries and counts what came of it. Takes no lock to find one."""

    def __init__(self, store: EntryStore, counters: Counters, clock: Callable[[], float]) -> None:
        self._store = store
        self._counters = counters
        self._clock = clock
        self._lookup = store.entries.get

    def find(self, key: Hashable) -> Entry | None:
        """Return the entry if it is fresh, its hit counted; None, nothing counted, otherwise."""
        now = self._clock()
        entry = self.look_up(key)
        if entry is None or entry.terms.expires_at <= now:
            return None
        self.count_hit(key, entry)
        return entry

    def look_up(self, key: Hashable) -> Entry | None:
        """Return the entry, fresh or not; nothing is counted, its use is not noted.

        Raises:
            CacheKeyError: the key is not hashable.
        """
        try:
            return self._lookup(key)
        except TypeError as error:
            raise unusable_key(key, error) from error

    def peek(self, key: Hashable) -> Entry | None:
        """Return the entry if it is fresh; nothing is counted, its use is not noted."""
        entry = self.look_up(key)
        return entry if entry is not None and entry.terms.expires_at > self._clock() else None

    def get(self, key: Hashable, default: object) -> object:
        """Return the value, or `default`; all is counted, and timed if it is a hit's turn."""
        entry = self.find(key)
        if entry is None:
            self.count_miss(key)
            return default
        return entry.value

    def get_hit(self, key: Hashable, default: object) -> object:
        """Return as `get`; a miss is not counted."""
        entry = self.find(key)
        return default if entry is None else entry.value

    def count_hit(self, key: Hashable, entry: Entry, *, is_stale: bool = False) -> None:
        """Count a hit, and note the use of the entry."""
        counters = self._counters
        if counters.hits & _UNTIMED:
            self._note_hit(key, entry, is_stale)
            return
        # Looked up once more, so that the other hits carry no timer.
        began = time.perf_counter_ns()
        self.peek(key)
        self._note_hit(key, entry, is_stale)
        took = time.perf_counter_ns() - began
        counters.hit_ns += took
        counters.hits_timed += 1

    def _note_hit(self, key: Hashable, entry: Entry, is_stale: bool) -> None:
        self._store.policy.touch(key)
        record_hit(entry)
        counters = self._counters
        counters.hits += 1
        counters.stale_hits += is_stale
        counters.saved_seconds += entry.terms.cost_seconds

    def count_miss(self, key: Hashable) -> None:
        """Count a miss, and take out what the key holds if it is past its time."""
        counters = self._counters
        if not counters.misses & _UNTIMED:
            # Looked up once more, so that the other misses carry no timer.
            began = time.perf_counter_ns()
            self._lookup(key)
            took = time.perf_counter_ns() - began
            counters.miss_ns += took
            counters.misses_timed += 1
        counters.misses += 1
        if key in self._store.entries:
            self._store.remove_expired((key,))


def make_get(
    reader: Reader,
    store: EntryStore,
    counters: Counters,
    clock: Callable[[], float],
    *,
    counts_misses: bool = True,
) -> Callable[..., object]:
    """Return the function that `MemoryCache.get` is: `Reader.find`, written out.

    Without `counts_misses` it is `get_hit`: who computes what is missing counts the miss then.

    All it needs is in a closure, and nothing is called that can be done in place: a hit takes
    half the time of the plain method. The statements that change an entry or a count are safe
    without a lock for the reason that `record_hit` and `Counters` give.
    """
    lookup = store.entries.get
    policy = store.policy
    reorders = policy.move_to_end is not None
    move_to_end = policy.move_to_end or store.entries.get
    plain_get = reader.get if counts_misses else reader.get_hit
    missed = reader.count_miss if counts_misses else _leave_uncounted

    def get(key: Hashable, default: object = None) -> object:
        if not counters.hits & _UNTIMED:
            return plain_get(key, default)
        now = clock()
        try:
            entry = lookup(key)
        except TypeError as error:
            raise unusable_key(key, error) from error
        if entry is not None:
            terms = entry.terms
            if terms.expires_at > now:
                following = terms.after_hit
                if following is OWN_TERMS:
                    terms.hits += 1
                elif following is not None:
                    entry.terms = following
                else:
                    record_hit(entry)
                counters.hits += 1
                if terms.cost_seconds:
                    counters.saved_seconds += terms.cost_seconds
                if reorders:
                    if key.__class__ is str and policy.has_plain_keys:
                        try:  # noqa: SIM105 - contextlib.suppress would cost a call
                            move_to_end(key)
                        except KeyError:
                            pass  # it left this moment; its value is still an answer
                    else:
                        policy.touch(key)
                return entry.value
        missed(key)
        return default

    return get


def _leave_uncounted(key: Hashable) -> None:
    """Do nothing: the caller counts the miss, or finds the value another way."""
