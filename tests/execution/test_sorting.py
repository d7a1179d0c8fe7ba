"""Rows in order by columns: the order that the plain evaluator gives, under every limit."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from blackcore.minimal.query_engine import SortField
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.execution.sorting import sorted_in_python, sorted_prefix
from blackcore.minimal.query_engine.query.evaluator import sorted_ids

DRAW = random.Random(5)  # noqa: S311 - test data
BIG = 2**63 - 1


def gappy(value: Any) -> Any:
    return None if DRAW.random() < 0.2 else value


ROWS: list[dict[str, Any]] = [
    {
        "few": DRAW.randrange(3),
        "gaps": gappy(DRAW.randrange(-2, 3)),
        "fraction": gappy(DRAW.choice([0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan")])),
        "large": gappy(DRAW.choice([BIG, -BIG - 1, 0, BIG - 1])),
        "text": gappy(DRAW.choice(["", "a", "b", "é", "🙂", "\uffff"])),
        "flag": gappy(DRAW.random() < 0.5),
        "nothing": None if n else 1,
        "unique": n * 37 % 101,
    }
    for n in range(90)
]
RECORDS = Records("db", ROWS)
NAMES = list(ROWS[0])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_one_field_sorts_as_the_evaluator_sorts_under_every_limit(
    name: str, descending: bool
) -> None:
    assert_sorted([SortField(name, "desc" if descending else "asc")])


@pytest.mark.parametrize("seed", range(40))
def test_fields_break_each_others_ties_as_the_evaluator_has_it(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - test data
    names = draw.sample(NAMES, draw.randrange(2, 4))
    assert_sorted([SortField(name, draw.choice(["asc", "desc"])) for name in names])


def assert_sorted(fields: list[SortField]) -> None:
    for ids in (list(range(90)), list(range(0, 90, 2)), list(range(89, -1, -1)), [5], []):
        expected = sorted_ids(ids, fields, ROWS)
        for limit in (None, 1, 2, 3, 5, 8, 10, 15, 22, 23, 45, 90, 200):
            found = sorted_prefix(
                np.array(ids, dtype=np.uint32), fields, RECORDS, RECORDS.column, limit=limit
            )
            assert found.dtype == np.uint32
            assert found.tolist() == expected[:limit], (fields, limit)
        assert sorted_in_python(ids, fields, RECORDS) == expected


def test_many_rows_sort_by_values_that_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Records, "keeps_cells", property(lambda _: False))
    for name in NAMES:
        assert_sorted([SortField(name, "desc"), SortField("few")])


def test_a_field_without_a_column_is_sorted_by_its_values() -> None:
    rows: list[dict[str, Any]] = [{"a": cell} for cell in ([1], "b", 2, None, True, {"x": 1})]
    records = Records("db", rows)
    ids = np.arange(6, dtype=np.uint32)
    for order in ("asc", "desc"):
        fields = [SortField("a", order)]
        found = sorted_prefix(ids, fields, records, records.column, limit=4)
        assert found.tolist() == sorted_ids(ids.tolist(), fields, rows)[:4]
