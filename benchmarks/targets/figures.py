"""The figures that are measured, and the file that keeps them.

Everything that is published (the table in the README, the status, the page of plots, the comparison
with an older run) is made from that file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from blackcore.minimal.query_engine.integration.measured_targets import FORMAT, VERSION

LATEST = Path(__file__).resolve().parent.parent / "results" / "latest.json"

Group = Literal["hit rate", "lookup", "optimization", "export", "memory"]
GROUPS: tuple[Group, ...] = ("hit rate", "lookup", "optimization", "export", "memory")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what was measured, what it should be, and what peers did in the same run.

    Attributes:
        name: in the file, unique, its unit in it.
        group: which of the mission's five it belongs to.
        title: in words.
        unit: of the measured values, as it is shown.
        measured: ours.
        wants: on which side of the target it should be, and which side of a peer is better.
        target: None for a figure that is only shown.
        peers: what others did at the same work, in the same unit; empty where there are none.
        peer: the best of them.
        times_better: how many times better than that one ours is (below 1: worse).
    """

    name: str
    group: Group
    title: str
    unit: str
    measured: float
    wants: Literal["below", "above"]
    target: float | None = None
    peers: Mapping[str, float] = field(default_factory=dict)
    peer: str | None = None
    times_better: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether it is on the right side of its target; None without one."""
        if self.target is None:
            return None
        below = self.measured < self.target
        return below if self.wants == "below" else self.measured > self.target


def figure(
    name: str,
    group: Group,
    title: str,
    unit: str,
    measured: float,
    wants: Literal["below", "above"],
    target: float | None = None,
    peers: Mapping[str, float] | None = None,
) -> Figure:
    """Return a figure, compared with the best of its peers."""
    if not peers:
        return Figure(name, group, title, unit, measured, wants, target)
    best = min if wants == "below" else max
    peer = best(peers, key=lambda each: peers[each])
    ratio = peers[peer] / measured if wants == "below" else measured / peers[peer]
    return Figure(name, group, title, unit, measured, wants, target, dict(peers), peer, ratio)


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the run brings: figures, and series for the plots."""

    figures: list[Figure]
    plots: dict[str, Any]  # JSON, of the shape that the plot of that name wants

    def to_json(self) -> str:
        """Return the part as it goes from process to process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Part:
        """Return what `to_json` wrote."""
        read = json.loads(text)
        return cls([Figure(**each) for each in read["figures"]], read["plots"])


@dataclass(frozen=True, slots=True)
class Results:
    """A whole run.

    Attributes:
        measured_at: the time, in UTC, ending in Z.
        commit: of the code that was measured; "-dirty" follows where files were changed.
        machine: what kind it was, without its name.
        versions: of Python and of every library in the run.
        figures: in the order in which they are shown.
        plots: series by the name of their plot.
    """

    measured_at: str
    commit: str
    machine: str
    versions: dict[str, str]
    figures: list[Figure]
    plots: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the file that everything published is made from."""
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        text = json.dumps(_rounded(content), indent=1)
        path.write_text(f"{_NUMBERS.sub(_in_one_line, text)}\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Return what `write` wrote."""
        return cls.parsed(path.read_text(encoding="utf-8"))

    @classmethod
    def parsed(cls, text: str) -> Results:
        """Return the results that a text holds."""
        read = json.loads(text)
        assert (read.pop("format"), read.pop("version")) == (FORMAT, VERSION)
        return cls(**{**read, "figures": [Figure(**each) for each in read["figures"]]})

    def of(self, group: Group) -> list[Figure]:
        """Return the figures of a group."""
        return [each for each in self.figures if each.group == group]


def names(figures: Iterable[Figure]) -> set[str]:
    """Return the names of figures, each of which must be there once."""
    found = [each.name for each in figures]
    assert len(set(found)) == len(found), "a name stands for two figures"
    return set(found)


_NUMBERS = re.compile(r"\[[-+.\de,\s]+\]")


def _in_one_line(numbers: re.Match[str]) -> str:
    return f"[{', '.join(numbers[0][1:-1].split())}]".replace(",,", ",")


def _rounded(value: object) -> object:
    """Return JSON whose numbers have the digits that a measurement is good for."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
