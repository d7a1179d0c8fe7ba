from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.errors import ExportOptionError, ExportValueError
from blackcore.minimal.query_engine.export.sources import (
    chunks_from_async,
    is_async,
    known_rows,
    slices_of,
    slices_of_chunks,
)
from blackcore.minimal.query_engine.settings import ExportSettings


async def awaited(members: Any) -> Any:
    for member in members:
        yield member


@given(st.integers(0, 300), st.integers(1, 50), st.integers(1, 40))
def test_slices_hold_all_rows_in_order_whatever_the_shape(
    count: Any, size: Any, slice_rows: Any
) -> None:
    settings = ExportSettings(slice_rows=slice_rows)
    rows = [{"n": n} for n in range(count)]
    chunks = [rows[start : start + size] for start in range(0, count, size)]
    for source in (rows, iter(rows), tuple(rows), chunks, iter(chunks), [[], *chunks, []]):
        slices = list(slices_of(source, settings))
        assert [row for piece in slices for row in piece] == rows
        assert all(1 <= len(piece) <= slice_rows for piece in slices)


@given(st.lists(st.integers(0, 20_000), max_size=200))
def test_slices_of_large_rows_are_small(sizes: Any) -> None:
    settings = ExportSettings(chunk_bytes=50_000)
    rows = [{"text": "x" * size} for size in sizes]
    slices = list(slices_of(iter(rows), settings))
    assert [row for piece in slices for row in piece] == rows
    # what is looked at is the last of every few rows, so that a few can come on top
    assert all(len(piece) <= 64 or len(str(piece)) < 1_000_000 for piece in slices)


def test_rows_of_ten_megabytes_are_held_one_by_one() -> None:
    rows = ({"text": "x" * 10_000_000} for _ in range(5))
    assert [len(piece) for piece in slices_of(rows, ExportSettings())] == [1] * 5
    chunk = [{"text": "x" * 10_000_000}] * 3
    assert [len(piece) for piece in slices_of([chunk], ExportSettings())] == [1] * 3


async def test_async_rows_are_gathered_and_async_chunks_passed_on() -> None:
    rows = [{"n": n} for n in range(600)]
    gathered = [piece async for piece in chunks_from_async(awaited(rows), ExportSettings())]
    assert [row for piece in gathered for row in piece] == rows
    assert max(map(len, gathered)) > 100
    mixed = [rows[:3], rows[3], rows[4], rows[5:]]
    gathered = [piece async for piece in chunks_from_async(awaited(mixed), ExportSettings())]
    assert [len(piece) for piece in gathered] == [3, 2, 595]


async def test_async_rows_that_are_large_are_gathered_few_at_a_time() -> None:
    rows = [{"text": "x" * 1_000_000}] * 40
    gathered = [piece async for piece in chunks_from_async(awaited(rows), ExportSettings())]
    assert max(map(len, gathered)) <= 2


@pytest.mark.parametrize("bad", [None, 7, "row", [1], ("a", 1)])
def test_member_that_is_no_row_is_named_with_its_type(bad: Any) -> None:
    for source in ([{"a": 1}, bad], iter([{"a": 1}, bad]), [[{"a": 1}], [bad]]):
        with pytest.raises(ExportValueError, match=r"row 2 is (None|of type)") as caught:
            list(slices_of(source, ExportSettings()))
        assert caught.value.rows_written == 1
    with pytest.raises(ExportValueError, match="row 2 is"):
        list(slices_of_chunks([[{"a": 1}, bad]], ExportSettings()))


def test_async_source_cannot_be_read_without_awaiting() -> None:
    with pytest.raises(ExportOptionError, match="must be awaited"):
        list(slices_of(awaited([]), ExportSettings()))


def test_source_that_offers_both_is_read_without_awaiting() -> None:
    class Both(list):
        def __aiter__(self) -> Any:
            raise AssertionError

    assert not is_async(Both([{"a": 1}]))
    assert list(slices_of(Both([{"a": 1}]), ExportSettings())) == [[{"a": 1}]]


def test_lists_and_frames_know_how_many_rows_they_hold() -> None:
    import polars as pl
    import pyarrow as pa

    assert known_rows([{"a": 1}] * 3) == 3
    assert known_rows([]) == 0
    assert known_rows([[{"a": 1}]]) is None
    assert known_rows(iter([])) is None
    assert known_rows(pl.DataFrame({"a": [1, 2]})) == 2
    assert known_rows(pa.table({"a": [1, 2]})) == 2
    assert known_rows(pl.DataFrame({"a": []})) == 0
