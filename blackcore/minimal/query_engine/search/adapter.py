"""Joins a search engine, ours or a foreign one, to the rows of a database."""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from numbers import Real
from typing import Final, cast

import numpy as np

from ..errors import QueryEngineError, SearchError
from ..settings import SearchSettings
from .base import Records, RowSearchEngine, ScoredRows, SearchConfig
from .index_store import IndexStore
from .record_finder import RecordFinder
from .signatures import EngineForm


def wire_search(engine: object, *, settings: SearchSettings | None = None) -> BoundSearch:
    """Return the engine as something that answers with rows.

    What its `search` takes as third argument, our `SearchConfig` or the database's name, is
    decided here, once, by its signature.

    Args:
        engine: any object with `search(query_text, data, config)`, or in an older form with
            `search(query_text, data, database_name)`.
        settings: what the engine is told with every search.

    Raises:
        SearchError: for an object that has no such method.
    """
    return BoundSearch(engine, settings or SearchSettings())


class BoundSearch:
    """A search engine that is asked about a database's records and answers with their positions.

    Attributes:
        engine: the engine as it was given.
        takes_database_name: whether it is of the older form.
        scores_depend_on_corpus: False only where the engine says so; then it may be asked about
            some of the records, and their scores are what they would be among all.

    Thread-safe as far as the engine is.
    """

    def __init__(self, engine: object, settings: SearchSettings) -> None:
        self.engine: Final = engine
        self.scores_depend_on_corpus: Final = (
            getattr(engine, "scores_depend_on_corpus", True) is not False
        )
        self._name = type(engine).__name__
        self._form = EngineForm.of(engine)
        self.takes_database_name: Final = self._form.takes_database_name
        # asked of the class: a stand-in that answers to every name has no rows to give
        gives_rows = callable(getattr(type(engine), "search_rows", None))
        self._rows_engine = cast("RowSearchEngine", engine) if gives_rows else None
        self._finders: IndexStore[RecordFinder] = IndexStore(settings.max_indexed_databases)
        self._config = SearchConfig(
            mode=settings.mode,
            fuzzy_threshold=settings.fuzzy_threshold,
            case_sensitive=settings.case_sensitive,
            use_stemming=settings.use_stemming,
        )

    def matches(
        self,
        query_text: str,
        records: Records,
        database: str,
        *,
        weights: Mapping[str, float] | None = None,
        min_score: float | None = None,
        keep: bool = True,
    ) -> ScoredRows:
        """Return every record that the engine scores above `min_score`, best first.

        Args:
            query_text: as the caller wrote it; what it means is the engine's.
            records: all records of the database, or, where scores do not depend on the corpus,
                some of them; what is built for them is kept for the next search of this list.
            database: its name.
            weights: weight by field.
            min_score: 0 where None.
            keep: False for a list that will not be asked again.

        Raises:
            SearchError: when the engine raises, or returns something else than a list of matches
                of these records.
            SettingsError: for a weight or a minimum that cannot be, or an option that our engine
                does not have.
            QueryError: from our engines, for a text without a word.
        """
        config = replace(
            self._config,
            max_results=max(1, len(records)),
            min_score=0.0 if min_score is None else min_score,
            field_weights=weights or {},
        )
        where = f"search engine {self._name}, asked for {reprlib.repr(query_text)} in {database!r},"
        try:
            if self._rows_engine is not None:
                rows = self._rows_engine.search_rows(query_text, records, config)
                return _checked_rows(rows, records, where)
            if not records:
                return _no_rows()
            self._check_weights(config, where)
            finder = self._finder(records, keep=keep)
            results = self._call(query_text, finder.lent(), config, database)
            scored = self._scored(results, query_text, records, config, where=where, finder=finder)
        except QueryEngineError:
            raise
        except Exception as error:
            raise SearchError(f"{where} raised {type(error).__name__}: {error}") from error
        finally:
            if not keep:
                self.forget(records)
        ids = np.fromiter(scored.keys(), np.int64, len(scored))
        scores = np.fromiter(scored.values(), np.float64, len(scored))
        return ScoredRows.ranked(ids, scores, min_score=config.min_score)

    def _check_weights(self, config: SearchConfig, where: str) -> None:
        form = self._form
        if config.field_weights and form.takes_database_name and not form.scorer_takes_weights:
            raise SearchError(
                f"{where} takes no field weights, in its search or its calculate_relevance_score; "
                "leave the weights out, or pass another engine"
            )

    def _finder(self, records: Records, *, keep: bool) -> RecordFinder:
        if not keep:
            return RecordFinder(records)
        return self._finders.get(records, None, lambda: RecordFinder(records))

    def _call(
        self, query_text: str, records: Records, config: SearchConfig, database: str
    ) -> object:
        third: object = database if self.takes_database_name else config
        if self._form.third_keyword is not None:
            return self._form.search(query_text, records, **{self._form.third_keyword: third})
        return self._form.search(query_text, records, third)

    def _scored(
        self,
        results: object,
        query_text: str,
        records: Records,
        config: SearchConfig,
        *,
        where: str,
        finder: RecordFinder,
    ) -> dict[int, float]:
        """Return the best score by position."""
        if not isinstance(results, list | tuple):
            if inspect.iscoroutine(results):
                results.close()  # never to be awaited
            raise SearchError(f"{where} returned {_short(results)}; a list of results is expected")
        # search itself was told of no weights, so its scores have none
        score_anew = bool(config.field_weights) and self.takes_database_name
        best: dict[int, float] = {}
        for result in results:
            entity, score = _opened(result, finder)
            position = finder.position(entity, best)
            if position is None:
                raise SearchError(f"{where} returned {_short(entity)}, which is no record of it")
            if score is _UNSCORED or score_anew:
                score = self._score_of(records[position], query_text, config)
            number = _number(score, where)
            if position not in best or not best[position] >= number:
                best[position] = number
        return best

    def _score_of(self, record: dict[str, object], query_text: str, config: SearchConfig) -> object:
        score_one = self._form.score_one
        if score_one is None:
            return 1.0
        if self._form.scorer_takes_weights:
            return score_one(record, query_text, dict(config.field_weights))
        return score_one(record, query_text)

    def forget(self, records: Records) -> bool:
        """Drop what is kept about this list of records; return whether there was anything."""
        kept = self._finders.forget(records)
        if self._rows_engine is not None:
            kept = self._rows_engine.forget(records) or kept
        return kept

    def __repr__(self) -> str:
        """Return the engine, and which form it has."""
        third = "database_name" if self.takes_database_name else "config"
        return f"BoundSearch({self._name}.search(query_text, data, {third}))"


_UNSCORED: Final = object()
_MISSING: Final = object()


def _opened(result: object, finder: RecordFinder) -> tuple[object, object]:
    """Return entity and score of a result, `_UNSCORED` where it is a bare entity."""
    if finder.is_record(result):  # first: a record may have fields of these names
        return result, _UNSCORED
    entity = getattr(result, "entity", _MISSING)
    if entity is not _MISSING:
        return entity, getattr(result, "score", _UNSCORED)
    if isinstance(result, Mapping) and "entity" in result and "score" in result:
        entity = result["entity"]
        if isinstance(entity, Mapping):
            return entity, result["score"]
    return result, _UNSCORED


def _number(score: object, where: str) -> float:
    if type(score) is not float and type(score) is not bool and isinstance(score, Real):
        with suppress(OverflowError):  # too great an int: said below
            score = float(score)
    if type(score) is not float:
        raise SearchError(f"{where} gave the score {_short(score)}; a number is expected")
    return 0.0 if math.isnan(score) else score


def _checked_rows(rows: object, records: Sequence[object], where: str) -> ScoredRows:
    if not isinstance(rows, ScoredRows):
        raise SearchError(f"{where} returned {_short(rows)}; ScoredRows are expected")
    if len(rows) and int(rows.ids.max()) >= len(records):
        raise SearchError(f"{where} returned row {rows.ids.max()} of {len(records)} records")
    return rows


def _no_rows() -> ScoredRows:
    return ScoredRows.ranked(np.empty(0, np.int64), np.empty(0))


def _short(value: object) -> str:
    shown = reprlib.repr(value)
    return shown if len(shown) <= 120 else f"{shown[:117]}..."  # noqa: PLR2004 # what a line holds
