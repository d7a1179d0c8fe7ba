"""Columns of lists hold every member, and know whose it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from blackcore.minimal.query_engine.data import ListColumn, NumberColumn, Records, StringColumn


def column(rows: list[dict[str, Any]], path: str = "a") -> ListColumn | None:
    records = Records("db", rows)
    assert records.column(path) is None
    assert records.columns == {path: None}
    made = records.column_store.column(path)
    assert made is None or isinstance(made, ListColumn)
    assert records.list_columns == ({} if made is None else {path: made})
    return made


def test_lists_become_their_members_and_whose_they_are() -> None:
    made = column([{"a": ["x", "y"]}, {"a": []}, {"a": None}, {}, {"a": ["z", None]}])
    assert made is not None
    assert isinstance(made.inner, StringColumn)
    assert made.inner.series.to_list() == ["x", "y", "z", None]
    assert made.owners.tolist() == [0, 0, 4, 4]
    assert made.ends.tolist() == [2, 2, 2, 2, 4]
    assert made.valid is not None
    assert made.valid.tolist() == [True, True, False, False, True]
    assert not made.through_lists


def test_a_path_through_lists_becomes_the_values_reached() -> None:
    rows: list[dict[str, Any]] = [{"a": [{"b": 1}, {"b": 2}, {}]}, {}, {"a": {"b": 3}}, {"a": []}]
    made = column(rows, "a.b")
    assert made is not None
    assert made.through_lists
    assert isinstance(made.inner, NumberColumn)
    assert made.inner.valid is not None
    values = np.where(made.inner.valid, made.inner.values, -1).tolist()
    assert list(zip(values, made.owners.tolist(), strict=True)) == [
        (1, 0),
        (2, 0),
        (-1, 1),  # what reaches nothing is null
        (3, 2),
        (-1, 3),
    ]


@pytest.mark.parametrize("ids", [[], [0], [1], [4, 0], [0, 1, 2, 3, 4], [3, 1]])
def test_the_places_of_some_rows_are_those_of_their_members(ids: list[int]) -> None:
    lists = [["p", "q"], [], ["r"], [], ["s", "t", "u"]]
    made = column([{"a": each} for each in lists])
    assert made is not None
    assert isinstance(made.inner, StringColumn)
    places, owners = made.places(np.array(ids, dtype=np.uint32))
    members = made.inner.series.gather(places).to_list()
    assert members == [member for i in ids for member in lists[i]]
    assert owners.tolist() == [at for at, i in enumerate(ids) for _ in lists[i]]


@pytest.mark.parametrize(
    "cells",
    [
        [["a", 1]],
        [["a"], "a"],
        [["a"], {}],
        [[["a"]]],
        [[{"b": 1}]],
        [("a",)],
        [[], None],
        [[2**63]],
        [["\ud800"]],
    ],
    ids=repr,
)
def test_members_of_several_types_have_no_column(cells: list[Any]) -> None:
    assert column([{"a": cell} for cell in cells]) is None


def test_a_list_column_tells_what_it_keeps() -> None:
    made = column([{"a": [1, 2, 3]}, {"a": None}])
    assert made is not None
    assert made.size_bytes == 3 * (made.inner.size_bytes // 3) + 2 * 4 + 3 * 4 + 2
