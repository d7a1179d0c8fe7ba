"""Tells apart what somebody asks from what is asked on nobody's behalf, to prepare."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_in_background: Final[ContextVar[bool]] = ContextVar("in_background", default=False)


@contextmanager
def in_background() -> Iterator[None]:
    """Mark what is asked inside as preparation: nobody's interest may be learnt from it.

    The mark goes along to tasks and to `asyncio.to_thread`.

    >>> with in_background():
    ...     is_in_background()
    True
    """
    token = _in_background.set(True)
    try:
        yield
    finally:
        _in_background.reset(token)


def is_in_background() -> bool:
    """Return whether what runs now is preparation."""
    return _in_background.get()
