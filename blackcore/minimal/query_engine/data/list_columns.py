"""Columns of fields that hold lists or are reached through lists: all values in one column."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np

from .columns import FieldTypes, column_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .columns import Column, Mask, RowIds

_LISTS_OR_NULL: frozenset[type] = frozenset({list, type(None)})


class ListColumn:
    """The values of all rows one after the other, and which row each belongs to.

    Attributes:
        inner: one value after the other, of one type.
        ends: where the values of each row end in `inner`; they begin where those before it end.
        valid: which rows are not null, None where none is; says nothing `through_lists`.
        through_lists: whether the values are what a path reaches through lists on the way, each for
            itself. Otherwise each row has one value, a list, and these are its members.
    """

    def __init__(
        self,
        inner: Column,
        ends: RowIds,
        valid: Mask | None,
        *,
        through_lists: bool,
    ) -> None:
        self.inner = inner
        self.ends = ends
        self.valid = valid
        self.through_lists = through_lists
        lengths = np.diff(ends, prepend=np.uint32(0))
        self.owners: RowIds = np.repeat(np.arange(len(ends), dtype=np.uint32), lengths)

    def places(self, ids: RowIds) -> tuple[RowIds, RowIds]:
        """Return where the values of some rows are in `inner`, and for each its row's place."""
        ends = self.ends[ids].astype(np.int64)
        starts = np.where(ids > 0, self.ends[np.maximum(ids, 1) - 1], 0).astype(np.int64)
        lengths = ends - starts
        owners = np.repeat(np.arange(len(ids), dtype=np.uint32), lengths)
        before = np.cumsum(lengths) - lengths
        places = np.arange(len(owners)) + (starts - before)[owners]
        return places.astype(np.uint32), owners

    @property
    def size_bytes(self) -> int:
        """What the column keeps in memory, with what was made of it so far."""
        own = self.ends.nbytes + self.owners.nbytes
        return own + self.inner.size_bytes + (0 if self.valid is None else self.valid.nbytes)


def list_column_of(cells: Sequence[object], types: FieldTypes) -> ListColumn | None:
    """Return the column of a field of lists, None where its values have no one type."""
    if types.through_list:
        lists = cast("Sequence[list[object]]", cells)
        return _flattened(lists, None, through_lists=True)
    if list not in types.types or not types.types <= _LISTS_OR_NULL:
        return None
    valid = None
    if type(None) in types.types:
        valid = np.array([cell is not None for cell in cells], dtype=np.bool_)
    members = [cast("list[object]", cell) if cell is not None else [] for cell in cells]
    return _flattened(members, valid, through_lists=False)


def _flattened(
    lists: Sequence[list[object]], valid: Mask | None, *, through_lists: bool
) -> ListColumn | None:
    values = list(chain.from_iterable(lists))
    inner = column_of(values, FieldTypes(_types(values), through_list=False))
    if inner is None or len(values) >= np.iinfo(np.uint32).max:
        return None
    lengths = np.fromiter(map(len, lists), dtype=np.uint32, count=len(lists))
    ends = np.cumsum(lengths, dtype=np.uint32)
    return ListColumn(inner, ends, valid, through_lists=through_lists)


def _types(values: Iterable[object]) -> frozenset[type]:
    return frozenset(map(type, values))
