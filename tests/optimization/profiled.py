"""What the profiler's tests measure, and how they read what it found."""

from __future__ import annotations

import threading
from typing import Any

from blackcore.minimal.query_engine.optimization.profiling.execution_profile import (
    ExecutionProfile,
)


def leaf(n: int) -> int:
    return n + 1


def branch(n: int) -> int:
    return sum(leaf(i) for i in range(n))


def fails() -> None:
    branch(3)
    raise LookupError("nothing there")


def recorded(profile: ExecutionProfile[Any]) -> dict[str, tuple[int, float]]:
    """Return calls and cumulative seconds of the functions by name."""
    lines = vars(profile.profile_stats)["stats"]
    return {name: (calls, total) for (_, _, name), (_, calls, _, total, _) in lines.items()}


def sampling_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "query-profiler"]
