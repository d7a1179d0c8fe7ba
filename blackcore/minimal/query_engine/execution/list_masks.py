"""Filters as masks over columns of lists: a test of the members, then of the rows they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ..query import QueryFilter, QueryOperator
from ..query.operators import COMPLEMENT_OF
from .masks import positive_mask

if TYPE_CHECKING:
    from ..data import ListColumn
    from ..data.columns import Mask
    from .text_masks import Selection


def list_mask_of(
    condition: QueryFilter,
    column: ListColumn,
    selection: Selection,
    *,
    once_per_distinct: bool = False,
    pattern_timeout_seconds: float = 2.0,
) -> Mask | None:
    """Return one bool per row in question, or None where the column has no way to tell.

    Its arguments are those of `mask_of`.
    """
    positive = COMPLEMENT_OF.get(condition.operator, condition.operator)
    if column.through_lists:  # holds for a row if it holds for any of its values
        asked: QueryOperator | None = positive
    elif positive is QueryOperator.CONTAINS:
        asked = QueryOperator.EQUALS  # to any member
    else:
        asked = None
    if asked is None:
        mask = _whole_list_mask(positive, condition.value, column, selection)
    else:
        mask = _any_member_mask(
            asked, condition, column, selection, once_per_distinct, pattern_timeout_seconds
        )
    return mask if mask is None or positive is condition.operator else ~mask


def _any_member_mask(
    operator: QueryOperator,
    condition: QueryFilter,
    column: ListColumn,
    selection: Selection,
    once_per_distinct: bool,
    timeout_seconds: float,
) -> Mask | None:
    if selection is None:
        places, owners, rows = None, column.owners, len(column.ends)
    else:
        places, owners = column.places(selection)
        rows = len(selection)
    members = positive_mask(
        operator, condition, column.inner, places, once_per_distinct, timeout_seconds
    )
    if members is None:
        return None
    mask = np.zeros(rows, dtype=np.bool_)
    mask[owners[np.flatnonzero(members)]] = True
    return mask


def _whole_list_mask(
    operator: QueryOperator, operand: object, column: ListColumn, selection: Selection
) -> Mask | None:
    """Return where a test of the list itself holds: what is neither null nor a list never does."""
    is_in = operator is QueryOperator.IN
    members = cast("tuple[object, ...]", operand) if is_in else (operand,)
    equals = is_in or operator is QueryOperator.EQUALS
    if equals and any(isinstance(member, tuple) for member in members):
        return None
    rows = len(column.ends) if selection is None else len(selection)
    holds_for_null = operator is QueryOperator.IS_NULL or (equals and None in members)
    if not holds_for_null or column.valid is None:
        return np.zeros(rows, dtype=np.bool_)
    return ~(column.valid if selection is None else column.valid[selection])
