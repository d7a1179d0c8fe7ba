"""How far an export has come: a frozen value, who is told of it, and how often."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import MissingExtraError


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportProgress:
    """How far one export has come.

    >>> half = ExportProgress(rows=500, bytes=4_000, elapsed_seconds=0.5, total_rows=1_000)
    >>> half.rows_per_second, half.fraction, half.remaining_seconds
    (1000.0, 0.5, 0.5)
    """

    rows: int
    """Rows formatted so far."""
    bytes: int
    """Bytes of text so far, before any compression."""
    elapsed_seconds: float
    total_rows: int | None = None
    """Rows there are to export, None where the source does not say."""
    ignored_values: int = 0
    """Values left out because their column came late, where ``late_columns`` is "ignore"."""
    finished: bool = False
    """True in the last report: everything is written and the file has its name."""

    @property
    def rows_per_second(self) -> float:
        """Rows per second since the start, 0.0 before any time has passed."""
        return self.rows / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def fraction(self) -> float | None:
        """The part that is done, 0.0 to 1.0; None where the total is not known."""
        if self.total_rows is None:
            return None
        return min(1.0, self.rows / self.total_rows) if self.total_rows else 1.0

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds to go at the rate so far; None where the total or the rate is not known."""
        if self.total_rows is None or not self.rows_per_second:
            return None
        return max(0, self.total_rows - self.rows) / self.rows_per_second


ProgressCallback: TypeAlias = Callable[[ExportProgress], Awaitable[None] | None]
"""Takes each report; a plain function or a coroutine function. What it raises ends the export."""


class Tally:
    """Rows and bytes of one export as they grow, and the clock that throttles its reports.

    Written by the one thread that formats; read by any.
    """

    __slots__ = (
        "_clock",
        "_interval_seconds",
        "_next_report",
        "_start",
        "bytes",
        "ignored_values",
        "rows",
        "total_rows",
    )

    def __init__(
        self,
        *,
        total_rows: int | None = None,
        interval_seconds: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rows = 0
        self.bytes = 0
        self.total_rows = total_rows
        self.ignored_values: dict[str, int] = {}
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._start = clock()
        self._next_report = self._start + interval_seconds

    def due(self) -> ExportProgress | None:
        """Return a report if it is time for one, else None."""
        now = self._clock()
        if now < self._next_report:
            return None
        self._next_report = now + self._interval_seconds
        return self.report()

    def report(self, *, finished: bool = False) -> ExportProgress:
        """Return the state as it is now."""
        return ExportProgress(
            rows=self.rows,
            bytes=self.bytes,
            elapsed_seconds=self._clock() - self._start,
            total_rows=self.total_rows,
            ignored_values=sum(self.ignored_values.values()),
            finished=finished,
        )


class TqdmProgress:
    """A callback that draws a tqdm bar, in a terminal or a notebook.

    Needs the extra ``progress``.

    Raises:
        MissingExtraError: tqdm is not installed.
    """

    def __init__(self, description: str = "export") -> None:
        try:
            from tqdm.auto import tqdm
        except ImportError as missing:
            raise MissingExtraError("a progress bar", "progress") from missing
        self._bar = tqdm(desc=description, unit=" rows", unit_scale=True)

    def __call__(self, progress: ExportProgress) -> None:
        """Draw the state, and close the bar with the last one."""
        if progress.total_rows is not None:
            self._bar.total = progress.total_rows
        self._bar.update(progress.rows - self._bar.n)
        if progress.finished:
            self.close()

    def close(self) -> None:
        """Leave the bar as it stands. Closing twice does nothing."""
        self._bar.close()
