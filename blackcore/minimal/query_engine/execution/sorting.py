"""Row positions put in order: stable and total, nulls last, never a full sort under a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from ..query.values import is_null, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..data import Column, Records, RowIds
    from ..data.columns import Mask, SortKeys
    from ..query import SortField

_TOP_K_FRACTION = 4
"""A limit below this part of the rows is worth a partition before the sort."""
_NARROW_TOP_K_FRACTION = 32
"""So it is for keys of two bytes at most, which numpy sorts by their digits, in linear time."""


def sorted_prefix(
    ids: RowIds,
    sort_fields: Sequence[SortField],
    records: Records,
    column_of: Callable[[str], Column | None],
    *,
    limit: int | None,
) -> RowIds:
    """Return the first `limit` positions in order (all of them for None).

    Rows that the sort fields do not tell apart keep the order they have in `ids`.

    Args:
        ids: positions to order.
        sort_fields: the first decides; later ones break its ties.
        records: the rows.
        column_of: returns a field's column; the values in the rows decide where one has none.
        limit: how many are wanted.
    """
    if not sort_fields or len(ids) < 2:  # noqa: PLR2004 - fewer have one order only
        return ids if limit is None else ids[:limit]
    columns = [column_of(sort.field) for sort in sort_fields]
    if any(column is None for column in columns):
        ordered = np.array(sorted_in_python(ids.tolist(), sort_fields, records), dtype=np.uint32)
    else:
        typed = [column for column in columns if column is not None]
        sorts = [_Sort(c, sort.descending) for c, sort in zip(typed, sort_fields, strict=True)]
        ordered = _first(ids, sorts, len(ids) if limit is None else limit)
    return ordered if limit is None else ordered[:limit]


def sorted_in_python(
    ids: list[int], sort_fields: Sequence[SortField], records: Records
) -> list[int]:
    """Return positions sorted from the values in the rows, the last sort field first."""
    ordered = ids
    for sort in reversed(sort_fields):
        value_of, types = _first_values(ordered, sort.field, records)
        present, absent = ordered, []
        if types - _NEVER_NULL:
            is_null_row = _null_test(value_of, types)
            present = [i for i in ordered if not is_null_row(i)]
            absent = [i for i in ordered if is_null_row(i)]
        if types - _NULL in _OF_ONE_ORDER:
            present = sorted(present, key=value_of, reverse=sort.descending)  # type: ignore[arg-type]  # of one ordered type
        else:
            keys = {i: sort_key(value_of(i)) for i in present}
            present = sorted(present, key=keys.__getitem__, reverse=sort.descending)
        ordered = present + absent
    return ordered


_NULL: frozenset[type] = frozenset({type(None)})
_NEVER_NULL: frozenset[type] = frozenset({int, str, bool})
_OF_ONE_ORDER: frozenset[frozenset[type]] = frozenset(
    {
        frozenset({int}),
        frozenset({float}),
        frozenset({int, float}),
        frozenset({str}),
        frozenset({bool}),
    }
)


def _null_test(value_of: Callable[[int], object], types: frozenset[type]) -> Callable[[int], bool]:
    if types <= _NEVER_NULL | _NULL:
        return lambda i: value_of(i) is None
    return lambda i: is_null(value_of(i))


def _first_values(
    ids: list[int], path: str, records: Records
) -> tuple[Callable[[int], object], frozenset[type]]:
    """Return what gives the value that each row sorts by, and the types that may occur."""
    is_small = records.keeps_cells
    cells, types = records.cells(path, None if is_small else ids)
    if types.through_list:
        cells = [cast("list[object]", cell)[0] for cell in cells]
    if is_small:
        return cells.__getitem__, types.types
    return dict(zip(ids, cells, strict=True)).__getitem__, types.types


class _Sort(NamedTuple):
    """One sort field: its column, and which way."""

    column: Column
    descending: bool


def _first(ids: RowIds, sorts: Sequence[_Sort], limit: int) -> RowIds:
    """Return the first rows in order.

    The value of the last of them tells which rows come before it for certain; only those are
    sorted. Who ties with it is decided by the other fields, and in the end by the order of `ids`.
    """
    if not sorts or limit <= 0:
        return ids[: max(limit, 0)]
    if limit * _top_k_fraction(sorts) >= len(ids):
        return _sorted(ids, sorts)[:limit]
    column = sorts[0].column
    keys, valid = _of_rows(column, ids)
    present = len(ids) if valid is None else int(np.count_nonzero(valid))
    if valid is not None and present <= limit:
        nulls = _first(ids[~valid], sorts[1:], limit - present)
        return np.concatenate([_sorted(ids[valid], sorts), nulls])
    before, tied = _around_last(keys, present, limit, descending=sorts[0].descending)
    if valid is not None:
        before &= valid
        tied &= valid
    certain = ids[np.flatnonzero(before)]
    open_ids = ids[np.flatnonzero(tied)]
    return np.concatenate(
        [_sorted(certain, sorts), _first(open_ids, sorts[1:], limit - len(certain))]
    )


def _top_k_fraction(sorts: Sequence[_Sort]) -> int:
    # the keys of the others are not made before rows tie: those of texts take long
    is_narrow = len(sorts) == 1 and sorts[0].column.sort_keys.dtype.itemsize <= _NARROW_BYTES
    return _NARROW_TOP_K_FRACTION if is_narrow else _TOP_K_FRACTION


_NARROW_BYTES = 2


def _of_rows(column: Column, ids: RowIds) -> tuple[SortKeys, Mask | None]:
    keys, valid = column.sort_keys, column.valid
    if len(ids) == len(keys) and bool((ids[1:] > ids[:-1]).all()):
        return keys, valid  # all rows, in the records' order
    return keys.take(ids), None if valid is None else valid.take(ids)


def _around_last(
    keys: SortKeys, present: int, limit: int, *, descending: bool
) -> tuple[Mask, Mask]:
    """Return which keys come before the last of the first `limit`, and which tie with it.

    Keys of null rows are no greater than any other, or NaN, which sorts behind all.
    """
    behind = keys.dtype.kind == "f"
    if descending:
        at = present - limit if behind else len(keys) - limit
    else:
        at = limit - 1 if behind else len(keys) - present + limit - 1
    last = np.partition(keys, at)[at]
    return (keys > last if descending else keys < last), keys == last


def _sorted(ids: RowIds, sorts: Sequence[_Sort]) -> RowIds:
    """Return all rows in order."""
    if len(sorts) == 1 and sorts[0].column.valid is None:
        return ids[np.argsort(_directed_keys(ids, sorts[0]), kind="stable")]
    keys: list[npt.NDArray[np.generic]] = []
    for sort in sorts:
        valid = sort.column.valid
        if valid is not None:
            keys.append(~valid[ids])  # nulls last, whichever the order
        keys.append(_directed_keys(ids, sort))
    return ids[np.lexsort(keys[::-1])]  # lexsort's last key decides first; it is stable


def _directed_keys(ids: RowIds, sort: _Sort) -> SortKeys:
    """Return the keys of some rows, smaller first, equal ones for all nulls."""
    keys = sort.column.sort_keys.take(ids)
    if not sort.descending:
        return keys
    # the complement of an integer has no overflow, as its negative has
    return np.invert(keys) if keys.dtype.kind == "i" else np.negative(keys)
