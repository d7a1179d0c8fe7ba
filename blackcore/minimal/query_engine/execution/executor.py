"""Plans carried out: the filters one stage after the other, then order, then distinct rows."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..data import Answer, ColumnBudget, ColumnMemory, ListColumn, Records, RowIds, StageActual
from ..optimization.cost_model import EXPECTED_USES
from ..optimization.plan import ExecutionPlan
from ..query.evaluator import distinct_ids
from ..settings import ExecutionSettings
from .column_filters import ColumnFilters
from .row_filters import RowFilters
from .sorting import sorted_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..data import Column

    ColumnOf = Callable[[str], Column | None]


class Executor:
    """Carries out plans over the records of database versions, and bounds what columns they keep.

    Thread-safe.
    """

    def __init__(self, settings: ExecutionSettings | None = None) -> None:
        self.settings = settings or ExecutionSettings()
        self._columns = ColumnBudget(self.settings.columns_max_bytes)

    def column_memory(self) -> ColumnMemory:
        """Return what the columns of all databases take."""
        return self._columns.memory()

    def execute(
        self,
        plan: ExecutionPlan,
        records: Records,
        *,
        ranked: RowIds | None = None,
    ) -> tuple[Answer, list[StageActual]]:
        """Return the rows a plan chooses, in order, and what each of its stages did.

        Args:
            plan: made for the records' statistics; right for any records.
            records: the rows.
            ranked: positions of the rows that a search matched, best first; None for a plan that
                searches for nothing.

        Raises:
            PatternTimeoutError: a look-around pattern ran out of time.
        """
        try:
            return self._carried_out(plan, records, ranked)
        finally:
            if plan.uses_columns:
                self._columns.keep()

    def _carried_out(
        self, plan: ExecutionPlan, records: Records, ranked: RowIds | None
    ) -> tuple[Answer, list[StageActual]]:
        actuals: list[StageActual] = []
        limit = plan.limit
        in_order = not plan.sort_fields and not plan.distinct and ranked is None
        ids, total = self._filtered(plan, records, ranked, limit if in_order else None, actuals)
        column_of = self._flat_columns(records, len(ids)) if plan.uses_columns else _no_column
        if plan.sort_fields:
            start = time.perf_counter_ns()
            wanted = None if plan.distinct else limit
            ids = sorted_prefix(ids, plan.sort_fields, records, column_of, limit=wanted)
            actuals.append(StageActual("sort", len(ids), time.perf_counter_ns() - start))
        if plan.distinct:
            start = time.perf_counter_ns()
            ids = _distinct(ids, plan.select, records, column_of)
            total = len(ids)
            elapsed = time.perf_counter_ns() - start
            actuals.append(StageActual("distinct", total, elapsed))
        if limit is not None and total > limit:
            ids = ids[:limit]
        # a slice would keep the whole array it is a part of
        return Answer(ids if ids.base is None else ids.copy(), total), actuals

    def _flat_columns(self, records: Records, rows: int) -> ColumnOf:
        """Return what gives the column of a field that has one value a row.

        A field without one is looked up in `rows` rows instead, as long as that costs less.
        """
        store = records.column_store

        def column_of(path: str) -> Column | None:
            if path not in store:
                uses = 1 + EXPECTED_USES * records.row_passes[path]
                if rows * uses * _LOOKED_UP < len(records):
                    records.row_passes[path] += 1
                    return None
            found = self._columns.column(store, path)
            return None if isinstance(found, ListColumn) else found

        return column_of

    def _filtered(
        self,
        plan: ExecutionPlan,
        records: Records,
        ranked: RowIds | None,
        limit: int | None,
        actuals: list[StageActual],
    ) -> tuple[RowIds, int]:
        """Return the rows that match, only the first ones under a limit, and how many match."""
        if plan.is_empty:
            return np.empty(0, dtype=np.uint32), 0
        if ranked is None and not plan.filter_stages:
            wanted = len(records) if limit is None else min(limit, len(records))
            return np.arange(wanted, dtype=np.uint32), len(records)
        candidates = None if ranked is None else np.sort(ranked)
        filters = self._filters(plan, records)
        ids, total = filters.staged(plan.filter_stages, candidates, limit, actuals)
        if ranked is None or plan.sort_fields:
            return ids, total  # rows that the sort does not tell apart keep the records' order
        kept = np.zeros(len(records), dtype=np.bool_)
        kept[ids] = True
        return ranked[kept[ranked]], total

    def _filters(self, plan: ExecutionPlan, records: Records) -> ColumnFilters | RowFilters:
        timeout = self.settings.pattern_timeout_seconds
        if not plan.uses_columns:
            return RowFilters(records, timeout)
        column_of = partial(self._columns.column, records.column_store)
        return ColumnFilters(records, column_of, timeout)


_LOOKED_UP = 8
"""The making of a column for each row takes so many times less than to look up a row for a sort."""


def _no_column(_path: str) -> None:
    """Say that a field has no column: a plan for the rows."""


def _distinct(
    ids: RowIds, select: tuple[str, ...] | None, records: Records, column_of: ColumnOf
) -> RowIds:
    """Return the first position of each row that differs as returned."""
    if select is not None:
        columns = [column_of(path) for path in select]
        typed = [column for column in columns if column is not None]
        if len(typed) == len(columns):
            return _distinct_by_columns(ids, typed)
    return np.array(distinct_ids(ids.tolist(), select, records.rows), dtype=np.uint32)


def _distinct_by_columns(ids: RowIds, columns: Sequence[Column]) -> RowIds:
    codes = np.zeros(len(ids), dtype=np.int64)
    for column in columns:
        values, inverse = np.unique(column.sort_keys[ids], return_inverse=True)
        field_codes = inverse.astype(np.int64) + 1
        if column.valid is not None:
            field_codes = np.where(column.valid[ids], field_codes, 0)
        combined = codes * (len(values) + 1) + field_codes
        codes = np.unique(combined, return_inverse=True)[1].astype(np.int64)
    first = np.unique(codes, return_index=True)[1]
    return ids[np.sort(first)]
