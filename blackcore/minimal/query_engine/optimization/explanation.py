"""Plans made readable: a text tree with estimates, and with what really happened beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape

from ..data import StageActual
from ..query import StructuredQuery, describe
from .plan import ExecutionPlan, FilterStage, Way, shown_time
from .rules import RuleFired


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a query is run. Print it, or let a notebook show it.

    Attributes:
        query: as asked.
        plan: what the executor is given.
        actuals: what each stage did, empty unless the query was run.
        rules_fired: the rewriting rules that changed something, and what they changed.
        planning_ns: nanoseconds that planning took.
        kept: whether a cache holds the answer, so that nothing of this would run.
    """

    query: StructuredQuery
    plan: ExecutionPlan
    actuals: tuple[StageActual, ...] = ()
    rules_fired: tuple[RuleFired, ...] = ()
    planning_ns: int = 0
    kept: bool = False

    def __str__(self) -> str:
        """Return the text tree."""
        return "\n".join([self._headline(), *self._lines()])

    def _headline(self) -> str:
        kept = "; the answer is in the cache" if self.kept else ""
        if self.plan.is_known:
            kept += "; order and estimates are those of the same question with other values"
        return f"{describe(self.query)}\nplanned in {shown_time(self.planning_ns)}{kept}"

    def _lines(self) -> list[str]:
        plan = self.plan
        lines = [f"rewritten by {rule}" for rule in self.rules_fired]
        lines.append(f"read {plan.database}: {plan.row_count:,} rows")
        if plan.searches is not None:
            lines.append(f"search {plan.searches!r}: matches by score")
        if plan.is_empty:
            lines.append("nothing can match: no row is read")
        actuals = list(self.actuals)
        for stage in () if plan.is_empty else plan.filter_stages:
            actual = actuals.pop(0) if actuals else None
            lines.extend(_stage_lines(stage, plan, actual))
        for name, detail in self._order_steps():
            actual = actuals.pop(0) if actuals else None
            lines.append(f"{name} {detail}{_actual_text(actual, None)}")
        return _tree(lines)

    def _order_steps(self) -> list[tuple[str, str]]:
        plan = self.plan
        steps: list[tuple[str, str]] = []
        if plan.sort_fields:
            keys = ", ".join(f"{'-' if s.descending else ''}{s.field}" for s in plan.sort_fields)
            top = f" first {plan.limit:,}" if plan.limit is not None else ""
            cost = f"  est {shown_time(plan.order_cost.nanoseconds)}" if plan.order_cost else ""
            steps.append(("sort", f"by {keys}{top}{cost}"))
        if plan.distinct:
            steps.append(("distinct", "rows as returned"))
        return steps

    def to_dict(self) -> dict[str, object]:
        """Return the explanation as plain values, ready for JSON."""
        plan = self.plan
        return {
            "query": describe(self.query),
            "database": plan.database,
            "row_count": plan.row_count,
            "planning_ns": self.planning_ns,
            "rules_fired": [
                {"rule": rule.name, "before": rule.before, "after": rule.after}
                for rule in self.rules_fired
            ],
            "estimated_ns": plan.cost.nanoseconds,
            "estimated_rows": plan.estimated_rows,
            "stages": [
                {
                    "condition": str(stage.condition),
                    "way": stage.way.value,
                    "selectivity": stage.selectivity,
                    "estimated_ns": stage.cost.nanoseconds,
                    "estimated_rows": stage.cost.rows,
                    "rejected": {way.value: price for way, price in stage.rejected},
                }
                for stage in plan.filter_stages
            ],
            "actuals": [
                {"name": a.name, "rows": a.rows, "nanoseconds": a.nanoseconds} for a in self.actuals
            ],
        }

    def to_json(self) -> str:
        """Return the explanation as JSON text."""
        return json.dumps(self.to_dict())

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


_WAY_TEXT = {
    Way.ROWS: "row by row",
    Way.COLUMN: "whole column",
    Way.SURVIVORS: "column at survivors",
    Way.DISTINCT: "once per distinct value",
}


def _stage_lines(stage: FilterStage, plan: ExecutionPlan, actual: StageActual | None) -> list[str]:
    estimate = f"est {stage.cost.rows:,.0f} rows {shown_time(stage.cost.nanoseconds)}"
    head = f"{stage.condition}  [{_WAY_TEXT[stage.way]}]  {estimate}"
    lines = [head + _actual_text(actual, stage.cost.rows)]
    if stage.rejected and plan.uses_columns:
        others = ", ".join(f"{_WAY_TEXT[way]} {shown_time(ns)}" for way, ns in stage.rejected)
        lines.append(f"    rejected: {others}")
    return lines


def _actual_text(actual: StageActual | None, estimated_rows: float | None) -> str:
    if actual is None:
        return ""
    text = f"  actual {actual.rows:,} rows {shown_time(actual.nanoseconds)}"
    if estimated_rows is not None:
        text += f" (estimate x{max(estimated_rows, 1) / max(actual.rows, 1):.2g})"
    return text


def _tree(lines: list[str]) -> list[str]:
    """Draw steps one under the other; what is indented already belongs to the step above it."""
    lines = [line.replace("\n", "\\n").replace("\r", "\\r") for line in lines]
    steps = [line for line in lines if not line.startswith(" ")]
    drawn = []
    for line in lines:
        if line.startswith(" "):
            drawn.append(f"|   {line.strip()}")
        else:
            drawn.append(f"{'`--' if line is steps[-1] else '|--'} {line}")
    return drawn
