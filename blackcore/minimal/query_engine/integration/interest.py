"""How much each search is wanted: estimated from what is asked, of which old questions fade."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

from ..errors import QueryError
from ..query.fingerprint import row_set_digest
from ..search.words import parse

if TYPE_CHECKING:
    from ..query import QuerySearch, StructuredQuery
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


class Wish(NamedTuple):
    """A search as its parts, of which some are asked for again where the whole is not.

    Attributes:
        fingerprint: of the whole question.
        terms: of its text.
        way: all but the text: filters, order, weights.
    """

    fingerprint: str
    terms: tuple[str, ...]
    way: str


def wish_of(query: StructuredQuery, search: QuerySearch) -> Wish:
    """Return the parts of a searching question.

    >>> from blackcore.minimal.query_engine import StructuredQuery
    >>> asked = [StructuredQuery("films", search=text) for text in ("war", "peace")]
    >>> one, other = [wish_of(query, query.search) for query in asked]
    >>> one.terms, one.way == other.way
    (('war',), True)
    """
    digest = row_set_digest(query.model_copy(update={"search": None}))
    way = f"{digest} {search.min_score} {sorted((search.field_weights or {}).items())}"
    return Wish(query.fingerprint, terms_of(search.text), way)


class FadingCounts:
    """Counts by key, each of which halves in so many ticks. Bounded; the faintest are forgotten.

    Time is counted in questions, so that a quiet night changes nothing. Not thread-safe.

    >>> counts = FadingCounts(half_life=10, max_keys=100)
    >>> counts.add("war", 0)
    >>> counts.value("war", 10)
    0.5
    """

    def __init__(self, *, half_life: float, max_keys: int) -> None:
        self._fading = math.log(0.5) / half_life
        self._max_keys = max_keys
        self._counts: dict[Hashable, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, key: Hashable, now: int) -> None:
        """Count a key once."""
        counted = self._counts.get(key)
        if counted is None:
            if len(self._counts) >= self._max_keys:
                self._forget_faintest(now)
            self._counts[key] = (1.0, now)
            return
        count, at = counted
        self._counts[key] = (count * math.exp(self._fading * (now - at)) + 1.0, now)

    def value(self, key: Hashable, now: int) -> float:
        """Return the count as of now; 0.0 for what was never asked."""
        counted = self._counts.get(key)
        if counted is None:
            return 0.0
        return counted[0] * math.exp(self._fading * (now - counted[1]))

    def rate(self, key: Hashable, now: int) -> float:
        """Return how often a key is asked a tick, if it is asked steadily."""
        return self.value(key, now) * (1 - math.exp(self._fading))

    def most(self, now: int) -> float:
        """Return what a key would count that was asked at every tick, from 1 on to now."""
        return (1 - math.exp(self._fading * now)) / (1 - math.exp(self._fading))

    def highest(self, limit: int, now: int) -> list[tuple[Hashable, float]]:
        """Return the keys asked most lately, with their counts."""
        faded = [(key, self.value(key, now)) for key in self._counts]
        return sorted(faded, key=lambda pair: -pair[1])[:limit]

    def _forget_faintest(self, now: int) -> None:
        kept = self.highest(self._max_keys // 2, now)
        self._counts = {key: self._counts[key] for key, _ in kept}


class Interest:
    """How often each search is to be expected. Not thread-safe.

    A single search is asked too rarely to be counted alone. So its share of the searches for its
    text is what it was so far, smoothed towards the share that its way of asking has among all
    searches, as language models back off to shorter contexts (MacKay and Peto, "A hierarchical
    Dirichlet language model", 1995). A text itself is worth what it was asked, or, where its terms
    are asked in other texts too, a part of its rarest one.
    """

    def __init__(self, settings: SearchAwareSettings) -> None:
        self._settings = settings
        half_life, most = settings.half_life_searches, settings.max_searches
        self.now = 0
        self.terms = FadingCounts(half_life=half_life, max_keys=settings.max_terms)
        self._terms_longer = FadingCounts(
            half_life=half_life * _LONGER, max_keys=settings.max_terms
        )
        self._texts = FadingCounts(half_life=half_life, max_keys=most)
        self._searches = FadingCounts(half_life=half_life, max_keys=most)
        self._ways = FadingCounts(half_life=half_life * _WAYS_FADE_SLOWER, max_keys=most)
        self._usual = 1.0

    def note(self, wish: Wish) -> None:
        """Count one search."""
        self.now += 1
        self._searches.add(wish.fingerprint, self.now)
        self._texts.add(wish.terms, self.now)
        self._ways.add(wish.way, self.now)
        for term in wish.terms:
            self.terms.add(term, self.now)
            self._terms_longer.add(term, self.now)

    def trend(self, term: str) -> float:
        """Return how the interest in a term changes: above 1.0 it rises, at 1.0 it is steady."""
        usual = self._terms_longer.rate(term, self.now)
        return self.terms.rate(term, self.now) / usual if usual else 1.0

    def of(self, wish: Wish) -> float:
        """Return how much a search is wanted: how often it is to be expected, on one scale for all.

        One never asked before starts with what its text, its terms and its way bring along.
        """
        now, settings = self.now, self._settings
        if not now:
            return 0.0
        text = self._texts.value(wish.terms, now)
        rarest = min((self.terms.value(term, now) for term in wish.terms), default=0.0)
        wanted = text + settings.term_share * max(0.0, rarest - text)
        share_of_way = self._ways.value(wish.way, now) / self._ways.most(now)
        prior = settings.prior_searches
        own = self._searches.value(wish.fingerprint, now)
        return wanted * (own + prior * share_of_way) / (text + prior)

    def factor(self, wish: Wish) -> float:
        """Return the interest in a search in parts of the usual one, within the bounds."""
        interest = self.of(wish)
        self._usual += (interest - self._usual) / self._settings.half_life_searches
        low, high = self._settings.min_factor, self._settings.max_factor
        return min(high, max(low, interest / self._usual if self._usual > 0 else 1.0))


_LONGER = 4
"""A term rises where its count is higher than one that fades so much more slowly would have it."""
_WAYS_FADE_SLOWER = 8
"""What is asked for changes sooner than how it is asked."""
