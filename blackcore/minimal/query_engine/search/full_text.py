"""The search engine that needs nothing but Python: SQLite's FTS5, in memory."""

from __future__ import annotations

import sqlite3
import weakref
from decimal import Decimal
from itertools import chain
from math import log
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rapidfuzz import fuzz, process

from ..errors import SearchError, SettingsError
from .base import Records, ScoredRows, SearchConfig
from .indexed import IndexedSearch, Variant
from .layout import Layout
from .words import Phrase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_BETWEEN_VALUES = "\ue000"
"""A token that no text has, so that no phrase runs from one value into the next."""

# FTS5 folds the case of ASCII whatever it is told; where case matters, capitals are other letters
_CAPITALS = {ord("A") + place: 0xE041 + place for place in range(26)}


class FullTextSearch(IndexedSearch["FtsIndex"]):
    """Finds the records that hold all words of a text, and scores them by BM25.

    Strings and numbers are searched, nested ones too; what a word is stands in `words`. Words in
    double quotes must stand side by side, in one value. All else in a text is data.

    - mode "exact": each word as it is; "prefix": each unquoted word may go on; "fuzzy": each
      unquoted word stands for all words of the records that rapidfuzz's `fuzz.ratio` / 100 finds
      at least `fuzzy_threshold` alike, and a less alike word scores less.
    - `case_sensitive`, in modes "exact" and "prefix", and `use_stemming` (English, by Porter), in
      mode "exact" and not both at once, take an index of their own.
    - `highlight_matches` and `use_synonyms` are refused.

    A word that more than half of the records have tells next to nothing: FTS5 scores it some
    0.000001, so that any `min_score` takes such matches out.

    The first search of a list of records builds its index (some 3 s for 17 MB of text, and about
    as much memory as the text), which is kept. SQLite tells words apart by their first 32 KB.

    Args:
        max_indexes: lists of records whose indexes are kept; the least recently used goes first.
        progress: called now and then with the rows indexed so far and the rows in all.

    Thread-safe; searches of one index take turns, and most take less than a millisecond.

    >>> films = [{"title": "The Third Man", "cast": ["Orson Welles"]}, {"title": "Heat"}]
    >>> [match.entity["title"] for match in FullTextSearch().search("orson MAN", films)]
    ['The Third Man']
    """

    modes: ClassVar[tuple[str, ...]] = ("exact", "fuzzy", "prefix")
    options: ClassVar[tuple[str, ...]] = ("case_sensitive", "use_stemming")

    def _check(self, config: SearchConfig) -> None:
        super()._check(config)
        if config.case_sensitive and (config.use_stemming or config.mode == "fuzzy"):
            raise SettingsError(
                "case_sensitive goes neither with use_stemming nor with mode 'fuzzy', "
                "which compare words without their case; leave one of them out"
            )
        if config.use_stemming and config.mode != "exact":
            raise SettingsError(
                f"use_stemming is of whole words, so mode {config.mode!r} cannot have it; "
                "use mode 'exact', or leave it False"
            )

    def _build(self, records: Records, variant: Variant) -> FtsIndex:
        layout = Layout.of(records)
        documents = layout.documents(records, case_sensitive=variant.case_sensitive)
        rows = (_row_of(*numbered) for numbered in enumerate(documents))
        if variant.case_sensitive:
            rows = (_capitals_marked(row) for row in rows)
        return FtsIndex(
            layout, self._reported(rows, len(records)), len(records), stem=variant.use_stemming
        )

    def _ask(
        self, index: FtsIndex, phrases: tuple[Phrase, ...], config: SearchConfig
    ) -> ScoredRows:
        if config.mode == "fuzzy":
            ids, scores = index.fuzzy(phrases, config.fuzzy_threshold, config.field_weights)
        else:
            expression = " ".join(
                _quoted(phrase, prefix=config.mode == "prefix") for phrase in phrases
            )
            if config.case_sensitive:
                # written by us, the expression has no capital that is not a word's
                expression = expression.translate(_CAPITALS)
            ids, scores = index.matches(expression, config.field_weights)
        return ScoredRows.ranked(
            ids, scores, min_score=config.min_score, max_results=config.max_results
        )


def _row_of(row: int, document: list[list[str] | None]) -> list[int | str | None]:
    joined = f" {_BETWEEN_VALUES} ".join
    return [row, *(None if values is None else joined(values) for values in document)]


def _capitals_marked(row: list[int | str | None]) -> list[int | str | None]:
    return [cell.translate(_CAPITALS) if isinstance(cell, str) else cell for cell in row]


def _quoted(phrase: Phrase, *, prefix: bool = False) -> str:
    """Return the phrase in FTS5's language; words hold no quotes."""
    star = "*" if prefix and not phrase.quoted else ""
    return f'"{" ".join(phrase.words)}"{star}'


class FtsIndex:
    """One FTS5 table in a memory of its own. Thread-safe: a lock around each statement."""

    def __init__(
        self,
        layout: Layout,
        rows: Iterator[list[int | str | None]],
        total_rows: int,
        *,
        stem: bool = False,
    ) -> None:
        self._layout = layout
        self._rows = total_rows
        self._lock = Lock()
        self._vocabulary: tuple[list[str], list[int]] | None = None
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        # the connection is closed when the last search that uses this index is done with it
        self._closing = weakref.finalize(self, connection.close)
        self._connection = connection
        try:
            self._create("porter ascii" if stem else "ascii")
            self._fill(rows)
        except BaseException:
            self._closing()
            raise

    def _create(self, tokenizer: str) -> None:
        # texts arrive folded, so "ascii", for which all but ASCII is a letter, splits at spaces;
        # content='' keeps no second copy of the texts
        names = self._column_names()
        try:
            self._connection.execute(
                f"CREATE VIRTUAL TABLE t USING fts5({names}, content='', tokenize='{tokenizer}')"
            )
        except sqlite3.OperationalError as error:
            raise SearchError(
                f"this Python's SQLite ({sqlite3.sqlite_version}) cannot make a full-text index "
                f"({error}); use a Python whose SQLite has FTS5, or install "
                '"blackcore-query-engine[search]" and pass search=TantivySearch()'
            ) from error
        self._connection.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab('t', 'row')")
        # merged once at the end rather than again and again
        self._connection.execute("INSERT INTO t(t, rank) VALUES ('automerge', 0)")
        self._connection.execute("INSERT INTO t(t, rank) VALUES ('hashsize', ?)", (64 << 20,))

    def _column_names(self) -> str:
        # a table has at least one column, if only an empty one
        return ", ".join(f"c{place}" for place in range(max(1, len(self._layout.columns))))

    def _fill(self, rows: Iterator[list[int | str | None]]) -> None:
        marks = ", ".join("?" * len(self._layout.columns))
        execute = self._connection.execute
        execute("PRAGMA journal_mode = OFF")
        execute("BEGIN")
        if marks:
            self._connection.executemany(
                f"INSERT INTO t(rowid, {self._column_names()}) VALUES (?, {marks})",  # noqa: S608 # our own names
                rows,
            )
        execute("COMMIT")
        execute("INSERT INTO t(t) VALUES ('optimize')")

    def matches(
        self, expression: str, field_weights: Mapping[str, float]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return row ids and scores for an expression in FTS5's language."""
        parameters: tuple[str, ...] = (expression,)
        statement = "SELECT rowid, -rank FROM t WHERE t MATCH ?"
        if field_weights:
            statement += " AND rank MATCH ?"
            weights = self._layout.weights(field_weights)
            # FTS5 reads no exponents here
            written = ", ".join(format(Decimal(repr(weight)), "f") for weight in weights)
            parameters = (expression, f"bm25({written})")
        with self._lock:
            found = self._connection.execute(statement, parameters).fetchall()
        flat = np.fromiter(chain.from_iterable(found), np.float64, 2 * len(found))
        return flat[::2].astype(np.int64), flat[1::2]

    def fuzzy(
        self, phrases: tuple[Phrase, ...], threshold: float, field_weights: Mapping[str, float]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return ids and scores of the rows that have, for each phrase, something alike.

        A row's score for a word is that of its best variant, times how alike the two are.
        """
        total = np.zeros(self._rows)
        everywhere = np.ones(self._rows, dtype=bool)
        for phrase in phrases:
            best = np.zeros(self._rows)
            found = np.zeros(self._rows, dtype=bool)
            for expression, factor in self._variants(phrase, threshold):
                ids, scores = self.matches(expression, field_weights)
                best[ids] = np.maximum(best[ids], scores * factor)
                found[ids] = True
            total += best
            everywhere &= found
        ids = np.flatnonzero(everywhere)
        return ids, total[ids]

    def _variants(self, phrase: Phrase, threshold: float) -> Iterator[tuple[str, float]]:
        if phrase.quoted:
            yield _quoted(phrase), 1.0
            return
        terms, rows_with = self._all_words()
        (asked,) = phrase.words
        nearly = max(0.0, threshold * 100 - 1e-6)  # the product may round up, beyond the ratio
        alike = process.extract(
            asked, terms, scorer=fuzz.ratio, score_cutoff=nearly, limit=None, processor=None
        )
        rows_with_asked = next((rows_with[place] for word, _, place in alike if word == asked), 0)
        for word, ratio, place in alike:
            if ratio / 100 < threshold or word == _BETWEEN_VALUES:
                continue
            # a misspelling is rare, but that must not lift it above the word that was asked
            rarity = self._rarity(rows_with_asked) / self._rarity(rows_with[place])
            yield _quoted(Phrase((word,), quoted=True)), ratio / 100 * min(1.0, rarity)

    def _rarity(self, rows_with: int) -> float:
        """Return the inverse document frequency as FTS5's bm25() has it."""
        return max(1e-6, log((self._rows - rows_with + 0.5) / (rows_with + 0.5)))

    def _all_words(self) -> tuple[list[str], list[int]]:
        with self._lock:
            if self._vocabulary is None:
                found = self._connection.execute("SELECT term, doc FROM vocabulary").fetchall()
                self._vocabulary = [term for term, _ in found], [rows for _, rows in found]
            return self._vocabulary
