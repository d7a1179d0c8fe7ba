"""Row positions put in order: stable and total, nulls last, never a full sort under a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

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
        ordered = _sorted_by_columns(ids, sort_fields, typed, limit)
    return ordered if limit is None else ordered[:limit]


def sorted_in_python(
    ids: list[int], sort_fields: Sequence[SortField], records: Records
) -> list[int]:
    """Return positions sorted from the values in the rows, the last sort field first."""
    ordered = ids
    for sort in reversed(sort_fields):
        values = _first_values(ordered, sort.field, records)
        types = set(map(type, values.values()))
        present, absent = ordered, []
        if types - {int, str, bool}:  # only others can be null
            present = [i for i in ordered if not is_null(values[i])]
            absent = [i for i in ordered if is_null(values[i])]
            types = {type(values[i]) for i in present}
        if types <= {int, float} or types <= {str}:
            present = sorted(present, key=values.__getitem__, reverse=sort.descending)  # type: ignore[arg-type]  # of one ordered type
        else:
            keys = {i: sort_key(values[i]) for i in present}
            present = sorted(present, key=keys.__getitem__, reverse=sort.descending)
        ordered = present + absent
    return ordered


def _first_values(ids: list[int], path: str, records: Records) -> dict[int, object]:
    cells, types = records.cells(path, ids)
    if types.through_list:
        cells = [cast("list[object]", cell)[0] for cell in cells]
    return dict(zip(ids, cells, strict=True))


def _sorted_by_columns(
    ids: RowIds, sort_fields: Sequence[SortField], columns: Sequence[Column], limit: int | None
) -> RowIds:
    if limit is not None and limit * _TOP_K_FRACTION < len(ids):
        ids = _candidates(ids, sort_fields[0], columns[0], limit)
    keys: list[npt.NDArray[np.generic]] = []
    for sort, column in zip(sort_fields, columns, strict=True):
        if column.valid is not None:
            keys.append(~column.valid[ids])  # nulls last, whichever the order
        keys.append(_directed_keys(column, ids, descending=sort.descending))
    if len(keys) == 1:
        return ids[np.argsort(keys[0], kind="stable")]
    return ids[np.lexsort(keys[::-1])]  # lexsort's last key decides first; it is stable


def _directed_keys(column: Column, ids: RowIds, *, descending: bool) -> SortKeys:
    """Return the keys of some rows, smaller first, equal ones for all nulls."""
    keys = column.sort_keys[ids]
    if column.valid is not None:
        keys = np.where(column.valid[ids], keys, 0)
    if not descending:
        return keys
    # the complement of an integer has no overflow, as its negative has
    return np.invert(keys) if keys.dtype.kind == "i" else np.negative(keys)


def _candidates(ids: RowIds, sort: SortField, column: Column, limit: int) -> RowIds:
    """Return the rows that can be among the first `limit`, in their order.

    All rows that tie with the last one by the first sort field stay: the other fields, or the
    records' order, decide among them.
    """
    present = ids if column.valid is None else ids[column.valid[ids]]
    if len(present) < limit:
        return ids
    keys = _directed_keys(column, present, descending=sort.descending)
    last = np.partition(keys, limit - 1)[limit - 1]
    mask: Mask = np.less_equal(keys, last)
    return present[mask]
