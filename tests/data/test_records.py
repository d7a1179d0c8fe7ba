"""One version of a database: its rows, the names in them, and what is derived from them once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from blackcore.minimal.query_engine import UnknownFieldError
from blackcore.minimal.query_engine.data import Records

ROWS: list[dict[str, Any]] = [
    {"title": "Casablanca", "year": 1942},
    {"title": "Metropolis", "cast": [{"name": "Helm"}], "a.b": 1, "note": None},
    {"studio": {"name": "UFA", "town": {"name": "Berlin"}}, "empty": []},
]


@pytest.fixture
def records() -> Records:
    return Records("films", ROWS, "7")


@pytest.mark.parametrize(
    "path",
    ["title", "year", "cast", "cast.name", "a.b", "note", "studio.town.name", "empty"],
)
def test_a_field_that_some_record_has_is_known(records: Records, path: str) -> None:
    records.require_fields([path])
    records.require_fields([path, "title"])


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("titel", "'title'"),
        ("Title", "'title'"),
        ("studio.twon.name", "'studio.town.name'"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest(
    records: Records, path: str, nearest: str
) -> None:
    with pytest.raises(UnknownFieldError) as caught:
        records.require_fields(["title", path])
    expected = f"unknown field {path!r} in database 'films'; did you mean {nearest}?"
    assert str(caught.value) == expected
    assert (caught.value.field, caught.value.database) == (path, "films")
    assert isinstance(caught.value, LookupError)
    assert isinstance(caught.value, ValueError)


def test_with_nothing_near_the_fields_there_are_are_named(records: Records) -> None:
    with pytest.raises(UnknownFieldError, match=r"there are: 'a\.b', 'cast', "):
        records.require_fields(["qqqqqq"])


@pytest.mark.parametrize("path", ["title.first", "cast.name.x", "empty.x", "", "title."])
def test_a_path_that_reaches_nothing_anywhere_is_unknown(records: Records, path: str) -> None:
    with pytest.raises(UnknownFieldError):
        records.require_fields([path])


def test_a_database_without_records_knows_every_field() -> None:
    Records("none", []).require_fields(["anything", "at.all"])


def test_a_field_that_only_the_last_of_many_records_has_is_known() -> None:
    rows: list[dict[str, Any]] = [{"a": 1} for _ in range(20_000)]
    rows.append({"rare": None})
    records = Records("d", rows)
    records.require_fields(["rare"])
    assert "rare" not in records.field_names()  # names for messages come from the first thousands


def test_field_names_are_paths_in_order_of_appearance_as_deep_as_helps() -> None:
    assert Records("d", [{"b": 1, "a": 2}, {"c": {"x": 1}, "b": 3}]).field_names() == [
        "b",
        "a",
        "c",
        "c.x",
    ]
    through_list = Records("d", [{"cast": [{"name": 1}, {"role": 2}, 3]}]).field_names()
    assert sorted(through_list) == ["cast", "cast.name", "cast.role"]
    deep: dict[str, Any] = {"end": 1}
    for _ in range(500):
        deep = {"x": deep}
    assert max(name.count(".") for name in Records("d", [deep]).field_names()) == 8
    assert Records("d", []).field_names() == []


def test_a_column_is_made_once_and_told_of(records: Records) -> None:
    assert records.columns == {}
    year = records.column("year")
    assert year is not None
    assert records.column("year") is year
    assert records.column("cast") is None
    assert records.columns == {"year": year, "cast": None}
    assert records.columns_bytes == year.size_bytes


def test_the_columns_told_of_cannot_be_changed_from_outside(records: Records) -> None:
    records.columns["title"] = None
    assert records.column("title") is not None


def test_field_types_are_known_with_or_without_a_column(records: Records) -> None:
    assert records.field_types("year").types == {int, type(None)}
    assert records.field_types("year") is records.field_types("year")
    assert records.field_types("cast.name").through_list


def test_records_say_what_they_are(records: Records) -> None:
    assert len(records) == 3
    assert repr(records) == "Records('films', 3 rows, version '7')"
    assert records.rows is ROWS


def test_what_is_derived_is_made_once_however_many_threads_ask(records: Records) -> None:
    made: list[object] = []
    start = threading.Barrier(8)

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        start.wait(timeout=10)
        return records.derived("thing", make)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert len(made) == 1
    assert all(answer is made[0] for answer in answers)


def test_a_column_is_made_once_however_many_threads_ask() -> None:
    records = Records("d", [{"a": n} for n in range(20_000)])
    start = threading.Barrier(8)

    def ask(_: int) -> object:
        start.wait(timeout=10)
        return records.column("a")

    with ThreadPoolExecutor(8) as pool:
        columns = list(pool.map(ask, range(8)))
    assert all(column is columns[0] for column in columns)


def test_making_may_ask_for_what_else_is_derived(records: Records) -> None:
    def outer() -> str:
        inner = records.derived("inner", lambda: "in")
        return inner + "out"

    assert records.derived("outer", outer) == "inout"


def test_what_fails_to_be_made_is_tried_again(records: Records) -> None:
    def fail() -> object:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        records.derived("thing", fail)
    assert records.derived("thing", lambda: 5) == 5


def test_cells_are_one_per_row_in_question() -> None:
    for rows in (ROWS, ROWS * 7_000):  # a small database's are kept, a large one's are not
        records = Records("films", rows)
        cells, types = records.cells("year")
        assert cells[:3] == [1942, None, None]
        assert len(cells) == len(rows)
        assert types.types == {int, type(None)}
        assert records.cells("year", [1, 0])[0] == [None, 1942]
    assert records.cells("year", [0])[1].types == {int}
