"""What each way of looking at the rows costs, and when the choice turns."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from blackcore.minimal.query_engine import FilterGroup, QueryFilter, QueryOperator, field
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.optimization import CostModel, Way, gather
from blackcore.minimal.query_engine.optimization.statistics import TableStatistics
from blackcore.minimal.query_engine.query import Condition, condition_fields

MODEL = CostModel()


def ways(
    records: Records, condition: Condition, surviving: float = 1.0, model: CostModel = MODEL
) -> dict[Way, float]:
    return model.ways(condition, gather(records, condition_fields(condition)), surviving)


def cheapest(records: Records, condition: Condition, surviving: float = 1.0) -> Way:
    costs = ways(records, condition, surviving)
    return min(costs, key=lambda way: costs[way])


@pytest.fixture
def warm(flights: Records) -> Records:
    """The flights with the columns of a few fields made."""
    records = Records(flights.name, flights.rows)
    for path in ("carrier", "distance", "note", "mixed"):
        records.column(path)
    return records


def test_a_column_that_is_there_is_compared_whole(warm: Records) -> None:
    assert cheapest(warm, field("distance") > 5) is Way.COLUMN
    assert cheapest(warm, field("carrier") == "UA") is Way.COLUMN


def test_dear_tests_look_at_survivors_once_there_are_few(warm: Records) -> None:
    condition = field("note").fuzzy("late snow")
    assert cheapest(warm, condition, surviving=0.001) in (Way.SURVIVORS, Way.ROWS)
    costs = ways(warm, condition, surviving=0.001)
    assert costs[Way.SURVIVORS] < costs[Way.COLUMN] / 10
    whole = ways(warm, condition, surviving=1.0)
    assert whole[Way.COLUMN] < whole[Way.SURVIVORS]


def test_few_distinct_values_are_tested_once_each(warm: Records) -> None:
    column = warm.column("carrier")
    _ = column.codes  # type: ignore[union-attr]  # a string column
    assert cheapest(warm, field("carrier").fuzzy("UA")) is Way.DISTINCT
    assert cheapest(warm, field("carrier").equals("ua", case_sensitive=False)) is Way.DISTINCT


def test_a_field_without_a_column_has_the_rows_alone(warm: Records) -> None:
    assert set(ways(warm, field("mixed") == 1)) == {Way.ROWS}
    nothing = TableStatistics("d", 1_000)
    assert set(MODEL.ways(field("a") == 1, nothing, 1.0)) == {Way.ROWS}


def test_a_column_of_lists_costs_by_the_values_of_a_row(flights: Records) -> None:
    one, many = ({"tags": ["a"] * size} for size in (1, 20))
    few = Records("d", [one] * 6_000)
    lots = Records("d", [many] * 6_000)
    condition = field("tags").contains("a")
    for records in (few, lots):
        assert records.column_store.column("tags") is not None
    assert ways(lots, condition)[Way.COLUMN] > 5 * ways(few, condition)[Way.COLUMN]
    through_lists = field("crew.name") == "Ann"
    assert Way.COLUMN in ways(flights, through_lists)


def test_fields_of_lists_have_columns_too_that_cost_by_their_values(flights: Records) -> None:
    condition = field("crew.name") == "Ann"
    cold = ways(flights, condition)
    assert set(cold) == {Way.ROWS, Way.COLUMN, Way.SURVIVORS, Way.DISTINCT}
    long = Records("flights", [{"crew": row["crew"] * 20} for row in flights.rows])
    assert ways(long, condition)[Way.SURVIVORS] > 2 * cold[Way.SURVIVORS]
    flights.column_store.column("crew.name")
    assert ways(flights, condition)[Way.COLUMN] < cold[Way.COLUMN] / 3
    assert cheapest(flights, condition) in (Way.COLUMN, Way.DISTINCT)
    tags = Records("d", [{"tags": ["a", "b"]} for _ in range(1_000)])
    assert Way.COLUMN in ways(tags, field("tags").contains("a"))


def test_no_column_is_offered_where_the_sample_shows_values_of_two_kinds() -> None:
    mixed = Records("d", [{"a": n if n % 2 else "x", "b": {"c": 1}} for n in range(1_000)])
    assert set(ways(mixed, field("a") == 1)) == {Way.ROWS}
    assert set(ways(mixed, field("b") == 1)) == {Way.ROWS}


def test_a_text_in_any_case_costs_its_folding_a_list_the_specification(flights: Records) -> None:
    exact, any_case = (field("note").contains("snow", case_sensitive=c) for c in (True, False))
    assert ways(flights, any_case)[Way.ROWS] > ways(flights, exact)[Way.ROWS]
    listed = QueryFilter("note", QueryOperator.IN, ["snow", "rain"], case_sensitive=False)
    assert ways(flights, listed)[Way.ROWS] > 3 * ways(flights, any_case)[Way.ROWS]


def test_a_group_looks_only_at_rows_that_are_not_decided_yet(warm: Records) -> None:
    rare, dear = field("distance") < 110, field("note").regex("l.*te")
    alone = ways(warm, dear)[Way.SURVIVORS]
    after_rare = ways(warm, FilterGroup("and", [rare, dear]))[Way.SURVIVORS]
    assert after_rare < alone / 2
    after_most = ways(warm, FilterGroup("or", [field("distance") > 110, dear]))[Way.SURVIVORS]
    assert after_most < alone / 2
    assert ways(warm, FilterGroup("or", [rare, dear]))[Way.SURVIVORS] > alone


def test_a_column_not_made_yet_costs_its_making(flights: Records, warm: Records) -> None:
    cold = Records(flights.name, flights.rows)
    condition = field("distance") > 5
    assert ways(cold, condition)[Way.COLUMN] > ways(warm, condition)[Way.COLUMN]
    # for a handful of survivors it is not worth it
    assert cheapest(cold, condition, surviving=1e-4) is Way.ROWS
    # nor the first time that a field is asked for, which may be the last
    assert cheapest(cold, condition) is Way.ROWS
    cold.row_passes["distance"] += 1
    assert cheapest(cold, condition) is Way.COLUMN


def test_rows_that_the_filter_before_has_looked_at_cost_less(flights: Records) -> None:
    cold = Records(flights.name, flights.rows)
    condition = field("distance") > 5
    statistics = gather(cold, ["distance"])
    for surviving in (1.0, 0.1):
        passing = MODEL.ways(condition, statistics, surviving, passing=True)
        assert passing[Way.ROWS] < MODEL.ways(condition, statistics, surviving)[Way.ROWS]
    both = FilterGroup("and", [condition, condition])
    assert ways(cold, both)[Way.ROWS] < 2 * ways(cold, condition)[Way.ROWS]


def test_a_making_spread_over_more_uses_costs_each_less(flights: Records) -> None:
    cold = Records(flights.name, flights.rows)
    cold.row_passes["distance"] += 1
    condition = field("distance") > 5
    once, often = CostModel(expected_uses=1), CostModel(expected_uses=100)
    assert (
        ways(cold, condition, model=once)[Way.COLUMN]
        > 10 * ways(cold, condition, model=often)[Way.COLUMN]
    )


def test_a_nested_field_costs_more_by_rows() -> None:
    rows = [{"a": {"b": n}, "c": n} for n in range(1_000)]
    records = Records("d", rows)
    assert ways(records, field("a.b") == 1)[Way.ROWS] > 2 * ways(records, field("c") == 1)[Way.ROWS]
    assert ways(records, field("a.b") == 1)[Way.COLUMN] > ways(records, field("c") == 1)[Way.COLUMN]


@pytest.mark.parametrize(
    ("cheaper", "dearer"),
    [
        (field("distance") > 5, field("carrier") == "UA"),
        (field("note") == "late", field("note").contains("late")),
        (field("note").contains("late"), field("note").regex("late")),
        (field("note").regex("late"), field("note").fuzzy("late")),
        (field("note").fuzzy("late"), field("note").regex("(?=late)")),
        (field("note") == "late", field("note").equals("late", case_sensitive=False)),
        (field("note").is_null(), field("note") == "late"),
    ],
    ids=str,
)
def test_tests_are_ranked_by_what_they_do_to_a_value(
    warm: Records, cheaper: Condition, dearer: Condition
) -> None:
    assert ways(warm, cheaper)[Way.COLUMN] < ways(warm, dearer)[Way.COLUMN]


def test_a_group_costs_the_sum_of_its_members(warm: Records) -> None:
    near, ours = field("distance") < 500, field("carrier") == "UA"
    group = ways(warm, FilterGroup("or", [near, ours]))
    assert group[Way.COLUMN] == pytest.approx(
        ways(warm, near)[Way.COLUMN] + ways(warm, ours)[Way.COLUMN]
    )
    with_rows_only = ways(warm, FilterGroup("or", [near, field("mixed") == 1]))
    assert with_rows_only[Way.COLUMN] >= ways(warm, field("mixed") == 1)[Way.ROWS]
    assert set(ways(warm, FilterGroup("and"))) <= set(Way)


def test_costs_grow_with_the_rows_and_with_those_in_question(flights: Records) -> None:
    condition = field("note").contains("late")
    half = Records(flights.name, flights.rows[: len(flights) // 2])
    assert ways(flights, condition)[Way.COLUMN] > 1.5 * ways(half, condition)[Way.COLUMN]
    assert ways(flights, condition)[Way.ROWS] > ways(flights, condition, 0.1)[Way.ROWS]


def test_other_figures_turn_the_choice(warm: Records) -> None:
    condition = field("note").contains("late")
    dear_rows = CostModel(row_lookup_ns=1e6, scattered_lookup_ns=1e6)
    cheap_rows = CostModel(row_lookup_ns=0.001, scattered_lookup_ns=0.001, row_test_ns=0.001)
    costs = ways(warm, condition, model=dear_rows)
    assert min(costs, key=lambda way: costs[way]) is not Way.ROWS
    cheap = ways(warm, condition, model=cheap_rows)
    assert cheap[Way.ROWS] < costs[Way.ROWS]


def test_ordering_under_a_limit_is_cheaper_than_a_full_sort() -> None:
    assert MODEL.order_ns(1_000_000, 100) < MODEL.order_ns(1_000_000, None) / 5
    assert MODEL.order_ns(100, 100) == MODEL.order_ns(100, None)
    assert MODEL.order_ns(1_000_000, 900_000) == MODEL.order_ns(1_000_000, None)


def test_a_cost_model_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        MODEL.sort_ns = 0.0  # type: ignore[misc]  # what is tested
