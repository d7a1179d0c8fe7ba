"""Plans and their costs: statistics, selectivity, the cost model, and the optimizer."""

from .calibration import calibrate
from .cost_model import CostModel
from .explanation import Explanation
from .gathering import gather
from .plan import ExecutionPlan, FilterStage, QueryCost, StageCost, Way
from .query_optimizer import CostBasedOptimizer, OptimizedQuery, QueryOptimizer
from .rules import RULES, RuleFired
from .statistics import ColumnState, FieldStatistics, Histogram, QueryStatistics, TableStatistics

__all__ = [
    "RULES",
    "ColumnState",
    "CostBasedOptimizer",
    "CostModel",
    "ExecutionPlan",
    "Explanation",
    "FieldStatistics",
    "FilterStage",
    "Histogram",
    "OptimizedQuery",
    "QueryCost",
    "QueryOptimizer",
    "QueryStatistics",
    "RuleFired",
    "StageCost",
    "TableStatistics",
    "Way",
    "calibrate",
    "gather",
]
