"""Filters on columns of strings: by Polars, by the codes of distinct values, or text by text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np
import polars as pl

from ..data import RowIds, StringColumn
from ..data.columns import FEW_CODES, Integers, Mask, SortKeys
from ..query import QueryFilter, QueryOperator
from ..query.operators import ORDERINGS, TEXT_OPERATORS
from ..query.patterns import compile_pattern
from .predicates import Test, fuzzy_mask, plain_test

_TEXTS: frozenset[type] = frozenset({str, type(None)})

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
    rows = len(column.series) if selection is None else len(selection)
    if not (column.has_codes or once_per_distinct):  # which may make codes: then they serve at once
        looked_at = rows * _SCAN_NS.get(operator, _SLOW_SCAN_NS) + _SCAN_START_NS
        column.note_scan(looked_at / max(1, len(column.series)))
    if column.has_codes:
        coded = _coded_mask(operator, condition, column, selection)
        if coded is not None:
            return coded
        once_per_distinct = once_per_distinct or rows > len(column.distinct)
    if not once_per_distinct:
        native = _native_string_mask(operator, condition, column, selection)
        if native is not None:
            return native
        series = column.series if selection is None else column.series.gather(selection)
        if len(series) <= len(column.distinct):
            return _over_texts(operator, condition, series, timeout_seconds)
    over_distinct = _over_distinct(operator, condition, column, timeout_seconds)
    if over_distinct is None:
        return None
    codes = column.codes if selection is None else column.codes.take(selection)
    # null has the code -1, which picks what is put last
    answer_for_null = operator is QueryOperator.IN and None in cast(
        "tuple[object]", condition.value
    )
    return _picked(np.append(over_distinct, answer_for_null), codes)


_SCAN_NS = dict.fromkeys(ORDERINGS, 5.0) | {QueryOperator.EQUALS: 2.0, QueryOperator.CONTAINS: 25.0}
_SLOW_SCAN_NS = 60.0
"""What a look at each string takes, roughly, by operator; of all others."""
_SCAN_START_NS = 300_000.0
"""What any look at strings of many rows takes, be they ever so few: they are gathered first."""


def _over_distinct(
    operator: QueryOperator, condition: QueryFilter, column: StringColumn, timeout_seconds: float
) -> Mask | None:
    """Return one bool per distinct string."""
    distinct = column.distinct
    if _folded_part(operator, condition) is not None:
        not_ascii = (distinct.str.len_bytes() != distinct.str.len_chars()).to_numpy()
        return _folded_text_mask(operator, condition, distinct, not_ascii)
    native = _native_text_mask(operator, condition, distinct)
    return _over_texts(operator, condition, distinct, timeout_seconds) if native is None else native


def _picked(answers: Mask, codes: Integers) -> Mask:
    """Return the answer of each code, the last one for -1."""
    found = np.flatnonzero(answers)
    if not answers[-1]:
        if len(found) <= FEW_CODES:
            return among(codes, found.tolist())
        ends = np.flatnonzero(np.diff(found) != 1)
        if len(ends) < _FEW_RUNS:  # codes are in the order of their texts: a prefix is one run
            starts = found[np.concatenate([[0], ends + 1])]
            return _in_runs(codes, starts.tolist(), found[np.append(ends, -1)].tolist())
    # which counts from the end, as the code of null wants, and is not checked code by code
    picked: Mask = answers.take(codes, mode="wrap")
    return picked


_FEW_RUNS = 3
"""So many comparisons with both ends of a run take no longer than one look-up of each code."""


def _in_runs(codes: Integers, starts: list[int], ends: list[int]) -> Mask:
    """Return which codes lie in one of some runs, ends included."""
    mask = np.zeros(len(codes), dtype=np.bool_)
    for start, end in zip(starts, ends, strict=True):
        within = codes >= start
        np.logical_and(within, codes <= end, out=within)
        np.logical_or(mask, within, out=mask)
    return mask


def are_few(members: object) -> bool:
    """Return whether so many members are compared one by one."""
    return len(cast("tuple[object, ...]", members)) <= FEW_CODES


def is_coded(operator: QueryOperator, condition: QueryFilter) -> bool:
    """Return whether codes alone tell of a filter, given that a column has them."""
    if operator not in _CODED or not condition.case_sensitive:
        return False
    takes_many = operator in (QueryOperator.BETWEEN, QueryOperator.IN)
    operands = cast("tuple[object, ...]", condition.value) if takes_many else (condition.value,)
    return _are_utf8(*operands)


def among(values: SortKeys, wanted: Sequence[float]) -> Mask:
    """Return where values are among some, which are in rising order and of the values' type."""
    if not wanted:
        return np.zeros(len(values), dtype=np.bool_)
    if len(wanted) > FEW_CODES:
        return np.isin(values, np.array(wanted, dtype=values.dtype))
    if values.dtype.kind == "i" and wanted[-1] - wanted[0] == len(wanted) - 1 > 1:
        return np.logical_and(values >= wanted[0], values <= wanted[-1])
    mask: Mask = values == wanted[0]
    for other in wanted[1:]:
        mask |= values == other
    return mask


_CODED = ORDERINGS | {QueryOperator.EQUALS, QueryOperator.BETWEEN, QueryOperator.IN}


def _coded_mask(
    operator: QueryOperator, condition: QueryFilter, column: StringColumn, selection: Selection
) -> Mask | None:
    """Return what the codes tell: they are in the order of the strings, null before all."""
    if operator is QueryOperator.IN:
        return _coded_in_mask(condition, column, selection)
    ends = _code_range(operator, condition, column)
    if ends is None:
        return None
    first, after_last = ends
    codes = column.codes if selection is None else column.codes.take(selection)
    if after_last == first + 1:
        return np.equal(codes, first)
    if after_last <= first:
        return np.zeros(len(codes), dtype=np.bool_)
    if after_last == len(column.distinct):
        return np.greater_equal(codes, first)
    if first == 0 and column.valid is None:
        return np.less(codes, after_last)
    return (codes >= first) & (codes < after_last)


def _coded_in_mask(
    condition: QueryFilter, column: StringColumn, selection: Selection
) -> Mask | None:
    if not is_coded(QueryOperator.IN, condition):
        return None
    texts = cast("tuple[str, ...]", condition.value)
    found = {column.code_of(text) for text in texts} - {None}
    codes = column.codes if selection is None else column.codes.take(selection)
    return among(codes, sorted(cast("set[int]", found)))


def _code_range(
    operator: QueryOperator, condition: QueryFilter, column: StringColumn
) -> tuple[int, int] | None:
    """Return the codes that a comparison holds for, the last one excluded."""
    if not is_coded(operator, condition):
        return None
    operand = condition.value
    is_between = operator is QueryOperator.BETWEEN
    lowest, highest = cast("tuple[str, str]", operand if is_between else (operand, operand))
    if operator in (QueryOperator.EQUALS, QueryOperator.BETWEEN):
        return column.first_code(lowest), column.first_code(highest, above=True)
    if operator in (QueryOperator.GT, QueryOperator.GTE):
        return column.first_code(lowest, above=operator is QueryOperator.GT), len(column.distinct)
    return 0, column.first_code(highest, above=operator is QueryOperator.LTE)


def _are_utf8(*texts: object) -> bool:
    return all(isinstance(text, str) and _is_utf8(text) for text in texts)


def _native_string_mask(
    operator: QueryOperator, condition: QueryFilter, column: StringColumn, selection: Selection
) -> Mask | None:
    """Return what Polars tells exactly and by itself of some rows, None for the rest."""
    series = column.series if selection is None else column.series.gather(selection)
    if _folded_part(operator, condition) is None:
        return _native_text_mask(operator, condition, series)
    unlike = column.unlike_ascii
    if unlike is not None and selection is not None:
        unlike = unlike[selection]
    return _folded_text_mask(operator, condition, series, unlike)


def _folded_part(operator: QueryOperator, condition: QueryFilter) -> str | None:
    """Return the text to look for in any case, None where Polars cannot do that."""
    operand = condition.value
    if condition.case_sensitive or operator not in _FOLDED_PATTERNS or not isinstance(operand, str):
        return None
    part = operand.casefold()
    return part if part.isascii() else None


def _folded_text_mask(
    operator: QueryOperator, condition: QueryFilter, series: pl.Series, unlike: Mask | None
) -> Mask:
    """Return where strings match in any case; those that fold unlike ASCII are left to Python."""
    part = _folded_part(operator, condition)
    pattern = _FOLDED_PATTERNS[operator].format(re.escape(cast("str", part)))
    mask = _filled(series.str.contains(pattern))
    places = None if unlike is None else np.flatnonzero(unlike)
    if places is None or not len(places):
        return mask
    test = plain_test(operator, condition.value, _TEXTS, case_sensitive=False)
    texts = series.gather(places).to_list()
    mask[places] = np.fromiter(map(test, texts), dtype=np.bool_, count=len(texts))
    return mask


_FOLDED_PATTERNS = {
    QueryOperator.EQUALS: r"(?i-u)\A(?:{})\z",
    QueryOperator.CONTAINS: "(?i-u){}",
}
"""Without Unicode, the case of ASCII letters alone is left out of account."""


def _native_text_mask(
    operator: QueryOperator, condition: QueryFilter, series: pl.Series
) -> Mask | None:
    """Return what Polars tells exactly and by itself of some strings, None for the rest."""
    operand = condition.value
    if operator is QueryOperator.REGEX:
        pattern = compile_pattern(str(operand), case_sensitive=condition.case_sensitive)
        return _filled(series.str.contains(pattern.rust_text)) if pattern.linear else None
    if not isinstance(operand, str) or not condition.case_sensitive or not _is_utf8(operand):
        return None
    if operator is QueryOperator.EQUALS:
        return _filled(series == operand)
    if operator is QueryOperator.CONTAINS:
        return _filled(series.str.contains(operand, literal=True))
    if operator in ORDERINGS:
        return _filled(_POLARS_ORDERINGS[operator](series, operand))
    return None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _filled(answer: pl.Series) -> Mask:
    return answer.fill_null(value=False).to_numpy(writable=True)


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
    if operator in TEXT_OPERATORS:
        return _over_strings(operator, condition, cells, timeout_seconds)
    test: Test = plain_test(operator, condition.value, _TEXTS, condition.case_sensitive)
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
