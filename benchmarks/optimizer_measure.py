"""Rounds in which all contenders answer a question one after the other, and what comes of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import count
from statistics import geometric_mean
from typing import TYPE_CHECKING, Protocol

from benchmarks.optimizer_question import Question, Rows, comparable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FILLED_SECONDS = 0.02
"""A contender that is quicker answers several times in a round, and its best counts."""
_LEAST_RUNS = 3
"""Times that whoever is not slow answers in a round, so that a busy machine spoils none of all."""
_SLOW_SECONDS = 0.3
_SLOW_ROUNDS = 2


class Contender(Protocol):
    """Whoever can answer questions."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    def can(self, question: Question) -> bool:
        """Return whether it can be asked that."""
        ...

    def answer(self, question: Question) -> Rows:
        """Return the rows as dicts."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """One question: rows found, and the best seconds of each who was asked."""

    question: Question
    rows: int
    seconds: dict[str, float]

    def ratio(self, slower: str, faster: str = "ours") -> float | None:
        """Return how many times longer one took than another, None where it was not asked."""
        took = self.seconds.get(slower)
        return None if took is None else took / self.seconds[faster]


def checked(question: Question, contenders: Sequence[Contender]) -> int:
    """Return how many rows a question has, having seen that all contenders agree on them."""
    expected: Rows | None = None
    for contender in contenders:
        if not contender.can(question):
            continue
        found = comparable(contender.answer(question))
        expected = found if expected is None else expected
        same = found == expected
        assert same, f"{contender.name} differs on {question.title!r}: {len(found):,} rows"
    assert expected is not None
    return len(expected)


def timed(question: Question, contenders: Sequence[Contender], rounds: int) -> Timing:
    """Return the best of some rounds; in each, all contenders answer in turn."""
    rows = checked(question, contenders)
    best: dict[str, float] = {}
    for played in range(rounds):
        for contender in contenders:
            known = best.get(contender.name, 0.0)
            if not contender.can(question) or (known > _SLOW_SECONDS and played >= _SLOW_ROUNDS):
                continue
            took = _round(contender, question)
            best[contender.name] = took if not played else min(known, took)
    return Timing(question, rows, best)


def _round(contender: Contender, question: Question) -> float:
    best = float("inf")
    end = time.perf_counter() + _FILLED_SECONDS
    for run in count(1):
        start = time.perf_counter()
        contender.answer(question)
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end and (run >= _LEAST_RUNS or best > _SLOW_SECONDS):
            break
    return best


def ratios(timings: Iterable[Timing], slower: str, faster: str = "ours") -> list[float]:
    """Return how many times longer one took than another, by question."""
    found = [timing.ratio(slower, faster) for timing in timings]
    return [each for each in found if each is not None]


def geomean(values: Sequence[float]) -> float:
    """Return the geometric mean, NaN of nothing."""
    return geometric_mean(values) if values else float("nan")


def verdict(label: str, value: float, target: float, *, at_most: bool = False) -> bool:
    """Print a figure beside its target; return whether it is met."""
    met = value <= target if at_most else value >= target
    bound = "at most" if at_most else "at least"
    print(f"{label:62}{value:9.2f}   ({bound} {target:g}: {'met' if met else 'MISSED'})")
    return met
