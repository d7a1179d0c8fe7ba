"""Where the engine meets what is around it: what was asked before, and what is searched for."""

from .query_log import LoggedQuestion, QueryLog, default_path

__all__ = [
    "LoggedQuestion",
    "QueryLog",
    "default_path",
]
