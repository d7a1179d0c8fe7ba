"""What one query took: stage by stage, with the rows expected beside the rows there were."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..plan import Way, shown_time
from . import notebook
from .files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    from ..explanation import Explanation
    from .execution_profile import ExecutionProfile
    from .speedscope import Speedscope
    from .timings import RunTimings

STAGES: Final = (
    "load",
    "cache",
    "plan",
    "search",
    "filter",
    "sort",
    "distinct",
    "export",
    "other",
)
"""In the order they run; "other" is what no stage accounts for."""

_STAGE_OF_FIELD: Final = {
    "data_load_ms": "load",
    "cache_check_ms": "cache",
    "plan_ms": "plan",
    "search_ms": "search",
    "filter_ms": "filter",
    "sort_ms": "sort",
    "distinct_ms": "distinct",
    "export_ms": "export",
    "other_ms": "other",
}

_WAYS: Final = {
    Way.ROWS.value: "row by row",
    Way.COLUMN.value: "over the whole column",
    Way.SURVIVORS.value: "among the rows left so far",
    Way.DISTINCT.value: "once per distinct value",
}

_FAR_OFF: Final = 4.0
"""A factor: estimates that are off by more are worth a word."""


@dataclass(frozen=True, slots=True)
class StageRows:
    """One filter, sort or distinct: what it was expected to leave and to take, and what it did.

    Attributes:
        kind: "filter", "sort" or "distinct".
        name: the condition, or the kind again.
        way: how a filter looks at the rows; empty for other stages.
        estimated_rows: None where nothing was estimated.
        actual_rows: rows left.
        estimated_ms: None where nothing was estimated.
        actual_ms: milliseconds it took.
    """

    kind: str
    name: str
    way: str
    estimated_rows: float | None
    actual_rows: int
    estimated_ms: float | None
    actual_ms: float

    @property
    def off_by(self) -> float:
        """How many times the estimate of the rows is too high or too low; 1.0 without one."""
        if self.estimated_rows is None:
            return 1.0
        low, high = sorted((max(self.estimated_rows, 1.0), max(float(self.actual_rows), 1.0)))
        return high / low

    @property
    def is_far_off(self) -> bool:
        """Whether the estimate of the rows is off by more than is to be expected."""
        return self.off_by >= _FAR_OFF

    @property
    def looks(self) -> str:
        """How a filter looks at the rows, in words; empty for other stages."""
        return _WAYS.get(self.way, self.way)


@dataclass(frozen=True, kw_only=True)
class QueryPerformanceProfile:
    """Where the time and the memory of a query went. Print it, or let a notebook show it.

    Times are milliseconds on the wall clock of the run whose total is the median one (of the first
    run where the query was run once), `export_ms` beside them. Memory is resident memory of the
    whole process in mebibytes: it sees what Polars and numpy allocate, and what other threads do.

    Attributes:
        query: in a line.
        total_time_ms: of all stages, export included.
        data_load_ms: finding or loading the records.
        cache_check_ms: asking the cache.
        plan_ms: statistics and planning.
        search_ms: the text search.
        filter_ms: all filters.
        sort_ms: sorting.
        distinct_ms: leaving out equal rows.
        export_ms: writing the rows, 0.0 where they were not exported.
        other_ms: what no stage accounts for.
        memory_peak_mb: the most resident memory seen while it ran.
        memory_delta_mb: resident memory after less before.
        rows: in the result.
        total_rows: of all its pages.
        from_cache: whether that run's answer was in the cache.
        runs_from_cache: how many of the runs were.
        timings: of each run, without export.
        stage_rows: every filter, sort and distinct, from running the plan with the cache aside.
        explanation: the plan, with what was measured.
        execution: time, memory and functions of running the plan with the cache aside.
        notes: what could not be measured, and why.
    """

    query: str
    total_time_ms: float
    data_load_ms: float = 0.0
    cache_check_ms: float = 0.0
    plan_ms: float = 0.0
    search_ms: float = 0.0
    filter_ms: float = 0.0
    sort_ms: float = 0.0
    distinct_ms: float = 0.0
    export_ms: float = 0.0
    other_ms: float = 0.0
    memory_peak_mb: float
    memory_delta_mb: float
    rows: int
    total_rows: int
    from_cache: bool
    runs_from_cache: int
    timings: RunTimings
    stage_rows: Sequence[StageRows] = ()
    explanation: Explanation = field(repr=False)
    execution: ExecutionProfile[Explanation] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def stages(self) -> Mapping[str, float]:
        """Milliseconds by stage, in the order they run; they add up to `total_time_ms`."""
        return {stage: getattr(self, name) for name, stage in _STAGE_OF_FIELD.items()}

    @property
    def median_ms(self) -> float:
        """The middle run."""
        return self.timings.median_seconds * 1e3

    @property
    def p95_ms(self) -> float:
        """At least 95 % of the runs took no longer."""
        return self.timings.p95_seconds * 1e3

    @property
    def p99_ms(self) -> float:
        """At least 99 % of the runs took no longer."""
        return self.timings.p99_seconds * 1e3

    def bottleneck(self) -> str:
        """Return the stage that took longest: one of `STAGES`."""
        stages = self.stages
        return max(stages, key=lambda stage: stages[stage])

    def finding(self) -> str:
        """Return in a sentence what took longest, and what stands out about it."""
        stage = self.bottleneck()
        spent = self.stages[stage]
        share = spent / self.total_time_ms if self.total_time_ms else 0.0
        parts = [f"{stage} took {share:.0%} of {shown_time(self.total_time_ms * 1e6)}"]
        parts += self._details(stage)
        if self.from_cache:
            parts.append("the answer was in the cache")
        return "; ".join(parts)

    def _details(self, stage: str) -> Iterator[str]:
        inside = [each for each in self.stage_rows if each.kind == stage]
        if not inside:
            return
        slowest = max(inside, key=lambda each: each.actual_ms)
        if stage == "filter":
            way = f", looked at {slowest.looks}" if slowest.way else ""
            # a share, since these times are of another run, which functions are recorded in
            whole = sum(each.actual_ms for each in inside)
            share = slowest.actual_ms / whole if whole else 1.0
            yield f"{slowest.name} is {share:.0%} of it and left {slowest.actual_rows:,} rows{way}"
        worst = max(inside, key=lambda each: each.off_by)
        if worst.is_far_off:
            yield (
                f"the estimate for {worst.name} is off by {worst.off_by:.3g}: "
                f"{worst.estimated_rows:,.0f} rows expected, {worst.actual_rows:,} found"
            )

    def __str__(self) -> str:
        """Return the profile in a few lines."""
        source = "from cache" if self.from_cache else "computed"
        memory = f"memory peak {self.memory_peak_mb:.1f} MiB ({self.memory_delta_mb:+.1f})"
        rows = f"{self.rows:,} of {self.total_rows:,} rows"
        lines = [
            self.query,
            f"{shown_time(self.total_time_ms * 1e6)}, {rows}, {source}, {memory}",
            *(
                f"  {stage:9}{shown_time(spent * 1e6):>9} {'#' * round(30 * share)}"
                for stage, spent, share in self.shares()
            ),
            f"bottleneck: {self.finding()}",
        ]
        if len(self.timings) > 1:
            lines.append(f"{self.timings}; {self.runs_from_cache} from cache")
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def shares(self) -> Iterator[tuple[str, float, float]]:
        """Yield the stages that took any time, with milliseconds and their share of the total."""
        for stage, spent in self.stages.items():
            if spent > 0:
                yield stage, spent, spent / self.total_time_ms

    def to_dict(self) -> dict[str, object]:
        """Return the profile as plain values, ready for JSON, without functions."""
        return {
            "query": self.query,
            "total_time_ms": self.total_time_ms,
            **{name: getattr(self, name) for name in _STAGE_OF_FIELD},
            "bottleneck": self.bottleneck(),
            "memory_peak_mb": self.memory_peak_mb,
            "memory_delta_mb": self.memory_delta_mb,
            "rows": self.rows,
            "total_rows": self.total_rows,
            "from_cache": self.from_cache,
            "runs": {
                "count": len(self.timings),
                "from_cache": self.runs_from_cache,
                "median_ms": self.median_ms,
                "p95_ms": self.p95_ms,
                "p99_ms": self.p99_ms,
            },
            "stage_rows": [_stage_dict(each) for each in self.stage_rows],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return the profile as JSON text, without functions."""
        return json.dumps(self.to_dict())

    def export_pstats(self, path: str | PathLike[str]) -> None:
        """Write the functions for pstats, snakeviz and the like.

        Raises:
            ProfileError: no functions were recorded.
            ExportPathError: the file cannot be written.
        """
        self.execution.export_pstats(path)

    def speedscope(self) -> Speedscope:
        """Return stacks, functions and stages in the form that speedscope opens."""
        document = self.execution.speedscope()
        document.add_stages("stages", self.stages)
        return document

    def export_speedscope(self, path: str | PathLike[str]) -> None:
        """Write a file that speedscope (speedscope.app) opens.

        Raises:
            ExportPathError: the file cannot be written.
        """
        write_whole(path, self.speedscope().to_json())

    def _repr_html_(self) -> str:
        return notebook.query_html(self)


def _stage_dict(stage: StageRows) -> dict[str, object]:
    return {
        "kind": stage.kind,
        "name": stage.name,
        "way": stage.way,
        "estimated_rows": stage.estimated_rows,
        "actual_rows": stage.actual_rows,
        "estimated_ms": stage.estimated_ms,
        "actual_ms": stage.actual_ms,
    }


def stage_rows(explanation: Explanation) -> tuple[StageRows, ...]:
    """Return what each stage of a measured explanation was expected to do, and did."""
    plan = explanation.plan
    filters = iter(plan.filter_stages)
    rows = []
    for actual in explanation.actuals:
        stage = next(filters, None) if actual.kind == "filter" else None
        cost = stage.cost if stage is not None else None
        if actual.kind == "sort":
            cost = plan.order_cost
        rows.append(
            StageRows(
                kind=actual.kind,
                name=actual.name,
                way=stage.way.value if stage is not None else "",
                estimated_rows=None if cost is None else cost.rows,
                actual_rows=actual.rows,
                estimated_ms=None if cost is None else cost.nanoseconds / 1e6,
                actual_ms=actual.nanoseconds / 1e6,
            )
        )
    return tuple(rows)
