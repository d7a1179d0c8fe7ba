"""Questions as JSON and back, exactly: dates stay dates, Decimals Decimals, huge ints ints.

JSON's own types stand for themselves. Every other value is an object of one key that starts with a
dollar sign, and an object that has such a key of its own is written as a list of pairs:

    {"$date": "2013-01-01"}  {"$datetime": "2013-01-01T05:00:00+01:00"}  {"$decimal": "1.50"}
    {"$int": "-0x8000000000000001"}  {"$float": "inf"}  {"$object": [["$date", "no date"]]}

A zone is kept as its distance from UTC, so a datetime keeps its instant and its clock face.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Final, TypeAlias

from ..errors import QueryError
from .conditions import FilterGroup, QueryFilter
from .model import StructuredQuery

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_LARGEST_PLAIN_INT: Final = 2**63 - 1
_MARK: Final = "$"


def query_to_json(query: StructuredQuery) -> dict[str, Json]:
    """Return a question as JSON values; what is at its default is left out.

    >>> from datetime import date
    >>> asked = StructuredQuery("films", (QueryFilter("released", "gt", date(1999, 12, 31)),))
    >>> query_to_json(asked)
    {'database': 'films', 'filters': [{'field': 'released', 'operator': 'gt', \
'value': {'$date': '1999-12-31'}}]}
    >>> query_from_json(query_to_json(asked)) == asked
    True
    """
    written: dict[str, Json] = {"database": query.database}
    if query.filters:
        written["filters"] = [_condition_to_json(each) for each in query.filters]
    if query.sort_fields:
        written["sort_fields"] = [[sort.field, sort.order] for sort in query.sort_fields]
    if query.pagination is not None:
        written["pagination"] = [query.pagination.page, query.pagination.size]
    if query.select is not None:
        written["select"] = list(query.select)
    if query.distinct:
        written["distinct"] = True
    if query.search is not None:
        written["search"] = value_to_json(query.search.model_dump())
    return written


def query_from_json(written: object) -> StructuredQuery:
    """Return the question that `query_to_json` wrote.

    Raises:
        QueryError: it is no question, or one that this version does not know.
    """
    parts = dict(_mapping(written, "a question"))
    try:
        if "filters" in parts:
            parts["filters"] = [_condition_from_json(each) for each in _list(parts["filters"])]
        if "sort_fields" in parts:
            pairs = [_list(each) for each in _list(parts["sort_fields"])]
            parts["sort_fields"] = [{"field": name, "order": order} for name, order in pairs]
        if "pagination" in parts:
            page, size = _list(parts["pagination"])
            parts["pagination"] = {"page": page, "size": size}
        if "search" in parts:
            parts["search"] = value_from_json(parts["search"])
    except QueryError:
        raise
    except (ValueError, TypeError, ArithmeticError) as error:
        raise QueryError(f"a question cannot be read from {written!r}: {error}") from error
    return StructuredQuery.model_validate(parts)


def _condition_to_json(condition: QueryFilter | FilterGroup) -> dict[str, Json]:
    if isinstance(condition, FilterGroup):
        members: list[Json] = [_condition_to_json(each) for each in condition.filters]
        group: dict[str, Json] = {"mode": condition.mode, "filters": members}
        return {**group, "negate": True} if condition.negate else group
    written: dict[str, Json] = {
        "field": condition.field,
        "operator": condition.operator.value,
        "value": value_to_json(condition.value),
    }
    return written if condition.case_sensitive else {**written, "case_sensitive": False}


def _condition_from_json(written: object) -> QueryFilter | FilterGroup:
    parts = dict(_mapping(written, "a filter"))
    if "mode" in parts:
        parts["filters"] = [_condition_from_json(each) for each in _list(parts["filters"])]
        return FilterGroup.model_validate(parts)
    parts["value"] = value_from_json(parts.get("value"))
    return QueryFilter.model_validate(parts)


def value_to_json(value: object) -> Json:
    """Return a filter's value as JSON values.

    >>> value_to_json((1, Decimal("1.50"), float("inf"), {"$x": None}))
    [1, {'$decimal': '1.50'}, {'$float': 'inf'}, {'$object': [['$x', None]]}]
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        # hexadecimal: Python neither reads nor writes more than 4,300 decimal digits
        return value if abs(value) <= _LARGEST_PLAIN_INT else {"$int": hex(value)}
    if isinstance(value, float):
        return value if isfinite(value) else {"$float": repr(value)}
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):  # before date, which it is too
        return {"$datetime": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, list | tuple):
        return [value_to_json(member) for member in value]
    if isinstance(value, Mapping):
        if any(str(key).startswith(_MARK) for key in value):
            return {"$object": [[str(key), value_to_json(item)] for key, item in value.items()]}
        return {str(key): value_to_json(item) for key, item in value.items()}
    raise QueryError(
        f"a value of type {type(value).__name__} has no place in a question; give None, a bool, "
        "number, string, date, datetime, or a list or dict of those"
    )


def value_from_json(written: object) -> object:
    """Return the value that `value_to_json` wrote, with tuples for lists.

    Raises:
        QueryError: a mark that this version does not know.
        ValueError: a marked value that is not what its mark says.
    """
    if isinstance(written, list):
        return tuple([value_from_json(member) for member in written])
    if not isinstance(written, dict):
        return written
    if len(written) == 1:
        ((key, inner),) = written.items()
        if key.startswith(_MARK):
            return _marked(key, inner)
    return {key: value_from_json(item) for key, item in written.items()}


def _marked(mark: str, inner: object) -> object:
    if mark == "$object":
        pairs = [_list(pair) for pair in _list(inner)]
        return {key: value_from_json(item) for key, item in pairs}
    read = _READERS.get(mark)
    if read is None:
        raise QueryError(f"the mark {mark!r} is not known; known are {', '.join(_READERS)}")
    return read(str(inner))


def _hexadecimal(text: str) -> int:
    return int(text, 16)


_READERS: Final[dict[str, Callable[[str], object]]] = {
    "$date": date.fromisoformat,
    "$datetime": datetime.fromisoformat,
    "$decimal": Decimal,
    "$float": float,
    "$int": _hexadecimal,
}


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise QueryError(f"{what} is written as an object, not as {value!r}")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise QueryError(f"a list is expected, not {value!r}")
    return value
