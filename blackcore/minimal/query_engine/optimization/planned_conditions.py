"""What was planned for conditions asked before, kept while nothing new is known of their fields.

The same conditions come again under another sort, page or projection, or after an answer left the
cache. To find them costs their hashes; to rewrite and price them again costs ten times that.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

from ..query import condition_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..query import Condition
    from .plan import FilterStage
    from .rules import RuleFired
    from .statistics import ColumnState, FieldStatistics, QueryStatistics

_MAX_KEPT = 512
_USES = 200
_MAX_VALUES = 64
"""Conditions with longer lists are not kept: their hashes would cost more than a plan."""


class PlannedConditions(NamedTuple):
    """What became of AND-ed conditions.

    Attributes:
        rules_fired: those that rewrote them.
        is_empty: whether no row can match.
        stages: in the order they run.
        is_known: whether they were planned for other values.
    """

    rules_fired: Sequence[RuleFired]
    is_empty: bool
    stages: tuple[FilterStage, ...]
    is_known: bool


class _Field(NamedTuple):
    """What was known of a field; its statistics go with their version, not with us."""

    path: str
    statistics: ref[FieldStatistics] | None
    column: ColumnState | None
    row_passes: int

    def is_same_in(self, statistics: QueryStatistics) -> bool:
        """Return whether nothing else is known of it now."""
        known = None if self.statistics is None else self.statistics()
        if known is None and self.statistics is not None:
            return False  # they went with their version
        return (
            statistics.fields.get(self.path) is known
            and statistics.columns.get(self.path) == self.column
            and statistics.row_passes.get(self.path, 0) == self.row_passes
        )


def _fields_of(conditions: Iterable[Condition], statistics: QueryStatistics) -> tuple[_Field, ...]:
    paths = {path for condition in conditions for path in condition_fields(condition)}
    made = []
    for path in paths:
        known = statistics.fields.get(path)
        column, passes = statistics.columns.get(path), statistics.row_passes.get(path, 0)
        made.append(_Field(path, None if known is None else ref(known), column, passes))
    return tuple(made)


@dataclass(slots=True)
class _Kept:
    """What was planned, from what, and uses left."""

    planned: PlannedConditions
    row_count: int
    fields: tuple[_Field, ...]
    uses_left: int = _USES

    def holds_for(self, statistics: QueryStatistics) -> bool:
        """Return whether nothing is known that was not known then."""
        return statistics.row_count == self.row_count and all(
            field.is_same_in(statistics) for field in self.fields
        )


class PlannedBefore:
    """Keeps what was planned for the conditions asked last. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, tuple[Condition, ...]], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def find(
        self, conditions: tuple[Condition, ...], statistics: QueryStatistics
    ) -> PlannedConditions | None:
        """Return what was planned for equal conditions, from the same statistics."""
        if not conditions or not all(map(_is_short, conditions)):
            return None
        key = (statistics.database, conditions)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            kept.uses_left -= 1
            if kept.uses_left <= 0 or not kept.holds_for(statistics):
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
        return kept.planned

    def keep(
        self,
        conditions: tuple[Condition, ...],
        statistics: QueryStatistics,
        planned: PlannedConditions,
    ) -> None:
        """Keep what was planned."""
        if not conditions or not all(map(_is_short, conditions)):
            return
        kept = _Kept(planned, statistics.row_count, _fields_of(conditions, statistics))
        with self._lock:
            self._kept[statistics.database, conditions] = kept
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)


def _is_short(condition: Condition) -> bool:
    if condition.is_group:
        return len(condition.filters) <= _MAX_VALUES and all(map(_is_short, condition.filters))
    return not isinstance(condition.value, tuple) or len(condition.value) <= _MAX_VALUES
