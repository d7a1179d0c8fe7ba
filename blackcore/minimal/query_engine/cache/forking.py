"""Locks that survive a fork.

A child made by `os.fork` has one thread; a lock that another thread held at that moment would stay
locked in it for ever, over a half-made change. So every lock registered here is taken before a fork
and given back after it, on both sides; what the lost threads were doing is cleared in the child.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from threading import RLock


class ForkAware(Protocol):
    """Something with work to do in a child."""

    def after_fork_in_child(self) -> None:
        """Forget what only the threads that are gone would have ended."""


_locks: WeakSet[RLock] = WeakSet()
_aware: WeakSet[ForkAware] = WeakSet()
_taken: list[RLock] = []


def survive_fork(lock: RLock) -> RLock:
    """Return the lock, which from now on is free in every child process.

    Caches' locks never nest, so the order in which they are taken does not matter.
    """
    _locks.add(lock)
    return lock


def tell_after_fork(part: ForkAware) -> None:
    """Have a part told in every child process, for as long as it lives."""
    _aware.add(part)


def _before() -> None:
    for lock in list(_locks):
        lock.acquire()
        _taken.append(lock)


def _after_in_parent() -> None:
    while _taken:
        _taken.pop().release()


def _after_in_child() -> None:
    _after_in_parent()
    for part in list(_aware):
        part.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
