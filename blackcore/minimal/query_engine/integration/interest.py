"""What is asked for lately: counts that fade with every further question."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from ..errors import QueryError
from ..search.words import parse
from ..settings import SearchAwareSettings


def terms_of(text: str) -> tuple[str, ...]:
    """Return what a search text asks for: its words, and its phrases in quotes, each once.

    >>> terms_of('War and "the end"')
    ('war', 'and', 'the end')
    """
    try:
        return tuple(" ".join(phrase.words) for phrase in parse(text))
    except QueryError:  # no word of ours in it: a foreign engine may see some
        return (text,)


@dataclass(slots=True)
class _Count:
    """How often something was asked, lately and over a longer time, as of one question."""

    recent: float = 0.0
    longer: float = 0.0
    asked_at: int = 0


class FadingCounts:
    """Counts by key, each of which halves in so many ticks. Bounded; the faintest are forgotten.

    Time is counted in questions, so that a quiet night changes nothing. Besides the count there is
    one that fades four times as slowly: where the quick one is higher than the slow one would have
    it, interest is rising. Not thread-safe.

    >>> counts = FadingCounts(half_life=10, max_keys=100)
    >>> counts.add("war", 0)
    >>> counts.value("war", 10)
    0.5
    """

    def __init__(self, *, half_life: float, max_keys: int) -> None:
        self._half_life = half_life
        self._max_keys = max_keys
        self._counts: dict[Hashable, _Count] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: Hashable, now: int) -> None:
        """Count a key once."""
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= self._max_keys:
                self._forget_faintest(now)
            count = self._counts[key] = _Count(asked_at=now)
        passed = now - count.asked_at
        count.recent = count.recent * self._faded(passed) + 1.0
        count.longer = count.longer * self._faded(passed / _SLOWER) + 1.0
        count.asked_at = now

    def value(self, key: Hashable, now: int) -> float:
        """Return the count as of now; 0.0 for what was never asked."""
        count = self._counts.get(key)
        return 0.0 if count is None else count.recent * self._faded(now - count.asked_at)

    def trend(self, key: Hashable, now: int) -> float:
        """Return how the interest changes: above 1.0 it rises, at 1.0 it is steady."""
        count = self._counts.get(key)
        if count is None:
            return 1.0
        passed = now - count.asked_at
        slow = count.longer * self._faded(passed / _SLOWER)
        # a steady rate r settles at r / (1 - 2 ** (-1 / half_life))
        steady = slow * (1 - self._faded(1 / _SLOWER)) / (1 - self._faded(1))
        return count.recent * self._faded(passed) / steady if steady else 1.0

    def highest(self, limit: int, now: int) -> list[tuple[Hashable, float]]:
        """Return the keys asked most lately, with their counts."""
        faded = [(key, self.value(key, now)) for key in self._counts]
        return sorted(faded, key=lambda pair: -pair[1])[:limit]

    def _forget_faintest(self, now: int) -> None:
        kept = self.highest(self._max_keys // 2, now)
        self._counts = {key: self._counts[key] for key, _ in kept}

    def _faded(self, ticks: float) -> float:
        return math.pow(0.5, ticks / self._half_life)


_SLOWER = 4


class Interest:
    """Which searches and which terms are asked for lately. Not thread-safe."""

    def __init__(self, settings: SearchAwareSettings) -> None:
        self._settings = settings
        half_life = settings.half_life_searches
        self.terms = FadingCounts(half_life=half_life, max_keys=settings.max_terms)
        self.searches = FadingCounts(half_life=half_life, max_keys=settings.max_searches)
        self.now = 0
        self._average = 1.0

    def note(self, fingerprint: str, terms: Iterable[str]) -> None:
        """Count one search."""
        self.now += 1
        self.searches.add(fingerprint, self.now)
        for term in terms:
            self.terms.add(term, self.now)

    def of(self, fingerprint: str, terms: Iterable[str]) -> float:
        """Return how much a search is asked for: itself, and, less, the rarest of its terms.

        A search never asked before starts with what its terms bring along.
        """
        own = self.searches.value(fingerprint, self.now)
        shared = min((self.terms.value(term, self.now) for term in terms), default=0.0)
        return own + self._settings.term_share * shared

    def factor(self, fingerprint: str, terms: Iterable[str]) -> float:
        """Return the interest in a search in parts of the usual one, within the bounds."""
        interest = self.of(fingerprint, terms)
        self._average += (interest - self._average) / self._settings.half_life_searches
        low, high = self._settings.min_factor, self._settings.max_factor
        return min(high, max(low, interest / self._average if self._average > 0 else 1.0))
