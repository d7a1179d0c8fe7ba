from __future__ import annotations

from collections import OrderedDict, UserDict
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from blackcore.minimal.query_engine.errors import (
    DatabaseFormatError,
    LoaderContractError,
    UnknownDatabaseError,
)
from blackcore.minimal.query_engine.loaders import (
    DataLoader,
    JSONDataLoader,
    VersionedDataLoader,
    checked_records,
)

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import WriteFile


class Foreign:
    """A loader that somebody else wrote; `answer` is returned, called or raised."""

    def __init__(self, answer: object, names: object = ("people", "places")) -> None:
        self.answer = answer
        self.names = names
        self.listings = 0

    def load_database(self, name: str) -> list[dict[str, object]]:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer() if isinstance(self.answer, Callable) else self.answer  # type: ignore[arg-type,return-value,unused-ignore]

    def get_available_databases(self) -> list[str]:
        self.listings += 1
        if isinstance(self.names, BaseException):
            raise self.names
        return list(self.names)  # type: ignore[call-overload,no-any-return,unused-ignore]

    def refresh_cache(self, name: str | None = None) -> None:
        return None


def test_any_object_with_the_three_methods_is_a_loader() -> None:
    assert isinstance(Foreign([]), DataLoader)
    assert not isinstance(Foreign([]), VersionedDataLoader)
    assert not isinstance(object(), DataLoader)


def test_our_loader_tells_versions(folder: Path, write: WriteFile) -> None:
    write("people.json", [])
    assert isinstance(JSONDataLoader(folder), VersionedDataLoader)


def test_a_list_of_dicts_is_handed_on_uncopied_and_without_a_listing() -> None:
    rows: list[dict[str, object]] = [{"id": 1}, OrderedDict(id=2)]
    loader = Foreign(rows)
    assert checked_records(loader, "people") is rows
    assert loader.listings == 0


def test_another_sequence_of_dicts_becomes_a_list() -> None:
    assert checked_records(Foreign(({"id": 1}, {"id": 2})), "people") == [{"id": 1}, {"id": 2}]


def test_records_under_an_unlisted_name_are_accepted() -> None:
    assert checked_records(Foreign([{"id": 1}]), "alias") == [{"id": 1}]


def test_no_records_under_a_listed_name_are_an_empty_database() -> None:
    assert checked_records(Foreign([]), "people") == []


@pytest.mark.parametrize("answer", [[], None, {}, KeyError("peple")])
def test_nothing_under_an_unlisted_name_is_an_unknown_database(answer: object) -> None:
    with pytest.raises(UnknownDatabaseError, match=r"'peple'.*did you mean 'people'\?") as caught:
        checked_records(Foreign(answer), "peple")
    assert caught.value.__cause__ is (answer if isinstance(answer, KeyError) else None)


def test_a_loader_that_raises_is_named_with_database_and_cause() -> None:
    cause = ConnectionError("no route")
    with pytest.raises(
        LoaderContractError,
        match=r"Foreign\.load_database\('people'\) raised ConnectionError: no route",
    ) as caught:
        checked_records(Foreign(cause), "people")
    assert caught.value.__cause__ is cause


def test_errors_of_our_own_pass_unchanged() -> None:
    cause = DatabaseFormatError("broken")
    with pytest.raises(DatabaseFormatError) as caught:
        checked_records(Foreign(cause), "people")
    assert caught.value is cause
    with pytest.raises(DatabaseFormatError) as caught:
        checked_records(Foreign([], names=cause), "people")
    assert caught.value is cause


def test_an_interrupt_is_not_turned_into_an_error_of_ours() -> None:
    with pytest.raises(KeyboardInterrupt):
        checked_records(Foreign(KeyboardInterrupt()), "people")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"returned None; it must return a list of dicts"),
        ("people", r"returned an object of type str"),
        (b"people", r"returned an object of type bytes"),
        ({"id": 1}, r"returned an object of type dict; it must return a list of dicts"),
        (UserDict(id=1), r"returned an object of type UserDict \(a mapping; make a dict of it\)"),
        (np.array([{}, {}]), r"returned an object of type ndarray; it must return a list of dicts"),
        (pl.DataFrame({"id": [1]}), r"type DataFrame \(a data frame gives its records by to_dicts"),
        ((row for row in ()), r"returned an object of type generator"),
        ([{}, {}, 7], r"item 2 is an object of type int; every record must be a dict"),
        ([{}, None], r"item 1 is None"),
        (({}, UserDict()), r"item 1 is an object of type UserDict \(a mapping; make a dict of it"),
    ],
)
def test_what_is_not_a_list_of_dicts_is_refused(answer: object, message: str) -> None:
    with pytest.raises(LoaderContractError, match=message):
        checked_records(Foreign(answer), "people")


def test_a_coroutine_is_refused_and_closed() -> None:
    async def load() -> list[dict[str, object]]:
        return []

    with pytest.raises(LoaderContractError, match="must not be async"):
        checked_records(Foreign(load), "people")


@pytest.mark.parametrize("answer", [[], KeyError("people")])
def test_a_listing_that_raises_is_named_and_the_first_cause_kept(answer: object) -> None:
    listing_error = RuntimeError("gone")
    with pytest.raises(
        LoaderContractError, match=r"get_available_databases\(\) raised RuntimeError: gone"
    ) as caught:
        checked_records(Foreign(answer, names=listing_error), "people")
    assert caught.value.__cause__ is (answer if isinstance(answer, KeyError) else listing_error)
