"""Which rows of a database are the same in a newer version, and where they stand there."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import RowIds
    from ..loaders.base import Record

_GONE: Final = -1
_EXACTLY: Final = (
    orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
)


@dataclass(frozen=True, slots=True, eq=False)
class RowChanges:
    """What became of the rows of one version in the next.

    Rows that are the same stand in the same order in both; one that was moved past others counts
    as removed here and added there.

    Attributes:
        new_position: for each old row its new position, -1 where it was changed or removed.
        before: the old rows that were changed or removed.
        after: the new rows that were changed or added.
    """

    new_position: NDArray[np.int64]
    before: list[Record]
    after: list[Record]

    @property
    def changed_rows(self) -> int:
        """How many rows are not what they were, those counted that are on one side only."""
        return max(len(self.before), len(self.after))

    def moved(self, ids: RowIds) -> RowIds | None:
        """Return the new positions of old rows, None where one of them is not there any more."""
        positions = self.new_position[ids]
        return None if (positions == _GONE).any() else positions.astype(np.uint32)


def row_changes(
    old: Sequence[Record], new: Sequence[Record], given: Iterable[Record] = ()
) -> RowChanges:
    """Return what changed from one version of the rows to the next.

    Rows are compared by their exact text, 1 and 1.0 being two; what cannot be told to be the same
    counts as changed. A row that is one and the same object in both versions is the same unless it
    is among those given: somebody may have changed it in place, which only he knows.

    Takes some microseconds a row; rows that are the same objects cost nothing.

    >>> old = [{"a": 1}, {"a": 2}, {"a": 3}]
    >>> row_changes(old, [{"a": 0}, {"a": 1}, {"a": 2.0}, {"a": 3}]).new_position.tolist()
    [1, -1, 3]
    """
    in_place = _InPlace(given)
    position = np.full(len(old), _GONE, dtype=np.int64)
    head = _same_ends(old, new, in_place)
    position[:head] = np.arange(head)
    tail = _same_ends(old[head:][::-1], new[head:][::-1], in_place)
    if tail:
        position[len(old) - tail :] = np.arange(len(new) - tail, len(new))
    old_left = range(head, len(old) - tail)
    new_left = range(head, len(new) - tail)
    for at, to in _matched(old, new, old_left, new_left, in_place):
        position[at] = to
    kept = np.zeros(len(new), dtype=np.bool_)
    kept[position[position != _GONE]] = True
    return RowChanges(
        position,
        [old[i] for i in np.flatnonzero(position == _GONE).tolist()],
        [new[i] for i in np.flatnonzero(~kept).tolist()],
    )


def exact_text(row: object) -> bytes:
    """Return a text that two rows share only when they are the same for every question."""
    try:
        return orjson.dumps(row, option=_EXACTLY)
    except (TypeError, ValueError, RecursionError):  # surrogates, huge ints, dates, Decimals
        return b"\x00" + _python_text(row).encode("utf-8", "surrogatepass")


def _python_text(row: object) -> str:
    try:
        return repr(row)
    except (ValueError, RecursionError):  # an int of too many digits, or too deep: never the same
        return f"{id(row)}"


class _InPlace:
    """Rows that somebody says he changed."""

    def __init__(self, given: Iterable[Record]) -> None:
        rows = list(given)
        self._rows = rows  # held, so that no other row can come to bear an id
        self._ids = {id(row) for row in rows}
        self._texts = {exact_text(row) for row in rows}

    def same(self, old: Record, new: Record) -> bool:
        """Return whether a row is what it was."""
        if old is not new:
            return exact_text(old) == exact_text(new)
        if not self._ids:
            return True
        return id(new) not in self._ids and exact_text(new) not in self._texts


def _same_ends(old: Sequence[Record], new: Sequence[Record], in_place: _InPlace) -> int:
    """Return how many rows from the start on are the same."""
    count = 0
    for one, other in zip(old, new, strict=False):
        if not in_place.same(one, other):
            break
        count += 1
    return count


def _matched(
    old: Sequence[Record],
    new: Sequence[Record],
    old_left: range,
    new_left: range,
    in_place: _InPlace,
) -> list[tuple[int, int]]:
    """Return pairs of positions of equal rows, increasing on both sides."""
    if len(old_left) == len(new_left):
        # the common case, rows changed where they stand
        here = [i for i in old_left if in_place.same(old[i], new[i])]
        if 2 * len(here) >= len(old_left):
            return [(i, i) for i in here]
    places: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for i in new_left:
        places[exact_text(new[i])].append(i)
    pairs = []
    for i in old_left:
        found = places.get(exact_text(old[i]))
        if found:
            to = found.popleft()
            if in_place.same(old[i], new[to]):
                pairs.append((i, to))
    return _longest_increasing(pairs)


def _longest_increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return a longest part of the pairs whose second members increase, too (patience sorting)."""
    ends: list[int] = []
    end_pairs: list[int] = []
    before: list[int] = []
    for index, (_, to) in enumerate(pairs):
        length = bisect_left(ends, to)
        before.append(end_pairs[length - 1] if length else _GONE)
        ends[length : length + 1] = [to]
        end_pairs[length : length + 1] = [index]
    kept: list[tuple[int, int]] = []
    index = end_pairs[-1] if end_pairs else _GONE
    while index != _GONE:
        kept.append(pairs[index])
        index = before[index]
    return kept[::-1]
