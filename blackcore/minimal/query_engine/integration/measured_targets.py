"""What `make targets` measured, as it stands in its file, and the metrics that follow from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from ..errors import CoordinationError, shown_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = "blackcore targets"
VERSION: Final = 1

METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    "cache_implementation": ("memory_overhead_mb", "lookup_time_ms"),
    "query_optimization": ("median_faster_percent", "worst_faster_percent"),
    "export": ("csv_rows_per_second", "json_rows_per_second"),
    "hit_rate": ("repeated_queries_percent",),
}
"""The metrics that an agent's status carries, and the figures each consists of."""

Wants: TypeAlias = Literal["below", "above"]
_SHOWN_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class MeasuredFigure:
    """One figure with its target.

    Attributes:
        name: what the metrics call it, its unit in it.
        measured: what was measured.
        target: what it must be below or above.
        wants: on which side of the target it should be.
    """

    name: str
    measured: float
    target: float
    wants: Wants

    @property
    def is_met(self) -> bool:
        """Whether the figure is on the right side of its target.

        >>> MeasuredFigure("lookup_time_ms", 0.004, 1.0, "below").is_met
        True
        """
        if self.wants == "below":
            return self.measured < self.target
        return self.measured > self.target


def read_figures(path: Path) -> dict[str, MeasuredFigure]:
    """Return the figures that have a target, by name; none where there is no results file.

    Raises:
        CoordinationError: the file cannot be read, or is not what `make targets` writes.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CoordinationError(f"results {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CoordinationError(f"results {path} are no JSON ({error}); {_REMEDY}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CoordinationError(f"{path} holds no results of ours; {_REMEDY}")
    if content.get("version") != VERSION:
        raise CoordinationError(
            f"results {path} are of version {shown_value(content.get('version'))}, this code reads "
            f"{VERSION}; {_REMEDY}"
        )
    figures = content.get("figures")
    if not isinstance(figures, list):
        raise CoordinationError(f"results {path} have no list of figures; {_REMEDY}")
    read = [_figure(each, path) for each in figures]
    return {figure.name: figure for figure in read if figure is not None}


def metrics_of(figures: Mapping[str, MeasuredFigure]) -> dict[str, dict[str, float | bool]]:
    """Return the metrics that follow from figures: what was not measured is absent.

    `target_met` is false where a figure misses its target, true where all of a metric's figures
    were measured and met theirs, and absent while some are missing.
    """
    metrics: dict[str, dict[str, float | bool]] = {}
    for metric, names in METRICS.items():
        measured = [figures[name] for name in names if name in figures]
        if not measured:
            continue
        entry: dict[str, float | bool] = {each.name: _shown(each.measured) for each in measured}
        if not all(each.is_met for each in measured):
            entry["target_met"] = False
        elif len(measured) == len(names):
            entry["target_met"] = True
        metrics[metric] = entry
    return metrics


def _figure(given: object, path: Path) -> MeasuredFigure | None:
    """Return one figure, None for one that is only shown."""
    if isinstance(given, dict):
        name, wants = given.get("name"), given.get("wants")
        measured, target = given.get("measured"), given.get("target")
        if target is None and "target" in given:
            return None
        if (
            isinstance(name, str)
            and wants in {"below", "above"}
            and _is_number(measured)
            and _is_number(target)
        ):
            return MeasuredFigure(
                name, cast("float", measured), cast("float", target), cast("Wants", wants)
            )
    raise CoordinationError(f"results {path} have a figure {shown_value(given)}; {_REMEDY}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: float) -> float:
    """Return a number with the digits that a measurement is good for."""
    return float(f"{value:.{_SHOWN_DIGITS}g}")


_REMEDY: Final = "write them anew with `make targets`"
