"""The memory cache as a mapping."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, MutableMapping
from typing import TYPE_CHECKING, Final, overload

from .views import SnapshotItems, SnapshotValues

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT: Final = object()


class CacheMapping(MutableMapping[Hashable, object]):
    """What a mapping has besides `get`, `set` and `delete`, safe under threads.

    The standard library's `pop`, `popitem` and `setdefault` look and then act: of two threads, both
    would get the one value, or one an error.
    """

    def __getitem__(self, key: Hashable) -> object:
        value = self.get(key, _ABSENT)
        if value is _ABSENT:
            raise KeyError(key)
        return value

    def __setitem__(self, key: Hashable, value: object) -> None:
        self.set(key, value)

    def __delitem__(self, key: Hashable) -> None:
        if not self.delete(key):
            raise KeyError(key)

    def __iter__(self) -> Iterator[Hashable]:
        return iter([key for key, _ in self._snapshot()])

    def items(self) -> SnapshotItems:
        """Return keys and values as they are when gone through; nothing is counted."""
        return SnapshotItems(self, self._snapshot)

    def values(self) -> SnapshotValues:
        """Return values as they are when gone through; nothing is counted."""
        return SnapshotValues(self, self._snapshot)

    @overload
    def pop(self, key: Hashable) -> object: ...

    @overload
    def pop(self, key: Hashable, default: object) -> object: ...

    def pop(self, key: Hashable, default: object = _ABSENT) -> object:
        """Remove an entry and return its value, which one caller gets; it counts as no request.

        Raises:
            KeyError: there is none, and no default was given.
        """
        for value in self._take(key):
            return value
        if default is _ABSENT:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[Hashable, object]:
        """Remove some entry and return its key and value, which one caller gets.

        Raises:
            KeyError: there is none.
        """
        for key in self:
            for value in self._take(key):
                return key, value
        raise KeyError("the cache is empty")

    def setdefault(self, key: Hashable, default: object = None) -> object:
        """Return the cached value; where there is none, keep and return `default`.

        Of callers at the same time, one keeps what it brought and all get that.
        """
        value = self.get(key, _ABSENT)
        return self._keep_unless_there(key, default) if value is _ABSENT else value

    @abstractmethod
    def set(self, key: Hashable, value: object) -> bool:
        """Keep a value; return whether it is kept."""

    @abstractmethod
    def delete(self, key: Hashable) -> bool:
        """Remove an entry; return whether there was one that could be served."""

    @abstractmethod
    def _take(self, key: Hashable) -> list[object]:
        """Remove an entry; return its value, none where there was none that could be served."""

    @abstractmethod
    def _keep_unless_there(self, key: Hashable, value: object) -> object:
        """Keep a value, unless another is there; return what is there then."""

    @abstractmethod
    def _snapshot(self) -> list[tuple[Hashable, object]]:
        """Return the keys and values that could be served at this moment."""
