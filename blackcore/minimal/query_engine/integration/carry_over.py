"""Answers to searches that are still right when some of the records have changed.

What is kept must be what a cold engine would answer. The argument, for an answer to a search over
the old records:

1. No row it names was changed or removed, and the search finds none of the changed rows, neither
   as they were nor as they are. Where the engine finds a record whatever the others are, the rows
   found are then the same ones; filters look at one row at a time, so what they leave is too.
2. Unchanged rows keep their order among each other (`row_changes` sees to that), so "the records'
   order among equals" is the same order.
3. Where the engine also scores a record whatever the others are, the ranks are the same, and so
   is all that follows from them: order, ties of the sort fields, the first of equal rows. The
   answer is kept, with the rows' new positions.
4. Where scores depend on the other records (BM25 does: on how many hold a word, on the average
   length), the rows are the same and their ranks may not be. One row has one order. For more the
   search is asked for the new ranks, and the rows are put in the order that these, and the sort
   fields, give. Where ranks decide more than the order (distinct rows, the first rows only, a
   least score, weights that may be 0) the answer is let go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ..data import Answer
from ..execution.sorting import sorted_prefix

if TYPE_CHECKING:
    from ..data import Records, RowIds
    from ..loaders.base import Record
    from ..query import StructuredQuery
    from .row_changes import RowChanges
    from .search_reach import SearchReach

Verdict: TypeAlias = Literal["kept", "reranked", "reached", "unproven"]
"""Kept as it was; kept, its rows in the order of new ranks; dropped, as changed records are among
those that it finds; dropped, as nobody can say that it is still right."""


@dataclass(frozen=True, slots=True)
class CarriedOver:
    """What became of one answer: the one that holds for the new version, None where none does."""

    verdict: Verdict
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class CarryOver:
    """Brings answers from one version of a database to the next.

    Args:
        reach: knows the search engine.
        changes: what became of the rows.
        reaching: what no search may find whose answer is kept: the changed rows, as they were and
            as they are. One and the same list for all, as an index is made of it.
        records: the new version.
    """

    reach: SearchReach
    changes: RowChanges
    reaching: list[Record]
    records: Records

    def carried(self, query: StructuredQuery, answer: Answer) -> CarriedOver:
        """Return what a search's answer is for the new version.

        Raises:
            QueryEngineError: the search could not be asked for new ranks.
        """
        search = query.search
        moved = self.changes.moved(answer.ids)
        if search is None or moved is None or self._reaches_changed(query):
            return CarriedOver("reached" if search is not None else "unproven")
        if not self.reach.finds_alone:
            return CarriedOver("unproven")
        if self.reach.judges_alone:
            return CarriedOver("kept", Answer(moved, answer.total_rows))
        ranks_decide_more = (
            query.distinct
            or not answer.is_complete
            or search.min_score > 0
            or bool(search.field_weights)
        )
        if ranks_decide_more:
            return CarriedOver("unproven")
        if len(moved) <= 1:
            return CarriedOver("kept", Answer(moved, answer.total_rows))
        ordered = self._ordered_anew(query, moved)
        if ordered is None:
            return CarriedOver("unproven")
        return CarriedOver("reranked", Answer(ordered, answer.total_rows))

    def _reaches_changed(self, query: StructuredQuery) -> bool:
        return query.search is not None and self.reach.reaches_any(
            query.search, self.reaching, query.database
        )

    def _ordered_anew(self, query: StructuredQuery, ids: RowIds) -> RowIds | None:
        """Return the rows as the executor would order them, None if one is missing."""
        if query.search is None:
            return None
        ranked = self.reach.bound.matches(query.search.text, self.records.rows, query.database).ids
        ordered = ranked[np.isin(ranked, ids)]
        if len(ordered) != len(ids):
            return None
        return sorted_prefix(
            ordered, query.sort_fields, self.records, limit=None, use_columns=False
        ).copy()
