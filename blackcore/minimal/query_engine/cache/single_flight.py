"""One computation per key, however many threads and tasks ask for it.

A *flight* is one computation in progress. Whoever finds none for its key leads a new one; the
others wait for its outcome, threads by an event and tasks by a future of their loop, so that both
share a flight. Who waits for whom is kept as a graph of flights over all caches of the process:

- a flight waits for the flights that its computation leads or waits for (a context variable says
  which computation the asking code belongs to; tasks and `asyncio.to_thread` inherit it);
- a flight waits for what its thread is blocked on, for a blocked event loop runs no leader.

Before anybody waits, the graph is searched for a way back, and where there is one the wait would
never end: a `SingleFlightError` names the keys instead. Code that runs on in a computation's
context without being awaited by it counts as part of it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event, RLock, get_ident
from typing import TYPE_CHECKING

from ..errors import SingleFlightError
from .forking import survive_fork, tell_after_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

_logger = logging.getLogger(__name__)

_graph_lock = survive_fork(RLock())
_blocked_threads: dict[int, Flight] = {}
_computing: ContextVar[tuple[Flight, ...]] = ContextVar("blackcore_cache_computing", default=())


class Flight:
    """One computation in progress. All state is read and changed under the graph's lock.

    Attributes:
        key: what is computed.
        tags: the tags its value will carry.
        revoked: whether the key or a tag was invalidated meanwhile, so that the value, true for
            those who asked before, must not be kept.
        done: whether there is an outcome.
    """

    __slots__ = (
        "_error",
        "_parent",
        "_thread",
        "_value",
        "_wake_ups",
        "abandoned",
        "done",
        "key",
        "revoked",
        "tags",
        "waits_for",
    )

    def __init__(self, key: Hashable, tags: tuple[str, ...], parent: Flight | None) -> None:
        self.key = key
        self.tags = tags
        self.revoked = False
        self.done = False
        self.abandoned = False
        self.waits_for: list[Flight] = []
        self._thread = get_ident()
        self._parent = parent
        self._value: object = None
        self._error: Exception | None = None
        self._wake_ups: list[Callable[[], object]] = []

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Mark what runs inside as this flight's computation."""
        token = _computing.set((*_computing.get(), self))
        try:
            yield
        finally:
            _computing.reset(token)

    def outcome(self) -> object:
        """Return the value of a flight that is done, or raise what its computation raised."""
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            del self  # the error's traceback holds this frame, and would so hold itself

    def wait(self) -> None:
        """Block this thread until there is an outcome.

        Raises:
            SingleFlightError: there never would be one.
        """
        event = Event()
        thread = get_ident()
        with _graph_lock:
            if self.done:
                return
            waiting = _innermost()
            _refuse_deadlock(waiting, self, blocking=thread)
            self._wake_ups.append(event.set)
            _blocked_threads[thread] = self
            if waiting is not None:
                waiting.waits_for.append(self)
        try:
            event.wait()
        finally:
            with _graph_lock:
                del _blocked_threads[thread]
                self._stop_waiting(waiting, event.set)

    async def wait_async(self) -> None:
        """Suspend this task until there is an outcome; as `wait`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake_up() -> None:
            try:
                loop.call_soon_threadsafe(_resolve, future)
            except RuntimeError:
                _logger.debug("a waiter for %r is gone with its event loop", self.key)

        with _graph_lock:
            if self.done:
                return
            waiting = _innermost()
            _refuse_deadlock(waiting, self, blocking=None)
            self._wake_ups.append(wake_up)
            if waiting is not None:
                waiting.waits_for.append(self)
        try:
            await future
        finally:
            with _graph_lock:
                self._stop_waiting(waiting, wake_up)

    def _stop_waiting(self, waiting: Flight | None, wake_up: Callable[[], object]) -> None:
        if wake_up in self._wake_ups:
            self._wake_ups.remove(wake_up)
        if waiting is not None:
            waiting.waits_for.remove(self)

    def land(self, value: object, error: Exception | None, *, abandoned: bool) -> None:
        """Note the outcome and wake whoever waits."""
        with _graph_lock:
            self._value = value
            self._error = error
            self.abandoned = abandoned
            self.done = True
            if self._parent is not None:
                self._parent.waits_for.remove(self)
            wake_ups, self._wake_ups = self._wake_ups, []
        for wake_up in wake_ups:
            wake_up()

    def next_in_graph(self) -> Iterator[Flight]:
        """Yield the flights that this one waits for."""
        yield from self.waits_for
        blocked_on = _blocked_threads.get(self._thread)
        if blocked_on is not None:
            yield blocked_on

    def led_on(self, thread: int) -> bool:
        """Return whether the computation runs on a thread."""
        return self._thread == thread


class SingleFlight:
    """The flights of one cache, by key.

    Attributes:
        by_key: those in progress; read by others, changed here.
    """

    def __init__(self) -> None:
        self.by_key: dict[Hashable, Flight] = {}
        tell_after_fork(self)

    def __len__(self) -> int:
        return len(self.by_key)

    def running(self, key: Hashable) -> bool:
        """Return whether a key is being computed."""
        return key in self.by_key

    def join(self, key: Hashable, tags: tuple[str, ...]) -> tuple[Flight, bool]:
        """Return the flight of a key, and whether the caller leads it (and must `land` it)."""
        with _graph_lock:
            flight = self.by_key.get(key)
            if flight is not None:
                return flight, False
            parent = _innermost()
            flight = self.by_key[key] = Flight(key, tags, parent)
            if parent is not None:
                parent.waits_for.append(flight)
            return flight, True

    def land(
        self,
        flight: Flight,
        value: object = None,
        error: Exception | None = None,
        *,
        abandoned: bool = False,
    ) -> None:
        """End a flight: with a value, an error, or, its leader cancelled, for another to lead."""
        with _graph_lock:
            if self.by_key.get(flight.key) is flight:
                del self.by_key[flight.key]
        flight.land(value, error, abandoned=abandoned)

    def revoke(self, *, keys: Iterable[Hashable] = (), tags: Iterable[str] = ()) -> None:
        """Have the values that are being computed for these keys and tags not kept."""
        if not self.by_key:
            return
        revoked_tags = frozenset(tags)
        with _graph_lock:
            for key in keys:
                if key in self.by_key:
                    self.by_key[key].revoked = True
            if revoked_tags:
                for flight in self.by_key.values():
                    if not revoked_tags.isdisjoint(flight.tags):
                        flight.revoked = True

    def revoke_all(self) -> None:
        """Have none of the values that are being computed kept."""
        with _graph_lock:
            for flight in self.by_key.values():
                flight.revoked = True

    def after_fork_in_child(self) -> None:
        """Forget the flights of threads that the child does not have."""
        mine = get_ident()
        _blocked_threads.clear()
        self.by_key = {key: each for key, each in self.by_key.items() if each.led_on(mine)}


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _innermost() -> Flight | None:
    """Return the flight whose computation is running here, the innermost that has not ended."""
    for flight in reversed(_computing.get()):
        if not flight.done:
            return flight
    return None


def _refuse_deadlock(waiting: Flight | None, target: Flight, *, blocking: int | None) -> None:
    """Raise if `target` cannot end before what would wait for it, given the thread it blocks."""
    if waiting is not None and (path := _path_to(target, lambda each: each is waiting)):
        start = f"the computation of {waiting.key!r} asks for {target.key!r}"
        remedy = "compute it without asking the cache for that key"
    elif blocking is not None and (path := _path_to(target, lambda each: each.led_on(blocking))):
        start = f"{target.key!r} is asked for on the thread that computes {path[-1].key!r}"
        remedy = "await get_or_compute_async there"
    else:
        return
    links = "".join(f", which waits for {each.key!r}" for each in path[1:])
    raise SingleFlightError(f"{start}{links}: this would never end; {remedy}")


def _path_to(start: Flight, is_goal: Callable[[Flight], bool]) -> list[Flight] | None:
    """Return the flights on a way along the waits from `start` to a goal, both included."""
    came_from: dict[Flight, Flight | None] = {start: None}
    open_ends = [start]
    while open_ends:
        flight = open_ends.pop()
        if is_goal(flight):
            path = [flight]
            while (previous := came_from[path[-1]]) is not None:
                path.append(previous)
            return path[::-1]
        for each in flight.next_in_graph():
            if not each.done and each not in came_from:
                came_from[each] = flight
                open_ends.append(each)
    return None
