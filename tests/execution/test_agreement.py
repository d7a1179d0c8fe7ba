"""Whatever way a plan goes, the answer is the plain evaluator's: rows, order and count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

from hypothesis import given

from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.execution import Executor, column_filters, row_filters
from blackcore.minimal.query_engine.optimization import (
    CostBasedOptimizer,
    ExecutionPlan,
    Way,
    gather,
)
from blackcore.minimal.query_engine.optimization import plan as plan_module
from blackcore.minimal.query_engine.optimization.query_optimizer import (
    needed_fields,
    plan_as_written,
)
from blackcore.minimal.query_engine.query import StructuredQuery, evaluate
from blackcore.minimal.query_engine.settings import ExecutionSettings
from tests.strategies import AGREEMENT, ManyRecords, questions

ROWS_ONLY = ExecutionSettings(columns_from_rows=10**9, answer_prefix_rows=1)
COLUMNS = ExecutionSettings(columns_from_rows=0, answer_prefix_rows=1)
Question = tuple[list[dict[str, Any]], StructuredQuery]


def plan_of(query: StructuredQuery, records: Records, settings: ExecutionSettings) -> ExecutionPlan:
    statistics = gather(records, needed_fields(query))
    return CostBasedOptimizer(settings=settings).optimize_query(query, statistics).plan


def assert_answers(plan: ExecutionPlan, records: Records, query: StructuredQuery) -> None:
    answer, _ = Executor(COLUMNS).execute(plan, records)
    expected = evaluate(query, records.rows)
    assert answer.total_rows == len(expected)
    page = query.pagination
    if page is None:
        assert answer.ids.tolist() == expected
    else:
        assert answer.covers(page.stop)
        assert answer.ids[page.start : page.stop].tolist() == expected[page.start : page.stop]


@AGREEMENT
@given(questions())
def test_plans_for_rows_and_for_columns_cold_and_warm_answer_like_the_evaluator(
    question: Question,
) -> None:
    rows, query = question
    records = Records("db", rows)
    assert_answers(plan_of(query, records, ROWS_ONLY), records, query)
    for _ in ("cold", "warm"):
        assert_answers(plan_of(query, records, COLUMNS), records, query)


@AGREEMENT
@given(questions())
def test_every_way_forced_on_every_stage_answers_like_the_evaluator(question: Question) -> None:
    rows, query = question
    records = Records("db", rows)
    plan = plan_of(query, records, COLUMNS)
    assert_answers(plan_as_written(query, len(rows)), records, query)
    for way in Way:
        stages = tuple(stage._replace(way=way) for stage in plan.filter_stages)
        assert_answers(replace(plan, filter_stages=stages), records, query)


@AGREEMENT
@given(questions())
def test_rows_that_are_passed_over_in_chunks_answer_like_the_evaluator(question: Question) -> None:
    rows, query = question
    records = ManyRecords("db", rows)
    with patch.object(row_filters, "CHUNK_ROWS", 3):
        for settings in (ROWS_ONLY, COLUMNS, COLUMNS, COLUMNS):  # cold, then with more columns
            assert_answers(plan_of(query, records, settings), records, query)


@AGREEMENT
@given(questions())
def test_survivors_picked_from_a_mask_at_once_answer_like_the_evaluator(
    question: Question,
) -> None:
    rows, query = question
    records = Records("db", rows)
    plan = plan_of(query, records, COLUMNS)
    few = dict.fromkeys(("_CHEAP_FRACTION", "_SURVIVORS_FRACTION", "_SPARSE_FRACTION"), 1)
    with patch.multiple(column_filters, **few), patch.object(plan_module, "DISTINCT_FRACTION", 1):
        for way in (Way.COLUMN, Way.SURVIVORS, Way.DISTINCT):
            stages = tuple(stage._replace(way=way) for stage in plan.filter_stages)
            assert_answers(replace(plan, filter_stages=stages), records, query)
