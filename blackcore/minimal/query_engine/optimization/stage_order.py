"""The order in which AND-ed conditions run, each in the way that costs least by then.

The next one is the one of best rank, which is optimal where each costs in proportion to the rows
that it is given. A look at a whole column does not: it costs the same however many rows are still
in question. So as long as whole columns are looked at, neighbours change places where both together
cost less that way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .cost_model import may_be_slow, rank
from .plan import FilterStage, QueryCost, Way
from .selectivity import conjunction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..query import Condition
    from .cost_model import CostModel
    from .statistics import TableStatistics

_WORTH_SWAPPING = 0.97
"""Estimates that differ by a smaller part say nothing."""


class _Step(NamedTuple):
    """A condition at its place, and what is so after it.

    Attributes:
        position: of the condition among those given.
        way: how it looks at the rows.
        price: nanoseconds, for all the rows it is given.
        rejected: the other ways, cheapest first.
        done: the conditions that ran by then, a bit for each.
        surviving: the fraction of all rows that is still in question.
        is_picked: whether the positions of those are at hand.
        is_passing: whether all conditions so far looked at the dicts.
    """

    position: int
    way: Way
    price: float
    rejected: tuple[tuple[Way, float], ...]
    done: int
    surviving: float
    is_picked: bool
    is_passing: bool


_START = _Step(-1, Way.ROWS, 0.0, (), 0, 1.0, is_picked=False, is_passing=False)


class StageOrder:
    """Puts conditions in order.

    Args:
        conditions: AND-ed.
        fractions: of the rows, that each leaves by itself.
        statistics: of their database.
        cost_model: what the ways cost.
    """

    def __init__(
        self,
        conditions: Sequence[Condition],
        fractions: Sequence[float],
        statistics: TableStatistics,
        cost_model: CostModel,
    ) -> None:
        self._conditions = conditions
        self._fractions = fractions
        self._statistics = statistics
        self._cost_model = cost_model
        self._slow = [may_be_slow(condition) for condition in conditions]
        self._left_by: dict[int, float] = {}

    def stages(self, *, keep_order: bool = False) -> tuple[FilterStage, ...]:
        """Return the stages; with `keep_order` in the order given."""
        places = range(len(self._conditions))
        steps = self._in_order(places) if keep_order else self._swapped(self._by_rank())
        return tuple(map(self._stage, steps, [_START, *steps]))

    def _stage(self, step: _Step, before: _Step) -> FilterStage:
        share = step.surviving / before.surviving if before.surviving else 0.0
        cost = QueryCost(step.price, step.surviving * self._statistics.row_count)
        return FilterStage(self._conditions[step.position], step.way, share, cost, step.rejected)

    def _in_order(self, positions: Sequence[int], after: _Step = _START) -> list[_Step]:
        steps = []
        for position in positions:
            after = self._step(position, after)
            steps.append(after)
        return steps

    def _by_rank(self) -> list[_Step]:
        """Return each condition at the place where its rank is the best of those that are left."""
        steps: list[_Step] = []
        left = list(range(len(self._conditions)))
        while left:
            after = steps[-1] if steps else _START
            tried = [self._priced(position, after) for position in left]
            ranks = [
                (self._slow[position], rank(priced[0][1], self._fractions[position]), position)
                for position, priced in zip(left, tried, strict=True)
            ]
            best = ranks.index(min(ranks))
            steps.append(self._step(left.pop(best), after, tried[best]))
        return steps

    def _swapped(self, steps: list[_Step]) -> list[_Step]:
        """Return the steps with neighbours swapped where that costs less."""
        price = self._price(steps)
        for at in range(len(steps) - 1):
            before = steps[at - 1] if at else _START
            if before.is_picked or before.is_passing:
                break  # from here on they cost in proportion to the rows
            one, other = steps[at : at + 2]
            if self._slow[one.position] != self._slow[other.position]:
                continue
            first = self._step(other.position, before)
            second = self._step(one.position, first)
            later = steps[at + 2 :]
            if second[-2:] != other[-2:]:  # positions are at hand where they were not, or not where
                later = self._in_order([step.position for step in later], second)
            changed = [*steps[:at], first, second, *later]
            if self._price(changed) < price * _WORTH_SWAPPING:
                steps, price = changed, self._price(changed)
        return steps

    def _priced(self, position: int, after: _Step) -> list[tuple[Way, float]]:
        """Return the ways of a condition with their prices, cheapest first."""
        ways = self._cost_model.ways(
            self._conditions[position],
            self._statistics,
            after.surviving,
            picked=after.is_picked,
            passing=after.is_passing,
        )
        return sorted(ways.items(), key=lambda item: item[1])

    def _step(
        self, position: int, after: _Step, priced: list[tuple[Way, float]] | None = None
    ) -> _Step:
        (way, price), *rejected = priced or self._priced(position, after)
        done = after.done | 1 << position
        # of a column that is looked at first all rows are looked at, in whatever way
        is_whole = way.is_over_all_rows(after.surviving) or (way is not Way.ROWS and not after.done)
        return _Step(
            position,
            way,
            price,
            tuple(rejected),
            done,
            self._surviving(done),
            after.is_picked or not is_whole,
            way is Way.ROWS and (after.is_passing or not after.done),
        )

    def _surviving(self, done: int) -> float:
        """Return the fraction of rows that some of the conditions leave together."""
        left = self._left_by.get(done)
        if left is None:
            those = [position for position in range(len(self._conditions)) if done >> position & 1]
            left = self._left_by[done] = conjunction(
                [self._conditions[position] for position in those],
                [self._fractions[position] for position in those],
                self._statistics,
            )
        return left

    def _price(self, steps: Sequence[_Step]) -> float:
        """Return what steps cost, with the positions that are wanted in the end."""
        price = sum([step.price for step in steps])
        last = steps[-1] if steps else _START
        if last.is_picked:
            return price
        return price + self._cost_model.picking_ns(self._statistics.row_count, last.surviving)
