"""The databases loaded now: one version of each, replaced when its loader says that it changed."""

from __future__ import annotations

import os
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from weakref import WeakMethod, WeakValueDictionary, finalize

from ..data import Records
from ..errors import LoaderContractError, QueryEngineError
from .base import DataLoader, VersionedDataLoader, checked_records


def databases_of(loader: DataLoader) -> Databases:
    """Return the databases of a loader, whose versions are the same for all who ask.

    So the engines over one loader load each version once, at a time or one after another, and find
    each other's answers in a cache that they share. It is the loader that keeps its records alive:
    they go with it, or when they are forgotten (`QueryEngine.refresh`) or replaced. A loader that
    cannot be referred to weakly has them as long as some engine over it lives. (Records that refer
    back to their loader, which JSON cannot, keep both for good.)

    Raises:
        LoaderContractError: the loader lacks a method.
    """
    with _known_guard:
        known = _known.get(id(loader))
        databases = Databases(loader, known)
        if known is None:
            _keep(databases)
        return databases


@dataclass(eq=False)
class _Versions:
    """What is known of the databases of one loader. It must not hold the loader itself."""

    loaded: dict[str, tuple[str, Records]] = field(default_factory=dict)
    locks: dict[str, threading.Lock] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)
    forgotten: Counter[str] = field(default_factory=Counter)
    listeners: list[WeakMethod[Callable[[Records], None]]] = field(default_factory=list)
    generations: Iterator[int] = field(default_factory=lambda: count(1))
    # loaders may share a cache: their versions must not look alike
    token: str = field(default_factory=lambda: secrets.token_hex(4))

    def restart_in_child(self) -> None:  # pragma: no cover - nobody counts in a child
        """Make new locks: the threads that held one, loading, do not exist in a forked child."""
        self.guard = threading.Lock()
        self.locks = {name: threading.Lock() for name in self.locks}


def _keep(databases: Databases) -> None:
    """Have what is known of a loader live as long as the loader does."""
    versions = _known[id(databases.loader)] = databases.versions
    with suppress(TypeError):  # it has no weak references: then as long as some Databases does
        # whoever waits for the loader's end holds this until then; nor hash nor == is asked of it
        finalize(databases.loader, _let_versions_go, versions).atexit = False


def _let_versions_go(versions: _Versions) -> None:
    """Nothing: that the loader is gone lets go of what was held for it."""


class Databases:
    """Gives the current records of a database, loading them when there are none or newer ones.

    A loader with `database_version` is asked before each answer; the records of any other loader
    stay until `refresh`, or until their loader makes the list that it gave longer or shorter.
    Thread-safe: each version is loaded once, however many threads ask.
    """

    def __init__(self, loader: DataLoader, versions: _Versions | None = None) -> None:
        if isinstance(loader, type):
            raise LoaderContractError(f"{loader.__name__} is a class; pass an instance of it")
        if not isinstance(loader, DataLoader):
            raise LoaderContractError(
                f"{type(loader).__name__} is not a loader; it needs the methods "
                "load_database(name), get_available_databases() and refresh_cache(name=None)"
            )
        self.loader = loader
        self._versioned = loader if isinstance(loader, VersionedDataLoader) else None
        self.versions = versions = versions or _Versions()
        self._loaded = versions.loaded
        self._forgotten = versions.forgotten

    def current(self, name: str) -> Records:
        """Return the records of a database as it is now.

        Raises:
            LoaderError: they cannot be had; the message says why.
        """
        version = self._version(name)
        known = self._loaded.get(name)
        if known is not None and _is_current(known, version):
            return known[1]
        with self.versions.guard:
            lock = self.versions.locks.setdefault(name, threading.Lock())
        with lock:
            known = self._loaded.get(name)
            if known is not None and _is_current(known, version):
                return known[1]
            return self._load(name)

    def at_hand(self, name: str) -> Records | None:
        """Return the records of a database where they are loaded and current, else None.

        Raises:
            LoaderError: the version cannot be told; the message says why.
        """
        known = self._loaded.get(name)
        if known is None or not _is_current(known, self._version(name)):
            return None
        return known[1]

    def _load(self, name: str) -> Records:
        forgotten = self._forgotten[name]
        # the version is read before the rows: a change in between is then noticed at the next call
        version = self._version(name)
        rows = checked_records(self.loader, name)
        # the generation tells apart versions that a loader cannot
        generation = f"{self.versions.token}.{next(self.versions.generations)}"
        records = Records(name, rows, f"{generation}.{version}")
        with self.versions.guard:
            if self._forgotten[name] != forgotten:
                records.is_superseded = True  # asked to forget meanwhile: the rows may be old ones
                return records
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
        with self.versions.guard:
            names = list(self.versions.locks) if name is None else [name]
            for each in names:
                self._forgotten[each] += 1
            dropped = [self._loaded.pop(each)[1] for each in names if each in self._loaded]
        for records in dropped:
            self._let_go(records)

    def tell(self, listener: Callable[[Records], None]) -> None:
        """Call a bound method with each version that is replaced, gone or forgotten from now on.

        It is called after newer records, if any, can be had. Its object is not kept alive.
        """
        with self.versions.guard:
            listeners = self.versions.listeners
            listeners[:] = [known for known in listeners if known() is not None]
            listeners.append(WeakMethod(listener))

    def _let_go(self, records: Records) -> None:
        records.is_superseded = True
        for reference in list(self.versions.listeners):
            listener = reference()
            if listener is not None:
                listener(records)

    @property
    def loaded(self) -> dict[str, Records]:
        """The records held now, by database."""
        return {name: records for name, (_, records) in list(self._loaded.items())}


def _is_current(known: tuple[str, Records], version: str) -> bool:
    """Return whether what is loaded is of this version, and as long as it was when loaded."""
    records = known[1]
    return known[0] == version and records.loaded_rows == len(records.rows)


# an id is free for another loader once its versions are gone
_known: WeakValueDictionary[int, _Versions] = WeakValueDictionary()
_known_guard = threading.Lock()


def _restart_in_child() -> None:  # pragma: no cover - nobody counts in a child
    global _known_guard  # noqa: PLW0603 - the lock is one for all loaders
    _known_guard = threading.Lock()
    for versions in list(_known.values()):
        versions.restart_in_child()


if hasattr(os, "register_at_fork"):  # pragma: no branch - always, but on Windows
    os.register_at_fork(after_in_child=_restart_in_child)
