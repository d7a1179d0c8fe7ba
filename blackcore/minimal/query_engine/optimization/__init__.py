"""Plans and their costs: statistics, selectivity, the cost model, and the optimizer."""

from .cost_model import CostModel
from .explanation import Explanation
from .plan import ExecutionPlan, FilterStage, QueryCost, Way
from .query_optimizer import CostBasedOptimizer, OptimizedQuery, QueryOptimizer
from .rules import RULES, RuleFired
from .statistics import FieldStatistics, QueryStatistics, TableStatistics, gather

__all__ = [
    "RULES",
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
    "RuleFired",
    "TableStatistics",
    "Way",
    "gather",
]
