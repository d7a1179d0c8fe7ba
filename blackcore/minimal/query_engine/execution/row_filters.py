"""Conditions evaluated on the dicts of the rows, one stage after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from ..data import RowIds, StageActual
from ..query import Condition, FilterGroup, QueryFilter
from .predicates import surviving_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..data import Records
    from ..optimization.plan import FilterStage


class RowFilters:
    """Conditions evaluated on the dicts, one row after the other."""

    def __init__(self, records: Records, pattern_timeout_seconds: float) -> None:
        self.records = records
        self.pattern_timeout_seconds = pattern_timeout_seconds

    def staged(
        self,
        stages: Sequence[FilterStage],
        ids: RowIds | None,
        limit: int | None,
        actuals: list[StageActual],
    ) -> tuple[RowIds, int]:
        """Return the positions that survive all stages, the first ones, and how many do."""
        left = self._everything() if ids is None else ids.tolist()
        for stage in stages:
            start = time.perf_counter_ns()
            left = self.surviving(stage.condition, left)
            elapsed = time.perf_counter_ns() - start
            actuals.append(filtered_by(stage, len(left), elapsed))
        return np.array(left[:limit], dtype=np.uint32), len(left)

    def _everything(self) -> Sequence[int]:
        """Return all positions; those of few rows are kept, which spares making the numbers."""
        rows = len(self.records)
        if not self.records.keeps_cells:
            return range(rows)
        return self.records.derived("positions", lambda: list(range(rows)))

    def surviving(self, condition: Condition, ids: Sequence[int]) -> Sequence[int]:
        """Return the positions among `ids`, in their order, that a condition holds for."""
        if isinstance(condition, QueryFilter):
            timeout = self.pattern_timeout_seconds
            return surviving_ids(condition, self.records, ids, pattern_timeout_seconds=timeout)
        found = self._all(condition, ids) if condition.mode == "and" else self._any(condition, ids)
        if not condition.negate:
            return found
        excluded = set(found)
        return [i for i in ids if i not in excluded]

    def _all(self, group: FilterGroup, ids: Sequence[int]) -> Sequence[int]:
        for member in group.filters:
            ids = self.surviving(member, ids)
        return ids

    def _any(self, group: FilterGroup, ids: Sequence[int]) -> Sequence[int]:
        """Each member looks only at the rows that none before it holds for."""
        found: set[int] = set()
        remaining = ids
        for member in group.filters:
            found.update(self.surviving(member, remaining))
            remaining = [i for i in remaining if i not in found]
        return [i for i in ids if i in found]


def filtered_by(stage: FilterStage, left: int, elapsed_ns: int) -> StageActual:
    """Return what a stage of a plan did."""
    return StageActual("filter", left, elapsed_ns, stage.condition, stage.cost.rows)
