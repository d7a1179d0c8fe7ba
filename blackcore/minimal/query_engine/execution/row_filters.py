"""Conditions evaluated on the dicts of the rows, all stages on a few rows before the next few.

What costs most about a dict is to fetch it from memory the first time. So many rows are taken at
once as the processor's caches hold: the stages after the first find them there.
"""

from __future__ import annotations

import time
from array import array
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data import RowIds, StageActual
from ..query import Condition, FilterGroup, QueryFilter
from ..query.operators import TEXT_OPERATORS
from .predicates import surviving_ids, without
from .row_scans import RowScan, can_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..data import Records
    from ..optimization.plan import FilterStage

CHUNK_ROWS = 1_024
"""Dicts of some twenty fields that fit into a core's own cache; twice as many take longer."""

_SEARCHED_ROWS = 65_536
"""A pattern is compiled for each part, which takes as long as looking at a thousand texts."""


class Passed(NamedTuple):
    """What became of rows under some conditions.

    Attributes:
        ids: positions of the rows that all of them hold for, in the order given.
        left: how many rows each condition left, in the order they ran.
        nanoseconds: what each of them took.
    """

    ids: Sequence[int]
    left: list[int]
    nanoseconds: list[int]


class RowFilters:
    """Conditions evaluated on the dicts, for one query.

    Args:
        records: the rows.
        pattern_timeout_seconds: what a look-around pattern may take.
        chunk_rows: how many rows go through all conditions together; `CHUNK_ROWS` unless given.
        clock: tells nanoseconds.
    """

    def __init__(
        self,
        records: Records,
        pattern_timeout_seconds: float,
        *,
        chunk_rows: int | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.records = records
        self.pattern_timeout_seconds = pattern_timeout_seconds
        self._chunk_rows = chunk_rows or CHUNK_ROWS
        self._clock = clock
        self._scans: dict[int, RowScan | None] = {}

    def staged(
        self,
        stages: Sequence[FilterStage],
        ids: RowIds | None,
        limit: int | None,
        actuals: list[StageActual],
    ) -> tuple[RowIds, int]:
        """Return the positions that survive all stages, the first ones, and how many do."""
        candidates = None if ids is None else ids.tolist()
        passed = self.passed([stage.condition for stage in stages], candidates)
        done = zip(stages, passed.left, passed.nanoseconds, strict=True)
        actuals.extend(filtered_by(stage, left, elapsed) for stage, left, elapsed in done)
        kept = array("I", passed.ids[:limit])  # numpy takes a list's numbers in twice the time
        return np.array(kept, dtype=np.uint32), len(passed.ids)

    def passed(self, conditions: Sequence[Condition], ids: Sequence[int] | None) -> Passed:
        """Return the positions among `ids` (all rows for None) that all conditions hold for.

        Both rise.
        """
        passed = Passed(self._everything() if ids is None else ids, [], [])
        for looks_for_texts, together in groupby(conditions, _searches):
            most = _SEARCHED_ROWS if looks_for_texts else self._chunk_rows
            if self.records.keeps_cells:
                most = len(self.records)
            then = self._in_chunks(list(together), passed.ids, max(1, most))
            passed = Passed(
                then.ids, passed.left + then.left, passed.nanoseconds + then.nanoseconds
            )
        return passed

    def _in_chunks(self, conditions: Sequence[Condition], ids: Sequence[int], most: int) -> Passed:
        found: list[int] = []
        left = [0] * len(conditions)
        nanoseconds = [0] * len(conditions)
        now = self._clock()
        for start in range(0, len(ids), most):
            chunk = ids[start : start + most]
            for at, condition in enumerate(conditions):
                chunk = self.surviving(condition, chunk)
                before, now = now, self._clock()
                nanoseconds[at] += now - before
                left[at] += len(chunk)
                if not chunk:
                    break
            found.extend(chunk)
        return Passed(found, left, nanoseconds)

    def _everything(self) -> Sequence[int]:
        """Return all positions; those of few rows are kept, which spares making the numbers."""
        rows = len(self.records)
        if not self.records.keeps_cells:
            return range(rows)
        return self.records.derived("positions", lambda: list(range(rows)))

    def surviving(self, condition: Condition, ids: Sequence[int]) -> Sequence[int]:
        """Return the positions among `ids`, which rise, that a condition holds for."""
        if isinstance(condition, QueryFilter):
            return self._of_filter(condition, ids)
        found = self._all(condition, ids) if condition.mode == "and" else self._any(condition, ids)
        return without(found, ids) if condition.negate else found

    def _of_filter(self, condition: QueryFilter, ids: Sequence[int]) -> Sequence[int]:
        scan = None if self.records.keeps_cells else self._scan_of(condition)
        found = None if scan is None else scan.surviving(ids)
        if found is not None:
            return found
        timeout = self.pattern_timeout_seconds
        return surviving_ids(condition, self.records, ids, pattern_timeout_seconds=timeout)

    def _scan_of(self, condition: QueryFilter) -> RowScan | None:
        """Return the scan of a filter; it remembers what the rows before have taught it."""
        try:
            return self._scans[id(condition)]
        except KeyError:
            scan = RowScan(condition, self.records.rows) if can_scan(condition) else None
            self._scans[id(condition)] = scan
            return scan

    def _all(self, group: FilterGroup, ids: Sequence[int]) -> Sequence[int]:
        for member in group.filters:
            ids = self.surviving(member, ids)
        return ids

    def _any(self, group: FilterGroup, ids: Sequence[int]) -> Sequence[int]:
        """Each member looks at the rows that none before it holds for, and may at some more."""
        found: Sequence[int] = ()
        remaining = ids
        for member in group.filters:
            more = self.surviving(member, remaining)
            if not more:
                continue
            found = sorted({*found, *more})
            if len(found) * _FOUND_AGAIN > len(ids):
                remaining = without(found, ids)
        return found


_FOUND_AGAIN = 8
"""Members of an OR look again at what was found, as long as that is below this part of the rows."""


def _searches(condition: Condition) -> bool:
    """Return whether a condition looks for a pattern or a fuzzy text, in many texts at a time."""
    if isinstance(condition, FilterGroup):
        return any(map(_searches, condition.filters))
    return condition.operator in TEXT_OPERATORS


def filtered_by(stage: FilterStage, left: int, elapsed_ns: int) -> StageActual:
    """Return what a stage of a plan did."""
    return StageActual("filter", left, elapsed_ns, stage.condition, stage.cost.rows)
