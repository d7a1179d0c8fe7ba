"""What the stages of an answer did."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..query import Condition


class StageActual(NamedTuple):
    """What a stage did: its kind, the rows it left, and the nanoseconds it took.

    With a filter's condition, and the rows it was expected to leave. A tuple, because one is made
    for every stage of every answer.
    """

    kind: Literal["filter", "sort", "distinct"]
    rows: int
    nanoseconds: int
    condition: Condition | None = None
    estimated_rows: float | None = None

    @property
    def name(self) -> str:
        """The condition in words, or the kind."""
        return self.kind if self.condition is None else str(self.condition)
