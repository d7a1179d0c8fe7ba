"""Where the engine meets what is around it: what was asked, is searched for, and is done."""

from ..query_log import LoggedQuestion, QueryLog, default_path
from .coordination import StatusUpdate, read_status, refresh_metrics, update_agent_status
from .search_aware import SearchAwareCacheOptimizer
from .search_updates import InvalidationReport
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
    "StatusUpdate",
    "WarmingFailure",
    "WarmingProgress",
    "WarmingReport",
    "default_path",
    "read_status",
    "refresh_metrics",
    "update_agent_status",
]
