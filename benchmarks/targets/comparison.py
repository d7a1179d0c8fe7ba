"""What got slower, or worse, since the last result that was committed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.targets.figures import LATEST, Figure, Results
from benchmarks.targets.surroundings import ROOT, git

NOISE = 1.1
"""A machine with other work is off by a tenth from run to run."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure, then and now.

    Attributes:
        figure: as it is now.
        before: what was measured then.
        times_worse: above 1: worse than then.
        times_worse_than_peer: the same of the ratio to the best peer in each run, which a slower
            machine does not change; None where there is no peer.
    """

    figure: Figure
    before: float
    times_worse: float
    times_worse_than_peer: float | None


def committed() -> Results | None:
    """Return the last committed results, None where there are none."""
    text = git("show", f"HEAD:{LATEST.relative_to(ROOT).as_posix()}")
    return None if text is None else Results.parsed(text)


def changes(old: Results, new: Results) -> Iterator[Change]:
    """Yield every figure that both runs have, the one that got worst first."""
    before = {each.name: each for each in old.figures}
    both = [
        _change(before[each.name], each)
        for each in new.figures
        if each.name in before and min(before[each.name].measured, each.measured) > 0
    ]
    yield from sorted(both, key=lambda change: -change.times_worse)


def _change(old: Figure, new: Figure) -> Change:
    ratio = new.measured / old.measured
    against_peer = None
    if old.times_better and new.times_better:
        against_peer = old.times_better / new.times_better
    worse = ratio if new.wants == "below" else 1 / ratio
    return Change(new, old.measured, worse, against_peer)


def told(old: Results | None, new: Results) -> str:
    """Return in lines what got worse, by ratio."""
    if old is None:
        return "There is no committed result to compare with."
    worse = [each for each in changes(old, new) if each.times_worse > NOISE]
    since = f"the run of {old.measured_at} at {old.commit}"
    if not worse:
        return f"Nothing is more than {NOISE - 1:.0%} worse than in {since}."
    lines = [f"More than {NOISE - 1:.0%} worse than in {since}:"]
    for each in worse:
        against = each.times_worse_than_peer
        peer = "" if against is None else f", {against:.2f}x against {each.figure.peer}"
        title = each.figure.title.strip()
        lines.append(
            f"  {each.times_worse:6.2f}x  {title}: {each.before:.4g} then, "
            f"{each.figure.measured:.4g} {each.figure.unit} now{peer}"
        )
    return "\n".join(lines)
