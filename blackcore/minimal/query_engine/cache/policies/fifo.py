"""A first-in-first-out queue that keys may leave from the middle."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

K = TypeVar("K", bound="Hashable")

_HOLES_NOT_WORTH_CLOSING: Final = 16


class FifoOfKeys(Generic[K]):
    """A queue of keys, each in it once at most, from which any key may leave at constant cost.

    A key that left stays as a hole until its turn comes, or until a third of the queue is holes.
    The holes of a key are always ahead of the key itself, so counting them tells them apart.

    Attributes:
        keys: all of them, holes included; where there are no holes, `keys.popleft()` and
            `keys.append()` are what `popleft` and `append` come to.
        number_of_holes: how many of `keys` have left.

    >>> queue = FifoOfKeys()
    >>> for key in "abc":
    ...     queue.append(key)
    >>> queue.leave("a")
    >>> queue.append("a")
    >>> queue.first(), queue.popleft(), queue.popleft(), queue.popleft(), len(queue)
    ('b', 'b', 'c', 'a', 0)
    """

    __slots__ = ("_holes", "append", "keys", "number_of_holes")

    def __init__(self) -> None:
        self._holes: dict[K, int] = {}
        self.number_of_holes = 0
        self._hold(deque())

    def _hold(self, keys: deque[K]) -> None:
        self.keys = keys
        self.append = keys.append

    def __len__(self) -> int:
        return len(self.keys) - self.number_of_holes

    def first(self) -> K:
        """Return the oldest key, which stays; IndexError where there is none."""
        key = self.keys[0]
        while self.number_of_holes and self._close_hole(key):
            self.keys.popleft()
            key = self.keys[0]
        return key

    def popleft(self) -> K:
        """Return the oldest key, taken out; IndexError where there is none."""
        key = self.keys.popleft()
        while self.number_of_holes and self._close_hole(key):
            key = self.keys.popleft()
        return key

    def leave(self, key: K) -> None:
        """Take out a key that is in the queue."""
        self._holes[key] = self._holes.get(key, 0) + 1
        self.number_of_holes += 1
        if self.number_of_holes == len(self.keys):
            self.keys.clear()
            self._holes.clear()
            self.number_of_holes = 0
        elif self.number_of_holes > _HOLES_NOT_WORTH_CLOSING + len(self.keys) // 3:
            self._hold(deque(key for key in self.keys if not self._close_hole(key)))

    def oldest(self, limit: int) -> list[K]:
        """Return the oldest keys, up to `limit`, some of which may have left."""
        return list(islice(self.keys, limit))

    def _close_hole(self, key: K) -> bool:
        holes = self._holes.get(key)
        if holes is None:
            return False
        self.number_of_holes -= 1
        if holes == 1:
            del self._holes[key]
        else:
            self._holes[key] = holes - 1
        return True
