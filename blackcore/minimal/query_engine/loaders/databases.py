"""The databases loaded now: one version of each, replaced when its loader says that it changed."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count
from weakref import WeakMethod, WeakValueDictionary

from ..data import Records
from ..errors import LoaderContractError, QueryEngineError
from .base import DataLoader, VersionedDataLoader, checked_records


def databases_of(loader: DataLoader) -> Databases:
    """Return the databases of a loader, the same for all who hold that loader at a time.

    So the engines over one loader load each version once, and know each other's by its name.

    Raises:
        LoaderContractError: the loader lacks a method.
    """
    with _known_guard:
        found = _known.get(id(loader))
        if found is None or found.loader is not loader:
            found = _known[id(loader)] = Databases(loader)
        return found


class Databases:
    """Gives the current records of a database, loading them when there are none or newer ones.

    A loader with `database_version` is asked before each answer; the records of any other loader
    stay until `refresh`. Thread-safe: each version is loaded once, however many threads ask.
    """

    def __init__(self, loader: DataLoader) -> None:
        if not isinstance(loader, DataLoader):
            raise LoaderContractError(
                f"{type(loader).__name__} is not a loader; it needs the methods "
                "load_database(name), get_available_databases() and refresh_cache(name=None)"
            )
        self.loader = loader
        self._versioned = loader if isinstance(loader, VersionedDataLoader) else None
        self._loaded: dict[str, tuple[str, Records]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._forgotten: Counter[str] = Counter()
        self._listeners: list[WeakMethod[Callable[[Records], None]]] = []
        self._generations = count(1)
        # loaders may share a cache: their versions must not look alike
        self._token = secrets.token_hex(4)

    def current(self, name: str) -> Records:
        """Return the records of a database as it is now.

        Raises:
            LoaderError: they cannot be had; the message says why.
        """
        version = self._version(name)
        known = self._loaded.get(name)
        if known is not None and known[0] == version:
            return known[1]
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            known = self._loaded.get(name)
            if known is not None and known[0] == version:
                return known[1]
            return self._load(name)

    def _load(self, name: str) -> Records:
        forgotten = self._forgotten[name]
        # the version is read before the rows: a change in between is then noticed at the next call
        version = self._version(name)
        rows = checked_records(self.loader, name)
        # the generation tells apart versions that a loader cannot
        generation = f"{self._token}.{next(self._generations)}"
        records = Records(name, rows, f"{generation}.{version}")
        with self._guard:
            if self._forgotten[name] != forgotten:
                return records  # asked to forget meanwhile: these rows may be the old ones
            replaced = self._loaded.get(name)
            self._loaded[name] = (version, records)
        if replaced is not None:
            self._let_go(replaced[1])
        return records

    def _version(self, name: str) -> str:
        if self._versioned is None:
            return ""
        try:
            return self._versioned.database_version(name)
        except QueryEngineError:
            gone = self._loaded.pop(name, None)
            if gone is not None:
                self._let_go(gone[1])
            raise
        except Exception as error:
            raise LoaderContractError(
                f"{type(self.loader).__name__}.database_version({name!r}) raised "
                f"{type(error).__name__}: {error}"
            ) from error

    def forget(self, name: str | None = None) -> None:
        """Have the loader refresh, and drop the records of one database, or of all.

        Raises:
            LoaderContractError: the loader raised; the records are dropped all the same.
        """
        try:
            self.loader.refresh_cache(name)
        except QueryEngineError:
            raise
        except Exception as error:
            raise LoaderContractError(
                f"{type(self.loader).__name__}.refresh_cache({name!r}) raised "
                f"{type(error).__name__}: {error}"
            ) from error
        finally:
            self._drop(name)

    def _drop(self, name: str | None) -> None:
        with self._guard:
            names = list(self._locks) if name is None else [name]
            for each in names:
                self._forgotten[each] += 1
            dropped = [self._loaded.pop(each)[1] for each in names if each in self._loaded]
        for records in dropped:
            self._let_go(records)

    def tell(self, listener: Callable[[Records], None]) -> None:
        """Call a bound method with each version that is replaced, gone or forgotten from now on.

        It is called after newer records, if any, can be had. Its object is not kept alive.
        """
        with self._guard:
            self._listeners = [known for known in self._listeners if known() is not None]
            self._listeners.append(WeakMethod(listener))

    def _let_go(self, records: Records) -> None:
        for reference in list(self._listeners):
            listener = reference()
            if listener is not None:
                listener(records)

    @property
    def loaded(self) -> dict[str, Records]:
        """The records held now, by database."""
        return {name: records for name, (_, records) in list(self._loaded.items())}


# while somebody holds them; an id is free for another loader after that
_known: WeakValueDictionary[int, Databases] = WeakValueDictionary()
_known_guard = threading.Lock()
