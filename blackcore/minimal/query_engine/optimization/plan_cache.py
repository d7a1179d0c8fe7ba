"""The order and ways of questions of a shape seen before, so that small ones are not planned anew.

A shape is a question without its values. On a small database planning costs more than any order
could save; on a large one the values decide the order, and it is planned each time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..query import Condition, QueryFilter
from .plan import FilterStage
from .statistics import QueryStatistics

_MAX_SHAPES = 1_024
_USES = 200


@dataclass(slots=True)
class _Known:
    """The positions of the conditions in the order they run, their stages, and uses left."""

    order: tuple[tuple[int, FilterStage], ...]
    uses_left: int


class PlanCache:
    """Keeps the stages of the shapes asked last; each is planned anew now and then. Thread-safe.

    Args:
        max_rows: databases with more rows are planned each time.
    """

    def __init__(self, max_rows: int) -> None:
        self.max_rows = max_rows
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def shape_of(
        self, conditions: Sequence[Condition], statistics: QueryStatistics
    ) -> Hashable | None:
        """Return what two questions share if one's plan serves the other, None if none would."""
        if statistics.row_count > self.max_rows:
            return None
        parts: list[Hashable] = [statistics.database, statistics.row_count]
        parts.extend(statistics.columns.values())
        for condition in conditions:
            if not isinstance(condition, QueryFilter):
                return None
            parts.append((condition.field, condition.operator, type(condition.value)))
        return tuple(parts)

    def stages(
        self, shape: Hashable, conditions: Sequence[Condition]
    ) -> tuple[FilterStage, ...] | None:
        """Return the stages for conditions of a known shape; estimates are of the first ones."""
        with self._lock:
            known = self._known.get(shape)
            if known is None:
                return None
            self._known.move_to_end(shape)
            known.uses_left -= 1
            if known.uses_left <= 0:
                del self._known[shape]
        return tuple(
            FilterStage(conditions[position], stage.way, stage.selectivity, stage.cost)
            for position, stage in known.order
        )

    def keep(
        self, shape: Hashable, conditions: Sequence[Condition], stages: Sequence[FilterStage]
    ) -> None:
        """Keep the stages that were planned for a shape."""
        positions = {id(condition): position for position, condition in enumerate(conditions)}
        order = tuple((positions[id(stage.condition)], stage) for stage in stages)
        with self._lock:
            self._known[shape] = _Known(order, _USES)
            if len(self._known) > _MAX_SHAPES:
                self._known.popitem(last=False)
