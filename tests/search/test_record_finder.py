from __future__ import annotations

import copy
import math
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.search.record_finder import RecordFinder, json_key


def test_a_record_is_found_by_identity_before_equality() -> None:
    records = [{"a": 1}, {"a": 1}, {"a": 2}]
    finder = RecordFinder(records)
    assert [finder.position(record, ()) for record in records] == [0, 1, 2]
    assert finder.is_record(records[1])
    assert not finder.is_record({"a": 1})


def test_copies_of_equal_records_take_the_places_one_after_the_other() -> None:
    finder = RecordFinder([{"a": 1}, {"a": 1}])
    assert finder.position({"a": 1}, ()) == 0
    assert finder.position({"a": 1}, {0}) == 1
    assert finder.position({"a": 1}, {0, 1}) == 0


def test_a_record_that_stands_twice_in_the_list_is_found_twice() -> None:
    record = {"a": 1}
    finder = RecordFinder([record, {"b": 2}, record])
    assert finder.position(record, ()) == 0
    assert finder.position(record, {0}) == 2
    assert finder.position(record, {0, 2}) == 0


def test_what_is_no_record_is_nowhere() -> None:
    finder = RecordFinder([{"a": 1}])
    for other in ({"a": 2}, {"a": True}, {}, "a", None, 3, [("a", 1)]):
        assert finder.position(other, ()) is None


def test_another_kind_of_mapping_is_equal_by_its_values() -> None:
    assert (
        RecordFinder([{"a": {"b": [1]}}]).position(MappingProxyType({"a": {"b": (1.0,)}}), ()) == 0
    )


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (2**53 + 1, 2.0**53, False),
        (True, 1, False),
        (False, 0, False),
        ([True], [1], False),
        (math.nan, None, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], [2, 1], False),
        ([], {}, False),
        ([[], 1], [[1]], False),
        ({"a": ["b", 1]}, {"a": [], "b": 1}, False),
        ([math.nan], [None], True),
        ("1", 1, False),
        ({"a": None}, {}, False),
        ({1, 2}, {1, 2}, True),
        ({1, 2}, {1, 3}, False),
    ],
)
def test_equality_is_that_of_json_values(left: Any, right: Any, equal: Any) -> None:
    assert (json_key(left) == json_key(right)) is equal
    assert not equal or hash(json_key(left)) == hash(json_key(right))


def test_records_deeper_than_the_stack_are_found_too() -> None:
    deep, other = ({"x": bottom} for bottom in ("bottom", "other"))
    for _ in range(3_000):
        deep, other = {"x": [deep]}, {"x": [other]}
    finder = RecordFinder([other, deep])
    assert finder.position(MappingProxyType(deep), ()) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | st.sampled_from(["", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), json_values), max_size=8))
def test_copies_are_brought_back_to_all_the_records(records: Any) -> None:
    finder, taken = RecordFinder(records), set()
    for record in copy.deepcopy(records):
        taken.add(finder.position(record, taken))
    assert taken == set(range(len(records)))
