"""The optimizer: orders filters by what they cost for what they leave out, and picks their ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol, runtime_checkable

from ..errors import SettingsError, did_you_mean
from ..query import Condition, StructuredQuery
from ..query.conditions import fields_of
from ..settings import ExecutionSettings
from .condition_structure import Asked
from .cost_model import CostModel, may_be_slow, rank
from .known_rewritings import KnownRewritings, RulesFired
from .logic import is_nothing
from .plan import ExecutionPlan, FilterStage, QueryCost, Way
from .plan_cache import PlanCache, shape_of
from .planned_conditions import PlannedBefore, PlannedConditions, key_of
from .rules import (
    RULE_NAMES,
    Ordering,
    RuleContext,
    RuleFired,
    are_plain,
    context_of,
    ordered,
)
from .selectivity import conjunction, selectivity
from .stage_order import StageOrder
from .statistics import QueryStatistics, TableStatistics


@dataclass(frozen=True, slots=True)
class OptimizedQuery:
    """A query with the plan made for it.

    Attributes:
        query: as it was asked.
        plan: what the executor carries out.
        rules_fired: the rewriting rules that changed something, with what stood there before and
            after.
    """

    query: StructuredQuery
    plan: ExecutionPlan
    rules_fired: Sequence[RuleFired] = ()

    @property
    def filters(self) -> tuple[Condition, ...]:
        """The conditions as they were rewritten, in the order they run."""
        return tuple([stage.condition for stage in self.plan.filter_stages])

    @property
    def estimated_cost(self) -> QueryCost:
        """What all stages together are estimated to cost."""
        return self.plan.cost


@runtime_checkable
class QueryOptimizer(Protocol):
    """Whatever can plan a query from statistics; any object with this method serves."""

    def optimize_query(self, query: StructuredQuery, statistics: QueryStatistics) -> OptimizedQuery:
        """Return the query with a plan that gives the same answer as the query as written."""
        ...


class CostBasedOptimizer:
    """Orders AND-ed conditions by rank = cost / (1 - selectivity), the cheapest exclusion first.

    That order is optimal for independent conditions whose costs are in proportion to the rows that
    they are given (Hellerstein and Stonebraker, SIGMOD 1993); as long as whole columns are looked
    at, neighbours change places where both cost less that way. OR-ed ones go by cost / selectivity.
    Patterns with look-around, which only their timeout bounds, come last.

    Needs nothing but statistics; holds no state but plans and rewritings of shapes seen before;
    thread-safe.

    Args:
        cost_model: nanoseconds per row and way; see `calibrate` for those of this machine.
        settings: from how many rows on columns are used, and how many rows are kept under a limit.
        keep_order: run the conditions in the order they were given.
        switched_off: names of rewriting rules not to use (see `RULES`).
        statistics: what is known of databases, for plans without statistics of their own.

    Raises:
        SettingsError: a name among `switched_off` that no rule has.
    """

    def __init__(
        self,
        cost_model: CostModel | None = None,
        settings: ExecutionSettings | None = None,
        *,
        keep_order: bool = False,
        switched_off: Iterable[str] = (),
        statistics: Iterable[TableStatistics] = (),
    ) -> None:
        self.switched_off = frozenset(switched_off)
        unknown = self.switched_off - RULE_NAMES
        if unknown:
            name = min(unknown)
            raise SettingsError(f"no rewriting rule {name!r}; {did_you_mean(name, RULE_NAMES)}")
        self.cost_model = cost_model or CostModel()
        self.settings = settings or ExecutionSettings()
        self.keep_order = keep_order
        self._statistics = {known.database: known for known in statistics}
        self._rewritings = KnownRewritings(self.switched_off)
        self._plans = PlanCache()
        self._planned_before = PlannedBefore()

    def optimize_query(self, query: StructuredQuery, statistics: QueryStatistics) -> OptimizedQuery:
        """Return the query with its plan."""
        uses_columns = statistics.row_count >= self.settings.columns_from_rows
        fired, is_empty, stages, is_known = self._planned(query.filters, statistics)
        ordering, also_fired = self._ordered(query, statistics)
        matched = stages[-1].cost.rows if stages else float(statistics.row_count)
        plan = ExecutionPlan(
            database=query.database,
            row_count=statistics.row_count,
            filter_stages=stages,
            sort_fields=ordering.sort_fields,
            limit=ordering.limit,
            select=query.select,
            distinct=query.distinct,
            uses_columns=uses_columns,
            is_empty=is_empty,
            searches=query.search.text if query.search else None,
            order_cost=self._order_cost(ordering, 0.0 if is_empty else matched),
            is_known=is_known,
        )
        if isinstance(fired, RulesFired):
            all_fired: Sequence[RuleFired] = fired.followed_by(also_fired)
        else:
            all_fired = (*fired, *also_fired)
        return OptimizedQuery(query, plan, all_fired)

    def generate_execution_plan(self, query: StructuredQuery) -> ExecutionPlan:
        """Return a plan from the statistics that the optimizer was made with.

        Of a database that it was not told of, nothing is known but the query.
        """
        known = self._statistics.get(query.database, QueryStatistics(query.database, 0))
        return self.optimize_query(query, known).plan

    def estimate_cost(self, query: StructuredQuery, data_statistics: QueryStatistics) -> QueryCost:
        """Return what the query is estimated to cost with the plan made for it, stage by stage."""
        return self.optimize_query(query, data_statistics).estimated_cost

    def _planned(
        self, given: tuple[Condition, ...], statistics: QueryStatistics
    ) -> PlannedConditions:
        """Return what becomes of AND-ed conditions, from what was planned before if it can be."""
        taken_apart = Asked()
        asked = taken_apart if taken_apart.add(given) else None
        key = key_of(given, asked)
        if key is None or not given:
            return self._planned_anew(given, statistics, asked)
        key = (statistics.database, key)
        planned = self._planned_before.find(key, statistics)
        if planned is None:
            planned = self._planned_anew(given, statistics, asked)
            self._planned_before.keep(key, given, statistics, planned)
        return planned

    def _planned_anew(
        self, given: tuple[Condition, ...], statistics: QueryStatistics, asked: Asked | None
    ) -> PlannedConditions:
        """Return AND-ed conditions rewritten, in order, each with its way."""
        conditions, fired = given, _NO_RULES
        if not are_plain(given):
            conditions, fired = self._rewritings.rewritten(given, statistics, asked)
        if any(map(is_nothing, conditions)):
            return PlannedConditions(fired, True, (), False)
        stages, is_known = self._known_stages(conditions, statistics)
        return PlannedConditions(fired, False, stages, is_known)

    def _ordered(
        self, query: StructuredQuery, statistics: QueryStatistics
    ) -> tuple[Ordering, tuple[RuleFired, ...]]:
        if query.pagination is None and not query.sort_fields:
            return _AS_THEY_COME, ()
        wanted = None
        if query.pagination is not None:
            wanted = max(query.pagination.stop, self.settings.answer_prefix_rows)
        given = Ordering(query.sort_fields, wanted, query.distinct, query.search is not None)
        context = context_of(statistics) if len(query.sort_fields) > 1 else _NOTHING_PROVEN
        return ordered(given, context, switched_off=self.switched_off)

    def _order_cost(self, ordering: Ordering, rows: float) -> QueryCost | None:
        if not ordering.sort_fields:
            return None
        kept = rows if ordering.limit is None else min(rows, ordering.limit)
        return QueryCost(self.cost_model.order_ns(rows, ordering.limit), kept)

    def _known_stages(
        self, conditions: tuple[Condition, ...], statistics: QueryStatistics
    ) -> tuple[tuple[FilterStage, ...], bool]:
        """Return the stages, and whether they were planned for other values of the same shape."""
        if not self.keep_order and any(map(_is_group, conditions)):
            conditions = tuple(
                [self.cost_model.arranged(condition, statistics) for condition in conditions]
            )
        values_matter = statistics.row_count >= self.settings.planned_anew_from_rows
        shape = shape_of(conditions, statistics, by_fractions=values_matter)
        known = self._plans.stages(shape, conditions)
        if known is not None:
            return known, True
        fractions = [selectivity(condition, statistics) for condition in conditions]
        if statistics.row_count < self.settings.columns_from_rows:
            stages = self._row_stages(conditions, fractions, statistics)
        else:
            order = StageOrder(conditions, fractions, statistics, self.cost_model)
            stages = order.stages(keep_order=self.keep_order)
        self._plans.keep(shape, conditions, stages)
        return stages, False

    def _row_stages(
        self,
        conditions: Sequence[Condition],
        fractions: Sequence[float],
        statistics: QueryStatistics,
    ) -> tuple[FilterStage, ...]:
        """Return the stages of a pass over few rows: a row costs the same whichever comes first."""
        prices = [self.cost_model.rows_ns(condition, statistics) for condition in conditions]
        order = list(range(len(conditions)))
        if not self.keep_order:
            slow = [may_be_slow(condition) for condition in conditions]
            order.sort(key=lambda p: (slow[p], rank(prices[p], fractions[p]), p))
        surviving = 1.0
        stages = []
        for done, position in enumerate(order, 1):
            before = surviving
            surviving = _together(conditions, fractions, order[:done], statistics)
            cost = QueryCost(prices[position] * before, surviving * statistics.row_count)
            share = surviving / before if before else 0.0
            stages.append(FilterStage(conditions[position], Way.ROWS, share, cost))
        return tuple(stages)


_is_group = attrgetter("is_group")
_AS_THEY_COME = Ordering()
_NOTHING_PROVEN = RuleContext()
_NO_RULES: Sequence[RuleFired] = ()


def _together(
    conditions: Sequence[Condition],
    fractions: Sequence[float],
    positions: Sequence[int],
    statistics: QueryStatistics,
) -> float:
    """Return the fraction of rows that some of the conditions leave together."""
    return conjunction(
        [conditions[position] for position in positions],
        [fractions[position] for position in positions],
        statistics,
    )


def needed_fields(query: StructuredQuery) -> tuple[str, ...]:
    """Return the fields whose statistics a plan of the query wants."""
    paths = fields_of(query.filters)
    if len(query.sort_fields) > 1:  # whether the first one leaves the others nothing to decide
        paths.extend(sort.field for sort in query.sort_fields[:-1])
    return tuple(dict.fromkeys(paths))


def plan_as_written(query: StructuredQuery, row_count: int) -> ExecutionPlan:
    """Return the plan that runs the conditions in the order given, row by row, and sorts all."""
    stages = tuple(
        FilterStage(condition, Way.ROWS, 1.0, QueryCost(0.0, row_count))
        for condition in query.filters
    )
    return ExecutionPlan(
        database=query.database,
        row_count=row_count,
        filter_stages=stages,
        sort_fields=query.sort_fields,
        select=query.select,
        distinct=query.distinct,
        uses_columns=False,
        searches=query.search.text if query.search else None,
    )
