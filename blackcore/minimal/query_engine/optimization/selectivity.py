"""Estimates of the fraction of rows that a condition leaves, from the statistics of its fields.

Comparisons are read off the most common values, then the histogram. Patterns, fuzzy texts and what
has neither are tried on the kept texts or values. Conditions on one field are estimated together;
those on different fields by exponential back-off, which is between independence and the most
selective one alone: s1 * s2**(1/2) * s3**(1/4) * ..., ascending (Microsoft SQL Server since 2014).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import compress
from typing import TYPE_CHECKING, cast

from rapidfuzz import fuzz, process

from ..query import (
    Condition,
    QueryFilter,
    QueryOperator,
    holds,
)
from ..query.operators import COMPLEMENT_OF, TEXT_OPERATORS, fuzzy_operand
from ..query.patterns import compile_pattern
from ..query.values import Kind, compare, kind_of
from .logic import EQUALITIES, RANGES
from .statistics import COUNTED_TYPES

if TYPE_CHECKING:
    from .statistics import FieldStatistics, OrderedValue, TableStatistics

UNKNOWN_SELECTIVITY = 0.33
"""For a field without statistics."""

_UNTRIED_PATTERN = 0.1
_TRIED_VALUES = 150
_COUNTED_MEMBERS = 1_000


def selectivity(
    condition: Condition, statistics: TableStatistics, *, roughly: bool = False
) -> float:
    """Return the estimated fraction of all rows that a condition holds for, 0.0 to 1.0.

    Args:
        condition: a filter or group.
        statistics: of its fields.
        roughly: try what looks into texts on a few dozen of them only.
    """
    if not condition.is_group:
        known = statistics.fields.get(condition.field)
        if known is None:
            return UNKNOWN_SELECTIVITY
        if condition.operator not in TRIED_OPERATORS:
            return filter_selectivity(condition, known)
        return _remembered(condition, known.with_few_texts if roughly else known)
    members = condition.filters
    fractions = [selectivity(member, statistics, roughly=roughly) for member in members]
    if condition.mode == "and":
        kept = conjunction(members, fractions, statistics)
    else:
        kept = disjunction(members, fractions)
    return 1.0 - kept if condition.negate else kept


def _remembered(condition: QueryFilter, known: FieldStatistics) -> float:
    """Return a filter's fraction; it was tried on the kept texts before, or is now."""
    key: Hashable = condition
    if type(condition.value) is str:  # the same, without asking what the value is
        key = (condition.operator, condition.value, condition.case_sensitive)
    fraction = known.tried_fractions.get(key)
    if fraction is None:
        fraction = filter_selectivity(condition, known)
        if len(known.tried_fractions) >= _REMEMBERED:
            known.tried_fractions.clear()
        known.tried_fractions[key] = fraction
    return fraction


TRIED_OPERATORS = TEXT_OPERATORS | {QueryOperator.CONTAINS, QueryOperator.NOT_CONTAINS}
_REMEMBERED = 1_000


def conjunction(
    conditions: Sequence[Condition], fractions: Sequence[float], statistics: TableStatistics
) -> float:
    """Return the estimated fraction of rows that AND-ed conditions hold for together.

    Args:
        conditions: filters and groups.
        fractions: what each leaves by itself.
        statistics: of their fields.
    """
    by_field: dict[str, list[int]] = {}
    alone: list[float] = []
    for position, condition in enumerate(conditions):
        if not condition.is_group:
            by_field.setdefault(condition.field, []).append(position)
        else:
            alone.append(fractions[position])
    for path, positions in by_field.items():
        if len(positions) == 1:
            alone.append(fractions[positions[0]])
            continue
        on_field = [cast("QueryFilter", conditions[position]) for position in positions]
        each = [fractions[position] for position in positions]
        alone.append(_on_one_field(on_field, each, statistics.fields.get(path)))
    return backed_off(alone)


def disjunction(conditions: Sequence[Condition], fractions: Sequence[float]) -> float:
    """Return the estimated fraction of rows that at least one of OR-ed conditions holds for.

    By De Morgan what is left out is a conjunction; values of one field exclude each other.
    """
    by_value: dict[str, float] = {}
    missed: list[float] = []
    for condition, fraction in zip(conditions, fractions, strict=True):
        if not condition.is_group and condition.operator in _VALUE_OPERATORS:
            by_value[condition.field] = by_value.get(condition.field, 0.0) + fraction
        else:
            missed.append(1.0 - fraction)
    missed.extend(max(0.0, 1.0 - fraction) for fraction in by_value.values())
    return 1.0 - backed_off(missed)


def backed_off(fractions: Iterable[float]) -> float:
    """Return the product of fractions, each counting for half as much as the more selective one.

    >>> backed_off([0.25, 0.01])
    0.005
    """
    product, exponent = 1.0, 1.0
    for fraction in sorted(fractions):
        product *= fraction**exponent
        exponent /= 2
    return product


def _on_one_field(
    filters: Sequence[QueryFilter], fractions: Sequence[float], known: FieldStatistics | None
) -> float:
    """Return what filters on one field leave together.

    Bounds are one interval; values left out are taken from it. Others count as fields of their own.
    """
    if known is None or known.through_list or not known.sampled_rows:
        return backed_off(fractions)
    interval = _Interval()
    excluded: list[float] = []
    nulls = 0.0
    others: list[float] = []
    for condition, fraction in zip(filters, fractions, strict=True):
        if condition.operator in RANGES and interval.narrow(condition):
            continue
        if COMPLEMENT_OF.get(condition.operator) in _VALUE_OPERATORS and condition.case_sensitive:
            if condition.operator is QueryOperator.IS_NOT_NULL:
                nulls = 1.0 - fraction
            else:
                excluded.append(1.0 - fraction)
        else:
            others.append(fraction)
    kept = 1.0 if interval.is_open else interval.fraction(known)
    if excluded and interval.is_open:
        kept -= sum(excluded)
    elif excluded:
        kept -= sum(excluded) * kept  # in proportion: some of them are outside of the interval
    if interval.is_open and not others:
        kept -= nulls  # what has a bound, or a text, is not null anyway
    margin = 0.5 / known.sampled_rows
    kept = min(1.0, max(margin, kept))
    return backed_off([kept, *others]) if others else min(kept, *fractions)


_VALUE_OPERATORS = EQUALITIES | {QueryOperator.IS_NULL}


class _Interval:
    """What several bounds on one field leave."""

    __slots__ = ("high", "low")

    def __init__(self) -> None:
        self.low: tuple[OrderedValue, bool] | None = None
        self.high: tuple[OrderedValue, bool] | None = None

    @property
    def is_open(self) -> bool:
        return self.low is None and self.high is None

    def narrow(self, condition: QueryFilter) -> bool:
        """Take in a filter's bounds; return whether they are of a kind that has an order here."""
        operator, value = condition.operator, condition.value
        if not condition.case_sensitive:
            return False
        if operator is QueryOperator.BETWEEN:
            low, high = cast("tuple[object, object]", value)
            if not (_is_ordered(low) and _is_ordered(high)):
                return False
            self._raise_low(cast("OrderedValue", low), inclusive=True)
            self._lower_high(cast("OrderedValue", high), inclusive=True)
            return True
        if not _is_ordered(value):
            return False
        bound = cast("OrderedValue", value)
        inclusive = operator in _INCLUSIVE
        if operator in _LOWER_BOUNDS:
            self._raise_low(bound, inclusive=inclusive)
        else:
            self._lower_high(bound, inclusive=inclusive)
        return True

    def _raise_low(self, bound: OrderedValue, *, inclusive: bool) -> None:
        if self.low is None or compare(bound, self.low[0]) == 1:
            self.low = (bound, inclusive)

    def _lower_high(self, bound: OrderedValue, *, inclusive: bool) -> None:
        if self.high is None or compare(bound, self.high[0]) == -1:
            self.high = (bound, inclusive)

    def fraction(self, known: FieldStatistics) -> float:
        """Return the fraction of rows with a value between the bounds."""
        if self.low is not None and self.high is not None:
            return _between_fraction(known, *self.low, *self.high)
        bound, inclusive = cast("tuple[OrderedValue, bool]", self.low or self.high)
        return _bound_fraction(known, bound, inclusive=inclusive, is_lower=self.high is None)


def _bound_fraction(
    known: FieldStatistics, bound: OrderedValue, *, inclusive: bool, is_lower: bool
) -> float:
    below = known.fraction_below(bound, inclusive=inclusive is not is_lower)
    return known.fraction_of_type(bound) - below if is_lower else below


def _between_fraction(
    known: FieldStatistics,
    low: OrderedValue,
    with_low: bool,
    high: OrderedValue,
    with_high: bool,
) -> float:
    if isinstance(low, str) is not isinstance(high, str):
        return 0.0
    below_low = known.fraction_below(low, inclusive=not with_low)
    return max(0.0, known.fraction_below(high, inclusive=with_high) - below_low)


def _range_fraction(condition: QueryFilter, known: FieldStatistics) -> float:
    """Return the fraction between a filter's own bounds; those without an order here are tried."""
    operator, value = condition.operator, condition.value
    if operator is QueryOperator.BETWEEN:
        low, high = cast("tuple[OrderedValue, OrderedValue]", value)
        if not (_is_ordered(low) and _is_ordered(high)):
            return _tried_fraction(operator, condition, known)
        return _between_fraction(known, low, True, high, True)
    if not _is_ordered(value):
        return _tried_fraction(operator, condition, known)
    bound, inclusive = cast("OrderedValue", value), operator in _INCLUSIVE
    return _bound_fraction(known, bound, inclusive=inclusive, is_lower=operator in _LOWER_BOUNDS)


def _is_ordered(value: object) -> bool:
    return type(value) in _ORDERED_TYPES


_INCLUSIVE = frozenset({QueryOperator.GTE, QueryOperator.LTE})
_LOWER_BOUNDS = frozenset({QueryOperator.GT, QueryOperator.GTE})
_ORDERED_TYPES: frozenset[type] = frozenset({str, int, float})


def filter_selectivity(condition: QueryFilter, known: FieldStatistics) -> float:
    """Return the estimated fraction of rows that a filter holds for.

    Never quite 0 or 1: a sample cannot tell that no row, or every row, matches.
    """
    if not known.sampled_rows:
        return UNKNOWN_SELECTIVITY
    operator = COMPLEMENT_OF.get(condition.operator, condition.operator)
    estimate = _ESTIMATES.get(operator)
    if estimate is None or not condition.case_sensitive or known.through_list:
        fraction = _less_plain_fraction(operator, condition, known)
    else:
        fraction = estimate(condition, known)
    if operator is not condition.operator:
        fraction = 1.0 - fraction
    margin = 0.5 / known.sampled_rows
    return margin if fraction < margin else min(fraction, 1.0 - margin)


def _less_plain_fraction(
    operator: QueryOperator, condition: QueryFilter, known: FieldStatistics
) -> float:
    """Return the fraction of a positive operator on texts, in any case, or through lists."""
    if operator is QueryOperator.IS_NULL:
        return known.null_fraction
    if operator in TEXT_OPERATORS:
        return _text_fraction(operator, condition, known)
    if operator is QueryOperator.CONTAINS and not known.through_list:
        return _contains_fraction(condition, known)
    return _tried_fraction(operator, condition, known)


_TEXT_KINDS = frozenset({Kind.STRING, Kind.NULL})
_COUNTED_KINDS = frozenset({Kind.BOOL, Kind.NUMBER, Kind.STRING})


def _contains_fraction(condition: QueryFilter, known: FieldStatistics) -> float:
    """Look for a text in the kept texts, for a member among those of the sampled lists."""
    operand = condition.value
    if isinstance(operand, str) and known.kinds <= _TEXT_KINDS:
        names = known.tried_texts.names
        if condition.case_sensitive:
            return _share(known, [operand in text for text in names])
        part = operand.casefold()
        return _share(known, [part in text.casefold() for text in names])
    if condition.case_sensitive and isinstance(operand, str | int | float):
        having = known.member_fraction(operand)
        if having is not None:
            return having
    return _tried_fraction(QueryOperator.CONTAINS, condition, known)


def _equality_fraction(condition: QueryFilter, known: FieldStatistics) -> float:
    return _equal_fraction(condition.value, condition, known)


def _equal_fraction(operand: object, condition: QueryFilter, known: FieldStatistics) -> float:
    if operand is None:
        return known.null_fraction
    if type(operand) in COUNTED_TYPES:
        common = known.common_fraction(operand)
        if common is not None:
            return common
    kind = kind_of(operand)
    if kind not in _COUNTED_KINDS:
        return _tried_fraction(QueryOperator.EQUALS, condition, known)
    if kind not in known.kinds or _is_outside(operand, known):
        return 0.0
    exactly = known.text_fraction(cast("str", operand)) if kind is Kind.STRING else None
    if exactly is not None:
        return exactly
    return known.other_fraction / max(1.0, known.distinct_count - len(known.most_common))


def _is_outside(operand: object, known: FieldStatistics) -> bool:
    """Return whether a value is beyond the least or the greatest one."""
    low, high = known.minimum, known.maximum
    if low is None or isinstance(operand, bool) or isinstance(operand, str) != isinstance(low, str):
        return False
    return bool(operand < low or operand > high)  # type: ignore[operator]  # both numbers, or texts


def _member_fraction(condition: QueryFilter, known: FieldStatistics) -> float:
    members = cast("tuple[object, ...]", condition.value)
    counted = members
    if len(members) > _COUNTED_MEMBERS:
        counted = members[:: len(members) // _COUNTED_MEMBERS]
    if not COUNTED_TYPES.issuperset(map(type, counted)) and not all(map(_is_counted, counted)):
        return _tried_fraction(QueryOperator.IN, condition, known)
    total = sum([_equal_fraction(member, condition, known) for member in counted])
    return min(1.0, total * len(members) / max(1, len(counted)))


def _is_counted(member: object) -> bool:
    return member is None or kind_of(member) in _COUNTED_KINDS


def _tried_fraction(
    operator: QueryOperator, condition: QueryFilter, known: FieldStatistics
) -> float:
    """Evaluate the filter on some of the sampled values, as the specification does."""
    cells = known.sample[:: max(1, len(known.sample) // _TRIED_VALUES)]
    if not cells:
        return UNKNOWN_SELECTIVITY
    if not known.through_list:
        return sum(_holds(operator, cell, condition) for cell in cells) / len(cells)
    lists = cast("tuple[tuple[object, ...], ...]", cells)
    return sum(any(_holds(operator, v, condition) for v in cell) for cell in lists) / len(cells)


def _holds(operator: QueryOperator, value: object, condition: QueryFilter) -> bool:
    return holds(operator, value, condition.value, case_sensitive=condition.case_sensitive)


def _text_fraction(
    operator: QueryOperator, condition: QueryFilter, known: FieldStatistics
) -> float:
    """Try a pattern or a fuzzy text on kept distinct texts; a pattern that may be slow is not."""
    names = known.tried_texts.names
    if not names:
        return 0.0
    if operator is QueryOperator.FUZZY:
        matched = _resembling(condition, names)
    else:
        pattern = compile_pattern(
            cast("str", condition.value), case_sensitive=condition.case_sensitive
        )
        if not pattern.linear:
            return _UNTRIED_PATTERN
        matched = pattern.search_series(known.tried_texts.series).tolist()
    if known.through_list:
        return _rows_with_any(set(compress(names, matched)), known)
    return _share(known, matched)


def _share(known: FieldStatistics, matched: list[bool]) -> float:
    """Return the fraction of rows that have one of the tried texts that matched.

    Where none did but others were not tried, half a text of those is taken to match.
    """
    tried = known.tried_texts
    if tried.names and not tried.is_all and not any(matched):
        return 0.5 * sum(tried.fractions) / len(tried.names)
    return sum(compress(tried.fractions, matched))


def _resembling(condition: QueryFilter, names: Sequence[str]) -> list[bool]:
    text, threshold = fuzzy_operand(condition.value)
    if not condition.case_sensitive:
        text, names = text.casefold(), [name.casefold() for name in names]
    least = threshold * 100
    ratios = process.cdist([text], names, scorer=fuzz.ratio, score_cutoff=least)[0]
    return cast("list[bool]", (ratios >= least).tolist())


def _rows_with_any(texts: set[str], known: FieldStatistics) -> float:
    lists = cast("tuple[tuple[object, ...], ...]", known.sample)
    # a dict in a list is not a text, and cannot be looked for in a set
    found = sum(any(isinstance(v, str) and v in texts for v in cell) for cell in lists)
    return found / len(lists)


_ESTIMATES = {
    QueryOperator.EQUALS: _equality_fraction,
    QueryOperator.IN: _member_fraction,
    **dict.fromkeys(RANGES, _range_fraction),
}
"""By positive operator, what reads the fraction off the statistics of single values."""
