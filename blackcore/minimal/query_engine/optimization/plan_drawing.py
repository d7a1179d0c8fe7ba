"""Plans drawn: as HTML for notebooks, without scripts, and as Mermaid.

Everything that comes from the records or the query is escaped; no colour of text or ground is set,
so that it reads in light and dark notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .plan import shown_time
from .plan_steps import PlanStep, one_line
from .rules import RuleFired

_ESTIMATE = "#8aa4d6"
_ACTUAL = "#3f7ad1"
_TIME = "#d98e3b"
_BAR_PIXELS = 150
_OFF_BY = 3.0
_SHOWN_CHARACTERS = 240


def drawn_steps(
    headline: str,
    notes: Sequence[str],
    steps: Sequence[PlanStep],
    rules: Sequence[RuleFired] = (),
) -> str:
    """Return the tree of a plan as an HTML fragment: a row per step, with bars of rows and time.

    Args:
        headline: the question.
        notes: what else there is to say, each in a few words.
        steps: of the plan.
        rules: those that fired.
    """
    parts = [
        f'<div style="{_FONT}">',
        f'<div style="font-weight:600">{_text(headline)}</div>',
        f'<div style="opacity:0.7;margin-bottom:6px">{_text("; ".join(notes))}</div>',
        _rules_list(rules),
        _table(steps),
        _legend(steps),
        "</div>",
    ]
    return "".join(parts)


def _text(text: str) -> str:
    flat = one_line(text)
    if len(flat) > _SHOWN_CHARACTERS:
        flat = f"{flat[: _SHOWN_CHARACTERS - 1]}…"
    return escape(flat)


def _rules_list(rules: Sequence[RuleFired]) -> str:
    if not rules:
        return ""
    items = "".join(
        f"<li><b>{_text(rule.name)}</b>: {_code(rule.before)} → {_code(rule.after)}</li>"
        for rule in rules
    )
    count = f"{len(rules)} rule{'s' if len(rules) > 1 else ''} fired"
    return (
        f'<details style="margin-bottom:6px"><summary>{count}</summary>'
        f'<ul style="margin:2px 0 2px 1.2em;padding:0">{items}</ul></details>'
    )


def _code(text: str) -> str:
    return f'<code style="background:none;padding:0">{_text(text)}</code>'


_FONT = "font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;max-width:1100px"
_CELL = "padding:3px 14px 3px 0;border:none;vertical-align:top;text-align:left;background:none"


def _table(steps: Sequence[PlanStep]) -> str:
    head = "".join(
        f'<th style="{_CELL};opacity:0.6;font-weight:400">{name}</th>'
        for name in ("step", "rows left", "time")
    )
    most_rows = max([_most(s.estimated_rows, s.actual_rows) for s in steps], default=0.0)
    most_ns = max([_most(s.estimated_ns, s.actual_ns) for s in steps], default=0.0)
    body = "".join(
        f'<tr style="background:none">{_step_cell(step, depth)}'
        f"{_rows_cell(step, most_rows)}{_time_cell(step, most_ns)}</tr>"
        for depth, step in enumerate(steps)
    )
    return (
        '<table style="border-collapse:collapse;border:none;margin:0">'
        f'<thead><tr style="background:none">{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _most(*values: float | None) -> float:
    return max([value for value in values if value is not None], default=0.0)


def _step_cell(step: PlanStep, depth: int) -> str:
    corner = '<span style="opacity:0.45">└─</span> ' if depth else ""
    shown = _code(step.label) if step.kind == "filter" else _text(step.label)
    way = ""
    if step.way is not None:
        way = (
            '<span style="border:1px solid currentColor;border-radius:8px;padding:0 7px;'
            f'margin-left:8px;opacity:0.65;font-size:11px;white-space:nowrap">{_text(step.way)}'
            "</span>"
        )
    rejected = ""
    if step.rejected:
        others = ", ".join(f"{name} {shown_time(ns)}" for name, ns in step.rejected)
        rejected = (
            f'<div style="opacity:0.55;font-size:11px;margin-left:1.6em">'
            f"rejected: {_text(others)}</div>"
        )
    indent = f"padding-left:{depth * 16}px"
    return f'<td style="{_CELL}"><div style="{indent}">{corner}{shown}{way}{rejected}</div></td>'


def _rows_cell(step: PlanStep, most: float) -> str:
    bars = _bar(step.estimated_rows, most, _ESTIMATE) + _bar(step.actual_rows, most, _ACTUAL)
    if step.actual_rows is not None:
        text = f"{step.actual_rows:,}"
        if step.estimated_rows is not None:
            text += f' <span style="opacity:0.6">est {step.estimated_rows:,.0f}</span>'
        text += _ratio(step)
    elif step.estimated_rows is not None:
        text = f"{step.estimated_rows:,.0f}"
    else:
        return f'<td style="{_CELL}"></td>'
    return f'<td style="{_CELL};white-space:nowrap">{bars}{text}</td>'


def _time_cell(step: PlanStep, most: float) -> str:
    measured = step.actual_ns is not None
    ns = step.actual_ns if measured else step.estimated_ns
    if ns is None:
        return f'<td style="{_CELL}"></td>'
    text = shown_time(ns)
    if measured and step.estimated_ns is not None:
        text += f' <span style="opacity:0.6">est {shown_time(step.estimated_ns)}</span>'
    return f'<td style="{_CELL};white-space:nowrap">{_bar(ns, most, _TIME)}{text}</td>'


def _bar(value: float | None, most: float, colour: str) -> str:
    if value is None:
        return ""
    width = max(1, round(_BAR_PIXELS * value / most)) if most > 0 else 1
    return (
        f'<div style="width:{_BAR_PIXELS}px;height:5px;margin:1px 0">'
        f'<div style="width:{width}px;height:5px;border-radius:2px;background:{colour}"></div>'
        "</div>"
    )


def _ratio(step: PlanStep) -> str:
    if not step.shown_ratio or step.ratio is None:
        return ""
    is_far = not 1 / _OFF_BY <= step.ratio <= _OFF_BY
    weight = "font-weight:600" if is_far else "opacity:0.6"
    return f' <span style="{weight}">&times;{step.shown_ratio[1:]}</span>'


def _legend(steps: Sequence[PlanStep]) -> str:
    names = [("estimated rows", _ESTIMATE)]
    if any(step.actual_rows is not None for step in steps):
        names.append(("actual rows, &times; how far the estimate is off", _ACTUAL))
    names.append(("time", _TIME))
    marks = "".join(
        f'<span style="margin-right:14px"><span style="display:inline-block;width:10px;'
        f"height:5px;border-radius:2px;background:{colour};margin-right:4px;"
        f'vertical-align:middle"></span>{name}</span>'
        for name, colour in names
    )
    return f'<div style="opacity:0.7;font-size:11px;margin-top:4px">{marks}</div>'


def mermaid(steps: Sequence[PlanStep]) -> str:
    """Return the steps as a Mermaid flowchart, from the rows read to those that are left.

    >>> print(mermaid([PlanStep("read", "read d", estimated_rows=9.0)]))
    flowchart TD
        s0["read d<br/>9 rows"]
    """
    lines = ["flowchart TD"]
    for position, step in enumerate(steps):
        parts = [step.label, *_mermaid_details(step)]
        label = "<br/>".join(_mermaid_text(part) for part in parts)
        lines.append(f'    s{position}["{label}"]')
    lines.extend(f"    s{before} --> s{before + 1}" for before in range(len(steps) - 1))
    return "\n".join(lines)


def _mermaid_details(step: PlanStep) -> list[str]:
    details = [] if step.way is None else [step.way]
    estimated = [] if step.estimated_rows is None else [f"{step.estimated_rows:,.0f} rows"]
    if step.estimated_ns is not None:
        estimated.append(shown_time(step.estimated_ns))
    prefix = "" if step.kind == "read" else "est "
    if estimated:
        details.append(prefix + ", ".join(estimated))
    if step.actual_rows is not None and step.actual_ns is not None:
        off = f", estimate {step.shown_ratio}" if step.shown_ratio else ""
        details.append(f"actual {step.actual_rows:,} rows, {shown_time(step.actual_ns)}{off}")
    return details


_MERMAID_PLAIN = frozenset(" ,.:-=+/_()")


def _mermaid_text(text: str) -> str:
    """Return a text whose every sign that could mean something to Mermaid or HTML is a number."""
    return "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in _MERMAID_PLAIN) else f"#{ord(sign)};"
        for sign in text
    )
