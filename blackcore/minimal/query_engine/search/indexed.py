"""What our own two search engines have in common: options, kept indexes, results."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

from ..errors import SettingsError
from .base import Records, ScoredRows, SearchConfig, SearchMatch
from .index_store import IndexStore
from .words import Phrase, parse, relevance

logger = logging.getLogger(__name__)

I = TypeVar("I")  # noqa: E741 # an index
D = TypeVar("D")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the rows indexed so far and the rows in all."""

PROGRESS_ROWS = 1_000


class Variant(NamedTuple):
    """The options that decide how an index is built; there may be one index of each."""

    case_sensitive: bool
    use_stemming: bool


class IndexedSearch(ABC, Generic[I]):
    """A search engine that indexes a list of records once and keeps the index.

    Thread-safe; the records are not changed, and must not change while an index of them is kept.
    """

    scores_depend_on_corpus = True
    """BM25 weighs a word by how rare it is among all records."""

    modes: ClassVar[tuple[str, ...]] = ("exact",)
    options: ClassVar[tuple[str, ...]] = ("case_sensitive",)

    def __init__(self, *, max_indexes: int = 8, progress: Progress | None = None) -> None:
        self._indexes: IndexStore[I] = IndexStore(max_indexes)
        self._max_indexes = max_indexes
        self._progress = progress

    def search(
        self, query_text: str, data: Records, config: SearchConfig | None = None
    ) -> list[SearchMatch]:
        """Return the matches, best first, records' order among equal scores.

        Raises:
            QueryError: for a text without a word, or with too many.
            SettingsError: for an option that this engine does not have.
        """
        rows = self.search_rows(query_text, data, config or SearchConfig())
        pairs = zip(rows.ids.tolist(), rows.scores.tolist(), strict=True)
        return [SearchMatch(data[row], score) for row, score in pairs]

    def search_rows(self, query_text: str, data: Records, config: SearchConfig) -> ScoredRows:
        """Return the positions in `data` of the matches; raises as `search` does."""
        self._check(config)
        phrases = parse(query_text, case_sensitive=config.case_sensitive)
        variant = Variant(config.case_sensitive, config.use_stemming)
        index = self._indexes.get(data, variant, lambda: self._timed_build(data, variant))
        return self._ask(index, phrases, config)

    @abstractmethod
    def _build(self, records: Records, variant: Variant) -> I:
        """Return a new index of the records."""

    @abstractmethod
    def _ask(self, index: I, phrases: tuple[Phrase, ...], config: SearchConfig) -> ScoredRows:
        """Return the rows in which all phrases are found."""

    def _timed_build(self, records: Records, variant: Variant) -> I:
        begun = perf_counter()
        index = self._build(records, variant)
        logger.debug(
            "indexed %d rows for %s in %.3f s",
            len(records),
            type(self).__name__,
            perf_counter() - begun,
        )
        return index

    def _reported(self, documents: Iterable[D], total: int) -> Iterator[D]:
        """Yield the documents, telling every so many rows, and at the end, how far it is."""
        if self._progress is None:
            yield from documents
            return
        for done, document in enumerate(documents):
            if done % PROGRESS_ROWS == 0:
                self._progress(done, total)
            yield document
        self._progress(total, total)

    def _check(self, config: SearchConfig) -> None:
        name = type(self).__name__
        if config.mode not in self.modes:
            known = ", ".join(map(repr, self.modes))
            raise SettingsError(f"{name} has no mode {config.mode!r}; it has: {known}")
        for option in ("highlight_matches", "case_sensitive", "use_stemming", "use_synonyms"):
            if getattr(config, option) and option not in self.options:
                raise SettingsError(
                    f"{name} has no {option}; leave it False, or pass a search engine that has it"
                )

    def calculate_relevance_score(
        self,
        item: Mapping[str, object],
        query_text: str,
        field_weights: Mapping[str, float] | None = None,
    ) -> float:
        """Return the score of one record by itself, 0.0 where it does not match.

        It ranks records among each other, but is not the score that `search` gives: that depends
        on all records. Case is ignored.

        Raises:
            QueryError: for a text without a word, or with too many.

        >>> from blackcore.minimal.query_engine.search import FullTextSearch
        >>> FullTextSearch().calculate_relevance_score({"title": "War of the worlds"}, "war")
        1.0
        """
        weights = SearchConfig(field_weights=field_weights or {}).field_weights
        return relevance(dict(item), parse(query_text), dict(weights))

    def forget(self, data: Records) -> bool:
        """Drop the indexes of this list of records; return whether there were any."""
        return self._indexes.forget(data)

    def __repr__(self) -> str:
        """Return the class, and how many lists it keeps indexes of."""
        return f"{type(self).__name__}(indexes={len(self._indexes)} of {self._max_indexes})"
