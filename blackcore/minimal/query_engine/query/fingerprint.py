"""Digests of questions: equal questions get equal ones, in every process and Python version.

Two questions are equal when they ask for the same rows in the same order for reasons that can be
read off them: the order of filters that are AND-ed or OR-ed, of `in` lists, 1 against 1.0, spelled
out defaults, and case where case does not matter make no difference. The page makes none either,
nor does `select` unless `distinct` compares what it leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, cast

from .operators import QueryOperator, fuzzy_operand
from .values import folded, instant_of

if TYPE_CHECKING:
    from .conditions import Condition, FilterGroup, QueryFilter
    from .model import StructuredQuery

_WRITTEN_OUT_DIGITS = 5_000
_VERSION = "1"  # raise it when the text below changes: logs and stores outlive a process


def row_set_digest(query: StructuredQuery) -> str:
    """Return 32 hexadecimal digits that stand for the rows that a query asks for, in order.

    >>> from blackcore.minimal.query_engine import QueryFilter, QueryPagination, StructuredQuery
    >>> near = QueryFilter("distance", "lt", 500)
    >>> ours = QueryFilter("carrier", "in", ["AA", "UA"])
    >>> one = StructuredQuery(database="flights", filters=[near, ours])
    >>> other = StructuredQuery(
    ...     database="flights",
    ...     filters=[QueryFilter("carrier", "in", ["UA", "AA"]), near],
    ...     pagination=QueryPagination(page=3),
    ... )
    >>> row_set_digest(one) == row_set_digest(other)
    True
    """
    text = _query_text(query)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _query_text(query: StructuredQuery) -> str:
    filters = sorted(_member_texts("and", query.filters))
    parts = [_VERSION, _string(query.database), *filters]
    if query.sort_fields:
        orders: dict[str, str] = {}
        for sort in query.sort_fields:
            orders.setdefault(sort.field, sort.order)  # a field sorted by again decides nothing
        parts.append("sort" + "".join(f"{_string(f)}{order}" for f, order in orders.items()))
    if query.distinct:
        selected = query.select
        parts.append("distinct" + ("" if selected is None else canonical_text(list(selected))))
    if query.search is not None:
        weights = query.search.field_weights or None
        wanted = [query.search.text, query.search.min_score, weights]
        parts.append("search" + canonical_text(wanted))
    return "\n".join(parts)


def _member_texts(mode: str, conditions: tuple[Condition, ...]) -> set[str]:
    """Return the texts of conditions, groups of the same mode dissolved into their members."""
    texts: set[str] = set()
    for condition in conditions:
        if not condition.is_group:
            texts.add(_filter_text(condition))
        elif condition.mode == mode and not condition.negate:
            texts |= _member_texts(mode, condition.filters)
        else:
            texts.add(_group_text(condition))
    return texts


def condition_text(condition: Condition) -> str:
    """Return the canonical text of a filter or a group: those that ask the same have the same."""
    return _group_text(condition) if condition.is_group else _filter_text(condition)


def _filter_text(condition: QueryFilter) -> str:
    operator, value, field = condition.operator, condition.value, condition.field
    if not condition.case_sensitive or operator in _PARTICULAR:
        return _particular_text(condition)
    if value is None:
        return f"{_NAMES[_EQUALITIES.get(operator, operator)]}{len(field)}:{field}z"
    # the two kinds that most filters compare with, without a call
    kind = type(value)
    if kind is str:
        return f"{_NAMES[operator]}{len(field)}:{field}s{len(value)}:{value}"  # type: ignore[arg-type]  # a str has a length
    if kind is int:
        return f"{_NAMES[operator]}{len(field)}:{field}n{value:x};"
    return f"{_NAMES[operator]}{len(field)}:{field}{canonical_text(value)}"


def _particular_text(condition: QueryFilter) -> str:
    operator, value = condition.operator, condition.value
    if operator is _FUZZY:
        value = list(fuzzy_operand(value))
    case = ""
    if not condition.case_sensitive and _has_text(value):
        case = "~"
        if operator is not _REGEX:
            value = folded(value)
    if operator in _EQUALITIES and value is None:
        operator = _EQUALITIES[operator]
    to_text = _members_text if operator in _UNORDERED else canonical_text
    value_text = to_text(value)  # type: ignore[arg-type]  # `in` holds a tuple
    field = condition.field
    return f"{_NAMES[operator]}{case}{len(field)}:{field}{value_text}"


def _has_text(value: object) -> bool:
    """Return whether there is a string in a value, for case to matter to."""
    if isinstance(value, list | tuple):
        return any(map(_has_text, value))
    if isinstance(value, Mapping):
        return any(map(_has_text, value.values()))
    return isinstance(value, str)


def _members_text(members: Sequence[object]) -> str:
    """Return the canonical text of a list whose order does not matter."""
    kinds = set(map(type, members))
    if Decimal in kinds:
        members = [_plain_number(each) for each in members]
        kinds = set(map(type, members))
    if kinds and kinds <= {int, float}:
        ordered = sorted(set(members))  # type: ignore[type-var]  # numbers
        whole = all(map(_is_whole, ordered)) if float in kinds else True
        if whole and ordered[0] >= _INT64_MIN and ordered[-1] <= _INT64_MAX:  # type: ignore[operator]  # numbers
            return str([int(cast("float", number)) for number in ordered])
    if kinds == {str}:  # as `canonical_text`, without a call for each
        texts = {f"s{len(member)}:{member}" for member in members}  # type: ignore[arg-type]  # a str
    else:
        texts = set(map(canonical_text, members))
    return "".join(sorted(texts))


def _plain_number(value: object) -> object:
    """Return an int for a Decimal that is a small whole number, and any other value as it is."""
    if isinstance(value, Decimal) and abs(value) <= _INT64_MAX and value == int(value):
        return int(value)
    return value


def _is_whole(number: object) -> bool:
    return type(number) is int or cast("float", number).is_integer()


_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_FUZZY: Final = QueryOperator.FUZZY
_REGEX: Final = QueryOperator.REGEX
_UNORDERED: Final = frozenset({QueryOperator.IN, QueryOperator.NOT_IN})
_EQUALITIES: Final = {
    QueryOperator.EQUALS: QueryOperator.IS_NULL,
    QueryOperator.NOT_EQUALS: QueryOperator.IS_NOT_NULL,
}
_PARTICULAR: Final = _UNORDERED | {_FUZZY}
_NAMES: Final = {operator: operator.value for operator in QueryOperator}


def _group_text(group: FilterGroup) -> str:
    members = sorted(_member_texts(group.mode, group.filters))
    if len(members) == 1 and not group.negate:
        return members[0]
    return f"{'not ' if group.negate else ''}{group.mode}({','.join(members)})"


def canonical_text(value: object) -> str:
    """Return a text that two values share exactly when they are equal as JSON values.

    >>> canonical_text([1, 2.0, "a"]) == canonical_text([1.0, 2, "a"])
    True
    >>> canonical_text(1) == canonical_text(True)
    False
    """
    kind = type(value)
    if kind is str:
        return f"s{len(value)}:{value}"  # type: ignore[arg-type]  # a str has a length
    if kind is int:
        return f"n{_int_text(value)}"  # type: ignore[arg-type]  # it is one
    if value is None:
        return "z"
    if kind is bool:
        return f"b{value:d}"
    if isinstance(value, float | Decimal):
        return _number_text(value)
    if isinstance(value, list | tuple):
        return f"[{''.join(map(canonical_text, value))}]"
    if isinstance(value, Mapping):
        items = sorted(f"{_string(key)}{canonical_text(item)}" for key, item in value.items())
        return f"{{{''.join(items)}}}"
    return f"d{instant_of(value)}"


def _number_text(value: float | Decimal) -> str:
    if value != value:  # noqa: PLR0124 - NaN, which is null
        return "z"
    if value in (float("inf"), float("-inf")):
        return f"n{float(value)}"
    if isinstance(value, Decimal) and abs(value.adjusted()) > _WRITTEN_OUT_DIGITS:
        return f"n{value.normalize()}"  # written out it could fill the memory
    whole, parts = value.as_integer_ratio()
    return f"n{_int_text(whole)}" + ("" if parts == 1 else f"/{_int_text(parts)}")


def _int_text(value: int) -> str:
    return f"{value:x};"  # hexadecimal: decimal refuses more than 4,300 digits


def _string(text: str) -> str:
    return f"s{len(text)}:{text}"
