"""Filters as single passes over dicts: each value is compared as it is met, and never kept.

A pass finds candidates with Python's own operator, which are all that the specification could
accept: it asks the same of values, and besides that they be of the operand's kind. Those of types
that surely are of that kind are accepted, of any others the specification is asked. A value that
Python cannot compare at all (null among numbers) leaves the pass to the next, more patient one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from ..query import QueryFilter, QueryOperator, holds
from ..query.operators import COMPLEMENT_OF, ORDERINGS
from ..query.values import instant_of
from .predicates import Test, without

_Rows: TypeAlias = Sequence[Mapping[str, Any]]
_Scan: TypeAlias = Callable[[_Rows, str, Any, Sequence[int], frozenset[type], Test], list[int]]

_MAX_MEMBERS = 64
"""Longer lists are not looked through for texts that read as dates."""
_EXACT = 2**53
"""Up to this, numbers that are equal have equal hashes whatever their types."""


class RowScan:
    """Passes for one filter over the rows of a database, of which it remembers what they met.

    Args:
        condition: a filter that `can_scan`.
        rows: the records.
    """

    def __init__(self, condition: QueryFilter, rows: _Rows) -> None:
        self._condition = condition
        self._rows = rows
        self._operator = COMPLEMENT_OF.get(condition.operator, condition.operator)
        self._is_complement = self._operator is not condition.operator
        if self._operator is QueryOperator.EQUALS and condition.value is None:
            self._operator = QueryOperator.IS_NULL
        self._sure = _SURE[self._operator, _one_type(self._operator, condition.value)]
        scans, self._operand = _SCANS, condition.value
        if self._operator is QueryOperator.IN:
            self._operand = frozenset(cast("tuple[object, ...]", condition.value))
        elif isinstance(condition.value, str) and not condition.case_sensitive:
            scans, self._operand = _FOLDED_SCANS, condition.value.casefold()
        self._scans_left = list(scans[self._operator])

    def surviving(self, ids: Sequence[int]) -> list[int] | None:
        """Return the positions among `ids` that the filter holds for, None where it can't tell."""
        found = self._found(ids)
        return without(found, ids) if found is not None and self._is_complement else found

    def _found(self, ids: Sequence[int]) -> list[int] | None:
        while self._scans_left:
            scan, path = self._scans_left[0], self._condition.field
            try:
                return scan(self._rows, path, self._operand, ids, self._sure, self._holds)
            except Exception:  # noqa: BLE001 - what a value raises when compared, who is asked next tells the meaning of
                del self._scans_left[0]
        return None

    def _holds(self, value: object) -> bool:
        condition = self._condition
        return holds(
            self._operator, value, condition.value, case_sensitive=condition.case_sensitive
        )


def can_scan(condition: QueryFilter) -> bool:
    """Return whether all that a filter holds for is found by one of Python's own operators."""
    operator = COMPLEMENT_OF.get(condition.operator, condition.operator)
    operand = condition.value
    if "." in condition.field or (operator, _one_type(operator, operand)) not in _SURE:
        return False
    folds = not condition.case_sensitive and isinstance(operand, str | tuple)
    if folds and not (isinstance(operand, str) and operator in _FOLDED_SCANS):
        return False
    members = _members(operator, operand)
    if operator is QueryOperator.IN and not all(map(_has_one_hash, members)):
        return False
    return len(members) <= _MAX_MEMBERS and not any(map(_is_moment, members))


def _members(operator: QueryOperator, operand: object) -> tuple[object, ...]:
    takes_many = operator in (QueryOperator.IN, QueryOperator.BETWEEN)
    return cast("tuple[object, ...]", operand) if takes_many else (operand,)


def _one_type(operator: QueryOperator, operand: object) -> type | None:
    """Return the type that an operand or all its members have, int for all numbers but NaN."""
    types = set(map(_type_of, _members(operator, operand)))
    return types.pop() if len(types) == 1 else None


def _type_of(value: object) -> type | None:
    kind = type(value)
    if kind is float:
        return int if value == value else None  # noqa: PLR0124 - NaN is what differs from itself
    return kind if kind in _OPERAND_TYPES else None


def _has_one_hash(number: object) -> bool:
    """Return whether whatever equals a number has its hash; numpy equates large ones in floats."""
    return not isinstance(number, int | float) or abs(number) <= _EXACT


def _is_moment(text: object) -> bool:
    """Return whether a text reads as a date, so that it may equal one, or be before one."""
    return isinstance(text, str) and instant_of(text) is not None


_OPERAND_TYPES = frozenset({bool, int, str, type(None)})
_NUMBERS: frozenset[type] = frozenset({int, float})
_TEXTS: frozenset[type] = frozenset({str})
_SURE: dict[tuple[QueryOperator, type | None], frozenset[type]] = {
    (QueryOperator.IS_NULL, type(None)): frozenset({type(None)}),
    (QueryOperator.EQUALS, type(None)): frozenset({type(None)}),
    (QueryOperator.EQUALS, bool): frozenset({bool}),
    (QueryOperator.CONTAINS, str): _TEXTS,
}
for _operator in (QueryOperator.EQUALS, QueryOperator.IN, QueryOperator.BETWEEN, *ORDERINGS):
    _SURE[_operator, int] = _NUMBERS
    _SURE[_operator, str] = _TEXTS


def _among(
    rows: _Rows,
    path: str,
    chosen: frozenset[object],
    ids: Sequence[int],
    sure: frozenset[type],
    means: Test,
) -> list[int]:
    return [i for i in ids if (v := rows[i].get(path)) in chosen and (type(v) in sure or means(v))]


# each for values without null first: that spares a comparison
_SCANS: dict[QueryOperator, tuple[_Scan, ...]] = {
    QueryOperator.EQUALS: (
        lambda rows, path, o, ids, sure, means: [
            i for i in ids if (v := rows[i].get(path)) == o and (type(v) in sure or means(v))
        ],
    ),
    QueryOperator.IN: (_among,),
    QueryOperator.IS_NULL: (
        lambda rows, path, _, ids, sure, means: [
            i
            for i in ids
            if ((v := rows[i].get(path)) is None or v != v) and (type(v) in sure or means(v))  # noqa: PLR0124 - NaN is what differs from itself
        ],
    ),
    QueryOperator.GT: (
        lambda rows, path, o, ids, sure, means: [
            i for i in ids if (v := rows[i].get(path)) > o and (type(v) in sure or means(v))
        ],
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if (v := rows[i].get(path)) is not None and v > o and (type(v) in sure or means(v))
        ],
    ),
    QueryOperator.GTE: (
        lambda rows, path, o, ids, sure, means: [
            i for i in ids if (v := rows[i].get(path)) >= o and (type(v) in sure or means(v))
        ],
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if (v := rows[i].get(path)) is not None and v >= o and (type(v) in sure or means(v))
        ],
    ),
    QueryOperator.LT: (
        lambda rows, path, o, ids, sure, means: [
            i for i in ids if (v := rows[i].get(path)) < o and (type(v) in sure or means(v))
        ],
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if (v := rows[i].get(path)) is not None and v < o and (type(v) in sure or means(v))
        ],
    ),
    QueryOperator.LTE: (
        lambda rows, path, o, ids, sure, means: [
            i for i in ids if (v := rows[i].get(path)) <= o and (type(v) in sure or means(v))
        ],
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if (v := rows[i].get(path)) is not None and v <= o and (type(v) in sure or means(v))
        ],
    ),
    QueryOperator.BETWEEN: (
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if o[0] <= (v := rows[i].get(path)) <= o[1] and (type(v) in sure or means(v))
        ],
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if (v := rows[i].get(path)) is not None
            and o[0] <= v <= o[1]
            and (type(v) in sure or means(v))
        ],
    ),
    QueryOperator.CONTAINS: (
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if o in (v := rows[i].get(path))  # type: ignore[operator]  # what has no members raises
            and (type(v) in sure or means(v))
        ],
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if (v := rows[i].get(path)) is not None and o in v and (type(v) in sure or means(v))
        ],
    ),
}
_FOLDED_SCANS: dict[QueryOperator, tuple[_Scan, ...]] = {
    QueryOperator.EQUALS: (
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if (v := rows[i].get(path)) is not None
            and v.casefold() == o
            and (type(v) in sure or means(v))
        ],
    ),
    QueryOperator.CONTAINS: (
        lambda rows, path, o, ids, sure, means: [
            i
            for i in ids
            if (v := rows[i].get(path)) is not None
            and o in v.casefold()
            and (type(v) in sure or means(v))
        ],
    ),
}
