"""The optimizer: orders filters by what they cost for what they leave out, and picks their ways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..errors import SettingsError, did_you_mean
from ..query import Condition, StructuredQuery, condition_fields
from ..settings import ExecutionSettings
from .cost_model import CostModel
from .logic import is_nothing
from .plan import ExecutionPlan, FilterStage, QueryCost, Way
from .plan_cache import PlanCache
from .rules import RULE_NAMES, RuleContext, RuleFired, are_plain, needed_sort_fields, rewritten
from .selectivity import selectivity
from .statistics import QueryStatistics


@dataclass(frozen=True, slots=True)
class OptimizedQuery:
    """A query with the plan made for it.

    Attributes:
        query: as it was asked.
        filters: the conditions in the order they run.
        plan: what the executor carries out.
        estimated_cost: of all stages.
        rules_fired: the rewriting rules that changed something, with what stood there before and
            after.
    """

    query: StructuredQuery
    filters: tuple[Condition, ...]
    plan: ExecutionPlan
    estimated_cost: QueryCost
    rules_fired: tuple[RuleFired, ...] = ()


@runtime_checkable
class QueryOptimizer(Protocol):
    """Whatever can plan a query from statistics; any object with this method serves."""

    def optimize_query(self, query: StructuredQuery, statistics: QueryStatistics) -> OptimizedQuery:
        """Return the query with a plan that gives the same answer as the query as written."""
        ...


class CostBasedOptimizer:
    """Orders AND-ed conditions by rank = cost / (1 - selectivity), the cheapest exclusion first.

    That order is optimal for independent conditions (Hellerstein and Stonebraker, SIGMOD 1993).
    Holds no state but plans of shapes seen before; thread-safe.

    Args:
        cost_model: nanoseconds per row and way.
        settings: from how many rows on columns are used, and how many rows are kept under a limit.
        keep_order: run the conditions in the order they were given.
        switched_off: names of rewriting rules not to use (see `rules.RULES`).

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
    ) -> None:
        self.switched_off = frozenset(switched_off)
        unknown = self.switched_off - RULE_NAMES
        if unknown:
            first = min(unknown)
            hint = did_you_mean(first, RULE_NAMES)
            raise SettingsError(f"there is no rewriting rule {first!r}; {hint}")
        self.cost_model = cost_model or CostModel()
        self.settings = settings or ExecutionSettings()
        self.keep_order = keep_order
        self._plans = PlanCache(self.settings.planned_anew_from_rows)

    def optimize_query(self, query: StructuredQuery, statistics: QueryStatistics) -> OptimizedQuery:
        """Return the query with its plan."""
        uses_columns = statistics.row_count >= self.settings.columns_from_rows
        conditions, fired = self._rewritten(query, statistics)
        is_empty = any(map(is_nothing, conditions))
        stages, is_known = ((), False) if is_empty else self._known_stages(conditions, statistics)
        matched = stages[-1].cost.rows if stages else float(statistics.row_count)
        limit = self._limit(query)
        plan = ExecutionPlan(
            database=query.database,
            row_count=statistics.row_count,
            filter_stages=stages,
            sort_fields=needed_sort_fields(query),
            limit=limit,
            select=query.select,
            distinct=query.distinct,
            uses_columns=uses_columns,
            is_empty=is_empty,
            searches=query.search.text if query.search else None,
            order_cost=self._order_cost(query, matched, limit),
            is_known=is_known,
        )
        filters = tuple(stage.condition for stage in stages)
        return OptimizedQuery(query, filters, plan, plan.cost, fired)

    def _rewritten(
        self, query: StructuredQuery, statistics: QueryStatistics
    ) -> tuple[tuple[Condition, ...], tuple[RuleFired, ...]]:
        if are_plain(query.filters):
            return query.filters, ()
        kinds = {path: state.kind for path, state in statistics.columns.items()}
        context = RuleContext(
            # a field has a column only where no list is on the way in any record
            single_valued=frozenset(path for path, kind in kinds.items() if kind is not None),
            texts=frozenset(path for path, kind in kinds.items() if kind == "string"),
        )
        return rewritten(query.filters, context, switched_off=self.switched_off)

    def generate_execution_plan(self, query: StructuredQuery) -> ExecutionPlan:
        """Return the plan of a query about which nothing is known but the query."""
        return self.optimize_query(query, QueryStatistics(query.database, 0)).plan

    def estimate_cost(self, query: StructuredQuery, data_statistics: QueryStatistics) -> QueryCost:
        """Return what the query is estimated to cost with the plan made for it."""
        return self.optimize_query(query, data_statistics).estimated_cost

    def _limit(self, query: StructuredQuery) -> int | None:
        if query.pagination is None or not query.sort_fields:
            return None  # without a sort every match is in order already
        return max(query.pagination.stop, self.settings.answer_prefix_rows)

    def _order_cost(
        self, query: StructuredQuery, rows: float, limit: int | None
    ) -> QueryCost | None:
        if not query.sort_fields:
            return None
        kept = rows if limit is None else min(rows, limit)
        return QueryCost(self.cost_model.order_ns(rows, limit), kept)

    def _known_stages(
        self, conditions: tuple[Condition, ...], statistics: QueryStatistics
    ) -> tuple[tuple[FilterStage, ...], bool]:
        """Return the stages, and whether they were planned for other values of the same shape."""
        shape = self._plans.shape_of(conditions, statistics)
        if shape is not None:
            known = self._plans.stages(shape, conditions)
            if known is not None:
                return known, True
        stages = self._stages(conditions, statistics)
        if shape is not None:
            self._plans.keep(shape, conditions, stages)
        return stages, False

    def _stages(
        self, conditions: tuple[Condition, ...], statistics: QueryStatistics
    ) -> tuple[FilterStage, ...]:
        """Return the stages, each chosen as the one of best rank given what survived so far."""
        if statistics.row_count < self.settings.columns_from_rows:
            return self._row_stages(conditions, statistics)
        surviving = 1.0
        stages: list[FilterStage] = []
        fractions = {
            position: selectivity(condition, statistics)
            for position, condition in enumerate(conditions)
        }
        while fractions:
            priced = {
                position: self._priced(conditions[position], statistics, surviving)
                for position in (list(fractions)[:1] if self.keep_order else fractions)
            }
            best = min(priced, key=lambda p: (priced[p][0][1] / (1.0 - fractions[p] + 1e-9), p))
            (way, price), *rejected = priced[best]
            fraction = fractions.pop(best)
            surviving *= fraction
            cost = QueryCost(price, surviving * statistics.row_count)
            stages.append(FilterStage(conditions[best], way, fraction, cost, tuple(rejected)))
        return tuple(stages)

    def _priced(
        self, condition: Condition, statistics: QueryStatistics, surviving: float
    ) -> list[tuple[Way, float]]:
        """Return the ways with their prices, cheapest first."""
        ways = self.cost_model.ways(condition, statistics, surviving)
        return sorted(ways.items(), key=lambda item: item[1])

    def _row_stages(
        self, conditions: tuple[Condition, ...], statistics: QueryStatistics
    ) -> tuple[FilterStage, ...]:
        """Return the stages of a pass over few rows: a row costs the same whichever comes first."""
        ranked = []
        for position, condition in enumerate(conditions):
            fraction = selectivity(condition, statistics)
            price = self.cost_model.rows_ns(condition, statistics)
            rank = position if self.keep_order else price / (1.0 - fraction + 1e-9)
            ranked.append((rank, position, condition, fraction, price))
        surviving = 1.0
        stages = []
        for _, _, condition, fraction, price in sorted(ranked, key=lambda item: item[:2]):
            spent = price * surviving
            surviving *= fraction
            cost = QueryCost(spent, surviving * statistics.row_count)
            stages.append(FilterStage(condition, Way.ROWS, fraction, cost))
        return tuple(stages)


def needed_fields(query: StructuredQuery) -> tuple[str, ...]:
    """Return the fields whose statistics a plan of the query wants."""
    return tuple(dict.fromkeys(path for c in query.filters for path in condition_fields(c)))


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
