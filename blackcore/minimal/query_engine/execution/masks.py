"""Filters as masks over whole columns, or over the rows of a column still in question.

`mask_of` answers None where the column cannot; the rows are looked at then.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, cast

import numpy as np

from ..data import (
    BoolColumn,
    Column,
    NumberColumn,
    StringColumn,
)
from ..query import QueryFilter, QueryOperator
from ..query.operators import COMPLEMENT_OF, ORDERINGS
from .text_masks import Selection, among, are_few, is_coded, string_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data.columns import Mask, SortKeys


def mask_of(
    condition: QueryFilter,
    column: Column,
    selection: Selection,
    *,
    once_per_distinct: bool = False,
    pattern_timeout_seconds: float = 2.0,
) -> Mask | None:
    """Return one bool per row in question, or None where the column has no way to tell.

    Args:
        condition: a filter on the column's field.
        column: values of all rows.
        selection: positions of the rows in question, None for all.
        once_per_distinct: evaluate a test of strings once per distinct value of the column.
        pattern_timeout_seconds: what a look-around pattern may take.
    """
    positive = COMPLEMENT_OF.get(condition.operator, condition.operator)
    mask = positive_mask(
        positive, condition, column, selection, once_per_distinct, pattern_timeout_seconds
    )
    if mask is not None and positive is not condition.operator:
        return ~mask
    return mask


def positive_mask(
    operator: QueryOperator,
    condition: QueryFilter,
    column: Column,
    selection: Selection,
    once_per_distinct: bool,
    timeout_seconds: float,
) -> Mask | None:
    """Return what `mask_of` does, for a positive operator that may be another than the filter's."""
    operand = condition.value
    if operator is QueryOperator.IS_NULL or (operator is QueryOperator.EQUALS and operand is None):
        return ~_valid(column, selection)
    if isinstance(column, StringColumn):
        return string_mask(
            operator, condition, column, selection, once_per_distinct, timeout_seconds
        )
    if isinstance(column, BoolColumn):
        return _bool_mask(operator, operand, column, selection)
    return _number_mask(operator, operand, column, selection)


def is_cheap(condition: QueryFilter, column: Column) -> bool:
    """Return whether a filter is a few comparisons of numbers or codes, a tenth of a ns a row."""
    operator = COMPLEMENT_OF.get(condition.operator, condition.operator)
    if operator is QueryOperator.IS_NULL:
        return True
    if operator is QueryOperator.IN and not are_few(condition.value):
        return False
    if isinstance(column, StringColumn):
        return column.has_codes and is_coded(operator, condition)
    return True


def _valid(column: Column, selection: Selection) -> Mask:
    valid = column.valid
    if valid is None:
        rows = len(column.series) if isinstance(column, StringColumn) else len(column.values)
        return np.ones(rows if selection is None else len(selection), dtype=np.bool_)
    return valid if selection is None else valid.take(selection)


def _nothing(column: Column, selection: Selection) -> Mask:
    return np.zeros_like(_valid(column, selection))


# Numbers


def _number_mask(
    operator: QueryOperator, operand: object, column: NumberColumn, selection: Selection
) -> Mask | None:
    values = column.values if selection is None else column.values.take(selection)
    mask = _raw_number_mask(operator, operand, values)
    if mask is None:
        return None
    if operator is QueryOperator.IN and None in cast("tuple[object, ...]", operand):
        return (mask & _valid(column, selection)) | ~_valid(column, selection)
    return (
        mask if column.valid is None else np.logical_and(mask, _valid(column, selection), out=mask)
    )


def _raw_number_mask(operator: QueryOperator, operand: object, values: SortKeys) -> Mask | None:
    if operator is QueryOperator.IN:
        return _in_numbers(cast("tuple[object, ...]", operand), values)
    if operator is QueryOperator.BETWEEN:
        low, high = cast("tuple[object, object]", operand)
        above = _raw_number_mask(QueryOperator.GTE, low, values)
        below = _raw_number_mask(QueryOperator.LTE, high, values)
        if above is None or below is None:
            return None
        return np.logical_and(above, below, out=above)
    if isinstance(operand, Decimal):
        return None
    if type(operand) not in (int, float) or operator not in (QueryOperator.EQUALS, *ORDERINGS):
        return np.zeros(len(values), dtype=np.bool_)  # other types never match numbers
    return _compare_numbers(operator, cast("int | float", operand), values)


def _in_numbers(members: tuple[object, ...], values: SortKeys) -> Mask | None:
    if any(isinstance(member, Decimal) for member in members):
        return None
    numbers = [m for m in members if type(m) is int or type(m) is float]
    exact = [_exact(cast("float", number), values.dtype) for number in numbers]
    wanted = {number for number in exact if number is not None}
    return among(values, sorted(wanted))


def _exact(number: float, dtype: np.dtype[np.generic]) -> float | None:
    """Return the number as the column's type, None where no value of that type equals it."""
    if dtype.kind == "i":
        limits = np.iinfo(dtype)  # type: ignore[type-var]  # of integers, as the kind says
        fits = limits.min <= number <= limits.max and number == int(number)
        return int(number) if fits else None
    nearest = _nearest_float(number)
    return nearest if nearest == number else None


def _nearest_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _compare_numbers(operator: QueryOperator, operand: float, values: SortKeys) -> Mask:
    """Compare exactly: a bound that the column's type cannot hold moves to the nearest it can."""
    if operator is QueryOperator.EQUALS:
        exact = _exact(operand, values.dtype)
        return np.zeros(len(values), dtype=np.bool_) if exact is None else values == exact
    if values.dtype.kind == "i":
        return _compare_integers(operator, operand, values)
    bound = _nearest_float(operand)
    if bound > operand:  # the values above the operand are those from the bound on
        operator = _INCLUSIVE_ABOVE.get(operator, operator)
    elif bound < operand:
        operator = _INCLUSIVE_BELOW.get(operator, operator)
    return _NUMPY_ORDERINGS[operator](values, bound)


_INCLUSIVE_ABOVE = {
    QueryOperator.GT: QueryOperator.GTE,
    QueryOperator.LTE: QueryOperator.LT,
}
_INCLUSIVE_BELOW = {
    QueryOperator.LT: QueryOperator.LTE,
    QueryOperator.GTE: QueryOperator.GT,
}


def _compare_integers(operator: QueryOperator, operand: float, values: SortKeys) -> Mask:
    limits = np.iinfo(values.dtype)  # type: ignore[type-var]  # of integers, as who calls knows
    if not limits.min <= operand <= limits.max:
        wants_greater = operator in (QueryOperator.GT, QueryOperator.GTE)
        return np.full(len(values), wants_greater == (operand < 0), dtype=np.bool_)
    rounds_down = operator in (QueryOperator.GT, QueryOperator.LTE)
    bound = math.floor(operand) if rounds_down else math.ceil(operand)
    return _NUMPY_ORDERINGS[operator](values, bound)


_NUMPY_ORDERINGS: dict[QueryOperator, Callable[[SortKeys, float], Mask]] = {
    QueryOperator.GT: lambda values, bound: values > bound,
    QueryOperator.GTE: lambda values, bound: values >= bound,
    QueryOperator.LT: lambda values, bound: values < bound,
    QueryOperator.LTE: lambda values, bound: values <= bound,
}


def _bool_mask(
    operator: QueryOperator, operand: object, column: BoolColumn, selection: Selection
) -> Mask:
    truth = column.truth if selection is None else column.truth[selection]
    valid = _valid(column, selection)
    if operator is QueryOperator.EQUALS:
        members: tuple[object, ...] = (operand,)
    elif operator is QueryOperator.IN:
        members = cast("tuple[object, ...]", operand)
    else:
        return _nothing(column, selection)
    mask = np.zeros_like(truth)
    if any(member is True for member in members):
        mask |= truth & valid
    if any(member is False for member in members):
        mask |= ~truth & valid
    if None in members:
        mask |= ~valid
    return mask
