"""Costs measured on this machine, by a clock that tells what one wants it to."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from itertools import count

import pytest

from blackcore.minimal.query_engine import CostBasedOptimizer, StructuredQuery, field
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.optimization import CostModel, calibrate, gather
from blackcore.minimal.query_engine.optimization.calibration import _BUDGET_NS

NOT_MEASURED = {"rows_start_ns", "expected_uses"}


def test_every_cost_is_measured() -> None:
    ticks = count(0, 1_000)
    default, measured = asdict(CostModel()), asdict(calibrate(clock=lambda: next(ticks)))
    same = {name for name in default if default[name] == measured[name]}
    # differences of two that take a tick each
    assert same == NOT_MEASURED | {"gathered_ns_per_character", "position_ns"}
    assert all(cost > 0 for cost in asdict(calibrate()).values())


def test_what_the_clock_tells_is_what_it_costs() -> None:
    ticks = count(0, 1_000)  # a measurement takes one tick
    measured = calibrate(clock=lambda: next(ticks))
    assert measured.number_start_ns == 1_000
    assert measured.row_lookup_ns == pytest.approx(1_000 / 20_000)
    assert measured.expected_uses == CostModel().expected_uses


def test_a_clock_that_stands_still_leaves_the_defaults() -> None:
    assert calibrate(clock=lambda: 0) == CostModel()


def test_a_slow_machine_gets_one_round_of_each() -> None:
    ticks = count(0, _BUDGET_NS)
    asked = 0

    def clock() -> int:
        nonlocal asked
        asked += 1
        return next(ticks)

    calibrate(clock=clock)
    figures = len(asdict(CostModel())) - len(NOT_MEASURED)
    assert asked <= 1 + 2 * (figures + 1)  # one is the difference of two


def test_a_measured_model_makes_plans(flights: Records) -> None:
    slow_numbers = replace(calibrate(clock=time.perf_counter_ns), number_compare_ns=1e6)
    query = StructuredQuery(
        database="flights", filters=[field("distance") > 5, field("carrier") == "HA"]
    )
    for path in ("distance", "carrier"):
        flights.column(path)
    made = CostBasedOptimizer(slow_numbers).optimize_query(
        query, gather(flights, ["distance", "carrier"])
    )
    assert made.filters[0] == (field("carrier") == "HA")
