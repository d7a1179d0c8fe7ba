"""Conditions evaluated on columns, on rows where a field has none."""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ..data import ListColumn, RowIds, StageActual
from ..optimization.plan import FilterStage, Way
from ..query import Condition, FilterGroup, QueryFilter, condition_fields
from .list_masks import list_mask_of
from .masks import is_cheap, mask_of
from .row_filters import RowFilters, filtered_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..data import AnyColumn, Records
    from ..data.columns import Mask


class ColumnFilters:
    """Conditions evaluated on columns, on rows where a field has no column.

    Args:
        records: the rows.
        column_of: returns a field's column, None where it has none.
        pattern_timeout_seconds: what a look-around pattern may take.
    """

    def __init__(
        self,
        records: Records,
        column_of: Callable[[str], AnyColumn | None],
        pattern_timeout_seconds: float,
    ) -> None:
        self.records = records
        self.column_of = column_of
        self.pattern_timeout_seconds = pattern_timeout_seconds
        self.rows = RowFilters(records, pattern_timeout_seconds)

    def staged(
        self,
        stages: Sequence[FilterStage],
        ids: RowIds | None,
        limit: int | None,
        actuals: list[StageActual],
    ) -> tuple[RowIds, int]:
        """Return the positions that survive all stages, the first ones, and how many do.

        Masks over full columns are AND-ed as long as that costs less than picking the survivors
        from the mask, which are in hand from then on.

        Args:
            stages: in the order they run.
            ids: positions of the rows in question, None for all.
            limit: how many positions are wanted, None for all.
            actuals: takes what each stage did.
        """
        mask: Mask | None = None
        left = len(self.records) if ids is None else len(ids)
        for together in _runs(stages):
            stage = together[0]
            start = time.perf_counter_ns()
            if ids is None and self._looks_at_all(stage, left, first=mask is None):
                answer = self.mask(stage.condition, None, stage.way)
                mask = answer if mask is None else np.logical_and(mask, answer, out=answer)
                if stage.cost.rows * _SPARSE_FRACTION < len(mask):
                    ids = sparse_positions(mask)
                left = int(np.count_nonzero(mask)) if ids is None else len(ids)
            else:
                if ids is None and mask is not None:
                    ids = positions(mask, left)
                if stage.way is Way.ROWS:
                    ids, left = self._rows_staged(together, ids, actuals)
                    continue
                if ids is None:
                    ids = self._everything()
                ids = ids[self.mask(stage.condition, ids, stage.way)]
                left = len(ids)
            elapsed = time.perf_counter_ns() - start
            actuals.append(filtered_by(stage, left, elapsed))
        if ids is None and mask is not None:
            return first_positions(mask, left, limit), left
        return (self._everything() if ids is None else ids)[:limit], left

    def _everything(self) -> RowIds:
        return np.arange(len(self.records), dtype=np.uint32)

    def _looks_at_all(self, stage: FilterStage, left: int, *, first: bool) -> bool:
        """Return whether a stage looks at all rows, of which `left` are still in question.

        The plan estimated how many they would be; what it chose for that is corrected here.
        """
        if stage.way is Way.ROWS or first:
            return stage.way is not Way.ROWS
        rows = len(self.records)
        if self._is_cheap(stage.condition):
            return left * _CHEAP_FRACTION > rows
        if stage.way is Way.SURVIVORS:
            return left * _SURVIVORS_FRACTION > rows
        return stage.way.is_over_all_rows(left, rows)

    def _is_whole(self, member: Condition, way: Way, *, first: bool) -> bool:
        """Return whether a member of a group looks at all rows while all are in question."""
        return way is not Way.ROWS and (way is Way.COLUMN or first or self._is_cheap(member))

    def _is_cheap(self, condition: Condition) -> bool:
        """Return whether a look at a whole column costs less than picking the survivors."""
        if isinstance(condition, FilterGroup):
            return all(map(self._is_cheap, condition.filters))
        column = self.column_of(condition.field)
        return (
            column is not None
            and not isinstance(column, ListColumn)
            and is_cheap(condition, column)
        )

    def mask(self, condition: Condition, ids: RowIds | None, way: Way) -> Mask:
        """Return one bool per row in question (all rows for None), the caller's to write to."""
        if isinstance(condition, FilterGroup):
            answer = self._group_mask(condition, ids, way)
            return ~answer if condition.negate else answer
        column = None if way is Way.ROWS else self.column_of(condition.field)
        if column is not None:
            found = (list_mask_of if isinstance(column, ListColumn) else mask_of)(
                condition,
                column,  # type: ignore[arg-type]  # of the kind that the function takes
                ids,
                once_per_distinct=way is Way.DISTINCT,
                pattern_timeout_seconds=self.pattern_timeout_seconds,
            )
            if found is not None:
                return found
        return self._row_mask(condition, ids)

    def _rows_staged(
        self, stages: Sequence[FilterStage], ids: RowIds | None, actuals: list[StageActual]
    ) -> tuple[RowIds, int]:
        """Carry out stages that look at the dicts, all of them on some rows before the next."""
        for stage in stages:
            self.records.row_passes.update(condition_fields(stage.condition))
        return self.rows.staged(stages, ids, None, actuals)

    def _row_mask(self, condition: QueryFilter, ids: RowIds | None) -> Mask:
        self.records.row_passes[condition.field] += 1
        found = self.rows.passed([condition], None if ids is None else ids.tolist()).ids
        flags = np.zeros(len(self.records), dtype=np.bool_)
        flags[found] = True
        return flags if ids is None else flags[ids]

    def _group_mask(self, group: FilterGroup, ids: RowIds | None, way: Way) -> Mask:
        """AND looks further only at rows that hold so far, OR only at those that do not."""
        wanted = group.mode == "and"
        size = len(self.records) if ids is None else len(ids)
        combine = np.logical_and if wanted else np.logical_or
        answer: Mask | None = None
        for member in group.filters:
            if ids is None and self._is_whole(member, way, first=answer is None):
                found = self.mask(member, None, way)
                answer = found if answer is None else combine(answer, found, out=answer)
                continue
            if answer is None:
                answer = np.full(size, wanted, dtype=np.bool_)
            undecided = np.flatnonzero(answer == wanted)
            if not len(undecided):
                break
            undecided_ids = undecided.astype(np.uint32) if ids is None else ids[undecided]
            answer[undecided] = self.mask(member, undecided_ids, way)
        return np.full(size, wanted, dtype=np.bool_) if answer is None else answer


_WORD_BYTES = 8
_SPARSE_FRACTION = 100
"""Below this part of the rows, numpy's search for what is true is slower than one by words.

It tells how many they are, too, so where few are expected nothing is counted before."""
_CHEAP_FRACTION = 120
"""Below this part of the rows, picking them from a mask, which comes in the end, comes at once."""
_SURVIVORS_FRACTION = 2
"""Below this part of the rows, picking their strings costs less than looking at the others."""


def _runs(stages: Sequence[FilterStage]) -> Iterator[list[FilterStage]]:
    """Yield the stages that follow each other on the dicts together, the others one by one."""
    for looks_at_rows, run in groupby(stages, lambda stage: stage.way is Way.ROWS):
        if looks_at_rows:
            yield list(run)
        else:
            yield from ([stage] for stage in run)


def positions(mask: Mask, count: int) -> RowIds:
    """Return where a mask is true, which is `count` times."""
    found = None if count * _SPARSE_FRACTION > len(mask) else sparse_positions(mask)
    return np.flatnonzero(mask).astype(np.uint32) if found is None else found


def sparse_positions(mask: Mask) -> RowIds | None:
    """Return where a mask is true, None unless that is hardly anywhere.

    Eight rows at a time are seen to hold nothing first.
    """
    whole = len(mask) // _WORD_BYTES * _WORD_BYTES
    words = np.ascontiguousarray(mask[:whole]).view(np.uint64)
    some = np.flatnonzero(words != 0)
    if len(some) * _SPARSE_FRACTION > len(mask):
        return None
    within = np.flatnonzero(words[some].view(np.bool_))
    found = some[within // _WORD_BYTES] * _WORD_BYTES + within % _WORD_BYTES
    rest = np.flatnonzero(mask[whole:]) + whole
    return np.concatenate([found, rest]).astype(np.uint32)


def first_positions(mask: Mask, count: int, limit: int | None) -> RowIds:
    """Return the first positions where a mask is true, all `count` of them for no limit.

    No more of the mask is gone through than holds them, if they are spread evenly.
    """
    if limit is None or limit >= count:
        return positions(mask, count)
    stop = len(mask) * limit // count + 1
    while np.count_nonzero(mask[:stop]) < limit:
        stop *= 2
    return np.flatnonzero(mask[:stop])[:limit].astype(np.uint32)
