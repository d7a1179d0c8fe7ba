"""Items and values of a cache, as it was at one moment."""

from __future__ import annotations

from collections.abc import ItemsView, ValuesView
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    Snapshot = Callable[[], list[tuple[Hashable, object]]]


class SnapshotItems(ItemsView["Hashable", object]):
    """Items that nobody can remove while they are gone through, and that do not count as hits."""

    def __init__(self, mapping: Mapping[Hashable, object], snapshot: Snapshot) -> None:
        super().__init__(mapping)
        self._snapshot = snapshot

    def __iter__(self) -> Iterator[tuple[Hashable, object]]:
        return iter(self._snapshot())


class SnapshotValues(ValuesView[object]):
    """Values that nobody can remove while they are gone through, and that do not count as hits."""

    def __init__(self, mapping: Mapping[Hashable, object], snapshot: Snapshot) -> None:
        super().__init__(mapping)
        self._snapshot = snapshot

    def __iter__(self) -> Iterator[object]:
        return iter([value for _, value in self._snapshot()])
