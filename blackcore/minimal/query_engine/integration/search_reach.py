"""Which records a search reaches, by whatever engine it is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ..errors import SearchError
from ..search import BoundSearch, FullTextSearch, TantivySearch, wire_search
from ..search.signatures import EngineForm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..loaders.base import Record
    from ..query import QuerySearch
    from ..settings import SearchSettings

_log = logging.getLogger(__name__)


class SearchReach:
    """Asks a search engine about single records.

    Args:
        engine: with `search`, and `calculate_relevance_score(item, query_text, field_weights)` or,
            in an older form, `calculate_relevance_score(item, query_text)`.
        settings: what the query engine tells it with every search.

    Attributes:
        judges_alone: whether an engine finds a record, and scores it, whatever the others are.
        finds_alone: whether it at least finds a record whatever the others are.

    Raises:
        SearchError: the engine has no fitting method `search`.
    """

    def __init__(self, engine: object, settings: SearchSettings | None = None) -> None:
        self.engine: Final = engine
        self.bound: Final[BoundSearch] = wire_search(engine, settings=settings)
        self.judges_alone: Final = not self.bound.scores_depend_on_corpus
        # ours find what holds all the words; only the scores look at other records. Not for
        # subclasses: who knows what they do
        self.finds_alone: Final = self.judges_alone or type(engine) in {
            FullTextSearch,
            TantivySearch,
        }
        self._form = EngineForm.of(engine)

    def relevance(
        self, record: Record, text: str, field_weights: Mapping[str, float] | None = None
    ) -> float:
        """Return the engine's own score of one record, 0.0 where it is not reached.

        Raises:
            SearchError: the engine has no `calculate_relevance_score`, or it failed.
        """
        if self._form.score_one is None:
            raise SearchError(
                f"{type(self.engine).__name__} has no method calculate_relevance_score; "
                "give a search engine that has it"
            )
        try:
            if self._form.scorer_takes_weights:
                score = self._form.score_one(record, text, dict(field_weights or {}))
            else:
                score = self._form.score_one(record, text)
            return float(score)  # type: ignore[arg-type]  # whatever a foreign engine returns
        except Exception as error:
            raise SearchError(
                f"{type(self.engine).__name__}.calculate_relevance_score failed on {text!r}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def reaches_any(self, search: QuerySearch, records: list[Record], database: str) -> bool:
        """Return whether a search finds any of these records; where nobody can say, True."""
        if not records:
            return False
        try:
            if not self.finds_alone and self._form.score_one is None:
                return True
            # ours score by words alone, but may search otherwise (fuzzy, by prefix): ask for both
            if self.finds_alone and len(
                self.bound.matches(search.text, records, database, weights=None, min_score=None)
            ):
                return True
            if type(self.engine) in {FullTextSearch, TantivySearch}:
                return False
            return self._form.score_one is not None and any(
                self.relevance(record, search.text, search.field_weights) > 0 for record in records
            )
        except Exception:  # noqa: BLE001 - a foreign engine, or a text that it refuses
            _log.warning("the search engine cannot say what %r reaches", search.text, exc_info=True)
            return True

    def forget(self, records: list[Record]) -> None:
        """Drop what is kept about a list of records."""
        self.bound.forget(records)
