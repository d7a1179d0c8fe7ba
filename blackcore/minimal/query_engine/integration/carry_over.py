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
   length), the rows found are the same and their ranks may not be. A least score, or weights that
   may be 0, would make the ranks decide which rows are found: such an answer is let go. Sort fields
   leave ranks nothing to decide, and one row has one order: these are kept. For the rest the search
   is asked for the new ranks, and the rows put in their order, unless ranks decide more than that
   (which of equal rows is first, which rows are among the first).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ..data import Answer

if TYPE_CHECKING:
    from ..data import Records, RowIds
    from ..loaders.base import Record
    from ..query import QuerySearch, StructuredQuery
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
        if search.min_score > 0 or search.field_weights:
            return CarriedOver("unproven")
        if query.sort_fields:
            return CarriedOver("kept", Answer(moved, answer.total_rows))
        if query.distinct or not answer.is_complete:
            return CarriedOver("unproven")
        if answer.total_rows <= 1:
            return CarriedOver("kept", Answer(moved, answer.total_rows))
        ordered = self._in_new_order(search, query.database, moved)
        if ordered is None:
            return CarriedOver("unproven")
        return CarriedOver("reranked", Answer(ordered, answer.total_rows))

    def _reaches_changed(self, query: StructuredQuery) -> bool:
        return query.search is not None and self.reach.reaches_any(
            query.search, self.reaching, query.database
        )

    def _in_new_order(self, search: QuerySearch, database: str, ids: RowIds) -> RowIds | None:
        """Return rows in the order of their new ranks, None where one is not found any more."""
        ranked = self.reach.bound.matches(search.text, self.records.rows, database).ids
        ordered = ranked[np.isin(ranked, ids)]
        return ordered if len(ordered) == len(ids) else None
