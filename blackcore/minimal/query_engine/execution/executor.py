"""Plans carried out: the filters one stage after the other, then order, then distinct rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from ..data import Answer, Column, Records, RowIds, StageActual
from ..optimization.plan import (
    ExecutionPlan,
    FilterStage,
    Way,
)
from ..query import Condition, FilterGroup, QueryFilter
from ..query.evaluator import distinct_ids
from ..settings import ExecutionSettings
from .masks import mask_of
from .predicates import surviving_ids
from .sorting import sorted_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..data.columns import Mask


class Executor:
    """Carries out plans over the records of one database version. Holds no state; thread-safe."""

    def __init__(self, settings: ExecutionSettings | None = None) -> None:
        self.settings = settings or ExecutionSettings()

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
        actuals: list[StageActual] = []
        limit = plan.limit
        in_order = not plan.sort_fields and not plan.distinct and ranked is None
        ids, total = self._filtered(plan, records, ranked, limit if in_order else None, actuals)
        if plan.sort_fields:
            start = time.perf_counter_ns()
            ids = sorted_prefix(
                ids,
                plan.sort_fields,
                records,
                limit=None if plan.distinct else limit,
                use_columns=plan.uses_columns,
            )
            actuals.append(StageActual("sort", len(ids), time.perf_counter_ns() - start))
        if plan.distinct:
            start = time.perf_counter_ns()
            ids = _distinct(ids, plan.select, records, use_columns=plan.uses_columns)
            total = len(ids)
            elapsed = time.perf_counter_ns() - start
            actuals.append(StageActual("distinct", total, elapsed))
        if limit is not None and total > limit:
            ids = ids[:limit]
        # a slice would keep the whole array it is a part of
        return Answer(ids if ids.base is None else ids.copy(), total), actuals

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
        ids = np.arange(len(records), dtype=np.uint32) if ranked is None else np.sort(ranked)
        evaluation = (_Columns if plan.uses_columns else _Rows)(records, self.settings)
        ids, total = evaluation.staged(plan.filter_stages, ids, limit, actuals)
        if ranked is None or plan.sort_fields:
            return ids, total  # rows that the sort does not tell apart keep the records' order
        kept = np.zeros(len(records), dtype=np.bool_)
        kept[ids] = True
        return ranked[kept[ranked]], total


def _filtered_by(stage: FilterStage, left: int, elapsed_ns: int) -> StageActual:
    return StageActual("filter", left, elapsed_ns, stage.condition, stage.cost.rows)


class _Rows:
    """Conditions evaluated on the dicts, one row after the other."""

    def __init__(self, records: Records, settings: ExecutionSettings) -> None:
        self.records = records
        self.settings = settings

    def staged(
        self,
        stages: Sequence[FilterStage],
        ids: RowIds,
        limit: int | None,
        actuals: list[StageActual],
    ) -> tuple[RowIds, int]:
        """Return the positions that survive all stages, the first ones, and how many do."""
        whole = len(ids) == len(self.records)
        left: Sequence[int] = range(len(ids)) if whole else ids.tolist()
        for stage in stages:
            start = time.perf_counter_ns()
            left = self.surviving(stage.condition, left)
            elapsed = time.perf_counter_ns() - start
            actuals.append(_filtered_by(stage, len(left), elapsed))
        return np.array(left[:limit], dtype=np.uint32), len(left)

    def surviving(self, condition: Condition, ids: Sequence[int]) -> Sequence[int]:
        """Return the positions among `ids`, in their order, that a condition holds for."""
        if isinstance(condition, QueryFilter):
            timeout = self.settings.pattern_timeout_seconds
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


class _Columns:
    """Conditions evaluated on columns, on rows where a field has no column."""

    def __init__(self, records: Records, settings: ExecutionSettings) -> None:
        self.records = records
        self.settings = settings
        self.rows = _Rows(records, settings)

    def staged(
        self,
        stages: Sequence[FilterStage],
        ids: RowIds,
        limit: int | None,
        actuals: list[StageActual],
    ) -> tuple[RowIds, int]:
        """Return the positions that survive all stages, the first ones, and how many do.

        Masks over full columns are AND-ed as long as stages ask for them; the first stage that
        wants to see survivors only turns the mask into positions.
        """
        mask: Mask | None = None
        left = len(ids)
        whole = left == len(self.records)
        for stage in stages:
            start = time.perf_counter_ns()
            if whole and stage.way.is_over_all_rows(first=mask is None):
                answer = self.mask(stage.condition, None, stage.way)
                mask = answer if mask is None else mask & answer
                left = int(np.count_nonzero(mask))
            else:
                if mask is not None:
                    ids, mask = np.flatnonzero(mask).astype(np.uint32), None
                ids = ids[self.mask(stage.condition, ids, stage.way)]
                whole, left = False, len(ids)
            elapsed = time.perf_counter_ns() - start
            actuals.append(_filtered_by(stage, left, elapsed))
        if mask is None:
            return ids[:limit], left
        return first_positions(mask, left, limit), left

    def mask(self, condition: Condition, ids: RowIds | None, way: Way) -> Mask:
        """Return one bool per row in question (all rows for None)."""
        if isinstance(condition, FilterGroup):
            answer = self._group_mask(condition, ids, way)
            return ~answer if condition.negate else answer
        column = None if way is Way.ROWS else self.records.column(condition.field)
        if column is not None:
            found = mask_of(
                condition,
                column,
                ids,
                once_per_distinct=way is Way.DISTINCT,
                pattern_timeout_seconds=self.settings.pattern_timeout_seconds,
            )
            if found is not None:
                return found
        return self._row_mask(condition, ids)

    def _row_mask(self, condition: QueryFilter, ids: RowIds | None) -> Mask:
        self.records.row_passes[condition.field] += 1
        candidates: Sequence[int] = range(len(self.records)) if ids is None else ids.tolist()
        flags = np.zeros(len(self.records), dtype=np.bool_)
        flags[self.rows.surviving(condition, candidates)] = True
        return flags if ids is None else flags[ids]

    def _group_mask(self, group: FilterGroup, ids: RowIds | None, way: Way) -> Mask:
        """AND looks further only at rows that hold so far, OR only at those that do not."""
        wanted = group.mode == "and"
        size = len(self.records) if ids is None else len(ids)
        answer = np.full(size, wanted, dtype=np.bool_)
        for member in group.filters:
            if ids is None and way is Way.COLUMN:
                found = self.mask(member, None, way)
                answer = answer & found if wanted else answer | found
                continue
            undecided = np.flatnonzero(answer == wanted)
            if not len(undecided):
                break
            undecided_ids = undecided.astype(np.uint32) if ids is None else ids[undecided]
            answer[undecided] = self.mask(member, undecided_ids, way)
        return answer


def first_positions(mask: Mask, count: int, limit: int | None) -> RowIds:
    """Return the first positions where a mask is true, all `count` of them for no limit.

    No more of the mask is gone through than holds them, if they are spread evenly.
    """
    if limit is None or limit >= count:
        return np.flatnonzero(mask).astype(np.uint32)
    stop = len(mask) * limit // count + 1
    while np.count_nonzero(mask[:stop]) < limit:
        stop *= 2
    return np.flatnonzero(mask[:stop])[:limit].astype(np.uint32)


def _distinct(
    ids: RowIds, select: tuple[str, ...] | None, records: Records, *, use_columns: bool
) -> RowIds:
    """Return the first position of each row that differs as returned."""
    if use_columns and select is not None:
        columns = [records.column(path) for path in select]
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
