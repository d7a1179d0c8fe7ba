"""What a value weighs, against a walk through all of it."""

from __future__ import annotations

import array
import gc
import random
import sys
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.cache import sizing, weigh
from blackcore.minimal.query_engine.errors import CacheWeightError


def deep_size(value: object) -> int:
    """All that a value reaches, each object once."""
    seen: set[int] = set()
    total, open_ends = 0, [value]
    while open_ends:
        each = open_ends.pop()
        if id(each) not in seen and not isinstance(each, (type, types.ModuleType)):
            seen.add(id(each))
            total += sys.getsizeof(each)
            open_ends.extend(gc.get_referents(each))
            if isinstance(each, dict):  # the collector need not know of keys that are texts
                open_ends.extend(each)
    return total


def row(number: int, numbers: random.Random) -> dict[str, object]:
    return {
        "carrier": "".join(numbers.choices("ABCD", k=2)),
        "flight": 1_000 + number,
        "origin": "".join(numbers.choices("JFKLGAEWR", k=3)),
        "distance": numbers.random() * 3_000,
        "note": "x" * numbers.randrange(20, 60),
        "cancelled": numbers.random() < 0.1,
        "delay": None if numbers.random() < 0.1 else numbers.randrange(300, 900),
        "tail": f"N{numbers.randrange(10**5)}",
    }


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - rows, no secrets


def rows(count: int, seed: int = 1) -> list[dict[str, object]]:
    numbers = seeded(seed)
    return [row(number, numbers) for number in range(count)]


@pytest.mark.parametrize(
    "value", ["", "x", "x" * 1_000, b"y" * 1_000, bytearray(999), 5, 10**40, 1.5]
)
def test_flat_values_weigh_what_they_take_in_units_of_allocation(value: object) -> None:
    assert 0 <= weigh(value) - sys.getsizeof(value) < 16
    assert weigh(value) % 16 == 0


@pytest.mark.parametrize("count", [1, 3, 20, 100, 10_000])
def test_homogeneous_rows_weigh_within_15_percent_of_the_truth(count: int) -> None:
    value = rows(count, seed=count)
    assert weigh(value) == pytest.approx(deep_size(value), rel=0.15)


def test_rows_that_nest_weigh_within_15_percent_of_the_truth() -> None:
    numbers = seeded(3)
    value = [
        {**row(n, numbers), "crew": [{"name": "y" * numbers.randrange(10, 30)} for _ in range(3)]}
        for n in range(200)
    ]
    assert weigh(value) == pytest.approx(deep_size(value), rel=0.15)


def test_what_members_share_counts_once() -> None:
    text = "x" * 10_000
    assert weigh([text] * 1_000) < 10_000 + 8_000 + 200
    assert weigh([text, text]) < 11_000
    assert weigh({"a": text, "b": text}) < 11_000


def visits_of(value: object) -> int:
    """Weigh a value; return how many objects were asked for their size."""
    visits = 0

    def count(frame: object, event: str, called: Any) -> None:
        nonlocal visits
        visits += event == "c_call" and called.__name__ in {"getsizeof", "__sizeof__"}

    sys.setprofile(count)
    try:
        weigh(value)
    finally:
        sys.setprofile(None)
    return visits


def test_a_large_value_is_visited_at_few_places_only() -> None:
    values: list[object] = [
        rows(5_000),
        [[[[str(n)] * 50] * 50] * 50 for n in range(50)],
        {f"key {n}": [n] * 100 for n in range(5_000)},
        {n: {str(n): n} for n in range(5_000)},
        [row(1, seeded(1)) | {f"field {n}": n for n in range(500)} for _ in range(100)],
        tuple(range(10**6)),
    ]
    assert visits_of(["a", "b", "c"]) == 4
    for value in values:
        assert 0 < visits_of(value) < 300


def test_the_sizes_of_flat_values_are_those_that_the_interpreter_says() -> None:
    for value in ("ä", b"x", bytearray(5), 2**70, 1.5, True, 1j, None, ..., range(5)):
        assert type(value) in sizing._FLAT
        assert value.__sizeof__() == sys.getsizeof(value)


def test_a_long_flat_list_is_estimated_from_its_whole_length() -> None:
    value = ["x" * (n // 10) for n in range(1_000)]
    assert weigh(value) == pytest.approx(deep_size(value), rel=0.3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {f"k{n}": "v" * 50 for n in range(1_000)},
        lambda: {f"value {n:06}" for n in range(1_000)},
        lambda: frozenset(f"value {n:06}" for n in range(1_000)),
        lambda: tuple(f"value {n:06}" for n in range(1_000)),
        lambda: {n: [f"{n}" * 4] for n in range(1_000)},
    ],
)
def test_homogeneous_containers_weigh_within_15_percent_of_the_truth(make: Any) -> None:
    assert weigh(make()) == pytest.approx(deep_size(make()), rel=0.15)


def test_cycles_end() -> None:
    cycle: list[object] = [1, 2]
    cycle.append(cycle)
    knot: dict[str, object] = {}
    knot["self"] = knot
    knot["list"] = cycle
    cycle.append(knot)
    assert 0 < weigh(cycle) < 1_000


def test_very_deep_nesting_ends() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert weigh(value) > 0


def test_arrays_weigh_their_buffers_exactly() -> None:
    owned = np.arange(100_000, dtype=np.uint32)
    assert 400_000 <= weigh(owned) < 400_300
    view = owned[:10]
    assert 400_000 <= weigh(view) < 400_600, "a view keeps its base alive"
    assert weigh([owned, view, owned[5:]]) < 401_000, "a shared base counts once"
    assert weigh(np.frombuffer(bytes(5_000), dtype=np.uint8)) >= 5_000
    assert weigh(np.frombuffer(memoryview(bytearray(5_000)), dtype=np.uint8)) >= 5_000
    texts = np.array([f"a text of some length {n}" for n in range(1_000)], dtype=object)
    assert weigh(texts) == pytest.approx(deep_size(list(texts)), rel=0.15)
    assert weigh(array.array("q", range(1_000))) >= 8_000
    assert weigh(memoryview(bytes(9_000))) >= 9_000


def test_frames_and_tables_weigh_their_buffers() -> None:
    frame = pl.DataFrame({"a": range(10_000), "b": [1.0] * 10_000})
    assert weigh(frame) == pytest.approx(160_000, rel=0.01)
    assert weigh(frame["a"]) == pytest.approx(80_000, rel=0.01)
    table = pa.table({"a": list(range(10_000))})
    for each in (table, table.to_batches()[0], table["a"], table["a"].chunk(0)):
        assert weigh(each) == pytest.approx(80_000, rel=0.05)
    assert weigh(pa.py_buffer(bytes(4_000))) >= 4_000
    assert weigh(pd.DataFrame({"a": np.arange(10_000)})) >= 80_000


@dataclass(slots=True)
class Slotted:
    ids: object
    name: str


@dataclass
class Plain:
    ids: object
    name: str


@pytest.mark.parametrize("kind", [Slotted, Plain])
def test_objects_weigh_what_their_attributes_do(kind: Any) -> None:
    value = kind(np.arange(10_000, dtype=np.uint32), "x" * 1_000)
    assert 41_000 < weigh(value) < 42_000


def test_code_and_types_weigh_nothing_for_nobody_copies_them() -> None:
    assert weigh([int, len, sys, weigh]) < 200


def test_an_object_may_say_its_own_weight() -> None:
    class Answer:
        def cache_weight_bytes(self) -> int:
            return 12_345

    assert isinstance(Answer(), sizing.SelfWeighing)
    assert weigh(Answer()) == 12_352
    assert weigh([Answer(), Answer()]) > 24_690


@pytest.mark.parametrize("said", [-5, "much", float("nan")])
def test_an_object_that_says_what_cannot_be_is_refused_by_name(said: object) -> None:
    class Liar:
        def cache_weight_bytes(self) -> object:
            return said

    with pytest.raises(CacheWeightError, match=rf"Liar.cache_weight_bytes\(\) said {said!r}"):
        weigh([Liar()])


def test_types_made_on_the_fly_are_not_remembered_for_ever() -> None:
    for number in range(3_000):
        weigh(type(f"Type{number}", (), {})())
    assert len(sizing._WEIGHERS) <= 1_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=40,
)


@given(json_values)
def test_any_json_value_has_a_weight_between_itself_and_all_it_reaches(value: object) -> None:
    assert sys.getsizeof(value) <= weigh(value)
