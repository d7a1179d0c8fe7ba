"""Filters as functions of one value, and as passes over the dicts of a few rows.

A pass returns the positions that survive. It looks only at the rows that are still in question, so
the order of the filters matters, which is the optimizer's business.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from rapidfuzz import fuzz, process

from ..query import QueryFilter, QueryOperator, holds
from ..query.operators import COMPLEMENT_OF, TEXT_OPERATORS, fuzzy_operand
from ..query.patterns import compile_pattern
from ..query.values import instant_of

if TYPE_CHECKING:
    from ..data import Records

Test: TypeAlias = Callable[[object], bool]

_NUMBERS = frozenset({int, float})
_TEXTS: frozenset[type] = frozenset({str, type(None)})
_SCALARS = frozenset({type(None), bool, int, float, str})


def surviving_ids(
    condition: QueryFilter,
    records: Records,
    ids: Sequence[int],
    *,
    pattern_timeout_seconds: float,
) -> list[int]:
    """Return the positions among `ids`, in their order, of rows that a filter holds for.

    Raises:
        PatternTimeoutError: a look-around pattern ran out of time.
    """
    positive = COMPLEMENT_OF.get(condition.operator)
    if positive is None:
        return _surviving(condition, condition.operator, records, ids, pattern_timeout_seconds)
    found = _surviving(condition, positive, records, ids, pattern_timeout_seconds)
    return without(found, ids)


def without(found: Sequence[int], ids: Sequence[int]) -> list[int]:
    """Return the positions among `ids`, in their order, that are not among those found."""
    if not found:
        return list(ids)
    excluded = set(found)
    return [i for i in ids if i not in excluded]


def _surviving(
    condition: QueryFilter,
    which: QueryOperator,
    records: Records,
    ids: Sequence[int],
    timeout_seconds: float,
) -> list[int]:
    if which in TEXT_OPERATORS:
        return _surviving_text(condition, records, ids, timeout_seconds)
    cells, types = records.cells(condition.field, None if len(ids) == len(records) else ids)
    if types.is_plain:
        test = plain_test(which, condition.value, types.types, condition.case_sensitive)
        return _passed(test, ids, cells)
    slow = _general_test(which, condition)
    if types.through_list:
        return [i for i, cell in zip(ids, cells, strict=True) if any(map(slow, _values(cell)))]
    return list(compress(ids, map(slow, cells)))


def _passed(test: Test, ids: Sequence[int], cells: Sequence[object]) -> list[int]:
    """Return the positions whose cells pass; a comparison is spelt out, which saves its calls."""
    if isinstance(test, partial) and test.func in _COMPARISONS:
        bound = cast("partial[bool]", test)
        return _COMPARISONS[bound.func](bound.args[0], ids, cells)
    return list(compress(ids, map(test, cells)))


# the operand stands before the value, as `partial` binds it
_COMPARISONS: dict[object, Callable[[Any, Sequence[int], Sequence[Any]], list[int]]] = {
    operator.eq: lambda o, ids, cells: [i for i, v in zip(ids, cells, strict=True) if o == v],
    operator.is_: lambda o, ids, cells: [i for i, v in zip(ids, cells, strict=True) if o is v],
    operator.lt: lambda o, ids, cells: [i for i, v in zip(ids, cells, strict=True) if o < v],
    operator.le: lambda o, ids, cells: [i for i, v in zip(ids, cells, strict=True) if o <= v],
    operator.gt: lambda o, ids, cells: [i for i, v in zip(ids, cells, strict=True) if o > v],
    operator.ge: lambda o, ids, cells: [i for i, v in zip(ids, cells, strict=True) if o >= v],
}


def _values(cell: object) -> list[object]:
    return cast("list[object]", cell)


def _general_test(which: QueryOperator, condition: QueryFilter) -> Test:
    """Return the specification itself as a test of one value."""
    operand, case_sensitive = condition.value, condition.case_sensitive
    return lambda value: holds(which, value, operand, case_sensitive=case_sensitive)


def plain_test(
    which: QueryOperator, operand: object, types: frozenset[type], case_sensitive: bool
) -> Test:
    """Return a test of one value, fast because the types that occur are known.

    Args:
        which: a positive operator, neither regex nor fuzzy.
        operand: the filter's value.
        types: types of all values the test will see, of those that JSON has.
        case_sensitive: False compares casefolded strings.
    """
    make = _PLAIN_TESTS.get((which, type(operand)))
    test = make(operand, types) if make is not None and case_sensitive else None
    if test is None and which is QueryOperator.IS_NULL:
        test = _null_test(types)
    if test is None and which is QueryOperator.IN and case_sensitive:
        test = _member_test(operand, types)
    if test is None and which is QueryOperator.BETWEEN and case_sensitive:
        test = _between_test(operand)
    if test is None and isinstance(operand, str) and not case_sensitive:
        test = _folded_test(which, operand)
    if test is not None:
        return test
    return lambda value: holds(which, value, operand, case_sensitive=case_sensitive)


def _null_test(types: frozenset[type]) -> Test:
    if float in types:
        return lambda value: value is None or value != value  # noqa: PLR0124 - NaN
    return lambda value: value is None


def _equal_string(operand: object, _types: frozenset[type]) -> Test:
    return partial(operator.eq, operand)


def _equal_number(operand: object, types: frozenset[type]) -> Test:
    if bool in types:  # True == 1 in Python, but a bool is not a number
        return lambda value: value == operand and type(value) is not bool
    return partial(operator.eq, operand)


def _equal_bool(operand: object, _types: frozenset[type]) -> Test:
    return partial(operator.is_, operand)


def _member_test(operand: object, types: frozenset[type]) -> Test | None:
    members = cast("tuple[object, ...]", operand)
    kinds = set(map(type, members))
    if not kinds <= {int, float, str} or not types <= _SCALARS or bool in types:
        return None
    chosen = frozenset(members)
    return chosen.__contains__


def _between_test(operand: object) -> Test | None:
    low, high = cast("tuple[object, object]", operand)
    kinds = {type(low), type(high)}
    if kinds <= _NUMBERS:
        return lambda value: type(value) in _NUMBERS and low <= value <= high  # type: ignore[operator]  # numbers
    if kinds == {str}:
        return lambda value: type(value) is str and low <= value <= high  # type: ignore[operator]  # strings
    return None


def _contains_string(operand: object, types: frozenset[type]) -> Test | None:
    part = cast("str", operand)
    if list in types:
        # a date among the members equals a string that reads as one
        return None if instant_of(part) is not None else _member_or_part(part)
    return lambda value: type(value) is str and part in value


def _member_or_part(part: str) -> Test:
    def test(value: object) -> bool:
        kind = type(value)
        if kind is list:
            # what Python finds equal need not be equal JSON; what it does not find is not
            return part in value and holds(QueryOperator.CONTAINS, value, part)  # type: ignore[operator]  # a list
        return kind is str and part in value  # type: ignore[operator]  # a string

    return test


def _contains_number(operand: object, _types: frozenset[type]) -> Test:
    def test(value: object) -> bool:
        is_found = type(value) is list and operand in value
        return is_found and holds(QueryOperator.CONTAINS, value, operand)

    return test


def _folded_test(which: QueryOperator, operand: str) -> Test | None:
    part = operand.casefold()
    if which is QueryOperator.EQUALS:
        return lambda value: type(value) is str and value.casefold() == part
    return None


def _ordering_tests(which: QueryOperator) -> tuple[_Maker, _Maker]:
    """Return the makers of tests that compare with a number and with a string."""

    def with_number(operand: object, types: frozenset[type]) -> Test:
        if types <= _NUMBERS:
            return partial(_REVERSED[which], operand)
        return _NUMBER_ORDERINGS[which](cast("float", operand))

    def with_string(operand: object, types: frozenset[type]) -> Test:
        if types == {str}:
            return partial(_REVERSED[which], operand)
        return _STRING_ORDERINGS[which](cast("str", operand))

    return with_number, with_string


_Maker: TypeAlias = Callable[[object, frozenset[type]], Test | None]

# what `partial` binds is the left side: the operand stands before the value
_REVERSED: dict[QueryOperator, Callable[..., bool]] = {
    QueryOperator.GT: operator.lt,
    QueryOperator.GTE: operator.le,
    QueryOperator.LT: operator.gt,
    QueryOperator.LTE: operator.ge,
}
_NUMBER_ORDERINGS: dict[QueryOperator, Callable[[float], Test]] = {
    QueryOperator.GT: lambda o: lambda v: type(v) in _NUMBERS and v > o,  # type: ignore[operator]  # a number
    QueryOperator.GTE: lambda o: lambda v: type(v) in _NUMBERS and v >= o,  # type: ignore[operator]  # a number
    QueryOperator.LT: lambda o: lambda v: type(v) in _NUMBERS and v < o,  # type: ignore[operator]  # a number
    QueryOperator.LTE: lambda o: lambda v: type(v) in _NUMBERS and v <= o,  # type: ignore[operator]  # a number
}
_STRING_ORDERINGS: dict[QueryOperator, Callable[[str], Test]] = {
    QueryOperator.GT: lambda o: lambda v: type(v) is str and v > o,
    QueryOperator.GTE: lambda o: lambda v: type(v) is str and v >= o,
    QueryOperator.LT: lambda o: lambda v: type(v) is str and v < o,
    QueryOperator.LTE: lambda o: lambda v: type(v) is str and v <= o,
}
_PLAIN_TESTS: dict[tuple[QueryOperator, type], _Maker] = {
    (QueryOperator.EQUALS, str): _equal_string,
    (QueryOperator.EQUALS, int): _equal_number,
    (QueryOperator.EQUALS, float): _equal_number,
    (QueryOperator.EQUALS, bool): _equal_bool,
    (QueryOperator.EQUALS, type(None)): lambda _operand, types: _null_test(types),
    (QueryOperator.CONTAINS, str): _contains_string,
    (QueryOperator.CONTAINS, int): _contains_number,
    (QueryOperator.CONTAINS, float): _contains_number,
    (QueryOperator.CONTAINS, bool): _contains_number,
}
for _operator in _NUMBER_ORDERINGS:
    _with_number, _with_string = _ordering_tests(_operator)
    _PLAIN_TESTS[_operator, int] = _PLAIN_TESTS[_operator, float] = _with_number
    _PLAIN_TESTS[_operator, str] = _with_string


def _surviving_text(
    condition: QueryFilter, records: Records, ids: Sequence[int], timeout_seconds: float
) -> list[int]:
    """Evaluate a pattern or a fuzzy text over the strings of the rows in one go."""
    owners, texts = _strings(records, condition.field, ids)
    if not texts:
        return []
    if condition.operator is QueryOperator.FUZZY:
        found = fuzzy_mask(condition, texts)
    else:
        pattern = compile_pattern(
            cast("str", condition.value), case_sensitive=condition.case_sensitive
        )
        found = pattern.search_each(texts, timeout_seconds=timeout_seconds)
    # a row through a list owns several texts; dict.fromkeys keeps it once, in order
    return list(dict.fromkeys(owners[k] for k in np.flatnonzero(found).tolist()))


def _strings(records: Records, path: str, ids: Sequence[int]) -> tuple[list[int], list[str]]:
    """Return every string that a path reaches in the rows, and the row it belongs to."""
    cells, types = records.cells(path, None if len(ids) == len(records) else ids)
    if types.types <= _TEXTS and not types.through_list:
        present = [(i, cell) for i, cell in zip(ids, cells, strict=True) if cell is not None]
        return [i for i, _ in present], [cast("str", cell) for _, cell in present]
    owners: list[int] = []
    texts: list[str] = []
    for i, cell in zip(ids, cells, strict=True):
        for value in _values(cell) if types.through_list else (cell,):
            if isinstance(value, str):
                owners.append(i)
                texts.append(value)
    return owners, texts


def fuzzy_mask(
    condition: QueryFilter, texts: Sequence[str]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return one bool per text: whether it resembles the filter's text enough."""
    text, threshold = fuzzy_operand(condition.value)
    if not condition.case_sensitive:
        text, texts = text.casefold(), [candidate.casefold() for candidate in texts]
    ratios = process.cdist([text], texts, scorer=fuzz.ratio, dtype=np.float64)[0]
    return cast("np.ndarray[tuple[int], np.dtype[np.bool_]]", ratios / 100 >= threshold)
