"""What was planned for conditions asked before, kept while nothing new is known of their fields.

The same conditions come again under another sort, page or projection, or after an answer left the
cache. To find them costs their hashes; to rewrite and price them again costs ten times that.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from operator import is_
from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

from ..query.conditions import fields_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from ..query import Condition
    from .condition_structure import Asked
    from .plan import FilterStage
    from .rules import RuleFired
    from .statistics import ColumnState, FieldStatistics, TableStatistics

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


class _Facts(NamedTuple):
    """What was known of some fields; their statistics go with their version, not with us."""

    paths: tuple[str, ...]
    row_count: int
    statistics: tuple[ref[FieldStatistics] | None, ...]
    columns: tuple[ColumnState | None, ...]
    row_passes: tuple[int, ...]

    @classmethod
    def of(cls, paths: tuple[str, ...], statistics: TableStatistics) -> _Facts:
        """Return what is known of fields."""
        known = list(map(statistics.fields.get, paths))
        return cls(
            paths,
            statistics.row_count,
            tuple([None if each is None else ref(each) for each in known]),
            tuple(map(statistics.columns.get, paths)),
            # what is looked up in the rows again and again is worth a column sooner or later
            tuple([statistics.row_passes.get(path, 0).bit_length() for path in paths])
            if statistics.row_passes
            else (),
        )

    def still_hold(self, statistics: TableStatistics) -> bool:
        """Return whether nothing else is known now."""
        now = _Facts.of(self.paths, statistics)
        return (
            now.row_count == self.row_count
            and now.columns == self.columns
            and now.row_passes == self.row_passes
            # all references to what is still there are the same object
            and all(map(is_, now.statistics, self.statistics))
        )


@dataclass(slots=True)
class _Kept:
    """What was planned, from what, and uses left."""

    planned: PlannedConditions
    facts: _Facts
    uses_left: int = _USES


class PlannedBefore:
    """Keeps what was planned for the conditions asked last. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable, statistics: TableStatistics) -> PlannedConditions | None:
        """Return what was planned under a key, while nothing else is known of its fields."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            kept.uses_left -= 1
            if kept.uses_left <= 0 or not kept.facts.still_hold(statistics):
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
        return kept.planned

    def keep(
        self,
        key: Hashable,
        conditions: tuple[Condition, ...],
        statistics: TableStatistics,
        planned: PlannedConditions,
    ) -> None:
        """Keep what was planned for conditions."""
        kept = _Kept(planned, _Facts.of(tuple(fields_of(conditions)), statistics))
        with self._lock:
            self._kept[key] = kept
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)


def key_of(conditions: tuple[Condition, ...], asked: Asked | None) -> Hashable | None:
    """Return what equal conditions share, None for those that are not worth keeping a plan for.

    Args:
        conditions: as they were asked.
        asked: the conditions taken apart, None where they cannot be told by signs.
    """
    if asked is not None:
        return (tuple(asked.signs), tuple(asked.values))
    return conditions if _are_short(conditions) else None


def _are_short(conditions: Iterable[Condition]) -> bool:
    for condition in conditions:
        parts = condition.filters if condition.is_group else condition.value
        if type(parts) is tuple and len(parts) > _MAX_VALUES:
            return False
        if condition.is_group and not _are_short(condition.filters):
            return False
    return True
