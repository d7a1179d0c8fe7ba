"""Plans carried out over rows and columns."""

from .executor import Executor

__all__ = ["Executor"]
