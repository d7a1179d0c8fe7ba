"""Plans: which filters run in which order and way, and what becomes of the rows after them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from ..query import Condition, SortField


class Way(StrEnum):
    """How a filter looks at the rows."""

    ROWS = "rows"
    """The dicts of the rows that survived so far."""
    COLUMN = "column"
    """The whole column."""
    SURVIVORS = "survivors"
    """The column, at the rows that survived so far."""
    DISTINCT = "distinct"
    """The column's distinct values, each once; then the codes of the rows."""

    def is_over_all_rows(self, surviving: float, rows: float = 1.0) -> bool:
        """Return whether the way looks at all rows while only some are in question.

        Looking all codes up costs less than picking those of more than a few rows.
        """
        return self is Way.COLUMN or (self is Way.DISTINCT and surviving * DISTINCT_FRACTION > rows)


DISTINCT_FRACTION = 30
"""Below this part of the rows, picking their codes costs less than looking all codes up."""


class StageCost(NamedTuple):
    """What one stage is estimated to cost: nanoseconds of one core, and the rows it leaves.

    With a filter's condition.
    """

    kind: Literal["filter", "sort"]
    nanoseconds: float
    rows: float
    condition: Condition | None = None

    @property
    def name(self) -> str:
        """The condition in words, or the kind."""
        return self.kind if self.condition is None else str(self.condition)


@dataclass(frozen=True, slots=True)
class QueryCost:
    """What something is estimated to cost: nanoseconds of one core, and the rows it leaves.

    Attributes:
        nanoseconds: of all stages together.
        rows: after the last one.
        stages: what each of them contributes, in the order they run; of a stage itself none.
    """

    nanoseconds: float
    rows: float
    stages: tuple[StageCost, ...] = ()

    def __str__(self) -> str:
        return f"{shown_time(self.nanoseconds)}, {self.rows:,.0f} rows"


class FilterStage(NamedTuple):
    """One condition of a plan.

    Attributes:
        condition: the filter or group.
        way: how it looks at the rows.
        selectivity: the fraction of the rows it is given that it is expected to leave.
        cost: for all the rows it is given; the rows left after it.
        rejected: the other ways and their estimated nanoseconds, cheapest first.
    """

    condition: Condition
    way: Way
    selectivity: float
    cost: QueryCost
    rejected: tuple[tuple[Way, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """What the executor carries out. Any plan is right; the optimizer's is meant to be fast.

    Attributes:
        database: whose rows.
        row_count: how many there are, as far as the statistics know.
        filter_stages: in the order they run.
        sort_fields: after the filters.
        limit: how many rows are needed of the order, or, without a sort, of those that match; the
            others have to be counted only. None for all.
        select: the fields that `distinct` compares, None for whole records.
        distinct: whether equal rows are left out.
        uses_columns: whether columns may be built and used at all.
        is_empty: whether no row can match, so that none is read.
        searches: the text searched for, None without a search.
        order_cost: of sorting and leaving out equal rows.
        is_known: whether order, ways and estimates are those of a question of the same shape, asked
            before with other values.
    """

    database: str
    row_count: int
    filter_stages: tuple[FilterStage, ...]
    sort_fields: tuple[SortField, ...] = ()
    limit: int | None = None
    select: tuple[str, ...] | None = None
    distinct: bool = False
    uses_columns: bool = True
    is_empty: bool = False
    searches: str | None = None
    order_cost: QueryCost | None = None
    is_known: bool = False

    @property
    def estimated_rows(self) -> float:
        """Rows expected after the filters."""
        if self.is_empty:
            return 0.0
        return self.filter_stages[-1].cost.rows if self.filter_stages else float(self.row_count)

    @property
    def cost(self) -> QueryCost:
        """What all stages together are estimated to cost."""
        stages = [
            StageCost("filter", stage.cost.nanoseconds, stage.cost.rows, stage.condition)
            for stage in self.filter_stages
        ]
        if self.order_cost is not None:
            stages.append(StageCost("sort", self.order_cost.nanoseconds, self.order_cost.rows))
        spent = sum([stage.nanoseconds for stage in stages])
        return QueryCost(spent, self.estimated_rows, tuple(stages))

    def explain(self) -> str:
        """Return the plan as a text tree; `Explanation` says more."""
        from .explanation import text_tree
        from .plan_steps import steps_of

        return text_tree(steps_of(self), shows_rejected=self.uses_columns)

    def _repr_html_(self) -> str:
        from .plan_drawing import drawn_steps
        from .plan_steps import steps_of

        estimate = f"estimated {self.cost}"
        return drawn_steps(f"a plan for {self.database}", [estimate], steps_of(self))


def shown_time(nanoseconds: float) -> str:
    """Return a duration in the unit that reads best.

    >>> shown_time(1_500), shown_time(2_500_000)
    ('1.5 us', '2.5 ms')
    """
    for limit, divisor, unit in ((1e3, 1, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms")):
        if nanoseconds < limit:
            return f"{nanoseconds / divisor:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"
