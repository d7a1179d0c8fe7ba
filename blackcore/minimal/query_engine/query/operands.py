"""What a filter may be compared with: checked and made immutable when the filter is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NoReturn

import numpy as np

from ..errors import InvalidFilterError, QueryDepthError, shown_value
from ..settings import MAX_FILTER_DEPTH
from .kept_property import kept_property
from .operators import QueryOperator
from .patterns import compile_pattern
from .values import frozen, is_null

_EXACT_TYPES = frozenset({bool, int, str, type(None), datetime, date})
_NUMBER_TYPES = frozenset({float, Decimal})  # which may be NaN


class FrozenDict(dict[str, object]):
    """A dict that cannot be changed, so that a question stays what its digest says."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("the parts of a query cannot be changed; make a new one with model_copy")

    __setitem__ = __delitem__ = update = setdefault = pop = popitem = clear = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]  # it cannot change
        return self._hash

    @kept_property
    def _hash(self) -> int:
        return hash(frozenset([(key, frozen(item)) for key, item in self.items()]))

    def __reduce__(self) -> tuple[object, ...]:
        return (FrozenDict, (dict(self),))


def plain_operand(value: object, depth: int = 0) -> object:
    """Return a value as plain JSON values, dates and Decimals, with tuples for lists.

    What is returned shares nothing with the caller that can change. NaN becomes the null it is.

    Raises:
        InvalidFilterError: a value that JSON records cannot be compared with.
        QueryDepthError: lists or objects nested deeper than filters may be.
    """
    kind = type(value)
    if kind in _EXACT_TYPES:
        return value
    if kind in _NUMBER_TYPES:
        return None if is_null(value) else value
    if depth > MAX_FILTER_DEPTH:
        raise QueryDepthError(
            f"a filter's value is nested deeper than {MAX_FILTER_DEPTH} lists or objects"
        )
    if isinstance(value, list | tuple | set | frozenset | range):
        return tuple([plain_operand(member, depth + 1) for member in value])
    if isinstance(value, Mapping):
        items = ((_plain_key(key), plain_operand(item, depth + 1)) for key, item in value.items())
        return FrozenDict(items)
    return _plain_scalar(value)


def _microseconds(value: np.datetime64) -> object:
    return value.astype("datetime64[us]").item()


def _plain_key(key: object) -> str:
    if not isinstance(key, str):
        raise InvalidFilterError(
            f"the key {key!r} of an object in a filter's value is not a string"
        )
    return str(key)


def _plain_scalar(value: object) -> object:
    """Return a subclass's or numpy's scalar as the plain type it stands for."""
    if isinstance(value, np.datetime64):
        plain = value.item()  # an int where it is finer than Python's microseconds
        return plain if plain is None or isinstance(plain, date) else _microseconds(value)
    if isinstance(value, np.generic) and not isinstance(value, np.timedelta64):
        return plain_operand(value.item(), MAX_FILTER_DEPTH)
    for base in (int, float, str):
        if isinstance(value, base):
            return base(value) if base is not str else str.__str__(value)
    if isinstance(value, date | Decimal):
        return value
    raise InvalidFilterError(
        f"a value of type {type(value).__name__} cannot be compared with JSON values; give None, "
        "a bool, number, string, date, datetime, or a list or dict of those"
    )


def check_operand(
    field: str, operator: QueryOperator, value: object, *, case_sensitive: bool
) -> None:
    """Raise unless an operator can take a value.

    Raises:
        InvalidFilterError: names the field, the operator, the value and what is allowed.
        InvalidPatternError: a regular expression that does not compile.
    """
    check = _CHECKS.get(operator)
    if check is not None:
        check(field, operator, value)
    if operator is QueryOperator.REGEX:
        compile_pattern(value, case_sensitive=case_sensitive)


def _check_list(field: str, operator: QueryOperator, value: object) -> None:
    if not isinstance(value, tuple):
        raise _refused(field, operator, value, "a list of values")


def _check_pattern(field: str, operator: QueryOperator, value: object) -> None:
    if not isinstance(value, str):
        raise _refused(field, operator, value, "a regular expression as a string")


def _check_no_value(field: str, operator: QueryOperator, value: object) -> None:
    if value is not None:
        raise _refused(field, operator, value, "no value")


def _check_between(field: str, operator: QueryOperator, value: object) -> None:
    if not isinstance(value, tuple) or len(value) != 2:  # noqa: PLR2004 - two bounds
        raise _refused(field, operator, value, "two bounds, [low, high]")
    if None in value:
        raise _refused(field, operator, value, "two bounds that are not null (or use gte or lte)")


def _check_fuzzy(field: str, operator: QueryOperator, value: object) -> None:
    expected = 'a text, or {"text": ..., "threshold": 0.0 to 1.0}'
    if isinstance(value, str):
        return
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise _refused(field, operator, value, expected)
    threshold = value.get("threshold", 0)
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if set(value) - {"text", "threshold"} or not is_number or not 0 <= threshold <= 1:
        raise _refused(field, operator, value, expected)


def _refused(
    field: str, operator: QueryOperator, value: object, expected: str
) -> InvalidFilterError:
    return InvalidFilterError(
        f"the operator {operator.value!r} on field {field!r} was given {shown_value(value)}; "
        f"it takes {expected}"
    )


_CHECKS: Final[dict[QueryOperator, Callable[[str, QueryOperator, object], None]]] = {
    QueryOperator.BETWEEN: _check_between,
    QueryOperator.IN: _check_list,
    QueryOperator.NOT_IN: _check_list,
    QueryOperator.REGEX: _check_pattern,
    QueryOperator.FUZZY: _check_fuzzy,
    QueryOperator.IS_NULL: _check_no_value,
    QueryOperator.IS_NOT_NULL: _check_no_value,
}
