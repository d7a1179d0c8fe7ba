"""One version of each database at a time: loaded once, replaced when its loader says so."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.errors import (
    LoaderContractError,
    UnknownDatabaseError,
)
from blackcore.minimal.query_engine.loaders.databases import Databases, databases_of

ROWS: list[dict[str, Any]] = [{"n": 1}, {"n": 2}]


class Shelf:
    """A loader without versions."""

    def __init__(self, **databases: Any) -> None:
        self.databases = databases
        self.loads: list[str] = []
        self.refreshed: list[str | None] = []

    def load_database(self, name: str) -> Any:
        self.loads.append(name)
        return self.databases.get(name, [])

    def get_available_databases(self) -> list[str]:
        return list(self.databases)

    def refresh_cache(self, name: str | None = None) -> None:
        self.refreshed.append(name)


class Ledger:
    """Notes the versions that are let go."""

    def __init__(self) -> None:
        self.gone: list[Records] = []

    def let_go(self, records: Records) -> None:
        self.gone.append(records)


class VersionedShelf(Shelf):
    """A loader that tells versions."""

    version: Any = "1"

    def database_version(self, name: str) -> Any:
        if isinstance(self.version, Exception):
            raise self.version
        return self.version


def test_records_are_the_loaders_own_and_loaded_once() -> None:
    shelf = Shelf(a=ROWS, b=[])
    databases = Databases(shelf)
    records = databases.current("a")
    assert records.rows is ROWS
    assert records.name == "a"
    assert databases.current("a") is records
    assert len(databases.current("b")) == 0
    assert shelf.loads == ["a", "b"]
    assert databases.loaded == {"a": records, "b": databases.current("b")}


def test_records_without_versions_stay_until_they_are_forgotten() -> None:
    shelf = Shelf(a=ROWS)
    databases, ledger = Databases(shelf), Ledger()
    databases.tell(ledger.let_go)
    before = databases.current("a")
    shelf.databases["a"] = [{"n": 3}]
    assert databases.current("a") is before
    databases.forget("a")
    assert ledger.gone == [before]
    assert shelf.refreshed == ["a"]
    after = databases.current("a")
    assert after.rows == [{"n": 3}]
    assert after.version != before.version


def test_records_whose_loader_makes_its_list_longer_or_shorter_are_loaded_anew() -> None:
    rows = [*ROWS]
    shelf = VersionedShelf(numbers=rows)
    databases, ledger = Databases(shelf), Ledger()
    databases.tell(ledger.let_go)
    first = databases.current("numbers")
    assert databases.current("numbers") is first
    rows.append({"n": 3})
    second = databases.current("numbers")
    assert second.version != first.version
    assert databases.current("numbers") is second
    rows.clear()
    assert databases.current("numbers") is not second
    assert ledger.gone == [first, second]
    assert shelf.loads == ["numbers"] * 3


def test_forgetting_all_tells_the_loader_once() -> None:
    shelf = Shelf(a=ROWS, b=ROWS)
    databases, ledger = Databases(shelf), Ledger()
    databases.tell(ledger.let_go)
    held = [databases.current("a"), databases.current("b")]
    databases.forget()
    assert ledger.gone == held
    assert shelf.refreshed == [None]
    assert databases.loaded == {}
    databases.forget("a")
    assert ledger.gone == held


def test_forgetting_a_database_that_the_loader_does_not_know_says_so_and_forgets() -> None:
    class Strict(Shelf):
        def refresh_cache(self, name: str | None = None) -> None:
            raise UnknownDatabaseError("numbers", [])

    databases = Databases(Strict(numbers=ROWS))
    databases.current("numbers")
    with pytest.raises(UnknownDatabaseError):
        databases.forget("numbers")
    assert databases.loaded == {}


def test_a_version_is_let_go_once_newer_records_can_be_had() -> None:
    shelf = VersionedShelf(a=ROWS)
    databases = Databases(shelf)
    seen: list[tuple[Records, Records]] = []

    class Curious:
        def let_go(self, records: Records) -> None:
            seen.append((records, databases.current("a")))

    curious = Curious()
    databases.tell(curious.let_go)
    first = databases.current("a")
    shelf.version = "2"
    second = databases.current("a")
    assert seen == [(first, second)]


def test_records_know_that_others_have_taken_their_place_before_anybody_is_told() -> None:
    shelf = VersionedShelf(a=ROWS)
    databases = Databases(shelf)
    seen: list[bool] = []

    class Curious:
        def let_go(self, records: Records) -> None:
            seen.append(records.is_superseded)

    curious = Curious()
    databases.tell(curious.let_go)
    first = databases.current("a")
    shelf.version = "2"
    second = databases.current("a")
    assert (first.is_superseded, second.is_superseded) == (True, False)
    databases.forget()
    assert second.is_superseded
    assert seen == [True, True]


def test_who_listens_is_not_kept_alive() -> None:
    shelf = VersionedShelf(a=ROWS)
    databases = Databases(shelf)
    gone = Ledger()
    noted = gone.gone
    databases.tell(gone.let_go)
    del gone
    gc.collect()
    stays = Ledger()
    databases.tell(stays.let_go)
    databases.current("a")
    databases.forget()
    assert noted == []
    assert len(stays.gone) == 1


def test_a_version_is_asked_for_before_each_answer() -> None:
    shelf = VersionedShelf(a=ROWS)
    databases = Databases(shelf)
    first = databases.current("a")
    assert databases.current("a") is first
    shelf.version = "2"
    second = databases.current("a")
    assert second is not first
    assert second.version != first.version
    shelf.version = "1"  # back again: the rows may be others all the same
    assert databases.current("a").version not in {first.version, second.version}
    assert shelf.loads == ["a", "a", "a"]


def test_a_change_while_loading_is_noticed_at_the_next_call() -> None:
    class Changing(VersionedShelf):
        def load_database(self, name: str) -> Any:
            rows = list(super().load_database(name))
            if len(self.loads) == 1:
                self.databases["a"] = [{"n": 9}]
                self.version = "2"
            return rows

    databases = Databases(Changing(a=ROWS))
    assert databases.current("a").rows == ROWS
    assert databases.current("a").rows == [{"n": 9}]


def test_equal_rows_of_two_loaders_are_versions_that_differ() -> None:
    one, other = Databases(VersionedShelf(a=ROWS)), Databases(VersionedShelf(a=ROWS))
    assert one.current("a").version != other.current("a").version


def test_each_version_is_loaded_once_however_many_threads_ask() -> None:
    start = threading.Barrier(8)
    entered = threading.Event()

    class Slow(VersionedShelf):
        def load_database(self, name: str) -> Any:
            entered.wait(timeout=10)  # until all are at the door
            return super().load_database(name)

    shelf = Slow(a=ROWS)
    databases = Databases(shelf)

    def ask(_: int) -> Any:
        if start.wait(timeout=10) == 0:
            entered.set()
        return databases.current("a")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert shelf.loads == ["a"]
    assert all(answer is answers[0] for answer in answers)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_forked_while_a_thread_loads_loads_for_itself() -> None:
    parent, loading, go_on = os.getpid(), threading.Event(), threading.Event()

    class Slow(Shelf):
        def load_database(self, name: str) -> Any:
            if os.getpid() == parent:
                loading.set()
                go_on.wait(20)
            return super().load_database(name)

    databases = databases_of(Slow(numbers=ROWS))
    thread = threading.Thread(target=databases.current, args=("numbers",))
    thread.start()
    loading.wait(20)
    tracer = sys.gettrace()
    sys.settrace(None)  # a lock of what measures coverage may be held by the thread
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        try:
            code = 0 if databases.current("numbers").rows is ROWS else 1
        finally:
            os._exit(code)
    sys.settrace(tracer)
    go_on.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0, "the child failed or hung"
    assert databases.current("numbers").rows is ROWS


def test_one_database_does_not_wait_for_another() -> None:
    release = threading.Event()
    begun = threading.Event()

    class Stuck(Shelf):
        def load_database(self, name: str) -> Any:
            if name == "slow":
                begun.set()
                assert release.wait(timeout=10)
            return super().load_database(name)

    databases = Databases(Stuck(slow=ROWS, quick=ROWS))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(databases.current, "slow")
        assert begun.wait(timeout=10)
        assert databases.current("quick").rows is ROWS
        release.set()
        assert slow.result(timeout=10).rows is ROWS


def test_a_load_that_failed_is_tried_again() -> None:
    shelf = Shelf(a=None)
    databases = Databases(shelf)
    with pytest.raises(LoaderContractError, match="returned None"):
        databases.current("a")
    assert databases.loaded == {}
    shelf.databases["a"] = ROWS
    assert databases.current("a").rows is ROWS


def test_a_version_that_cannot_be_told_is_an_error_of_ours() -> None:
    shelf = VersionedShelf(a=ROWS)
    databases = Databases(shelf)
    databases.current("a")
    shelf.version = OSError("disk gone")
    with pytest.raises(LoaderContractError, match=r"database_version\('a'\) raised OSError: disk"):
        databases.current("a")
    shelf.version = UnknownDatabaseError("a", [])
    with pytest.raises(UnknownDatabaseError):
        databases.current("a")
    assert databases.loaded == {}  # a database that is gone is not held
    shelf.version = "1"
    assert databases.current("a").rows is ROWS


@pytest.mark.parametrize("thing", [None, 5, object(), "data/", [ROWS]])
def test_what_is_no_loader_is_refused_with_what_it_needs(thing: Any) -> None:
    for refuse in (Databases, databases_of):
        with pytest.raises(LoaderContractError, match=r"needs the methods load_database\(name\)"):
            refuse(thing)


def test_class_of_loaders_is_refused_as_what_it_is() -> None:
    with pytest.raises(LoaderContractError, match="VersionedShelf is a class; pass an instance"):
        Databases(VersionedShelf)  # type: ignore[arg-type]


def test_whoever_holds_a_loader_shares_its_databases() -> None:
    shelf, other = Shelf(a=ROWS), Shelf(a=ROWS)
    databases, ledger = databases_of(shelf), Ledger()
    records = databases.current("a")
    databases_of(shelf).tell(ledger.let_go)
    assert databases_of(shelf).current("a") is records
    assert databases_of(other).current("a") is not records
    assert databases_of(other).current("a").version != records.version
    databases.forget()
    assert ledger.gone == [records]
    assert databases_of(shelf).loaded == {}


class EqualToAll(Shelf):
    """A loader without a hash, equal to whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # as a dataclass has it


@pytest.mark.parametrize("kind", [Shelf, VersionedShelf, EqualToAll])
def test_records_stay_with_their_loader_when_nobody_else_holds_them(kind: type[Shelf]) -> None:
    shelf, other = kind(a=ROWS), kind(a=ROWS)
    versions = [databases_of(each).current("a").version for each in (shelf, other)]
    gc.collect()
    assert [databases_of(each).current("a").version for each in (shelf, other)] == versions
    assert len(set(versions)) == 2
    assert shelf.loads == ["a"]


def test_records_go_with_their_loader() -> None:
    shelf = Shelf(a=ROWS)
    loader, records = weakref.ref(shelf), weakref.ref(databases_of(shelf).current("a"))
    gc.collect()
    assert records() is not None
    del shelf
    gc.collect()
    assert loader() is None
    assert records() is None


def test_a_loader_without_weak_references_has_its_records_while_somebody_holds_them() -> None:
    class Slotted:
        __slots__ = ("loads",)

        def __init__(self) -> None:
            self.loads = 0

        def load_database(self, name: str) -> Any:
            self.loads += 1
            return ROWS

        def get_available_databases(self) -> list[str]:
            return ["a"]

        def refresh_cache(self, name: str | None = None) -> None:
            """Nothing is kept."""

    slotted = Slotted()
    databases = databases_of(slotted)
    records = weakref.ref(databases.current("a"))
    assert databases_of(slotted).current("a") is records()
    assert slotted.loads == 1
    del databases
    gc.collect()
    assert records() is None
    assert len(databases_of(slotted).current("a")) == 2
    assert slotted.loads == 2
