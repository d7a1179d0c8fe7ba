"""Runs of one query on the clock alone, and the profile made of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ProfileError
from .query_profile import STAGES, QueryPerformanceProfile, stage_rows
from .timings import RunTimings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...data import QueryResult
    from ..explanation import Explanation
    from .execution_profile import ExecutionProfile


@dataclass(frozen=True, slots=True)
class QueryRun:
    """One run: seconds on the clock, and what the result says of it."""

    seconds: float
    stages: Mapping[str, float]
    rows: int
    total_rows: int
    from_cache: bool

    def stages_ms(self) -> dict[str, float]:
        """Return milliseconds by stage; what no stage accounts for is "other"."""
        known = {stage: self.stages.get(stage, 0.0) for stage in STAGES}
        accounted = sum(spent for stage, spent in known.items() if stage != "other")
        return {**known, "other": max(self.seconds * 1e3 - accounted, 0.0)}


class QueryRuns:
    """Executes one query as often as wanted.

    Attributes:
        runs: one for each execution.
    """

    def __init__(self, execute: Callable[[], QueryResult]) -> None:
        self.runs: list[QueryRun] = []
        self._execute = execute
        self._last: QueryResult | None = None

    def run(self, times: int) -> None:
        """Execute the query so many times."""
        for _ in range(times):
            self._last = None  # as a caller who asks again would have let go of it
            start = time.perf_counter()
            result = self._execute()
            seconds = time.perf_counter() - start
            self.runs.append(
                QueryRun(seconds, result.stages, len(result), result.total_count, result.from_cache)
            )
            self._last = result

    @property
    def last_result(self) -> QueryResult:
        """The result of the last run.

        Raises:
            ProfileError: there was none.
        """
        if self._last is None:
            raise ProfileError("the query has not been run; call run() first")
        return self._last

    @property
    def middle(self) -> QueryRun:
        """The run of median time, the faster of the middle two where their number is even."""
        ordered = sorted(self.runs, key=lambda run: run.seconds)
        return ordered[(len(ordered) - 1) // 2]

    @property
    def from_cache(self) -> int:
        """How many were answered from the cache."""
        return sum(run.from_cache for run in self.runs)


def query_profile(
    query: str,
    runs: QueryRuns,
    timed: ExecutionProfile[object],
    explained: ExecutionProfile[Explanation],
    exported: ExecutionProfile[object] | None,
) -> QueryPerformanceProfile:
    """Return the profile of a query.

    Args:
        query: in a line.
        runs: on the clock alone.
        timed: memory while they ran.
        explained: the plan run once more, with the cache aside.
        exported: writing the rows, where they were written.
    """
    export_ms, memory_peak_mb = 0.0, timed.memory_peak_mb
    if exported is not None:
        export_ms = exported.elapsed_seconds * 1e3
        memory_peak_mb = max(memory_peak_mb, exported.memory_peak_mb)
    middle = runs.middle
    stages = middle.stages_ms()
    notes = [*timed.notes, *explained.notes]
    if 0 < runs.from_cache < len(runs.runs):
        notes.append(
            f"{runs.from_cache} of {len(runs.runs)} runs were answered from the cache, so that the "
            "timings are of two kinds; use_cache=False computes every run"
        )
    return QueryPerformanceProfile(
        query=query,
        total_time_ms=sum(stages.values()) + export_ms,
        data_load_ms=stages["load"],
        cache_check_ms=stages["cache"],
        plan_ms=stages["plan"],
        search_ms=stages["search"],
        filter_ms=stages["filter"],
        sort_ms=stages["sort"],
        distinct_ms=stages["distinct"],
        export_ms=export_ms,
        other_ms=stages["other"],
        memory_peak_mb=memory_peak_mb,
        memory_delta_mb=timed.memory_delta_mb,
        rows=middle.rows,
        total_rows=middle.total_rows,
        from_cache=middle.from_cache,
        runs_from_cache=runs.from_cache,
        timings=RunTimings(tuple(run.seconds for run in runs.runs)),
        stage_rows=stage_rows(explained.value),
        explanation=explained.value,
        execution=explained,
        notes=tuple(dict.fromkeys(notes)),
    )
