"""Profiles as notebooks show them: a bar of the stages, tables, the hottest functions.

Styles are inline and take the notebook's own colours for text, so that a dark one stays dark.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from ..plan import shown_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .execution_profile import ExecutionProfile, HotFunction
    from .query_profile import QueryPerformanceProfile, StageRows

_COLOURS: Final = {
    "load": "#4e79a7",
    "cache": "#76b7b2",
    "plan": "#b07aa1",
    "search": "#edc948",
    "filter": "#f28e2b",
    "sort": "#59a14f",
    "distinct": "#9c755f",
    "export": "#e15759",
    "other": "#bab0ac",
    "computing": "#f28e2b",
    "waiting": "#bab0ac",
}
_LABELLED_SHARE: Final = 0.08
"""Narrower parts of a bar have no room for their name; the legend has it."""

_CELL: Final = "padding:2px 10px 2px 0;white-space:nowrap"
_LINE: Final = "margin:4px 0"


def query_html(profile: QueryPerformanceProfile) -> str:
    """Return a query's profile: headline, bar, finding, rows and the hottest functions."""
    source = "from cache" if profile.from_cache else "computed"
    head = (
        f"<b>{shown_time(profile.total_time_ms * 1e6)}</b>, {profile.rows:,} of "
        f"{profile.total_rows:,} rows, {source}; memory peak {profile.memory_peak_mb:,.1f} MiB "
        f"({profile.memory_delta_mb:+,.1f})"
    )
    if len(profile.timings) > 1:
        head += f"<br>{escape(str(profile.timings))}; {profile.runs_from_cache} from cache"
    parts = [
        f"<p style='{_LINE}'><code>{escape(profile.query)}</code><br>{head}</p>",
        _bar([(stage, spent * 1e6) for stage, spent, _ in profile.shares()]),
        f"<p style='{_LINE}'><b>bottleneck</b>: {escape(profile.finding())}</p>",
        _rows_table(profile.stage_rows),
        _functions_table(profile.execution.hottest()),
        _notes(profile.notes),
    ]
    return _framed(parts)


def execution_html(profile: ExecutionProfile[object]) -> str:
    """Return an execution's profile: headline, bar, the hottest functions, memory by line."""
    elapsed, busy = profile.elapsed_seconds * 1e9, profile.thread_cpu_seconds * 1e9
    raised = profile.exception
    outcome = "" if raised is None else f", raised {escape(type(raised).__name__)}"
    head = (
        f"<b>{shown_time(elapsed)}</b>{outcome}; CPU {shown_time(profile.cpu_seconds * 1e9)}; "
        f"memory {profile.memory_delta_mb:+,.1f} MiB, peak {profile.memory_peak_mb:,.1f} MiB; "
        f"collections {', '.join(map(str, profile.gc_collections))}"
    )
    if len(profile.timings) > 1:
        head += f"<br>{escape(str(profile.timings))}"
    parts = [
        f"<p style='{_LINE}'><code>{escape(profile.name)}</code><br>{head}</p>",
        _bar([("computing", min(busy, elapsed)), ("waiting", max(elapsed - busy, 0.0))]),
        _functions_table(profile.hottest()),
        *(f"<pre style='{_LINE}'>{escape(str(each))}</pre>" for each in profile.line_memory),
        _notes(profile.notes),
    ]
    return _framed(parts)


def _framed(parts: Iterable[str]) -> str:
    style = "max-width:960px;font-size:13px;line-height:1.5"
    whole = f"<div style='{style}'>{''.join(parts)}</div>"
    return whole.encode("utf-8", "backslashreplace").decode()  # file names may hold half characters


def _bar(parts: Sequence[tuple[str, float]]) -> str:
    """Return one bar of parts with their names and nanoseconds, and a legend."""
    parts = [(name, nanoseconds) for name, nanoseconds in parts if nanoseconds > 0]
    if not parts:
        return ""
    whole = sum(nanoseconds for _, nanoseconds in parts)
    drawn, legend = [], []
    for name, nanoseconds in parts:
        share = nanoseconds / whole
        label = f"{name} {share:.0%}"
        text = label if share >= _LABELLED_SHARE else ""
        drawn.append(
            f"<div title='{label}, {shown_time(nanoseconds)}' style='width:{share:.3%};"
            f"background:{_COLOURS[name]};color:#111;overflow:hidden;white-space:nowrap;"
            f"text-align:center;line-height:24px'>{text}</div>"
        )
        legend.append(
            f"<span style='white-space:nowrap;margin-right:14px'><span style='display:inline-block;"
            f"width:10px;height:10px;background:{_COLOURS[name]};margin-right:4px'></span>{name} "
            f"{shown_time(nanoseconds)}</span>"
        )
    bar_style = "display:flex;height:24px;border-radius:4px;overflow:hidden;margin:6px 0 4px"
    return f"<div style='{bar_style}'>{''.join(drawn)}</div><div>{' '.join(legend)}</div>"


def _rows_table(stages: Sequence[StageRows]) -> str:
    if not stages:
        return ""
    rows = [
        (
            each.name,
            each.looks,
            "" if each.estimated_rows is None else f"{each.estimated_rows:,.0f}",
            f"{each.actual_rows:,}{' (far off)' if each.is_far_off else ''}",
            "" if each.estimated_ms is None else shown_time(each.estimated_ms * 1e6),
            shown_time(each.actual_ms * 1e6),
        )
        for each in stages
    ]
    heads = ("stage", "looked at", "rows expected", "rows left", "time expected", "time")
    return _table(heads, rows, texts=2)


def _functions_table(functions: Sequence[HotFunction]) -> str:
    if not functions:
        return ""
    rows = [
        (
            each.name,
            each.place,
            f"{each.calls:,}",
            shown_time(each.own_seconds * 1e9),
            shown_time(each.total_seconds * 1e9),
        )
        for each in functions
    ]
    heads = ("hottest functions", "where", "calls", "own time", "with what it calls")
    return _table(heads, rows, texts=2)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> str:
    """Return a table whose first columns are texts and whose others are figures."""
    sides = ["left" if position < texts else "right" for position in range(len(heads))]

    def cells(tag: str, texts: Sequence[str]) -> str:
        pairs = zip(texts, sides, strict=True)
        return "".join(
            f"<{tag} style='{_CELL};text-align:{side}'>{escape(text)}</{tag}>"
            for text, side in pairs
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    style = "border-collapse:collapse;margin:8px 0;font-size:inherit;color:inherit"
    return (
        f"<table style='{style}'><thead><tr>{cells('th', heads)}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _notes(notes: Iterable[str]) -> str:
    return "".join(f"<p style='{_LINE};opacity:0.75'>note: {escape(note)}</p>" for note in notes)
