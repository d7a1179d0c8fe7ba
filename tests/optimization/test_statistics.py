"""What is known of a field, that it is learnt once per version, and that it can be kept as JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from blackcore.minimal.query_engine import CostBasedOptimizer, OptimizerError, StructuredQuery
from blackcore.minimal.query_engine.data import Records, StringColumn
from blackcore.minimal.query_engine.optimization import (
    FieldStatistics,
    Histogram,
    TableStatistics,
    gather,
)
from blackcore.minimal.query_engine.optimization.gathering import (
    COLUMN_SAMPLE_ROWS,
    SAMPLE_ROWS,
    field_statistics,
)
from blackcore.minimal.query_engine.optimization.statistics import (
    HISTOGRAM_BUCKETS,
    TRIED_CHARACTERS,
    TRIED_TEXTS,
    histogram_of,
)
from blackcore.minimal.query_engine.query import QueryFilter
from blackcore.minimal.query_engine.query.values import Kind
from tests.strategies import PATHS, databases


def of(*cells: Any) -> FieldStatistics:
    return field_statistics(Records("d", [{"a": cell} for cell in cells]), "a")


def coded(records: Records, path: str) -> FieldStatistics:
    """Return what is known of a field of strings once its codes are made."""
    column = records.column(path)
    assert isinstance(column, StringColumn)
    assert len(column.codes) == len(records)
    return field_statistics(records, path)


def test_a_small_database_is_known_exactly() -> None:
    known = of("b", "a", "b", None, "c", float("nan"))
    assert known.field == "a"
    assert (known.row_count, known.sampled_rows, known.is_exact) == (6, 6, True)
    assert known.null_fraction == pytest.approx(2 / 6)
    assert known.missing_fraction == 0.0
    assert known.most_common == (("b", pytest.approx(2 / 6)),)
    assert known.strings == Histogram(("a", "c"), pytest.approx(2 / 6))
    assert known.numbers is None
    assert (known.minimum, known.maximum) == ("a", "c")
    assert known.kinds == {Kind.STRING, Kind.NULL}
    assert known.average_length == 1.0
    assert dict(known.texts) == {
        text: pytest.approx(n / 6) for text, n in zip("abc", (1, 2, 1), strict=True)
    }
    assert known.text_fraction("b") == pytest.approx(2 / 6)
    assert known.text_fraction("z") == 0.0
    assert known.is_all_text
    assert not known.through_list


def test_numbers_of_all_kinds_are_ordered_together() -> None:
    known = of(2, 1.5, 10**30, -1, Decimal("1.75"))
    assert known.numbers is not None
    assert list(known.numbers.bounds) == [-1, 1.5, Decimal("1.75"), 2, 10**30]
    assert (known.minimum, known.maximum) == (-1, 10**30)
    assert known.kinds == {Kind.NUMBER}
    assert known.average_length == 0.0
    assert not known.is_all_text


def test_missing_fields_are_null_and_counted_apart() -> None:
    known = field_statistics(Records("d", [{"a": 1}, {}, {"b": 2}, {"a": None}]), "a")
    assert known.null_fraction == pytest.approx(3 / 4)
    assert known.missing_fraction == pytest.approx(2 / 4)


def test_a_database_without_rows_has_statistics_too() -> None:
    known = of()
    assert (known.sampled_rows, known.null_fraction, known.distinct_count) == (0, 0.0, 0.0)
    assert known.fraction_below(5, inclusive=True) == 0.0


def test_true_is_not_taken_for_one() -> None:
    known = of(True, True, 1, 1, 1, "x")
    assert known.common_fraction(True) == pytest.approx(2 / 6)
    assert known.common_fraction(1) == pytest.approx(3 / 6)
    assert known.common_fraction(False) is None
    assert known.distinct_count == 3
    assert of(True, 1).is_unique


def test_values_through_lists_are_all_looked_at() -> None:
    rows: list[dict[str, Any]] = [
        {"c": [{"n": "Ann"}, {"n": "Bo"}]},
        {"c": []},
        {"c": [{"n": None}]},
    ]
    known = field_statistics(Records("d", rows), "c.n")
    assert known.through_list
    assert known.sample == (("Ann", "Bo"), (None,), (None,))
    assert known.null_fraction == pytest.approx(2 / 3)
    assert known.missing_fraction == pytest.approx(1 / 3)
    assert not known.is_unique
    assert not known.is_all_text


@pytest.mark.parametrize(
    ("bound", "inclusive", "fraction"),
    [(2, False, 0.2), (2, True, 0.6), (0, True, 0.0), (99, False, 0.8), ("x", True, 0.2)],
)
def test_the_fraction_below_a_bound_is_that_of_the_bounds_type(
    bound: Any, inclusive: bool, fraction: float
) -> None:
    known = of(1, 2, 2, 3, "x")
    assert known.fraction_below(bound, inclusive=inclusive) == pytest.approx(fraction, abs=0.21)
    assert known.fraction_of_type(5) == pytest.approx(0.8)


def test_a_histogram_has_equally_many_values_in_every_bucket() -> None:
    values = sorted(n * n for n in range(1, 5_001))
    made = histogram_of(values, 1.0)
    assert made is not None
    assert len(made.bounds) == HISTOGRAM_BUCKETS + 1
    assert (made.bounds[0], made.bounds[-1]) == (values[0], values[-1])
    depths = np.histogram(values, bins=np.array(made.bounds))[0]
    assert max(depths) - min(depths) <= 2
    for bound in (1, 100, 250_000, 9_000_000, 25_000_000):
        truth = sum(value <= bound for value in values) / len(values)
        assert made.below(bound, inclusive=True) == pytest.approx(truth, abs=0.01)


@pytest.mark.parametrize(
    ("bounds", "bound", "inclusive", "below"),
    [
        ((5,), 5, False, 0.0),
        ((5,), 5, True, 1.0),
        ((0, 10), 5, True, 0.5),
        ((0, 0, 0, 10), 0, False, 0.0),
        ((0, 0, 0, 10), 0, True, 2 / 3),
        (("a", "c"), "b", True, 0.5),
        ((0, 10**400), 1, True, 0.5),
        ((float("-inf"), float("inf")), 1, True, 0.5),
        ((1, Decimal(3)), 2.0, True, 0.5),
    ],
)
def test_a_bound_within_a_bucket_is_placed_in_proportion(
    bounds: Any, bound: Any, inclusive: bool, below: float
) -> None:
    assert Histogram(bounds, 1.0).below(bound, inclusive=inclusive) == pytest.approx(below)


def test_no_values_make_no_histogram() -> None:
    assert histogram_of([], 0.0) is None


def test_a_large_database_is_sampled_evenly() -> None:
    rows = 3 * SAMPLE_ROWS
    known = field_statistics(Records("d", [{"id": n} for n in range(rows)]), "id")
    assert known.sampled_rows == SAMPLE_ROWS
    assert [n // 3 for n in known.sample if isinstance(n, int)] == list(range(SAMPLE_ROWS))
    assert not known.is_exact


def test_records_that_repeat_in_step_are_not_sampled_in_step() -> None:
    carriers = ["AA", "UA", "DL", "B6"] * (2 * SAMPLE_ROWS)
    records = Records("db", [{"carrier": carrier} for carrier in carriers])
    common = dict(field_statistics(records, "carrier").most_common)
    assert all(0.15 < common[carrier] < 0.35 for carrier in set(carriers))


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("carrier", 4, 4),
        ("tailnum", 700, 1_100),
        ("distance", 1_900, 3_500),
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


def test_codes_tell_strings_exactly(flights: Records) -> None:
    sampled = field_statistics(flights, "tailnum")
    assert not sampled.is_exact
    known = coded(flights, "tailnum")
    assert known is field_statistics(flights, "tailnum")
    values = [row["tailnum"] for row in flights.rows]
    assert known.is_exact
    assert known.is_all_text
    assert known.distinct_count == len(set(values)) == len(known.texts)
    assert known.minimum == min(values)
    assert known.maximum == max(values)
    top, part = known.most_common[0]
    assert part == pytest.approx(values.count(top) / len(values))
    assert known.text_fraction("N123A") == pytest.approx(values.count("N123A") / len(values))
    for bound in ("N150", "N200B", "N333A", "N9"):
        truth = sum(value < bound for value in values) / len(values)
        assert known.fraction_below(bound, inclusive=False) == pytest.approx(truth, abs=0.01)


def test_codes_of_nulls_and_of_one_value_alone() -> None:
    nulls = Records("d", [{"a": "x"}, {"a": None}, {}, {"a": "x"}])
    known = coded(nulls, "a")
    assert known.null_fraction == 0.5
    assert known.most_common == (("x", 0.5),)
    assert known.strings is None
    assert known.kinds == {Kind.STRING, Kind.NULL}


def test_a_column_of_numbers_tells_nulls_and_ends_exactly() -> None:
    rows: list[dict[str, Any]] = [{"a": n % 1_000, "b": n / 7} for n in range(20_000)]
    rows[12_345] = {"a": 999_999}
    records = Records("d", rows)
    assert field_statistics(records, "a").maximum != 999_999
    records.column("a")
    records.column("b")
    a, b = field_statistics(records, "a"), field_statistics(records, "b")
    assert (a.minimum, a.maximum) == (0, 999_999)
    assert a.sampled_rows == COLUMN_SAMPLE_ROWS
    assert a.distinct_count == pytest.approx(1_001, rel=0.05)
    assert a.fraction_below(250, inclusive=False) == pytest.approx(0.25, abs=0.02)
    assert b.null_fraction == pytest.approx(1 / 20_000)
    assert b.kinds == {Kind.NUMBER, Kind.NULL}
    assert b.fraction_below(10_000 / 7, inclusive=False) == pytest.approx(0.5, abs=0.02)


def test_a_column_of_booleans_tells_booleans(flights: Records) -> None:
    flights.column("diverted")
    known = field_statistics(flights, "diverted")
    assert {value for value, _ in known.most_common} == {True, False}
    assert all(isinstance(value, bool) for value, _ in known.most_common)
    assert known.kinds == {Kind.BOOL}
    assert known.numbers is None
    assert known.minimum is None


def test_only_what_is_proven_is_unique(flights: Records) -> None:
    assert of(3, 1, 2).is_unique
    assert not of(3, 1, 3).is_unique
    assert not of(3, 1, None).is_unique
    assert not of([1], [2]).is_unique
    assert not field_statistics(flights, "id").is_unique  # a sample cannot tell
    flights.column("id")
    assert field_statistics(flights, "id").is_unique  # they rise
    flights.column("distance")
    assert not field_statistics(flights, "distance").is_unique
    many = Records("d", [{"a": f"k{n * 7919 % 5_000}"} for n in range(5_000)])
    assert coded(many, "a").is_unique
    assert not coded(Records("d", [{"a": f"k{n % 4_999}"} for n in range(5_000)]), "a").is_unique


def test_a_table_tells_of_the_fields_named_and_of_their_columns() -> None:
    row: dict[str, Any] = {"a": 1, "b": "x", "c": True, "d": [1], "e": {}, "f": 2}
    rows = [row for _ in range(3)]
    records = Records("d", rows)
    before = gather(records, ["a", "b"])
    assert (before.database, before.row_count) == ("d", 3)
    assert set(before.fields) == {"a", "b"}
    assert before.columns == {}
    for path in "abcdef":
        records.column(path)
    kinds = {path: state.kind for path, state in gather(records, "abcde").columns.items()}
    assert kinds == {"a": "number", "b": "string", "c": "bool", "d": "list", "e": None}
    assert not gather(records, "b").columns["b"].has_codes
    coded(records, "b")
    assert gather(records, "b").columns["b"].has_codes
    assert before.columns == {}


def test_what_is_handed_out_does_not_change_afterwards() -> None:
    records = Records("d", [{"a": 1}])
    records.row_passes["a"] += 2
    before = gather(records, ["a", "b"])
    records.row_passes["a"] += 1
    assert before.row_passes == {"a": 2}
    assert gather(records, ["a"]).row_passes == {"a": 3}


def test_statistics_print_as_a_line_for_each_field(flights: Records) -> None:
    flights.column("carrier")
    lines = str(gather(flights, ["carrier", "delay", "crew.name", "id"])).splitlines()
    assert lines[0] == "flights: 6,000 rows"
    assert lines[1].startswith(
        "  carrier: string; 4 distinct; 0 null; 'AA' to 'UA'; most common 'UA' "
    )
    assert lines[1].endswith("; from 2,000 rows [string column]")
    assert "null, number" in lines[2]
    assert "through lists" in lines[3]
    hostile = str(of("\x1b[31m\n" * 99, "a"))
    assert "\n" not in hostile
    assert "\x1b" not in hostile
    assert str(of([1])).startswith("a: list; 0 distinct")
    assert str(of(1)).startswith("a: number; unique; 0 null; 1 to 1")
    assert str(of()) == "a: no values; 0 distinct; 0 null"


AWKWARD = [
    None,
    True,
    -1.5,
    float("inf"),
    10**400,
    "a\ud800",
    date(2013, 1, 1),
    datetime(2013, 1, 1, 5, tzinfo=UTC),
    Decimal("1.10"),
    [1, [2]],
    {"x": {"y": 1}},
    {"$": "date", "value": "z"},
]


def test_statistics_survive_json(flights: Records) -> None:
    rows = [{"a": value, "b": {"c": [{"d": value}, {}]}} for value in AWKWARD]
    for records in (Records("d", rows), flights):
        for path in ("carrier", "id"):
            records.column(path)
        told = gather(records, ["a", "b.c.d", "carrier", "id", "delay", "crew.name"])
        told = TableStatistics(told.database, 9_000, told.fields, told.columns, {"a": 3})
        read = TableStatistics.from_json(told.to_json())
        assert read == told
        assert TableStatistics.from_dict(json.loads(json.dumps(told.to_dict()))) == told
        assert told.fields["carrier"].to_dict()["field"] == "carrier"


@given(databases())
def test_statistics_of_anything_survive_json(rows: list[dict[str, Any]]) -> None:
    told = gather(Records("db", rows), PATHS)
    assert TableStatistics.from_json(told.to_json()).to_dict() == told.to_dict()


def test_values_nested_without_end_and_of_foreign_types_are_written_plainly() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    told = gather(Records("d", [{"a": deep}, {"a": np.int64(7)}, {"a": 5j}]), ["a"])
    read = TableStatistics.from_json(told.to_json()).fields["a"]
    assert read.sample[1:] == (7, "5j")


def test_statistics_read_back_make_the_same_plan(flights: Records) -> None:
    query = StructuredQuery(
        database="flights",
        filters=[QueryFilter("carrier", "eq", "HA"), QueryFilter("distance", "gt", 2_500)],
    )
    told = gather(flights, ["carrier", "distance"])
    read = TableStatistics.from_json(told.to_json())
    optimizer = CostBasedOptimizer(statistics=[read])
    expected = CostBasedOptimizer().optimize_query(query, told).plan
    assert optimizer.generate_execution_plan(query) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2 cannot be read; format 1 can"),
        ({"row_count": -1}, "-1 is not a number of rows"),
        ({"row_count": True}, "True is not a number of rows"),
        ({"columns": {"a": {"kind": "date", "has_codes": False}}}, "a column of kind 'date'"),
        ({"fields": {"a": {}}}, "KeyError: 'field'"),
        ({"fields": 5}, "'int' object has no attribute 'items'"),
    ],
)
def test_statistics_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    written = gather(Records("d", [{"a": 1}]), ["a"]).to_dict()
    with pytest.raises(OptimizerError, match=message):
        TableStatistics.from_dict(written | change)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("null_fraction", 2),
        ("null_fraction", "a"),
        ("numbers", {"bounds": [], "fraction": 1.0}),
        ("kinds", ["number", "complex"]),
        ("sample", [{"$": "pickle", "value": "x"}]),
        ("most_common", [[{"$": "decimal", "value": "x"}, 0.5]]),
    ],
)
def test_fields_that_cannot_be_are_refused(name: str, value: Any) -> None:
    written: dict[str, Any] = gather(Records("d", [{"a": 1}]), ["a"]).to_dict()
    written["fields"]["a"][name] = value
    with pytest.raises(OptimizerError, match="statistics cannot be read"):
        TableStatistics.from_dict(written)


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(OptimizerError, match="not JSON"):
        TableStatistics.from_json("{")
    with pytest.raises(OptimizerError, match="format"):
        TableStatistics.from_json("[]")


def test_texts_are_tried_evenly_over_all_that_are_kept() -> None:
    known = of(*(f"t{n:05}" for n in range(SAMPLE_ROWS)))
    tried = known.tried_texts
    assert TRIED_TEXTS / 2 < len(tried.names) <= TRIED_TEXTS
    assert sum(tried.fractions) == pytest.approx(1.0)
    assert not tried.is_all
    few = of("a", "b", "b", None).tried_texts
    assert few.is_all
    assert dict(zip(few.names, few.fractions, strict=True)) == {"a": 0.25, "b": 0.5}


def test_of_long_texts_fewer_are_tried() -> None:
    known = of(*(f"{n:05}" + "x" * 995 for n in range(SAMPLE_ROWS)))
    assert len(known.tried_texts.names) * 1_000 < 2 * TRIED_CHARACTERS
    assert sum(known.tried_texts.fractions) == pytest.approx(1.0)


def test_members_of_lists_are_counted_once_a_row() -> None:
    known = of(["a", "a", 1], ["b", True], [], None)
    assert [known.member_fraction(member) for member in ("a", "b", "c")] == [0.25, 0.25, 0.0]
    assert known.member_fraction(1) == known.member_fraction(True) == 0.25
    assert of(["a"], "a").member_fraction("a") is None
