"""Tests of one value that are fast because of what Python finds equal are right in spite of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from blackcore.minimal.query_engine import QueryFilter
from blackcore.minimal.query_engine.data import Records
from blackcore.minimal.query_engine.execution.predicates import surviving_ids
from blackcore.minimal.query_engine.query import matches


class Alike:
    """What Python finds equal to anything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # equal to all, it has no hash


LISTS: list[Any] = [
    ["a", "b"],
    [Alike()],
    [Alike(), "a"],
    [date(2013, 1, 1)],
    ["2013-01-01"],
    [1, 2.0],
    [True],
    [Decimal(1), np.int64(2)],
    [float("nan")],
    [None],
    [["a"]],
    [],
    None,
    "a text",
]


@pytest.mark.parametrize("operator", ["contains", "not_contains"])
@pytest.mark.parametrize(
    "member", ["a", "2013-01-01", 1, 2, 2.0, True, False, None, Decimal(1), date(2013, 1, 1)]
)
def test_a_member_of_a_list_is_what_json_finds_equal(member: Any, operator: str) -> None:
    rows = [{"a": cell} for cell in LISTS]
    condition = QueryFilter("a", operator, member)
    expected = [i for i, row in enumerate(rows) if matches(condition, row)]
    everything = range(len(rows))
    found = surviving_ids(condition, Records("db", rows), everything, pattern_timeout_seconds=1)
    assert found == expected
