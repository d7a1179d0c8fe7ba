"""Estimates of what a condition leaves: near the truth on seeded data, for every operator."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

from blackcore.minimal.query_engine import FilterGroup, QueryFilter, field
from blackcore.minimal.query_engine.data import Records, StringColumn
from blackcore.minimal.query_engine.optimization import TableStatistics, gather
from blackcore.minimal.query_engine.optimization.selectivity import (
    UNKNOWN_SELECTIVITY,
    backed_off,
    selectivity,
)
from blackcore.minimal.query_engine.optimization.statistics import FEW_TEXTS
from blackcore.minimal.query_engine.query import Condition, QueryOperator, condition_fields, matches
from blackcore.minimal.query_engine.query.patterns import Pattern
from tests.strategies import questions

CONDITIONS: list[Condition] = [
    field("carrier") == "UA",
    field("carrier") == "HA",
    field("carrier") == "none",
    field("carrier") != "UA",
    field("carrier").equals("ua", case_sensitive=False),
    field("carrier").is_in(["AA", "HA", "none"]),
    field("carrier").not_in(["AA", "HA"]),
    field("carrier") > "DL",
    field("carrier") >= "DL",
    field("carrier") < "DL",
    field("carrier") <= "DL",
    field("carrier").between("B", "E"),
    field("carrier") > 5,
    field("id") == 77,
    field("id").is_in(list(range(0, 6_000, 200))),
    field("distance") > 2_500,
    field("distance") >= 2_500,
    field("distance") < 400,
    field("distance") <= 400.5,
    field("distance").between(1_000, 1_500),
    field("distance").between(1_500, 1_000),
    field("distance") > "x",
    field("delay") > 0,
    field("delay") <= -30,
    field("delay").is_null(),
    field("delay").is_not_null(),
    field("delay") == None,  # noqa: E711 - a condition
    field("delay") != None,  # noqa: E711 - a condition
    field("delay").is_in([None]),
    field("note").contains("snow"),
    field("note").contains("SNOW", case_sensitive=False),
    field("note").not_contains("late"),
    field("note").regex("^(late|snow)"),
    field("note").regex("GATE", case_sensitive=False),
    field("note").fuzzy("late snow gate crew", threshold=0.7),
    field("tailnum").regex("A$"),
    field("tailnum").fuzzy("N123A"),
    field("tailnum").contains("11"),
    field("diverted") == True,  # noqa: E712 - a condition
    field("diverted").is_in([True, False]),
    field("mixed") == 1,
    field("mixed") == "x",
    field("mixed") == [1],
    field("mixed").contains(1),
    field("mixed").is_null(),
    field("mixed") > 0,
    field("crew.name") == "Ann",
    field("crew.name") != "Ann",
    field("crew.name").regex("^A"),
    field("crew.name").is_null(),
    field("distance") > date(2013, 1, 1),
    (field("carrier") == "UA") & (field("distance") > 2_000),
    (field("carrier") == "HA") | (field("delay").is_null()),
    ~((field("carrier") == "UA") | (field("carrier") == "AA")),
    FilterGroup("and"),
    FilterGroup("or"),
]
FAR_OFF = {
    # a few values are tried, as the specification does
    str(field("carrier").equals("ua", case_sensitive=False)): 0.15,
    str(field("note").contains("SNOW", case_sensitive=False)): 0.15,
}


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_an_estimate_is_near_the_truth(flights: Records, condition: Condition) -> None:
    looked_at = flights.rows[::4]
    truth = sum(matches(condition, row) for row in looked_at) / len(looked_at)
    estimate = selectivity(condition, gather(flights, condition_fields(condition)))
    assert estimate == pytest.approx(truth, abs=FAR_OFF.get(str(condition), 0.07))


@pytest.mark.parametrize("coded", [False, True], ids=["from a sample", "from codes"])
@pytest.mark.parametrize(
    ("condition", "times"),
    [
        (field("tailnum").fuzzy("N123A", threshold=0.9), 6),
        (field("tailnum").fuzzy("N123A", threshold=0.8), 2),
        (field("tailnum").fuzzy("n123a", threshold=0.7, case_sensitive=False), 1.5),
        (field("tailnum").regex("^N1.7C$"), 2),
        (field("tailnum") == "N123A", 3),
        (field("carrier").fuzzy("HA"), 3),
    ],
    ids=str,
)
def test_rare_texts_are_not_far_off(
    flights: Records, condition: QueryFilter, times: float, coded: bool
) -> None:
    if coded:
        column = flights.column(condition.field)
        assert isinstance(column, StringColumn)
        assert len(column.codes) == len(flights)
        times = min(times, 1.5)
    truth = sum(matches(condition, row) for row in flights.rows)
    estimate = len(flights) * selectivity(condition, gather(flights, [condition.field]))
    assert 1 / times <= max(estimate, 1) / max(truth, 1) <= times


@pytest.mark.parametrize(
    "members",
    [
        [field("distance") > 1_400, field("distance") < 1_500],
        [field("distance") >= 1_400, field("distance") <= 1_400],
        [field("distance").between(100, 2_000), field("distance") > 1_900],
        [field("carrier") != "UA", field("carrier") != "AA"],
        [field("carrier").not_in(["UA", "AA"]), field("carrier").is_not_null()],
        [field("delay").is_not_null(), field("delay") > 0],
        [field("tailnum") >= "N2", field("tailnum") < "N21"],
    ],
    ids=lambda members: " and ".join(map(str, members)),
)
def test_conditions_on_one_field_are_estimated_together(
    flights: Records, members: list[QueryFilter]
) -> None:
    both = FilterGroup("and", members)
    truth = sum(matches(both, row) for row in flights.rows) / len(flights)
    estimate = selectivity(both, gather(flights, [members[0].field]))
    assert estimate == pytest.approx(truth, abs=0.03)
    opposite = selectivity(~both, gather(flights, [members[0].field]))
    assert opposite == pytest.approx(1 - estimate)


def test_fields_together_leave_less_than_the_best_of_them_and_more_than_if_independent(
    flights: Records,
) -> None:
    one, other = field("carrier") == "UA", field("distance") > 2_000
    statistics = gather(flights, ["carrier", "distance"])
    alone = [selectivity(each, statistics) for each in (one, other)]
    both = selectivity(one & other, statistics)
    assert alone[0] * alone[1] < both < min(alone)
    either = selectivity(one | other, statistics)
    assert max(alone) < either < sum(alone)
    assert backed_off([]) == 1.0


def test_every_operator_is_estimated() -> None:
    def operators(condition: Condition) -> set[QueryOperator]:
        if isinstance(condition, QueryFilter):
            return {condition.operator}
        return {operator for member in condition.filters for operator in operators(member)}

    assert {operator for c in CONDITIONS for operator in operators(c)} == set(QueryOperator)


@pytest.mark.parametrize(
    "condition", [field("carrier") == "none", field("distance") < 0, field("note").contains("zz")]
)
def test_a_sample_never_claims_that_no_row_or_every_row_matches(
    flights: Records, condition: Condition
) -> None:
    statistics = gather(flights, condition_fields(condition))
    assert 0.0 < selectivity(condition, statistics) < 0.01
    opposite = ~condition
    if isinstance(opposite, QueryFilter):
        assert 0.99 < selectivity(opposite, statistics) < 1.0


def test_without_statistics_the_estimate_is_a_guess() -> None:
    nothing = TableStatistics("d", 0)
    assert selectivity(field("a") == 1, nothing) == UNKNOWN_SELECTIVITY
    empty = gather(Records("d", []), ["a"])
    assert selectivity(field("a") == 1, empty) == UNKNOWN_SELECTIVITY
    both = (field("a") == 1) & (field("b") == 1)
    assert selectivity(both, nothing) == pytest.approx(0.33 * 0.33**0.5)
    twice = (field("a") > 1) & (field("a") < 5)
    assert 0.0 < selectivity(twice, nothing) < UNKNOWN_SELECTIVITY


def test_a_pattern_that_may_be_slow_is_guessed_and_not_run(flights: Records) -> None:
    statistics = gather(flights, ["note", "id"])
    assert selectivity(field("note").regex("(?=x)x"), statistics) == 0.1
    assert selectivity(field("id").regex("(?=x)x"), statistics) < 0.01  # no strings there
    assert selectivity(field("id").regex("1"), statistics) < 0.01
    assert selectivity(field("id").fuzzy("1"), statistics) < 0.01


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_a_rough_estimate_is_not_far_from_the_other(flights: Records, condition: Condition) -> None:
    statistics = gather(flights, condition_fields(condition))
    exact = selectivity(condition, statistics)
    assert selectivity(condition, statistics, roughly=True) == pytest.approx(exact, abs=0.15)


def test_a_rough_estimate_tries_few_texts(flights: Records) -> None:
    known = gather(flights, ["tailnum"]).fields["tailnum"]
    few = known.with_few_texts
    assert len(few.tried_texts.names) <= FEW_TEXTS < len(known.tried_texts.names)
    assert sum(few.tried_texts.fractions) == pytest.approx(sum(known.tried_texts.fractions))
    assert few.with_few_texts is few


@pytest.mark.parametrize("roughly", [True, False])
def test_a_text_is_tried_once_as_long_as_it_is_among_the_last_ones(
    flights: Records, monkeypatch: pytest.MonkeyPatch, roughly: bool
) -> None:
    statistics = gather(flights, ["note"])
    tried: list[str] = []
    search = Pattern.search_series
    monkeypatch.setattr(
        Pattern, "search_series", lambda self, s: (tried.append(self.text), search(self, s))[1]
    )
    asked = field("note").regex("la.e")
    first = selectivity(asked, statistics, roughly=roughly)
    assert selectivity(field("note").regex("la.e"), statistics, roughly=roughly) == first
    assert tried == ["la.e"]
    for number in range(1_500):
        selectivity(field("note").contains(f"{number}"), statistics, roughly=roughly)
    known = statistics.fields["note"]
    assert len((known.with_few_texts if roughly else known).tried_fractions) <= 1_000
    assert selectivity(asked, statistics, roughly=roughly) == first
    assert tried == ["la.e", "la.e"]


@settings(max_examples=25)
@given(questions())
def test_an_estimate_of_anything_is_a_fraction(question: tuple[list[dict[str, Any]], Any]) -> None:
    rows, query = question
    statistics = gather(Records("db", rows), query.field_paths)
    for condition in query.filters:
        assert 0.0 <= selectivity(condition, statistics) <= 1.0
        assert 0.0 <= selectivity(condition, statistics, roughly=True) <= 1.0
