"""The garbage collector, kept out of the way while millions of records are born.

Each new container counts towards the collector's thresholds, and a decoder makes nothing but new
containers, none of which is garbage: the collector walks them again and again for nothing. Decoding
22 MB of nested records takes half the time without it.
"""

from __future__ import annotations

import gc
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Pauses:
    """How many are pausing the collector now, and whether it ran before the first of them."""

    def __init__(self) -> None:
        # re-entrant: a finalizer run by the collector may itself load something
        self.lock = threading.RLock()
        self.open = 0
        self.was_enabled = False

    def enter(self) -> None:
        with self.lock:
            if self.open == 0:
                self.was_enabled = gc.isenabled()
                gc.disable()
            self.open += 1

    def leave(self) -> None:
        with self.lock:
            self.open -= 1
            if self.open == 0 and self.was_enabled:
                gc.enable()

    def restart_in_child(self) -> None:  # pragma: no cover - nobody counts in a child
        """Let a forked child begin anew: the threads that would leave do not exist in it."""
        self.lock = threading.RLock()
        if self.open and self.was_enabled:
            gc.enable()
        self.open = 0


_pauses = _Pauses()
if hasattr(os, "register_at_fork"):  # pragma: no branch - always, but on Windows
    os.register_at_fork(after_in_child=_pauses.restart_in_child)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Return a context in which the garbage collector does not start by itself.

    The collector is one for the whole process, so reference cycles of all threads wait until the
    last of overlapping pauses ends; then it is switched on again, if it was on when the first
    began. Objects without cycles are freed at once as ever. `gc.freeze` is left to the caller: it
    would exempt every object of the process, not only ours. Safe in any number of threads.

    Limit: a `gc.disable()` called by somebody else during a pause is undone at its end.

    >>> with collector_paused():
    ...     gc.isenabled()
    False
    """
    _pauses.enter()
    try:
        yield
    finally:
        _pauses.leave()
