"""What a question of the optimizer's suite is: by hand, to the engine, and to each peer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from blackcore.minimal.query_engine import QueryResult
from blackcore.minimal.query_engine.optimization import Explanation
from blackcore.minimal.query_engine.query import Query

Row = dict[str, Any]
Rows = list[Row]
Asked = Query[QueryResult, Explanation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, in the order in which somebody might write its conditions.

    Attributes:
        title: in words.
        by_hand: one comprehension a filter, then `sorted`.
        ask: puts it to the engine.
        sql: what follows `FROM` for DuckDB; None for what it cannot be asked.
        columns: what SQL selects.
        lazy: puts it to a Polars lazy frame; None for what it cannot be asked.
        frame: puts it to a pandas frame; None where pandas is left out.
        orders: whether it has two or more conditions of different cost or selectivity.
        database: which one it is about.
    """

    title: str
    by_hand: Callable[[Rows], Rows]
    ask: Callable[[Asked], Asked]
    sql: str | None
    lazy: Callable[[Any], Any] | None
    frame: Callable[[Any], Any] | None = None
    columns: str = "* EXCLUDE (row_id)"
    orders: bool = True
    database: str = "flights"


def nulls_last(row: Row, name: str, sign: int) -> tuple[bool, float]:
    """Return what a number sorts by, nulls last; `sign` is -1 for falling order."""
    value = row[name]
    return (value is None, 0 if value is None else sign * value)


def comparable(rows: Iterable[Row]) -> list[Row]:
    """Return rows without what is null or NaN in them, which every peer writes in its own way."""
    return [{name: _plain(cell) for name, cell in row.items() if _is_there(cell)} for row in rows]


def _is_there(cell: object) -> bool:
    if isinstance(cell, dict):
        return any(map(_is_there, cell.values()))
    return cell is not None and cell == cell  # noqa: PLR0124 - NaN


def _plain(cell: object) -> object:
    if isinstance(cell, dict):
        return {name: value for name, value in cell.items() if _is_there(value)}
    return cell
