"""What a loader is, and how a foreign one is called so that its faults become errors of ours."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Protocol, cast, runtime_checkable

from ..errors import LoaderContractError, QueryEngineError, UnknownDatabaseError

Record = dict[str, object]


@runtime_checkable
class DataLoader(Protocol):
    """Anything that hands out databases of JSON records by name; nothing need be inherited.

    >>> class Two:
    ...     def load_database(self, name: str) -> list[dict[str, object]]:
    ...         return [{"id": 1}, {"id": 2}]
    ...
    ...     def get_available_databases(self) -> list[str]:
    ...         return ["two"]
    ...
    ...     def refresh_cache(self, name: str | None = None) -> None: ...
    >>> isinstance(Two(), DataLoader)
    True
    >>> checked_records(Two(), "two")
    [{'id': 1}, {'id': 2}]
    """

    def load_database(self, name: str) -> list[Record]:
        """Return the records of one database, in their order."""
        ...

    def get_available_databases(self) -> list[str]:
        """Return the names that `load_database` takes."""
        ...

    def refresh_cache(self, name: str | None = None) -> None:
        """Forget what was kept of one database, or of all where no name is given."""
        ...


@runtime_checkable
class VersionedDataLoader(DataLoader, Protocol):
    """A loader that can tell when a database has changed."""

    def database_version(self, name: str) -> str:
        """Return a text that differs whenever the records may differ.

        It is asked before every answer, so it should cost microseconds.
        """
        ...


def checked_records(loader: DataLoader, name: str) -> list[Record]:
    """Return the records of a database, whatever kind of loader holds it.

    A list is handed on as it is, another sequence of dicts as a new list. The loader is asked for
    the records first and for its names only when something is wrong: many load under names they
    do not list, and for some a listing is dear.

    Raises:
        UnknownDatabaseError: the loader has nothing under this name and does not list it.
        LoaderContractError: the loader raised (the cause is chained) or returned something that is
            not a list of dicts.
        QueryEngineError: whatever a loader of our own raises, unchanged.
    """
    try:
        returned: object = loader.load_database(name)
    except QueryEngineError:
        raise
    except Exception as error:
        _require_listed(loader, name, error)
        raise LoaderContractError(
            f"{_call(loader, name)} raised {type(error).__name__}: {error}; "
            "see the cause above, or pass another loader"
        ) from error
    # asked of these alone: an array or a data frame does not say whether it is empty
    if returned is None or (isinstance(returned, Sequence | Mapping) and not returned):
        _require_listed(loader, name, None)
    return _as_records(loader, name, returned)


def _require_listed(loader: DataLoader, name: str, cause: Exception | None) -> None:
    """Raise UnknownDatabaseError unless the loader lists the name."""
    try:
        known = [str(each) for each in loader.get_available_databases()]
    except QueryEngineError:
        raise
    except Exception as error:  # noqa: BLE001 - any fault of a foreign loader; it is chained
        raise LoaderContractError(
            f"{type(loader).__name__}.get_available_databases() raised {type(error).__name__}: "
            f"{error}, asked because load_database({name!r}) gave no records; "
            "it must return a list of names"
        ) from (cause or error)
    if name not in known:
        raise UnknownDatabaseError(name, known) from cause


def _as_records(loader: DataLoader, name: str, returned: object) -> list[Record]:
    if inspect.iscoroutine(returned):
        returned.close()  # or Python warns that nobody awaited it
    if not isinstance(returned, Sequence) or isinstance(returned, str | bytes | bytearray):
        raise LoaderContractError(
            f"{_call(loader, name)} returned {_kind(returned)}; it must return a list of dicts"
        )
    rows = returned if isinstance(returned, list) else list(returned)
    if any(not issubclass(kind, dict) for kind in set(map(type, rows))):
        index = next(i for i, row in enumerate(rows) if not isinstance(row, dict))
        raise LoaderContractError(
            f"{_call(loader, name)} returned a list whose item {index} is {_kind(rows[index])}; "
            "every record must be a dict"
        )
    return cast("list[Record]", rows)


def _call(loader: DataLoader, name: str) -> str:
    return f"{type(loader).__name__}.load_database({name!r})"


def _kind(value: object) -> str:
    """Return how a message names the type of a value, with the way out where there is one."""
    if value is None:
        return "None"
    kind = f"an object of type {type(value).__name__}"
    if inspect.iscoroutine(value):
        return f"{kind} (load_database must not be async)"
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return f"{kind} (a mapping; make a dict of it)"
    if callable(getattr(value, "to_dict", None)):
        return f"{kind} (a data frame gives its records by to_dicts() or to_dict('records'))"
    return kind
