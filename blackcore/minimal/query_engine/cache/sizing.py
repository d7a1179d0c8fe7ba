"""What a value weighs in memory."""

from __future__ import annotations

import sys
from typing import Protocol, runtime_checkable


@runtime_checkable
class SelfWeighing(Protocol):
    """An object that says its own size."""

    def cache_weight_bytes(self) -> int:
        """Return the bytes this object holds, itself included."""


def weigh(value: object) -> int:
    """Return the bytes that a value holds in memory.

    >>> weigh(b"x" * 1000) >= 1000
    True
    """
    if isinstance(value, SelfWeighing):
        return value.cache_weight_bytes()
    return sys.getsizeof(value)
