"""Timings: what several runs of one thing took, and what that says."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunTimings:
    """What each run took, in the order they were run.

    Percentiles are by nearest rank: always a time that a run took, never one between two. With
    fewer than 20 runs the 95th is the slowest run, with fewer than 100 the 99th is.

    >>> runs = RunTimings((0.3, 0.1, 0.2))
    >>> runs.median_seconds, runs.p95_seconds, runs.best_seconds
    (0.2, 0.3, 0.1)
    """

    seconds: tuple[float, ...]

    @property
    def best_seconds(self) -> float:
        """The fastest run."""
        return min(self.seconds)

    @property
    def median_seconds(self) -> float:
        """The middle of the runs; the mean of the middle two where their number is even."""
        return statistics.median(self.seconds)

    @property
    def p95_seconds(self) -> float:
        """At least 95 % of the runs took no longer."""
        return self.percentile_seconds(95)

    @property
    def p99_seconds(self) -> float:
        """At least 99 % of the runs took no longer."""
        return self.percentile_seconds(99)

    def percentile_seconds(self, percent: int) -> float:
        """Return the shortest time that at least `percent` % (1 to 100) of the runs kept to."""
        rank = math.ceil(len(self.seconds) * percent / 100)
        return sorted(self.seconds)[rank - 1]

    def __len__(self) -> int:
        return len(self.seconds)

    def __str__(self) -> str:
        """Return the timings in a line, in milliseconds."""
        median, p95, p99 = (
            f"{seconds * 1e3:.3f}"
            for seconds in (self.median_seconds, self.p95_seconds, self.p99_seconds)
        )
        return f"{len(self)} runs: median {median} ms, p95 {p95} ms, p99 {p99} ms"
