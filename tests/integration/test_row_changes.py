from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.integration.row_changes import exact_text, row_changes

ROWS = st.lists(st.fixed_dictionaries({"a": st.integers(0, 4)}), max_size=12)


@given(ROWS, ROWS)
def test_rows_said_to_be_the_same_are_and_keep_their_order(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    changes = row_changes(old, new)
    kept = [(i, to) for i, to in enumerate(changes.new_position.tolist()) if to >= 0]
    assert all(old[i] == new[to] for i, to in kept)
    assert [to for _, to in kept] == sorted({to for _, to in kept})
    assert len(changes.before) == len(old) - len(kept)
    assert len(changes.after) == len(new) - len(kept)


@given(ROWS, st.integers(0, 12), ROWS)
def test_insertions_leave_all_old_rows_the_same(
    old: list[dict[str, Any]], at: int, more: list[dict[str, Any]]
) -> None:
    changes = row_changes(old, [*old[:at], *more, *old[at:]])
    assert changes.before == []
    assert len(changes.after) == len(more)


def test_a_row_changed_where_it_stands_is_the_only_change() -> None:
    old = [{"a": number} for number in range(100)]
    new = [dict(row) for row in old]
    new[7] = {"a": -7}
    new[50] = {"a": -50}
    changes = row_changes(old, new)
    assert (changes.before, changes.after) == ([{"a": 7}, {"a": 50}], [{"a": -7}, {"a": -50}])
    assert changes.changed_rows == 2
    assert changes.moved(np.array([7, 8], dtype=np.uint32)) is None


def test_moved_rows_count_as_changed() -> None:
    old = [{"a": number} for number in range(6)]
    changes = row_changes(old, [*old[1:], old[0]])
    assert changes.new_position.tolist() == [-1, 0, 1, 2, 3, 4]
    assert (changes.before, changes.after) == ([{"a": 0}], [{"a": 0}])


def test_a_row_changed_in_place_is_changed_for_who_says_so() -> None:
    rows = [{"a": 1}, {"a": 2}, {"a": 3}]
    assert row_changes(rows, rows).changed_rows == 0
    assert row_changes(rows, rows, [rows[1]]).new_position.tolist() == [0, -1, 2]
    assert row_changes(rows, rows, [{"a": 3}]).new_position.tolist() == [0, 1, -1]


def test_values_that_only_look_the_same_are_told_apart() -> None:
    odd = [1, 1.0, True, "1", date(2013, 1, 1), "2013-01-01", 10**30, float(10**30), "\ud800"]
    texts = {exact_text({"a": value}) for value in odd}
    assert len(texts) == len(odd)
    assert exact_text({"a": 1, "b": 2}) != exact_text({"b": 2, "a": 1})


def test_a_row_that_has_no_text_is_never_the_same() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert row_changes([{"a": deep}], [{"a": [deep]}]).changed_rows == 1
    huge = {"a": 10**5_000}
    assert row_changes([huge], [dict(huge)]).changed_rows == 1
