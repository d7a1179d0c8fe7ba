"""The table of figures: for the terminal, and for the README."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.targets.figures import GROUPS, Figure, Results

BEGIN = "<!-- measured: `make targets` writes what stands from here -->\n"
END = "<!-- measured: to here -->\n"
_HEADS = ("figure", "target", "measured", "best peer, same run", "times better")
_SHOWN_PEERS = 4


def show(results: Results, console: Console) -> None:
    """Print the table, and where it was measured."""
    table = Table(title="The five targets", title_style="bold", caption=source(results))
    for head in (_HEADS[0], *_HEADS[1:3], "met", *_HEADS[3:]):
        table.add_column(head, justify="left" if head in {_HEADS[0], _HEADS[3]} else "right")
    for group in GROUPS:
        for figure in results.of(group):
            name, target, measured, peer, ratio = cells(figure)
            table.add_row(name, target, measured, _VERDICTS[figure.is_met], peer, ratio)
        table.add_section()
    console.print(table)


_VERDICTS = {True: "[green]met[/]", False: "[red]MISSED[/]", None: ""}


def cells(figure: Figure) -> tuple[str, str, str, str, str]:
    """Return a figure as texts, in the order of the heads."""
    sign = "<" if figure.wants == "below" else ">"
    target = "" if figure.target is None else f"{sign} {with_unit(figure.target, figure.unit)}"
    peer, ratio = "", ""
    if figure.peer is not None and figure.times_better is not None:
        of_peer = figure.peers.get(figure.peer)
        measured = "" if of_peer is None else f" {with_unit(of_peer, figure.unit)}"
        peer, ratio = f"{figure.peer}{measured}", f"{number(figure.times_better)}x"
    return figure.title, target, with_unit(figure.measured, figure.unit), peer, ratio


def peers(figure: Figure) -> str:
    """Return the best peers and what they did, the best first."""
    ordered = sorted(figure.peers.items(), key=lambda each: each[1])
    if figure.wants == "above":
        ordered.reverse()
    shown = [f"{name} {with_unit(each, figure.unit)}" for name, each in ordered[:_SHOWN_PEERS]]
    return ", ".join(shown)


_MANY_PERCENT = 900.0
"""From here on, times are read more easily."""


def with_unit(value: float, unit: str) -> str:
    """Return a value with its unit, small times in the unit that reads best.

    >>> with_unit(0.00042, "ms"), with_unit(1_387_159.8, "rows/s"), with_unit(85.56, "%")
    ('0.42 us', '1,387,000 rows/s', '85.6 %')
    >>> with_unit(123.4, "% faster"), with_unit(-40.0, "% faster")
    ('123 % faster', '40 % slower')
    >>> with_unit(54_400.0, "% faster")
    '545x as fast'
    """
    if unit == "% faster" and value < 0:
        return f"{number(-value)} % slower"
    if unit == "% faster" and value >= _MANY_PERCENT:
        return f"{number(value / 100 + 1)}x as fast"
    if unit == "ms" and value < 1:
        return f"{number(value * 1e3)} us"
    return f"{number(value)}{'' if unit == 'x' else ' '}{unit}"


def number(value: float) -> str:
    """Return a number with the three digits that a measurement is good for.

    >>> number(0.00123), number(97.04), number(123_456), number(30.0)
    ('0.00123', '97', '123,500', '30')
    """
    digits = float(f"{value:.3g}" if abs(value) < 1e5 else f"{value:.4g}")
    return f"{digits:,.0f}" if abs(digits) >= 100 else f"{digits:g}"


def source(results: Results) -> str:
    """Return where and when it was measured, in a sentence."""
    python = f"Python {results.versions['python']}"
    return f"Measured {results.measured_at[:10]} at {results.commit}: {results.machine}, {python}."


def markdown(results: Results) -> str:
    """Return the README's section: the table, its source, and how to get it anew."""
    heads = (*_HEADS[:3], "peers in the same run, the best first", "ours against the best")
    lines = [f"| {' | '.join(heads)} |", "|---|--:|--:|---|--:|"]
    for group in GROUPS:
        for figure in results.of(group):
            name, target, measured, peer, ratio = cells(figure)
            mark = " **(missed)**" if figure.is_met is False else ""
            title = f"&nbsp;&nbsp;{name.strip()}" if name.startswith(" ") else name
            shown = peers(figure) or peer
            lines.append(f"| {title} | {target} | {measured}{mark} | {shown} | {ratio} |")
    versions = ", ".join(f"{n} {v}" for n, v in results.versions.items() if n != "python")
    return "\n".join([*lines, "", f"{source(results)} With {versions}.", ""])


def write_readme(results: Results, readme: Path) -> None:
    """Put the section in its place.

    Raises:
        ValueError: the README lacks the two marks.
    """
    text = readme.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{readme.name} lacks the lines {BEGIN!r} and {END!r}")
    readme.write_text(f"{head}{begin}\n{markdown(results)}\n{end}{tail}", encoding="utf-8")
