"""The questions of a log: how often, how lately and at what cost each was asked, line by line."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import QueryError
from ..query.query_json import query_from_json, query_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..query import StructuredQuery
    from ..settings import QueryLogSettings

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedQuestion:
    """One question and how it was asked so far, whatever page or projection of it.

    Attributes:
        fingerprint: of the question.
        query: as last asked, with the deepest page asked for.
        count: how often.
        heat: the same, with each time counting for less the longer it is past, as of `last_asked`.
        last_asked: seconds since 1970.
        cost_seconds: what computing it took, when it was last computed; 0.0 where it never was.
        total_rows: rows of all its pages, when it was last asked.
    """

    fingerprint: str
    query: StructuredQuery
    count: int
    heat: float
    last_asked: float
    cost_seconds: float = 0.0
    total_rows: int = 0

    def heat_at(self, now: float, half_life_seconds: float) -> float:
        """Return the heat as of another moment."""
        return self.heat * math.pow(0.5, max(0.0, now - self.last_asked) / half_life_seconds)

    def joined(self, later: LoggedQuestion, half_life_seconds: float) -> LoggedQuestion:
        """Return both as one; the times of asking need not be in order."""
        if later.last_asked < self.last_asked:
            return later.joined(self, half_life_seconds)
        return replace(
            later,
            query=self.query if reach(self.query) > reach(later.query) else later.query,
            count=self.count + later.count,
            heat=self.heat_at(later.last_asked, half_life_seconds) + later.heat,
            cost_seconds=later.cost_seconds or self.cost_seconds,
        )


def reach(query: StructuredQuery) -> float:
    """Return the position after the last row asked for."""
    return math.inf if query.pagination is None else query.pagination.stop


def line_of(question: LoggedQuestion) -> dict[str, object]:
    """Return a question as it is written: JSON values by short names."""
    return {
        "id": question.fingerprint,
        "n": question.count,
        "heat": question.heat,
        "at": question.last_asked,
        "cost": question.cost_seconds,
        "rows": question.total_rows,
        "query": query_to_json(question.query),
    }


def joined(
    lines: Iterable[Mapping[str, object]], half_life_seconds: float
) -> tuple[dict[str, LoggedQuestion], int]:
    """Return the questions by fingerprint, and how many lines hold something else."""
    found: dict[str, LoggedQuestion] = {}
    unreadable = 0
    for line in lines:
        try:
            question = _question_of(line)
        except (QueryError, KeyError, ValueError, TypeError, OverflowError) as error:
            _logger.info("a line of the query log cannot be read: %s", error)
            unreadable += 1
            continue
        earlier = found.get(question.fingerprint)
        found[question.fingerprint] = (
            question if earlier is None else earlier.joined(question, half_life_seconds)
        )
    return found, unreadable


def _question_of(line: Mapping[str, object]) -> LoggedQuestion:
    query = query_from_json(line["query"])
    return LoggedQuestion(
        fingerprint=query.fingerprint,  # how it is made may have changed since
        query=query,
        count=int(_number(line["n"])),
        heat=_number(line["heat"]),
        last_asked=_number(line["at"]),
        cost_seconds=_number(line["cost"]),
        total_rows=int(_number(line["rows"])),
    )


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"a number of at least 0 is expected, not {value!r}")
    return float(value)


def hottest(
    found: Mapping[str, LoggedQuestion], now: float, settings: QueryLogSettings
) -> list[LoggedQuestion]:
    """Return as many questions as are kept, the hottest first; of equally hot ones the dearest."""

    def rank(question: LoggedQuestion) -> tuple[float, float, str]:
        heat = question.heat_at(now, settings.half_life_seconds)
        return -heat, -question.cost_seconds, question.fingerprint

    return sorted(found.values(), key=rank)[: settings.max_questions]
