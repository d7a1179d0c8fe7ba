"""Estimates of the fraction of rows that a condition leaves, from the statistics of its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rapidfuzz import fuzz, process

from ..query import (
    Condition,
    FilterGroup,
    QueryFilter,
    QueryOperator,
    holds,
)
from ..query.operators import COMPLEMENT_OF, fuzzy_operand
from ..query.patterns import compile_pattern
from ..query.values import Kind, kind_of

if TYPE_CHECKING:
    from .statistics import FieldStatistics, TableStatistics

UNKNOWN_SELECTIVITY = 0.33
"""For a field without statistics."""

_PATTERN_SAMPLE = 400
_SPECIFICATION_SAMPLE = 150


def selectivity(condition: Condition, statistics: TableStatistics) -> float:
    """Return the estimated fraction of all rows that a condition holds for, 0.0 to 1.0.

    Fields are taken as independent of each other.
    """
    if isinstance(condition, QueryFilter):
        known = statistics.fields.get(condition.field)
        return UNKNOWN_SELECTIVITY if known is None else filter_selectivity(condition, known)
    fractions = [selectivity(member, statistics) for member in condition.filters]
    fraction = _group_fraction(condition, fractions)
    return 1.0 - fraction if condition.negate else fraction


def _group_fraction(group: FilterGroup, fractions: list[float]) -> float:
    missed = 1.0
    kept = 1.0
    for fraction in fractions:
        kept *= fraction
        missed *= 1.0 - fraction
    return kept if group.mode == "and" else 1.0 - missed


def filter_selectivity(condition: QueryFilter, known: FieldStatistics) -> float:
    """Return the estimated fraction of rows that a filter holds for.

    Never quite 0 or 1: a sample cannot tell that no row, or every row, matches.
    """
    if not known.sampled_rows:
        return UNKNOWN_SELECTIVITY
    operator = COMPLEMENT_OF.get(condition.operator, condition.operator)
    fraction = _positive_fraction(operator, condition, known)
    if operator is not condition.operator:
        fraction = 1.0 - fraction
    margin = 0.5 / known.sampled_rows
    return min(max(fraction, margin), 1.0 - margin)


def _positive_fraction(
    operator: QueryOperator, condition: QueryFilter, known: FieldStatistics
) -> float:
    operand = condition.value
    if operator is QueryOperator.IS_NULL:
        return known.null_fraction
    if operator is QueryOperator.REGEX:
        return _pattern_fraction(condition, known)
    if operator is QueryOperator.FUZZY:
        return _fuzzy_fraction(condition, known)
    if not condition.case_sensitive or known.through_list:
        return _sampled_fraction(operator, condition, known)
    if operator is QueryOperator.CONTAINS and isinstance(operand, str) and _is_all_text(known):
        return sum(operand in text for text in known.strings) / len(known.values)
    if operator is QueryOperator.EQUALS:
        return _equal_fraction(operand, known)
    if operator is QueryOperator.IN:
        members = cast("tuple[object, ...]", operand)
        return min(1.0, sum(_equal_fraction(member, known) for member in members[:1000]))
    if operator is QueryOperator.BETWEEN:
        low, high = cast("tuple[object, object]", operand)
        above = _ordered_fraction(QueryOperator.GTE, low, known)
        below = _ordered_fraction(QueryOperator.LTE, high, known)
        if above is not None and below is not None:
            return max(0.0, above + below - _ordered_values_fraction(low, known))
    fraction = _ordered_fraction(operator, operand, known)
    return _sampled_fraction(operator, condition, known) if fraction is None else fraction


def _equal_fraction(operand: object, known: FieldStatistics) -> float:
    if operand is None:
        return known.null_fraction
    if kind_of(operand) not in (Kind.BOOL, Kind.NUMBER, Kind.STRING):
        return 0.01  # lists, objects and dates: seldom asked, never common
    common = known.most_common.get(operand)
    if common is not None:
        return common
    rest = max(0.0, 1.0 - known.null_fraction - sum(known.most_common.values()))
    return rest / max(1.0, known.distinct_count - len(known.most_common))


def _ordered_values_fraction(bound: object, known: FieldStatistics) -> float:
    values = known.strings if isinstance(bound, str) else known.numbers
    return len(values) / known.sampled_rows


def _ordered_fraction(
    operator: QueryOperator, bound: object, known: FieldStatistics
) -> float | None:
    """Return the fraction in order with a bound, None for what has no histogram."""
    if isinstance(bound, bool) or not isinstance(bound, str | int | float):
        return None
    values = _ordered_values_fraction(bound, known)
    if operator is QueryOperator.LT:
        return known.fraction_below(bound, inclusive=False)
    if operator is QueryOperator.LTE:
        return known.fraction_below(bound, inclusive=True)
    if operator is QueryOperator.GT:
        return values - known.fraction_below(bound, inclusive=True)
    if operator is QueryOperator.GTE:
        return values - known.fraction_below(bound, inclusive=False)
    return None


def _sampled_fraction(
    operator: QueryOperator, condition: QueryFilter, known: FieldStatistics
) -> float:
    """Evaluate the filter on some of the sampled values, as the specification does."""
    values = known.values[:: max(1, len(known.values) // _SPECIFICATION_SAMPLE)]
    held = sum(
        holds(operator, value, condition.value, case_sensitive=condition.case_sensitive)
        for value in values
    )
    return held / len(values)


def _is_all_text(known: FieldStatistics) -> bool:
    return known.kinds <= {Kind.STRING, Kind.NULL}


def _fuzzy_fraction(condition: QueryFilter, known: FieldStatistics) -> float:
    text, threshold = fuzzy_operand(condition.value)
    texts = known.strings[:: max(1, len(known.strings) // _PATTERN_SAMPLE)]
    if not texts:
        return 0.0
    ratios = process.cdist([text], texts, scorer=fuzz.ratio, score_cutoff=threshold * 100)
    share = len(known.strings) / max(1, len(known.values))
    return float((ratios[0] >= threshold * 100).mean()) * share


def _pattern_fraction(condition: QueryFilter, known: FieldStatistics) -> float:
    """Evaluate a pattern over sampled strings at once; one that may be slow is not tried."""
    pattern = compile_pattern(cast("str", condition.value), case_sensitive=condition.case_sensitive)
    texts = known.strings[:: max(1, len(known.strings) // _PATTERN_SAMPLE)]
    if not pattern.linear or not texts:
        return 0.1 if texts else 0.0
    share = len(known.strings) / max(1, len(known.values))
    return float(pattern.search_each(texts).mean()) * share
