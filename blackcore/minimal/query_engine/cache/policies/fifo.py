"""A first-in-first-out queue that keys may leave from the middle."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

_HOLES_NOT_WORTH_CLOSING: Final = 16


class FifoOfKeys:
    """A queue of keys, each in it once at most, from which any key may leave at constant cost.

    A key that left stays as a hole until its turn comes, or until a third of the queue is holes.
    The holes of a key are always ahead of the key itself, so counting them tells them apart.

    >>> queue = FifoOfKeys()
    >>> for key in "abc":
    ...     queue.append(key)
    >>> queue.leave("a")
    >>> queue.append("a")
    >>> queue.popleft(), queue.popleft(), queue.popleft(), len(queue)
    ('b', 'c', 'a', 0)
    """

    __slots__ = ("_holes", "_keys", "_number_of_holes", "append")

    def __init__(self) -> None:
        self._holes: dict[Hashable, int] = {}
        self._number_of_holes = 0
        self._hold(deque())

    def _hold(self, keys: deque[Hashable]) -> None:
        self._keys = keys
        self.append = keys.append

    def __len__(self) -> int:
        return len(self._keys) - self._number_of_holes

    def popleft(self) -> Hashable:
        """Return the oldest key, taken out; IndexError where there is none."""
        key = self._keys.popleft()
        while self._number_of_holes and self._close_hole(key):
            key = self._keys.popleft()
        return key

    def leave(self, key: Hashable) -> None:
        """Take out a key that is in the queue."""
        self._holes[key] = self._holes.get(key, 0) + 1
        self._number_of_holes += 1
        if self._number_of_holes > _HOLES_NOT_WORTH_CLOSING + len(self._keys) // 3:
            self._hold(deque(key for key in self._keys if not self._close_hole(key)))

    def oldest(self, limit: int) -> list[Hashable]:
        """Return the oldest keys, up to `limit`, some of which may have left."""
        return list(islice(self._keys, limit))

    def _close_hole(self, key: Hashable) -> bool:
        holes = self._holes.get(key)
        if holes is None:
            return False
        self._number_of_holes -= 1
        if holes == 1:
            del self._holes[key]
        else:
            self._holes[key] = holes - 1
        return True
