"""One page of plots: latency, throughput, growth, memory, and the gain question by question."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Page
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.targets.figures import Results
from benchmarks.targets.tables import source

INK, SOFT, GRID, OURS = "#1f2933", "#7b8794", "#e4e7eb", "#0b7285"
PEERS = ("#e8590c", "#9c36b5", "#5c940d", "#c2255c", "#e67700", "#495057")
_FEWEST_BARS = 5
"""Fewer would be thick beams."""
STYLE = {
    "font.family": "DejaVu Sans",  # it comes with matplotlib, so every machine draws the same
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": SOFT,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.minor.visible": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "blackcore",  # the same figures give the same file
}


def draw(results: Results, path: Path) -> None:
    """Write the page."""
    plots = results.plots
    with mpl.rc_context(STYLE):
        page = Page(figsize=(13, 17), facecolor="white", layout="constrained")
        engine = page.get_layout_engine()
        assert engine is not None
        engine.set(w_pad=0.2, h_pad=0.2, rect=(0.01, 0.005, 0.97, 0.945))
        above, below = page.subfigures(2, 1, height_ratios=(8.5, 6.5))
        _measured_by_part(above.subplots(3, 2, height_ratios=(3.2, 2.3, 3)), plots)
        _gains(below.subplots(), plots["gains"])
        page.text(0.025, 0.975, "What was measured", size=19, weight="bold")
        page.text(0.025, 0.96, source(results), size=9.5, color=SOFT)
        path.parent.mkdir(parents=True, exist_ok=True)
        page.savefig(path, metadata={"Date": None})


def _measured_by_part(axes: np.ndarray, plots: Mapping[str, Any]) -> None:
    latency, export, others = axes
    for each, (threads, curves) in zip(latency, plots["latency"]["threads"].items(), strict=True):
        _latency(each, int(threads), plots["latency"]["slower_part"], curves)
    for each, (form, rates) in zip(export, plots["export"].items(), strict=True):
        thousands = {name: rate / 1e3 for name, rate in rates.items()}
        title = f"Export of dict rows as {form.upper()}, thousand rows a second"
        _bars(each, title, thousands, more_is_better=True)
    _growth(others[0], plots["growth"])
    title = "Memory of a million items beyond a plain dict, MB"
    _bars(others[1], title, plots["memory"], more_is_better=False)


def _colours(names: Mapping[str, Any]) -> dict[str, str]:
    others = [name for name in names if not name.startswith("ours")]
    colours = {name: PEERS[at % len(PEERS)] for at, name in enumerate(others)}
    return {name: colours.get(name, OURS) for name in names}


def _latency(
    axes: Axes, threads: int, slower: list[float], curves: Mapping[str, list[float]]
) -> None:
    colours = _colours(curves)
    for name, times in curves.items():
        width, dashes = {"ours": (2.4, "-"), "ours, s3fifo": (2.0, "--")}.get(name, (1.4, "-"))
        axes.plot(
            slower[1:], times[1:], label=name, color=colours[name], linewidth=width,
            linestyle=dashes, zorder=3 if name.startswith("ours") else 2,
        )  # fmt: skip
    axes.axhline(1e6, color=SOFT, linewidth=1, linestyle=":")
    axes.text(0.9, 1.15e6, "target: below 1 ms", color=SOFT, size=8.5)
    axes.set(xscale="log", yscale="log", xlim=(1, 1e-4), ylim=(80, 1e9))
    axes.xaxis.set_major_formatter(FuncFormatter(_percentile))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _time(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_locator(NullLocator())
    who = "one thread" if threads == 1 else f"{threads} threads at once"
    axes.set_title(f"A lookup in memory, {who}, by percentile")
    axes.legend(loc="upper left", ncols=3)


def _percentile(slower: float, _: int) -> str:
    return "p0" if slower >= 1 else f"p{100 * (1 - slower):.4g}"


def _time(nanoseconds: float) -> str:
    for limit, unit in ((1e3, "ns"), (1e6, "us"), (1e9, "ms")):
        if nanoseconds < limit:
            return f"{nanoseconds / limit * 1e3:g} {unit}"
    return f"{nanoseconds / 1e9:g} s"


def _bars(axes: Axes, title: str, values: Mapping[str, float], *, more_is_better: bool) -> None:
    ordered = sorted(values.items(), key=lambda each: each[1], reverse=more_is_better)
    names, lengths = [name for name, _ in ordered], [value for _, value in ordered]
    colours = [OURS if name.startswith("ours") else "#adb5bd" for name in names]
    bars = axes.barh(names, lengths, color=colours, height=0.68)
    axes.bar_label(
        bars, labels=[f"{value:,.0f}" for value in lengths], padding=4, color=INK, size=9
    )
    axes.set_title(title)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(left=False, bottom=False, labelbottom=False)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.margins(x=0.12)
    axes.set_ylim(-0.6, max(len(names), _FEWEST_BARS) - 0.4)
    axes.invert_yaxis()


def _growth(axes: Axes, growth: Mapping[str, Any]) -> None:
    colours = _colours(growth["seconds"])
    for name, points in growth["seconds"].items():
        sizes, seconds = zip(*points, strict=True)
        nanoseconds = [each * 1e9 for each in seconds]
        width = 2.4 if name == "ours" else 1.4
        axes.plot(sizes, nanoseconds, "o-", color=colours[name], linewidth=width, markersize=4)
        axes.annotate(
            name, (sizes[-1], nanoseconds[-1]), (6, 0), textcoords="offset points",
            color=colours[name], va="center", size=9,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.24)
    axes.set_xlim(left=sizes[0] * 0.7)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _time(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title("Growth with the records: a range question, warm")


def _gains(axes: Axes, gains: Mapping[str, tuple[float, float | None]]) -> None:
    ordered = sorted(gains.items(), key=lambda each: each[1][0])
    places = range(len(ordered))
    axes.axvline(1, color=SOFT, linewidth=1)
    over_ourselves = [ratio for _, (ratio, _) in ordered]
    axes.barh(places, [each - 1 for each in over_ourselves], left=1, color=OURS, height=0.5,
              label="ourselves with optimizer=False", zorder=2)  # fmt: skip
    peers = [(at, ratio) for at, (_, (_, ratio)) in enumerate(ordered) if ratio is not None]
    axes.scatter([ratio for _, ratio in peers], [at for at, _ in peers], color=PEERS[0], s=26,
                 label="the better of DuckDB and Polars", zorder=3)  # fmt: skip
    axes.set_yticks(places, [title for title, _ in ordered])
    axes.tick_params(axis="y", labelcolor=INK, left=False)
    axes.set(xscale="log", ylim=(-0.7, len(ordered) - 0.3))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(visible=False, axis="y")
    axes.set_title("Times faster than")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
