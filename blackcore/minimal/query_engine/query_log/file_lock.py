"""A lock that holds between processes, and between the threads of one."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

if os.name == "posix":
    import fcntl

_POLL_SECONDS: Final = 0.01


@contextmanager
def locked(
    path: Path,
    *,
    wait_seconds: float | None = None,
    mode: int = 0o666,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the lock that a file stands for; it is made where it is not there, and stays.

    The system gives the lock of a killed holder back, so a left-over file locks nobody out. Where
    the system has no `flock`, nothing is locked: single processes are safe and several are not.

    Args:
        path: of the file that stands for the lock; never the file that is protected, which may be
            replaced.
        wait_seconds: how long to wait for others; None for as long as they take.
        mode: permissions of the file, if it is made.
        clock: tells seconds.
        sleep: waits seconds.

    Raises:
        TimeoutError: others held it for longer than the wait.
        OSError: the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), mode)
    try:
        if wait_seconds is None:
            _lock(descriptor)
        else:
            deadline = clock() + wait_seconds
            while not _lock(descriptor, wait=False):
                if clock() >= deadline:
                    raise TimeoutError(f"{path} was locked for {wait_seconds:g} s")
                sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _lock(descriptor: int, *, wait: bool = True) -> bool:
    """Return whether the lock was had."""
    if os.name != "posix":  # pragma: no cover - there is no flock
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
