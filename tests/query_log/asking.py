"""Questions as an engine tells of them."""

from __future__ import annotations

from typing import Any

from blackcore.minimal.query_engine import (
    QueryFilter,
    QueryPagination,
    StructuredQuery,
)
from blackcore.minimal.query_engine.data import AnsweredQuery
from blackcore.minimal.query_engine.integration import QueryLog


def asked(
    value: int, *, cost_seconds: float | None = None, page: int | None = None
) -> AnsweredQuery:
    pagination = None if page is None else QueryPagination(page, 10)
    query = StructuredQuery("db", [QueryFilter("a", "eq", value)], pagination=pagination)
    elapsed = 0 if cost_seconds is None else round(cost_seconds * 1e9)
    return AnsweredQuery(query, "v1", cost_seconds is None, elapsed, 1, 5, {})


def values(log: QueryLog) -> list[Any]:
    return [question.query.filters[0].value for question in log.questions()]
