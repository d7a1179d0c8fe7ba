"""Where the engine meets what is around it: what was asked before, and what is searched for."""

from .query_log import LoggedQuestion, QueryLog, default_path
from .search_aware import InvalidationReport, SearchAwareCacheOptimizer
from .warming import (
    CacheWarmer,
    QueryExecutor,
    WarmingFailure,
    WarmingProgress,
    WarmingReport,
)

__all__ = [
    "CacheWarmer",
    "InvalidationReport",
    "LoggedQuestion",
    "QueryExecutor",
    "QueryLog",
    "SearchAwareCacheOptimizer",
    "WarmingFailure",
    "WarmingProgress",
    "WarmingReport",
    "default_path",
]
