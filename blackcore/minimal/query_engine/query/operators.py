"""The fifteen operators, and what each of them means for one value.

`holds` is the specification. It is slow and plain; whatever is faster must agree with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, cast

from rapidfuzz import fuzz

from .patterns import compile_pattern
from .values import Kind, compare, folded, is_null, json_equal, kind_of


class QueryOperator(StrEnum):
    """What a filter asks of a value."""

    EQUALS = "eq"
    NOT_EQUALS = "ne"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    IN = "in"
    NOT_IN = "not_in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    BETWEEN = "between"
    IS_NULL = "is_null"
    IS_NOT_NULL = "is_not_null"
    REGEX = "regex"
    FUZZY = "fuzzy"


ORDERINGS: Final = frozenset(
    {QueryOperator.GT, QueryOperator.GTE, QueryOperator.LT, QueryOperator.LTE}
)
"""The operators that compare with one bound."""

TEXT_OPERATORS: Final = frozenset({QueryOperator.REGEX, QueryOperator.FUZZY})
"""The operators that hold for strings only, and take long for each."""

COMPLEMENT_OF: Final[dict[QueryOperator, QueryOperator]] = {
    QueryOperator.NOT_EQUALS: QueryOperator.EQUALS,
    QueryOperator.NOT_CONTAINS: QueryOperator.CONTAINS,
    QueryOperator.NOT_IN: QueryOperator.IN,
    QueryOperator.IS_NOT_NULL: QueryOperator.IS_NULL,
}
"""The operators that are the exact complement of another one, over the whole filter."""

NEGATION_OF: Final[dict[QueryOperator, QueryOperator]] = COMPLEMENT_OF | {
    positive: negative for negative, positive in COMPLEMENT_OF.items()
}
"""Both ways. The others have no negation: `not gt` holds for nulls and for strings."""

DEFAULT_FUZZY_THRESHOLD: Final = 0.8


def holds(
    operator: QueryOperator, value: object, operand: object, *, case_sensitive: bool = True
) -> bool:
    """Return whether one value satisfies an operator.

    For values that a path reaches through lists see `evaluator.matches`: there the negative
    operators are complements of the whole filter, not of each value.

    >>> holds(QueryOperator.CONTAINS, ["Drama", "War"], "War")
    True
    >>> holds(QueryOperator.GT, "9", 5)
    False
    """
    positive = COMPLEMENT_OF.get(operator)
    if positive is not None:
        return not holds(positive, value, operand, case_sensitive=case_sensitive)
    if operator is QueryOperator.IS_NULL:
        return is_null(value)
    if operator is QueryOperator.REGEX:
        return _found(value, cast("str", operand), case_sensitive)
    if operator is QueryOperator.FUZZY:
        return _resembles(value, operand, case_sensitive)
    if not case_sensitive:
        value, operand = folded(value), folded(operand)
    return _compares(operator, value, operand)


def _compares(operator: QueryOperator, value: object, operand: object) -> bool:
    if operator is QueryOperator.EQUALS:
        return json_equal(value, operand)
    if operator is QueryOperator.IN:
        return any(json_equal(value, member) for member in _members(operand))
    if operator is QueryOperator.CONTAINS:
        return _contains(value, operand)
    if operator is QueryOperator.BETWEEN:
        low, high = _members(operand)
        return compare(value, low) in (0, 1) and compare(value, high) in (-1, 0)
    return compare(value, operand) in _ORDERINGS[operator]


_ORDERINGS: Final[dict[QueryOperator, tuple[int, ...]]] = {
    QueryOperator.GT: (1,),
    QueryOperator.GTE: (0, 1),
    QueryOperator.LT: (-1,),
    QueryOperator.LTE: (-1, 0),
}


def _members(operand: object) -> list[object]:
    return list(cast("list[object]", operand))


def _contains(value: object, operand: object) -> bool:
    kind = kind_of(value)
    if kind is Kind.LIST:
        return any(json_equal(member, operand) for member in _members(value))
    if kind is Kind.STRING and kind_of(operand) is Kind.STRING:
        return cast("str", operand) in cast("str", value)
    return False


def _found(value: object, pattern: str, case_sensitive: bool) -> bool:
    if kind_of(value) is not Kind.STRING:
        return False
    compiled = compile_pattern(pattern, case_sensitive=case_sensitive)
    return bool(compiled.search_each([cast("str", value)])[0])


def fuzzy_operand(operand: object) -> tuple[str, float]:
    """Return the text and the threshold (0.0 to 1.0) of a fuzzy filter's value.

    >>> fuzzy_operand("Boeing"), fuzzy_operand({"text": "Boeing", "threshold": 0.9})
    (('Boeing', 0.8), ('Boeing', 0.9))
    """
    if isinstance(operand, Mapping):
        threshold = operand.get("threshold", DEFAULT_FUZZY_THRESHOLD)
        return str(operand["text"]), float(threshold)
    return str(operand), DEFAULT_FUZZY_THRESHOLD


def _resembles(value: object, operand: object, case_sensitive: bool) -> bool:
    if kind_of(value) is not Kind.STRING:
        return False
    text, threshold = fuzzy_operand(operand)
    found = cast("str", value)
    if not case_sensitive:
        text, found = text.casefold(), found.casefold()
    return fuzz.ratio(text, found) / 100 >= threshold
