"""Profiles: of executions and of queries, with their exports, and the log of slow queries."""

from .execution_profile import ExecutionProfile, HotFunction
from .line_memory import FunctionMemory, LineMemory
from .query_profile import STAGES, QueryPerformanceProfile, StageRows
from .slow_query_log import SlowQuery, SlowQueryLog
from .speedscope import Speedscope
from .timings import RunTimings

__all__ = [
    "STAGES",
    "ExecutionProfile",
    "FunctionMemory",
    "HotFunction",
    "LineMemory",
    "QueryPerformanceProfile",
    "RunTimings",
    "SlowQuery",
    "SlowQueryLog",
    "Speedscope",
    "StageRows",
]
