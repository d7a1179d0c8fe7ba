"""One filter on one field: every way of evaluating it tells what the plain evaluator tells.

Each kind of column holds all the awkward values of its kind at once, and is asked about every
awkward value there is, with every operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import QueryFilter, QueryOperator
from blackcore.minimal.query_engine.data import AnyColumn, ListColumn, Records, RowIds
from blackcore.minimal.query_engine.data.columns import Mask
from blackcore.minimal.query_engine.execution.list_masks import list_mask_of
from blackcore.minimal.query_engine.execution.masks import mask_of
from blackcore.minimal.query_engine.execution.predicates import surviving_ids
from blackcore.minimal.query_engine.execution.row_filters import RowFilters
from blackcore.minimal.query_engine.query import matches
from tests.strategies import FIELD_KINDS, ManyRecords, cases, one_field

BIG = 2**53
SMALL_INTEGERS = [0, 1, -1, 2, 3, -2, BIG, BIG + 1, -BIG - 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.0, 1.5, -1.5, 0.5, float(BIG), 1e300, 5e-324, float("inf"), float("-inf")]
HUGE = [2**63, -(2**63) - 1, 2**64, 10**30, 10**400, -(10**400)]
TEXTS = ["", "a", "A", "ab", "aB", "b", "ß", "SS", "ss", "ſ", "s", "K", "k", "\u212a", "ﬁ", "fi"]
TEXTS += ["é", "e\u0301", "日本", "🙂", "a.b", "\x00", "a\nb", "True", "1", "null"]
ISO = ["2013-01-01", "2013-01-01T00:00:00", "2013-01-01T01:00:00+01:00", "2013-01-02", "20130101"]
ROUGH = ["\ud800", "a\udfffb"]
DATES = [
    date(2013, 1, 1),
    datetime(2013, 1, 1, tzinfo=UTC),
    datetime(2013, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    datetime(2013, 1, 1, 12),  # what has no zone is read as UTC
]
NESTED: list[object] = [[], ["a"], ["A", 1], [1.0], [None], {"x": 1}, {"x": 1.0}, {}]

COLUMNS: dict[str, Sequence[object]] = {
    "integers": SMALL_INTEGERS,
    "huge integers": SMALL_INTEGERS + HUGE,
    "floats": [*FLOATS, float("nan")],
    "numbers": [0, 1, -2, 3, BIG, *FLOATS],
    "numbers that no float holds": [BIG + 1, *FLOATS, 0],
    "decimals": [Decimal(1), Decimal("1.5"), 1, 0.5, Decimal("NaN")],
    "booleans": [True, False],
    "booleans and numbers": [True, False, 0, 1, 1.0],
    "texts": TEXTS + ISO,
    "plain texts": ["", "a", "A", "ab", "aB", "b", "BB", "a.b", "a\nb", "1"],
    "many equal texts": ["a", "A", "b"] * 9,
    "rough texts": TEXTS + ROUGH,
    "dates": [*DATES, *ISO, "soon"],
    "nested": NESTED,
    "anything": [*NESTED, *FLOATS, *SMALL_INTEGERS, *TEXTS, True, False],
    "nothing": [None, None],
    "lists of texts": [[], ["a"], ["A", "b"], ["ß", "ss"], ISO, [None, "B"], TEXTS],
    "lists of numbers": [[], [1], [0, 1, 2], [-1, None], SMALL_INTEGERS],
    "lists of floats": [[0.5], [], [1.0, float("nan")], FLOATS],
    "lists of booleans": [[True], [False, True], [], [None]],
    "texts through lists": [
        [{"x": "a"}, {"x": "B"}],
        [],
        [{}],
        [{"x": None}, {"x": "ab"}],
        {"x": "ss"},
        [{"x": text} for text in TEXTS + ISO],
    ],
    "numbers through lists": [[{"x": 1}, {"x": 2}], [], [{"x": float(BIG)}, {}], [[{"x": 0.5}]]],
    "lists through lists": [[{"x": ["a"]}, {"x": []}], [{"x": ["b", "a"]}]],
}
OPERANDS: list[object] = [*SMALL_INTEGERS, *HUGE, *FLOATS, *TEXTS, *ISO, *ROUGH, *DATES, *NESTED]
OPERANDS += [None, True, False, Decimal(1), Decimal("0.5"), float(2**63), -1e308, 2.5, "B", "zz"]
PATTERNS = [
    "a",
    "^a",
    "b$",
    "",
    "[ab]{2}",
    "(?i)A",
    "\\w",
    ".",
    "(?=a)",
    "(a)\\1",
    "s|K",
    "^$",
    "K",
]


def filters(operator: QueryOperator, path: str) -> Iterator[QueryFilter]:
    """Yield a filter for every operand that the operator takes."""
    if operator is QueryOperator.REGEX:
        values: list[object] = list(PATTERNS)
    elif operator is QueryOperator.FUZZY:
        thresholds = (0, 0.4, 0.5, 0.8, 1)
        values = [{"text": t, "threshold": h} for t in [*TEXTS, *ROUGH] for h in thresholds]
    elif operator in (QueryOperator.IN, QueryOperator.NOT_IN):
        values = [
            [],
            OPERANDS,
            HUGE,
            ISO,
            DATES,
            ROUGH,
            [True],
            [2.5, 10**400],
            [1, "a", None],
            [1, 0.5],
        ]
    elif operator is QueryOperator.BETWEEN:
        ends = [-(10**400), -1.5, 0, 1, 1.0, BIG, 2**63, "", "a", "b", "2013-01-01", DATES[0], True]
        values = [[low, high] for low in ends for high in ends]
    elif operator in (QueryOperator.IS_NULL, QueryOperator.IS_NOT_NULL):
        values = [None]
    else:
        values = OPERANDS
    for value in values:
        yield QueryFilter(path, operator, value)
        if not isinstance(value, int | float | None):
            yield QueryFilter(path, operator, value, case_sensitive=False)


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("operator", list(QueryOperator))
def test_every_way_tells_of_awkward_values_what_the_evaluator_tells(
    operator: QueryOperator, kind: str
) -> None:
    cells = COLUMNS[kind]
    without_null = Records("db", [{"a": cell} for cell in cells])
    with_null = Records("db", [*({"a": cell} for cell in cells), {"a": None}, {}])
    for condition in filters(operator, "a.x" if "through" in kind else "a"):
        assert_every_way_agrees(condition, without_null)
        assert_every_way_agrees(condition, with_null)


@pytest.mark.parametrize("kind", sorted(FIELD_KINDS))
@cases(60, 625)  # for each kind
@given(data=st.data())
def test_every_way_tells_of_generated_values_what_the_evaluator_tells(
    kind: str, data: st.DataObject
) -> None:
    rows, condition = data.draw(one_field(kind))
    assert_every_way_agrees(condition, Records("db", rows))


def assert_every_way_agrees(condition: QueryFilter, records: Records) -> None:
    rows = records.rows
    every, some = list(range(len(rows))), list(range(0, len(rows), 2))
    expected = [i for i in every if matches(condition, rows[i])]
    expected_of_some = [i for i in expected if i in some]
    told = str(condition)
    assert surviving(condition, records, every) == expected, told
    assert surviving(condition, records, some) == expected_of_some, told
    for chunk_rows in (3, 1_000):
        scanned = RowFilters(ManyRecords("db", rows), 5, chunk_rows=chunk_rows)
        assert list(scanned.passed([condition], None).ids) == expected, told
        assert list(scanned.passed([condition], some).ids) == expected_of_some, told
    column = records.column_store.column(condition.field)
    if column is None:
        return
    for once in (False, True):
        whole = mask(condition, column, None, once)
        if whole is not None:
            assert np.flatnonzero(whole).tolist() == expected, told
        ids = np.array(some, dtype=np.uint32)
        part = mask(condition, column, ids, once)
        if part is not None:
            assert ids[np.flatnonzero(part)].tolist() == expected_of_some, told


def mask(condition: QueryFilter, column: AnyColumn, ids: RowIds | None, once: bool) -> Mask | None:
    if isinstance(column, ListColumn):
        return list_mask_of(condition, column, ids, once_per_distinct=once)
    return mask_of(condition, column, ids, once_per_distinct=once)


def surviving(condition: QueryFilter, records: Records, ids: Sequence[int]) -> list[int]:
    return surviving_ids(condition, records, ids, pattern_timeout_seconds=5)
