"""What a sample tells of a field, and that it is taken once per database version."""

from __future__ import annotations

from typing import Any

import pytest

from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.optimization import gather
from blackcore.minimal.query_engine.optimization.statistics import (
    SAMPLE_ROWS,
    FieldStatistics,
    field_statistics,
)
from blackcore.minimal.query_engine.query.values import Kind


def of(*cells: Any) -> FieldStatistics:
    return field_statistics(Records("d", [{"a": cell} for cell in cells]), "a")


def test_a_small_database_is_known_exactly() -> None:
    known = of("b", "a", "b", None, "c", float("nan"))
    assert known.field == "a"
    assert known.sampled_rows == 6
    assert known.null_fraction == pytest.approx(2 / 6)
    assert known.most_common == {"b": pytest.approx(2 / 6)}
    assert known.strings == ["a", "b", "b", "c"]
    assert known.kinds == {Kind.STRING, Kind.NULL}
    assert known.average_length == 1.0
    assert not known.through_list


def test_numbers_of_all_kinds_are_sorted_together() -> None:
    known = of(2, 1.5, 10**30, -1)
    assert list(known.numbers) == [-1, 1.5, 2, 10**30]
    assert known.kinds == {Kind.NUMBER}
    assert known.average_length == 0.0


def test_missing_fields_are_null() -> None:
    known = field_statistics(Records("d", [{"a": 1}, {}, {"b": 2}]), "a")
    assert known.null_fraction == pytest.approx(2 / 3)


def test_a_database_without_rows_has_statistics_too() -> None:
    known = of()
    assert (known.sampled_rows, known.null_fraction, known.distinct_count) == (0, 0.0, 0.0)
    assert known.fraction_below(5, inclusive=True) == 0.0


def test_values_through_lists_are_all_looked_at() -> None:
    rows: list[dict[str, Any]] = [
        {"c": [{"n": "Ann"}, {"n": "Bo"}]},
        {"c": []},
        {"c": [{"n": None}]},
    ]
    known = field_statistics(Records("d", rows), "c.n")
    assert known.through_list
    assert known.values == ["Ann", "Bo", None, None]
    assert known.null_fraction == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("bound", "inclusive", "fraction"),
    [(2, False, 0.25), (2, True, 0.5), (0, True, 0.0), (99, False, 0.75), ("x", True, 0.25)],
)
def test_the_fraction_below_a_bound_is_that_of_the_bounds_type(
    bound: Any, inclusive: bool, fraction: float
) -> None:
    assert of(1, 2, 3, "x").fraction_below(bound, inclusive=inclusive) == fraction


def test_a_large_database_is_sampled_evenly(flights: Records) -> None:
    known = field_statistics(flights, "id")
    assert SAMPLE_ROWS <= known.sampled_rows < 2 * SAMPLE_ROWS
    stride = len(flights) / SAMPLE_ROWS
    assert [int(number // stride) for number in known.numbers] == list(range(SAMPLE_ROWS))


def test_records_that_repeat_in_step_are_not_sampled_in_step() -> None:
    carriers = ["AA", "UA", "DL", "B6"] * (2 * SAMPLE_ROWS)
    records = Records("db", [{"carrier": carrier} for carrier in carriers])
    common = field_statistics(records, "carrier").most_common
    assert all(0.15 < common[carrier] < 0.35 for carrier in set(carriers))


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("carrier", 4, 4),
        ("tailnum", 500, 1_100),
        ("distance", 1_500, 4_500),
        ("id", 5_999, 6_001),
    ],
)
def test_distinct_values_are_estimated_for_the_whole_database(
    flights: Records, path: str, low: float, high: float
) -> None:
    assert low <= field_statistics(flights, path).distinct_count <= high


def test_statistics_are_gathered_once_per_version(flights: Records) -> None:
    assert field_statistics(flights, "carrier") is field_statistics(flights, "carrier")
    again = Records(flights.name, flights.rows)
    assert field_statistics(again, "carrier") is not field_statistics(flights, "carrier")


def test_a_table_tells_of_the_fields_named_and_of_their_columns() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": "x", "c": True, "d": [1], "e": 2} for _ in range(3)]
    records = Records("d", rows)
    before = gather(records, ["a", "b"])
    assert (before.database, before.row_count) == ("d", 3)
    assert set(before.fields) == {"a", "b"}
    assert before.columns == {}
    for path in "abcde":
        records.column(path)
    kinds = {path: state.kind for path, state in gather(records, "abcd").columns.items()}
    assert kinds == {"a": "number", "b": "string", "c": "bool", "d": None}
    made = records.column("b")
    assert not gather(records, "b").columns["b"].has_codes
    _ = made.codes  # type: ignore[union-attr]  # a string column
    assert gather(records, "b").columns["b"].has_codes
    assert before.columns == {}
