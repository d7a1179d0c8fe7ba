"""What a JSON value means: its kind, its equality, its order, and what a path reaches.

Everything here is plain and small on purpose. It is the specification that faster paths are
compared against; nothing here is tuned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum

import numpy as np

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Kind(IntEnum):
    """The kinds of value that are told apart; the first three sort in this order."""

    BOOL = 0
    NUMBER = 1
    STRING = 2
    DATE = 3
    LIST = 4
    OBJECT = 5
    OTHER = 6
    NULL = 7


_KIND_OF_TYPE: dict[type, Kind] = {
    bool: Kind.BOOL,
    int: Kind.NUMBER,
    str: Kind.STRING,
    list: Kind.LIST,
    tuple: Kind.LIST,
    dict: Kind.OBJECT,
    datetime: Kind.DATE,
    date: Kind.DATE,
    type(None): Kind.NULL,
}

_KINDS_BY_BASE: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    ((bool, np.bool_), Kind.BOOL),
    ((int, float, Decimal, np.integer, np.floating), Kind.NUMBER),
    (str, Kind.STRING),
    (date, Kind.DATE),
    ((list, tuple), Kind.LIST),
    (Mapping, Kind.OBJECT),
)


def kind_of(value: object) -> Kind:
    """Return the kind of one value; NaN is null, and a bool is not a number.

    >>> kind_of(True).name, kind_of(1).name, kind_of(float("nan")).name
    ('BOOL', 'NUMBER', 'NULL')
    """
    kind = _KIND_OF_TYPE.get(type(value))
    if kind is not None:
        return kind
    for base, candidate in _KINDS_BY_BASE:
        if isinstance(value, base):
            return Kind.NULL if _is_nan(value) else candidate
    return Kind.OTHER


def _is_nan(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float | np.floating) and bool(value != value)  # noqa: PLR0124 - NaN is what differs from itself


def is_null(value: object) -> bool:
    """Return whether a value is null: None, or a number that is not one."""
    return kind_of(value) is Kind.NULL


def instant_of(value: object) -> int | None:
    """Return microseconds since 1970 in UTC for a date, a datetime or ISO 8601 text, else None.

    A date is its midnight; what has no zone is read as UTC.

    >>> instant_of("1970-01-02") == instant_of(date(1970, 1, 2)) == 86_400_000_000
    True
    >>> instant_of("soon") is None
    True
    """
    if isinstance(value, str):
        value = _read_moment(value)
    if isinstance(value, datetime):
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    else:
        return None
    return (moment - _EPOCH) // _MICROSECOND


def _read_moment(text: str) -> datetime | None:
    """Return the moment that ISO 8601 text tells; `t` and `z` may be small (RFC 3339)."""
    if not text[:1].isdigit():
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def json_equal(left: object, right: object) -> bool:
    """Return whether two values are equal as JSON: same kind and equal, numbers exactly.

    Strings are read as ISO 8601 where the other side is a date or datetime. Nesting costs no
    Python stack.

    >>> json_equal(1, 1.0), json_equal(1, True), json_equal(2**53 + 1, 2.0**53)
    (True, False, False)
    >>> json_equal({"a": [None]}, {"a": [float("nan")]})
    True
    """
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        kind, other_kind = kind_of(one), kind_of(other)
        if Kind.DATE in (kind, other_kind):
            instant = instant_of(one)
            if instant is None or instant != instant_of(other):
                return False
        elif kind is not other_kind:
            return False
        elif kind is Kind.LIST:
            if len(one) != len(other):  # type: ignore[arg-type]  # the kind says that both are lists
                return False
            pairs.extend(zip(one, other, strict=True))  # type: ignore[call-overload]  # as above
        elif kind is Kind.OBJECT:
            if one.keys() != other.keys():  # type: ignore[attr-defined]  # the kind says that both are mappings
                return False
            pairs.extend((one[key], other[key]) for key in one)  # type: ignore[index, attr-defined]  # as above
        elif kind is not Kind.NULL and not one == other:  # noqa: SIM201 - a foreign type may define == alone
            return False
    return True


def compare(left: object, right: object) -> int | None:
    """Return -1, 0 or 1 for two values of one ordered kind, None for any other pairing.

    Ordered kinds are numbers, strings (by code point) and dates.

    >>> compare(1, 2.5), compare("b", "a"), compare("1", 1), compare(True, False)
    (-1, 1, None, None)
    """
    kind, other_kind = kind_of(left), kind_of(right)
    if Kind.DATE in (kind, other_kind):
        one, other = instant_of(left), instant_of(right)
        return None if one is None or other is None else (one > other) - (one < other)
    if kind is not other_kind or kind not in (Kind.NUMBER, Kind.STRING):
        return None
    return int(left > right) - int(left < right)  # type: ignore[operator]  # the kinds say that they can be ordered


def folded(value: object) -> object:
    """Return a value with every string in it casefolded; keys of objects stay as they are.

    >>> folded(["Straße", {"A": "B"}])
    ['strasse', {'A': 'b'}]
    """
    kind = kind_of(value)
    if kind is Kind.STRING:
        return value.casefold()  # type: ignore[attr-defined]  # the kind says that it is a string
    if kind is Kind.LIST:
        return list(map(folded, value))  # type: ignore[call-overload]  # as above; deep ones spare the stack
    if kind is Kind.OBJECT:
        return dict(zip(value, map(folded, value.values()), strict=True))  # type: ignore[call-overload, attr-defined]  # as above
    return value


def frozen(value: object) -> object:
    """Return a hashable stand-in: two values have equal ones when they are equal JSON values.

    Unlike `json_equal`, a date never equals a string here: nothing says how to read the string.

    >>> frozen({"a": [1, True]}) == frozen({"a": [1.0, True]}) != frozen({"a": [1, 1]})
    True
    """
    kind = kind_of(value)
    if kind in (Kind.NUMBER, Kind.STRING):
        return value
    if kind is Kind.NULL:
        return None
    if kind is Kind.BOOL:
        return (Kind.BOOL, bool(value))
    if kind is Kind.LIST:
        return (Kind.LIST, *map(frozen, value))  # type: ignore[call-overload]  # the kind says that it is a list
    if kind is Kind.OBJECT:
        return (Kind.OBJECT, frozenset(zip(value, map(frozen, value.values()), strict=True)))  # type: ignore[call-overload, attr-defined]  # as above
    if kind is Kind.DATE:
        return (Kind.DATE, instant_of(value))
    return (Kind.OTHER, type(value), repr(value))


def sort_key(value: object) -> tuple[int, object]:
    """Return what a value that is not null sorts by: bool < number < string < other.

    Other values sort by their JSON text with sorted keys.

    >>> sorted([[1], "a", 2, True], key=sort_key)
    [True, 2, 'a', [1]]
    """
    kind = kind_of(value)
    if kind in (Kind.BOOL, Kind.NUMBER, Kind.STRING):
        return (int(kind), value)
    return (int(Kind.DATE), json_text(value))


def json_text(value: object) -> str:
    """Return a value as JSON text with sorted keys; what JSON does not know is its `str`."""
    try:
        return _dump(value)
    except (TypeError, ValueError):
        # keys of several types do not sort; integers of over 4,300 digits are not written
        return _dump(_writable(value))


def _dump(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _writable(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    if isinstance(value, int) and abs(value) >> 10_000:
        return hex(value)
    return value


def walk(record: object, path: str) -> tuple[list[object], bool]:
    """Return every value that a dotted path reaches, in order, and whether a list was on the way.

    A key that literally holds the dots wins, the longest first. Each element of a list on the way
    is gone into; a list at the end is one value. The list is empty where nothing is reached.

    >>> walk({"cast": [{"name": "Ann"}, {}, {"name": None}]}, "cast.name")
    (['Ann', None], True)
    >>> walk({"a.b": 1, "a": {"b": 2}}, "a.b")
    ([1], False)
    """
    found: list[object] = []
    through_list = False
    todo: list[tuple[object, str]] = [(record, path)]
    while todo:
        node, rest = todo.pop()
        if isinstance(node, list | tuple):
            through_list = True
            todo.extend((element, rest) for element in reversed(node))
        elif isinstance(node, Mapping):
            if rest in node:
                found.append(node[rest])
                continue
            cut = rest.rfind(".")
            while cut >= 0 and rest[:cut] not in node:
                cut = rest.rfind(".", 0, cut)
            if cut >= 0:
                todo.append((node[rest[:cut]], rest[cut + 1 :]))
    return found, through_list


def reach(record: object, path: str) -> list[object]:
    """Return the values that a path reaches, `[None]` where it reaches nothing.

    >>> reach({"a": 1}, "b")
    [None]
    """
    return walk(record, path)[0] or [None]


def project(record: object, path: str) -> object:
    """Return what `select` shows for a path: its value, or the list of them through a list.

    >>> project({"cast": [{"name": "Ann"}, {"name": "Bo"}]}, "cast.name")
    ['Ann', 'Bo']
    """
    found, through_list = walk(record, path)
    values = [None if is_null(value) else value for value in found]
    if not values:
        return None
    return values if through_list else values[0]
