"""The steps of a plan as they are shown: estimates, what really happened, what was rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..data import StageActual
from .plan import ExecutionPlan, Way

WAY_NAMES = {
    Way.ROWS: "row by row",
    Way.COLUMN: "whole column",
    Way.SURVIVORS: "column at survivors",
    Way.DISTINCT: "once per distinct value",
}

_WHOLE_RATIO = 10

StepKind = Literal["read", "search", "empty", "filter", "sort", "distinct", "take"]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of a plan. None where something is not known, or does not apply.

    Attributes:
        kind: what it does.
        label: it in words; for a filter its condition.
        way: how it looks at the rows.
        estimated_rows: left after it.
        estimated_ns: nanoseconds that it is to take.
        actual_rows: that were left after it.
        actual_ns: nanoseconds that it took.
        rejected: the other ways and their estimated nanoseconds, cheapest first.
    """

    kind: StepKind
    label: str
    way: str | None = None
    estimated_rows: float | None = None
    estimated_ns: float | None = None
    actual_rows: int | None = None
    actual_ns: int | None = None
    rejected: tuple[tuple[str, float], ...] = ()

    @property
    def ratio(self) -> float | None:
        """Estimated by actual rows, each at least one: 1.0 is exact, 10.0 ten times too many."""
        if self.estimated_rows is None or self.actual_rows is None:
            return None
        return max(self.estimated_rows, 1.0) / max(self.actual_rows, 1)

    @property
    def shown_ratio(self) -> str:
        """The ratio of a filter's rows, as `x2.4`; empty where there is none."""
        if self.ratio is None or self.kind != "filter":
            return ""
        return f"x{self.ratio:,.0f}" if self.ratio >= _WHOLE_RATIO else f"x{self.ratio:.2g}"

    def to_dict(self) -> dict[str, object]:
        """Return the step as plain values, without what is not known."""
        known: dict[str, object] = {
            "kind": self.kind,
            "label": self.label,
            "way": self.way,
            "estimated_rows": self.estimated_rows,
            "estimated_ns": self.estimated_ns,
            "actual_rows": self.actual_rows,
            "actual_ns": self.actual_ns,
            "estimate_ratio": self.ratio,
            "rejected": dict(self.rejected) or None,
        }
        return {name: value for name, value in known.items() if value is not None}


def steps_of(plan: ExecutionPlan, actuals: Sequence[StageActual] = ()) -> tuple[PlanStep, ...]:
    """Return the steps of a plan in the order they run.

    Args:
        plan: what is carried out.
        actuals: what the executor measured, empty for a plan that was not run.
    """
    rows = float(plan.row_count)
    steps = [PlanStep("read", f"read {plan.database}", estimated_rows=rows)]
    if plan.searches is not None:
        steps.append(PlanStep("search", f"search {plan.searches!r}: matches by score"))
    if plan.is_empty:
        steps.append(PlanStep("empty", "nothing can match: no row is read", estimated_rows=0.0))
        return tuple(steps)
    measured = list(actuals)
    for stage in plan.filter_stages:
        actual = measured.pop(0) if measured else None
        steps.append(
            PlanStep(
                "filter",
                str(stage.condition),
                WAY_NAMES[stage.way],
                stage.cost.rows,
                stage.cost.nanoseconds,
                None if actual is None else actual.rows,
                None if actual is None else actual.nanoseconds,
                tuple((WAY_NAMES[way], ns) for way, ns in stage.rejected),
            )
        )
    steps.extend(_order_steps(plan, measured))
    return tuple(steps)


def one_line(text: str) -> str:
    r"""Return a text without line breaks and other signs that do not print, written as escapes.

    >>> print(one_line("a\nb"))
    a\nb
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def _order_steps(plan: ExecutionPlan, measured: list[StageActual]) -> list[PlanStep]:
    steps = []
    if plan.sort_fields:
        keys = ", ".join(f"{'-' if s.descending else ''}{s.field}" for s in plan.sort_fields)
        first = f" first {plan.limit:,}" if plan.limit is not None else ""
        actual = measured.pop(0) if measured else None
        cost = plan.order_cost
        steps.append(
            PlanStep(
                "sort",
                f"sort by {keys}{first}",
                None if plan.limit is None else "top rows only",
                None if cost is None else cost.rows,
                None if cost is None else cost.nanoseconds,
                None if actual is None else actual.rows,
                None if actual is None else actual.nanoseconds,
            )
        )
    if plan.distinct:
        actual = measured.pop(0) if measured else None
        steps.append(
            PlanStep(
                "distinct",
                "distinct rows as returned",
                actual_rows=None if actual is None else actual.rows,
                actual_ns=None if actual is None else actual.nanoseconds,
            )
        )
    if plan.limit is not None and not plan.sort_fields:
        steps.append(PlanStep("take", f"take the first {plan.limit:,}, and count the others"))
    return steps
