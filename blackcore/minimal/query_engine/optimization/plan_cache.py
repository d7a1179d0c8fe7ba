"""The order and ways of questions of a shape seen before, so that they are not planned anew.

A shape is a question without its values. On a small database planning costs more than any order
could save, so that whatever the values are, one plan serves. On a larger one the values decide the
order by how many rows they leave: there, questions are of one shape only if each of their
conditions leaves about as many as its like.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import frexp

from ..query import Condition, QueryOperator
from ..query.patterns import compile_pattern
from .plan import FilterStage
from .selectivity import TRIED_OPERATORS, selectivity
from .statistics import QueryStatistics

_MAX_SHAPES = 1_024
_USES = 200


@dataclass(slots=True)
class _Known:
    """The positions of the conditions in the order they run, what else is in their stages.

    And uses left.
    """

    order: tuple[tuple[int, tuple[object, ...]], ...]
    uses_left: int


class PlanCache:
    """Keeps the stages of the shapes asked last; each is planned anew now and then. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()
        self._lock = threading.Lock()

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
            [FilterStage._make((conditions[position], *rest)) for position, rest in known.order]
        )

    def keep(
        self, shape: Hashable, conditions: Sequence[Condition], stages: Sequence[FilterStage]
    ) -> None:
        """Keep the stages that were planned for a shape."""
        positions = {id(condition): position for position, condition in enumerate(conditions)}
        order = tuple((positions[id(stage.condition)], stage[1:]) for stage in stages)
        with self._lock:
            self._known[shape] = _Known(order, _USES)
            if len(self._known) > _MAX_SHAPES:
                self._known.popitem(last=False)


def shape_of(
    conditions: Sequence[Condition],
    statistics: QueryStatistics,
    *,
    by_fractions: bool = False,
) -> Hashable:
    """Return what two questions share if one's plan serves the other.

    Args:
        conditions: AND-ed.
        statistics: of their database.
        by_fractions: whether it matters how many rows each of them leaves.
    """
    return (
        statistics.database,
        statistics.row_count,
        tuple(statistics.columns.values()),
        # what is looked up in the rows again and again is worth a column sooner or later
        tuple([passes.bit_length() for passes in statistics.row_passes.values()]),
        tuple(map(_condition_shape, conditions)),
        tuple([_magnitude(condition, statistics) for condition in conditions])
        if by_fractions
        else None,
    )


def _condition_shape(condition: Condition) -> Hashable:
    if condition.is_group:
        return (condition.mode, condition.negate, tuple(map(_condition_shape, condition.filters)))
    operator, value = condition.operator, condition.value
    detail: object = type(value)
    if operator is QueryOperator.REGEX:
        # look-around costs what no other pattern does
        detail = compile_pattern(str(value), case_sensitive=condition.case_sensitive).linear
    elif isinstance(value, tuple):
        detail = len(value).bit_length()
    return (condition.field, operator, detail, condition.case_sensitive)


def _magnitude(condition: Condition, statistics: QueryStatistics) -> int:
    """Return in which power of two is what a condition leaves, or leaves out where that is less.

    Zero and below for what it leaves, above for what it leaves out. Small parts are told apart only
    where no texts are tried, since few texts do not tell them.
    """
    fraction = selectivity(condition, statistics, roughly=True)
    leaves_less = fraction <= 0.5  # noqa: PLR2004 - the half
    power = frexp(fraction if leaves_less else 1.0 - fraction)[1]
    if power < _LEAST_TRIED and _looks_into_texts(condition):
        power = _LEAST_TRIED
    return power if leaves_less else 1 - power


_LEAST_TRIED = -3


def _looks_into_texts(condition: Condition) -> bool:
    if condition.is_group:
        return any(map(_looks_into_texts, condition.filters))
    return condition.operator in TRIED_OPERATORS
