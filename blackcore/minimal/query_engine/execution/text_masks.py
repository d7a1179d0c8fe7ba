"""Filters on columns of strings: by Polars, by the codes of distinct values, or text by text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast

import numpy as np
import polars as pl

from ..data import RowIds, StringColumn
from ..data.columns import Mask
from ..query import QueryFilter, QueryOperator
from ..query.operators import ORDERINGS
from ..query.patterns import compile_pattern
from .predicates import Test, fuzzy_mask, plain_test

Selection: TypeAlias = RowIds | None
"""Positions of the rows in question, None for all."""


def string_mask(
    operator: QueryOperator,
    condition: QueryFilter,
    column: StringColumn,
    selection: Selection,
    once_per_distinct: bool,
    timeout_seconds: float,
) -> Mask | None:
    """Return one bool per row in question for a positive operator, None where there is no way."""
    coded = _coded_mask(operator, condition, column, selection) if column.has_codes else None
    if coded is not None:
        return coded
    if not once_per_distinct:
        series = column.series if selection is None else column.series.gather(selection)
        native = _native_string_mask(operator, condition, column, series)
        if native is not None:
            return native
        if len(series) <= len(column.distinct):
            return _over_texts(operator, condition, series, timeout_seconds)
    over_distinct = _over_texts(operator, condition, column.distinct, timeout_seconds)
    if over_distinct is None:
        return None
    codes = column.codes if selection is None else column.codes[selection]
    # null has the code -1, which picks what is put last
    answer_for_null = operator is QueryOperator.IN and None in cast(
        "tuple[object]", condition.value
    )
    return np.append(over_distinct, answer_for_null)[codes]


def _coded_mask(
    operator: QueryOperator, condition: QueryFilter, column: StringColumn, selection: Selection
) -> Mask | None:
    """Return what the codes tell: they are in the order of the strings, null before all."""
    ends = _code_range(operator, condition, column)
    if ends is None:
        return None
    first, after_last = ends
    codes = column.codes if selection is None else column.codes[selection]
    if after_last == first + 1:
        return np.equal(codes, first)
    return (codes >= first) & (codes < after_last)


def _code_range(
    operator: QueryOperator, condition: QueryFilter, column: StringColumn
) -> tuple[int, int] | None:
    """Return the codes that a comparison holds for, the last one excluded."""
    operand = condition.value
    if operator is QueryOperator.BETWEEN:
        low, high = cast("tuple[object, object]", operand)
    else:
        low = high = operand
    if not condition.case_sensitive or not _are_utf8(low, high):
        return None
    lowest, highest = cast("str", low), cast("str", high)
    if operator in (QueryOperator.EQUALS, QueryOperator.BETWEEN):
        return column.first_code(lowest), column.first_code(highest, above=True)
    if operator in (QueryOperator.GT, QueryOperator.GTE):
        return column.first_code(lowest, above=operator is QueryOperator.GT), len(column.distinct)
    if operator in (QueryOperator.LT, QueryOperator.LTE):
        return 0, column.first_code(highest, above=operator is QueryOperator.LTE)
    return None


def _are_utf8(*texts: object) -> bool:
    return all(isinstance(text, str) and _is_utf8(text) for text in texts)


def _native_string_mask(
    operator: QueryOperator, condition: QueryFilter, column: StringColumn, series: pl.Series
) -> Mask | None:
    """Return what Polars tells exactly and by itself, None for the rest."""
    operand = condition.value
    if operator is QueryOperator.REGEX:
        pattern = compile_pattern(str(operand), case_sensitive=condition.case_sensitive)
        return _filled(series.str.contains(pattern.rust_text)) if pattern.linear else None
    if not isinstance(operand, str) or not _is_utf8(operand):
        return None
    if not condition.case_sensitive:
        return _native_folded_mask(operator, operand, column, series)
    if operator is QueryOperator.EQUALS:
        return _filled(series == operand)
    if operator is QueryOperator.CONTAINS:
        return _filled(series.str.contains(operand, literal=True))
    if operator in ORDERINGS:
        return _filled(_POLARS_ORDERINGS[operator](series, operand))
    return None


def _native_folded_mask(
    operator: QueryOperator, operand: str, column: StringColumn, series: pl.Series
) -> Mask | None:
    """Lower case is casefold for ASCII alone; elsewhere Python casefolds each value."""
    if not column.is_ascii:
        return None
    lowered = series.str.to_lowercase()
    if operator is QueryOperator.EQUALS:
        return _filled(lowered == operand.casefold())
    if operator is QueryOperator.CONTAINS:
        return _filled(lowered.str.contains(operand.casefold(), literal=True))
    return None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _filled(answer: pl.Series) -> Mask:
    return answer.fill_null(value=False).to_numpy()


_POLARS_ORDERINGS: dict[QueryOperator, Callable[[pl.Series, str], pl.Series]] = {
    QueryOperator.GT: lambda series, bound: series > bound,
    QueryOperator.GTE: lambda series, bound: series >= bound,
    QueryOperator.LT: lambda series, bound: series < bound,
    QueryOperator.LTE: lambda series, bound: series <= bound,
}


def _over_texts(
    operator: QueryOperator, condition: QueryFilter, series: pl.Series, timeout_seconds: float
) -> Mask | None:
    """Evaluate a test on each string of a series, nulls as the operator has them."""
    cells = series.to_list()
    if operator in (QueryOperator.REGEX, QueryOperator.FUZZY):
        return _over_strings(operator, condition, cells, timeout_seconds)
    test: Test = plain_test(
        operator, condition.value, frozenset({str, type(None)}), condition.case_sensitive
    )
    return np.fromiter(map(test, cells), dtype=np.bool_, count=len(cells))


def _over_strings(
    operator: QueryOperator,
    condition: QueryFilter,
    cells: list[str | None],
    timeout_seconds: float,
) -> Mask:
    mask = np.array([cell is not None for cell in cells], dtype=np.bool_)
    texts = [cell for cell in cells if cell is not None]
    if not texts:
        return mask
    if operator is QueryOperator.FUZZY:
        mask[mask] = fuzzy_mask(condition, texts)
        return mask
    pattern = compile_pattern(str(condition.value), case_sensitive=condition.case_sensitive)
    mask[mask] = pattern.search_each(texts, timeout_seconds=timeout_seconds)
    return mask
