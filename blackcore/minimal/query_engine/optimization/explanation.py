"""Plans made readable: as text, plain values, JSON, Mermaid, and drawn in a notebook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..data import StageActual
from ..query import StructuredQuery, describe
from .plan import ExecutionPlan, shown_time
from .plan_drawing import drawn_steps, mermaid
from .plan_steps import PlanStep, one_line, steps_of
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

    @property
    def steps(self) -> tuple[PlanStep, ...]:
        """What is done, in order: estimates, and what really happened where it was run."""
        return steps_of(self.plan, self.actuals)

    def __str__(self) -> str:
        """Return the text tree."""
        rewritten = [f"rewritten by {rule}" for rule in self.rules_fired]
        tree = text_tree(self.steps, rewritten, shows_rejected=self.plan.uses_columns)
        return "\n".join([one_line(describe(self.query)), "; ".join(self._notes()), tree])

    def _notes(self) -> list[str]:
        notes = [f"planned in {shown_time(self.planning_ns)}"]
        if self.kept:
            notes.append("the answer is in the cache")
        if self.plan.is_known:
            notes.append("order and estimates are those of the same question with other values")
        return notes

    def to_dict(self) -> dict[str, object]:
        """Return the explanation as plain values, ready for JSON; times are in nanoseconds."""
        plan = self.plan
        return {
            "query": describe(self.query),
            "database": plan.database,
            "row_count": plan.row_count,
            "planning_ns": self.planning_ns,
            "is_kept": self.kept,
            "rules_fired": [
                {"rule": rule.name, "before": rule.before, "after": rule.after}
                for rule in self.rules_fired
            ],
            "estimated_ns": plan.cost.nanoseconds,
            "estimated_rows": plan.estimated_rows,
            "actual_ns": sum(actual.nanoseconds for actual in self.actuals)
            if self.actuals
            else None,
            "steps": [step.to_dict() for step in self.steps],
        }

    def to_json(self) -> str:
        """Return the explanation as JSON text."""
        return json.dumps(self.to_dict())

    def to_mermaid(self) -> str:
        """Return the plan as a Mermaid flowchart, for Markdown that draws those."""
        return mermaid(self.steps)

    def to_html(self) -> str:
        """Return the plan drawn as an HTML fragment, with bars of rows and time and no scripts."""
        notes = self._notes()
        notes.append(f"estimated {shown_time(self.plan.cost.nanoseconds)}")
        if self.actuals:
            spent = sum(actual.nanoseconds for actual in self.actuals)
            notes.append(f"took {shown_time(spent)}")
        return drawn_steps(describe(self.query), notes, self.steps, self.rules_fired)

    def _repr_html_(self) -> str:
        return self.to_html()


def text_tree(
    steps: Sequence[PlanStep], before: Sequence[str] = (), *, shows_rejected: bool = True
) -> str:
    """Return steps one under the other, what belongs to a step indented below it.

    Args:
        steps: of a plan.
        before: lines that stand before them.
        shows_rejected: whether the ways not taken are told.
    """
    lines = [(line, False) for line in before]
    for step in steps:
        lines.append((_step_line(step), False))
        if step.rejected and shows_rejected:
            others = ", ".join(f"{way} {shown_time(ns)}" for way, ns in step.rejected)
            lines.append((f"rejected: {others}", True))
    last = max(position for position, (_, is_detail) in enumerate(lines) if not is_detail)
    drawn = []
    for position, (line, is_detail) in enumerate(lines):
        corner = "|  " if is_detail and position < last else "   " if is_detail else "|--"
        drawn.append(f"{'`--' if position == last else corner} {one_line(line)}")
    return "\n".join(drawn)


def _step_line(step: PlanStep) -> str:
    if step.kind == "read":
        return f"{step.label}: {step.estimated_rows:,.0f} rows"
    parts = [step.label]
    if step.kind == "filter":
        parts = [f"{step.label}  [{step.way}]  est {step.estimated_rows:,.0f} rows"]
        parts.append(shown_time(step.estimated_ns or 0.0))
    elif step.estimated_ns is not None:
        parts.append(f" est {shown_time(step.estimated_ns)}")
    if step.actual_rows is not None and step.actual_ns is not None:
        parts.append(f" actual {step.actual_rows:,} rows {shown_time(step.actual_ns)}")
        if step.shown_ratio:
            parts.append(f"(estimate {step.shown_ratio})")
    return " ".join(parts)
