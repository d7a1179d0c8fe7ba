"""Which keys carry which tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable


class TagIndex:
    """Keys by tag. Both directions cost what they touch; a tag without keys is forgotten.

    Not thread-safe: the cache asks under its lock.

    Attributes:
        keys_by_tag: what there is; read by others, changed here.

    >>> index = TagIndex()
    >>> index.add("q1", ("flights", "films"))
    >>> index.add("q2", ("flights",))
    >>> sorted(index.keys_of(["flights"]))
    ['q1', 'q2']
    >>> index.discard("q1", ("flights", "films"))
    >>> len(index)
    1
    """

    __slots__ = ("keys_by_tag",)

    def __init__(self) -> None:
        self.keys_by_tag: dict[str, set[Hashable]] = {}

    def __len__(self) -> int:
        return len(self.keys_by_tag)

    def add(self, key: Hashable, tags: tuple[str, ...]) -> None:
        """Note that a key carries these tags."""
        for tag in tags:
            self.keys_by_tag.setdefault(tag, set()).add(key)

    def discard(self, key: Hashable, tags: tuple[str, ...]) -> None:
        """Forget a key, whose tags these were."""
        for tag in tags:
            keys = self.keys_by_tag[tag]
            keys.remove(key)
            if not keys:
                del self.keys_by_tag[tag]

    def keys_of(self, tags: Iterable[str]) -> set[Hashable]:
        """Return the keys that carry any of the tags."""
        return set().union(*(self.keys_by_tag.get(tag, ()) for tag in tags))

    def clear(self) -> None:
        """Forget everything."""
        self.keys_by_tag.clear()
