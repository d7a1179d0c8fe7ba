"""What passes through an engine, told to whoever wants to learn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..query import StructuredQuery


@dataclass(frozen=True, slots=True)
class AnsweredQuery:
    """One question that was answered.

    Attributes:
        query: as asked.
        version: of the database it was answered from.
        from_cache: whether the answer was not computed for this call.
        elapsed_ns: nanoseconds from the question to the result.
        rows: rows in the result.
        total_rows: rows of all its pages.
        stages: milliseconds by stage.
    """

    query: StructuredQuery
    version: str
    from_cache: bool
    elapsed_ns: int
    rows: int
    total_rows: int
    stages: Mapping[str, float]


@runtime_checkable
class QueryObserver(Protocol):
    """Whoever is told. Called on the thread that asked, after the answer is ready; be quick.

    What it raises is logged and counted, and does not reach who asked.
    """

    def answered(self, event: AnsweredQuery) -> None:
        """Take note of one answer."""
        ...
