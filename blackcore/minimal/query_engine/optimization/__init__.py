"""Plans and their costs: statistics, selectivity, the cost model, and the optimizer."""

from .cost_model import CostModel
from .explanation import Explanation
from .plan import ExecutionPlan, FilterStage, QueryCost, StageActual, Way
from .query_optimizer import CostBasedOptimizer, OptimizedQuery, QueryOptimizer
from .statistics import FieldStatistics, QueryStatistics, TableStatistics, gather

__all__ = [
    "CostBasedOptimizer",
    "CostModel",
    "ExecutionPlan",
    "Explanation",
    "FieldStatistics",
    "FilterStage",
    "OptimizedQuery",
    "QueryCost",
    "QueryOptimizer",
    "QueryStatistics",
    "StageActual",
    "TableStatistics",
    "Way",
    "gather",
]
