"""Brings what a search engine returns back to the record that it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Hashable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .base import Records

_TRUE: Final = object()  # True == 1 in Python, and not in JSON
_FALSE: Final = object()
_OBJECT: Final = object()
_LIST: Final = object()
_END: Final = object()


class RecordFinder:
    """Knows the position of each record of a list, by identity, else by equality.

    Equality is JSON's: 1 is 1.0, true is not 1, keys have no order, NaN is null. Thread-safe.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        last = len(records) - 1
        # backwards, so that of a record that stands there twice the first place wins
        self._by_identity = {
            id(record): last - place for place, record in enumerate(reversed(records))
        }
        self._repeated = len(self._by_identity) < len(records)
        self._by_value: dict[Hashable, list[int]] | None = None
        self._lent = list(records)
        self._lock = Lock()

    def lent(self) -> Records:
        """Return the records in a list to give away, the same one each time.

        An engine that sorts or empties the list it is given then has not changed the database, nor
        the positions that columns and answers go by.
        """
        if len(self._lent) != len(self._records):
            self._lent = list(self._records)
        return self._lent

    def is_record(self, entity: object) -> bool:
        """Return whether this very object is one of the records."""
        return id(entity) in self._by_identity

    def position(self, entity: object, taken: Container[int]) -> int | None:
        """Return where the record is, None where it is not.

        Of several equal records it is the first that is not taken, else the first.
        """
        place = self._by_identity.get(id(entity))
        if place is not None and not (self._repeated and place in taken):
            return place
        if not isinstance(entity, Mapping):
            return None
        places = self._places(entity)
        return next((each for each in places if each not in taken), places[0] if places else None)

    def _places(self, entity: Mapping[str, object]) -> list[int]:
        with self._lock:
            if self._by_value is None:
                by_value = defaultdict(list)
                for place, record in enumerate(self._records):
                    by_value[json_key(record)].append(place)
                self._by_value = dict(by_value)
        return self._by_value.get(json_key(entity), [])


def json_key(value: object) -> Hashable:
    """Return something hashable that is equal for equal JSON values, and only for these.

    It is flat, as deep values would exhaust the stack when compared.

    >>> json_key({"a": [1, 2.0]}) == json_key({"a": [1.0, 2]}), json_key(True) == json_key(1)
    (True, False)
    """
    key: list[Hashable] = []
    stack: list[object] = [value]
    while stack:
        value = stack.pop()
        kind = type(value)
        if kind is str or kind is int:
            key.append(value)
        elif kind is bool:
            key.append(_TRUE if value else _FALSE)
        elif isinstance(value, Mapping):
            key.append(_OBJECT)
            stack.append(_END)
            for name in sorted(value, key=str, reverse=True):
                stack += (value[name], name)
        elif isinstance(value, list | tuple):
            key.append(_LIST)
            stack.append(_END)
            stack.extend(reversed(value))
        else:
            key.append(_scalar_key(value))
    return tuple(key)


def _scalar_key(value: object) -> Hashable:
    if value != value:  # noqa: PLR0124 # NaN, and nothing else
        return None
    try:
        hash(value)
    except TypeError:  # no JSON: a bytearray, a set
        return type(value), repr(value)
    return value
