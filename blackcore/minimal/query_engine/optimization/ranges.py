"""AND-ed filters on one field that reaches one value: merged, or seen to exclude each other.

Only plain numbers, strings and booleans are reasoned about. A string that reads as a date equals
dates that are not equal as strings, so it is left alone, as dates are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ..query import QueryFilter, QueryOperator
from ..query.operators import ORDERINGS
from ..query.values import Kind, compare, instant_of, kind_of
from .logic import EQUALITIES, RANGES

_NULL_TESTS = frozenset({QueryOperator.IS_NULL, QueryOperator.IS_NOT_NULL})
_NOT_NULL = EQUALITIES | RANGES | {QueryOperator.CONTAINS, QueryOperator.REGEX, QueryOperator.FUZZY}


def merged_filters(filters: Sequence[QueryFilter]) -> list[QueryFilter] | None:
    """Return fewer filters that hold for the same values, `[]` if none can, None if there are none.

    >>> over_five = QueryFilter("a", "gt", 5)
    >>> [str(f) for f in merged_filters([over_five, QueryFilter("a", "in", [4, 6, 9])])]
    ['a in (6, 9)']
    """
    nulls = [f for f in filters if f.operator is QueryOperator.IS_NULL]
    not_nulls = [f for f in filters if f.operator is QueryOperator.IS_NOT_NULL]
    others = [f for f in filters if f.operator not in _NULL_TESTS]
    plain = [f for f in others if _is_plain(f)]
    rest = [f for f in others if not any(f is one for one in plain)]
    positive = plain or any(_excludes_null(f) for f in rest)
    if nulls and positive:
        return []
    merged = _merged_plain(plain)
    if merged is not None and not merged and plain:
        return []
    kept = [*(plain if merged is None else merged), *rest, *nulls[:1]]
    if not positive:
        kept += not_nulls[:1]
    return kept if len(kept) < len(filters) or (merged is not None and merged != plain) else None


def holds_for_nothing(condition: QueryFilter) -> bool:
    """Return whether no value can satisfy a filter with bounds: 9 to 1, or above a list.

    >>> holds_for_nothing(QueryFilter("a", "between", [9, 1]))
    True
    """
    if condition.operator in ORDERINGS:
        return kind_of(condition.value) not in _ORDERED_KINDS
    if condition.operator is not QueryOperator.BETWEEN:
        return False
    low, high = cast("tuple[object, object]", condition.value)
    kinds = {kind_of(low), kind_of(high)}
    if not kinds <= _ORDERED_KINDS:
        return True
    return _is_plain(condition) and compare(low, high) not in (-1, 0)


_ORDERED_KINDS = frozenset({Kind.NUMBER, Kind.STRING, Kind.DATE})


def _excludes_null(condition: QueryFilter) -> bool:
    if condition.operator not in _NOT_NULL:
        return False
    if condition.operator is QueryOperator.IN:
        return None not in cast("tuple[object, ...]", condition.value)
    return condition.value is not None


def _is_plain(condition: QueryFilter) -> bool:
    if condition.operator not in EQUALITIES | RANGES or not condition.case_sensitive:
        return False
    many = condition.operator in (QueryOperator.IN, QueryOperator.BETWEEN)
    values = cast("tuple[object, ...]", condition.value) if many else (condition.value,)
    scalars = all(type(v) in (int, float, str, bool) for v in values)
    return scalars and not any(isinstance(v, str) and instant_of(v) is not None for v in values)


@dataclass(frozen=True, slots=True)
class _Bound:
    """One end of a range."""

    value: object
    inclusive: bool


def _merged_plain(filters: Sequence[QueryFilter]) -> list[QueryFilter] | None:
    """Return the filters merged, `[]` for none that can hold, None without any."""
    if not filters:
        return None
    path = filters[0].field
    lows, highs = _bounds(filters)
    low, high = _tightest(lows, keep=1), _tightest(highs, keep=-1)
    if (lows and low is None) or (highs and high is None) or _crossed(low, high):
        return []
    equalities = [f for f in filters if f.operator in EQUALITIES]
    if not equalities:
        return _range_filters(path, low, high)
    values = [v for v in _values(equalities[0]) if _within(v, low, high)]
    for other in equalities[1:]:
        allowed = set(map(_key, _values(other)))
        values = [v for v in values if _key(v) in allowed]
    if not values:
        return []
    if len(values) == 1:
        return [QueryFilter(path, QueryOperator.EQUALS, values[0])]
    return [QueryFilter(path, QueryOperator.IN, values)]


def _key(value: object) -> object:
    """Return what equal plain values share; True is not 1, though Python has them equal."""
    return (bool, value) if type(value) is bool else value


def _values(condition: QueryFilter) -> tuple[object, ...]:
    if condition.operator is QueryOperator.IN:
        return cast("tuple[object, ...]", condition.value)
    return (condition.value,)


def _bounds(filters: Sequence[QueryFilter]) -> tuple[list[_Bound], list[_Bound]]:
    lows: list[_Bound] = []
    highs: list[_Bound] = []
    for each in filters:
        if each.operator in (QueryOperator.GT, QueryOperator.GTE):
            lows.append(_Bound(each.value, each.operator is QueryOperator.GTE))
        elif each.operator in (QueryOperator.LT, QueryOperator.LTE):
            highs.append(_Bound(each.value, each.operator is QueryOperator.LTE))
        elif each.operator is QueryOperator.BETWEEN:
            low, high = cast("tuple[object, object]", each.value)
            lows.append(_Bound(low, inclusive=True))
            highs.append(_Bound(high, inclusive=True))
    return lows, highs


def _tightest(bounds: Sequence[_Bound], *, keep: int) -> _Bound | None:
    """Return the bound that leaves least (`keep`: 1 the greatest, -1 the least).

    None without bounds, or where they are of kinds that no value is both of.
    """
    best: _Bound | None = None
    for bound in bounds:
        order = compare(bound.value, bound.value if best is None else best.value)
        if order is None:
            return None
        is_tighter = order == keep or (order == 0 and not bound.inclusive)
        if best is None or is_tighter:
            best = bound
    return best


def _crossed(low: _Bound | None, high: _Bound | None) -> bool:
    if low is None or high is None:
        return False
    order = compare(low.value, high.value)
    return order is None or order > 0 or (order == 0 and not (low.inclusive and high.inclusive))


def _within(value: object, low: _Bound | None, high: _Bound | None) -> bool:
    above = low is None or compare(value, low.value) in ((0, 1) if low.inclusive else (1,))
    below = high is None or compare(value, high.value) in ((-1, 0) if high.inclusive else (-1,))
    return above and below


def _range_filters(path: str, low: _Bound | None, high: _Bound | None) -> list[QueryFilter]:
    if low is not None and high is not None and low.inclusive and high.inclusive:
        return [QueryFilter(path, QueryOperator.BETWEEN, (low.value, high.value))]
    kept = []
    if low is not None:
        operator = QueryOperator.GTE if low.inclusive else QueryOperator.GT
        kept.append(QueryFilter(path, operator, low.value))
    if high is not None:
        operator = QueryOperator.LTE if high.inclusive else QueryOperator.LT
        kept.append(QueryFilter(path, operator, high.value))
    return kept
