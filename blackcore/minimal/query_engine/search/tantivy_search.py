"""The faster search engine: tantivy, from the extra `search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import MissingExtraError
from .base import Records, ScoredRows, SearchConfig
from .indexed import IndexedSearch, Progress, Variant
from .layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from numpy.typing import NDArray
    from tantivy import Query, Schema, Searcher

    from .words import Phrase

_WRITER_BYTES = 128_000_000


class TantivySearch(IndexedSearch["TantivyIndex"]):
    """Finds what `FullTextSearch` finds in mode "exact", several times faster where much matches.

    Words, phrases, field weights, the score threshold and `case_sensitive` mean the same. Scores
    are BM25 per field, so they, and the order, differ. Stemming and the modes "fuzzy" and "prefix"
    are refused: `FullTextSearch` has them. Words of more than 65,530 bytes are not found.

    Args:
        max_indexes: lists of records whose indexes are kept; the least recently used goes first.
        progress: called now and then with the rows indexed so far and the rows in all.

    Raises:
        MissingExtraError: where tantivy is not installed.

    Thread-safe; searches run side by side.

    >>> films = [{"title": "The Third Man", "cast": ["Orson Welles"]}, {"title": "Heat"}]
    >>> [match.entity["title"] for match in TantivySearch().search("orson MAN", films)]
    ['The Third Man']
    """

    def __init__(self, *, max_indexes: int = 8, progress: Progress | None = None) -> None:
        _tantivy()  # missing is said here, not at the first search
        super().__init__(max_indexes=max_indexes, progress=progress)

    def _build(self, records: Records, variant: Variant) -> TantivyIndex:
        layout = Layout.of(records)
        documents = layout.documents(records, case_sensitive=variant.case_sensitive)
        return TantivyIndex(layout, self._reported(documents, len(records)), len(records))

    def _ask(
        self, index: TantivyIndex, phrases: tuple[Phrase, ...], config: SearchConfig
    ) -> ScoredRows:
        ids, scores = index.matches(phrases, config.field_weights)
        return ScoredRows.ranked(
            ids, scores, min_score=config.min_score, max_results=config.max_results
        )


def _tantivy() -> ModuleType:
    """Return the module; imported at use, since the extra may not be there."""
    try:
        import tantivy
    except ImportError as error:
        raise MissingExtraError("TantivySearch", "search") from error
    return tantivy


class TantivyIndex:
    """One tantivy index in memory. Thread-safe: a searcher is a frozen snapshot."""

    def __init__(
        self, layout: Layout, documents: Iterable[list[list[str] | None]], total_rows: int
    ) -> None:
        self._layout = layout
        self._tantivy = _tantivy()
        self._names = [f"c{place}" for place in range(len(layout.columns))]
        self._schema = self._new_schema()
        self._searcher = self._filled(documents)
        self._row_of = self._rows_by_segment(total_rows)

    def _new_schema(self) -> Schema:
        builder = self._tantivy.SchemaBuilder()
        for name in self._names:
            builder = builder.add_text_field(name, tokenizer_name="words")
        schema: Schema = builder.add_unsigned_field("row", fast=True).build()
        return schema

    def _filled(self, documents: Iterable[list[list[str] | None]]) -> Searcher:
        tantivy = self._tantivy
        index = tantivy.Index(self._schema)
        # texts arrive folded: words with spaces between them
        spaces = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        index.register_tokenizer("words", spaces)
        # with more threads the rows would fall into segments in another way each time
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        for row, columns in enumerate(documents):
            document = tantivy.Document()
            document.add_unsigned("row", row)
            for name, values in zip(self._names, columns, strict=True):
                for value in values or ():  # a gap of one word keeps phrases within a value
                    document.add_text(name, value)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        searcher: Searcher = index.searcher()
        return searcher

    def _rows_by_segment(self, total_rows: int) -> list[NDArray[np.int64]]:
        """Return for each segment the row of each of its documents; asking per search is slow."""
        if not total_rows:
            return []
        everything = self._tantivy.Query.all_query()
        places = [place for _, place in self._searcher.search(everything, limit=total_rows).hits]
        rows = self._searcher.fast_field_values("row", places)
        by_segment: list[dict[int, int]] = [{} for _ in range(self._searcher.num_segments)]
        for place, row in zip(places, rows, strict=True):
            by_segment[place.segment_ord][place.doc] = int(row or 0)
        return [
            np.fromiter((rows_of[doc] for doc in range(len(rows_of))), np.int64, len(rows_of))
            for rows_of in by_segment
        ]

    def matches(
        self, phrases: tuple[Phrase, ...], field_weights: Mapping[str, float]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return row ids and scores of the rows in which all phrases are found."""
        weights = self._layout.weights(field_weights)
        total = sum(map(len, self._row_of))
        if not total:
            return np.empty(0, np.int64), np.empty(0)
        must = self._tantivy.Occur.Must
        query = self._tantivy.Query.boolean_query(
            [(must, self._anywhere(phrase, weights)) for phrase in phrases]
        )
        hits = self._searcher.search(query, limit=total, count=False).hits
        scores = np.fromiter((score for score, _ in hits), np.float64, len(hits))
        ids = np.empty(len(hits), np.int64)
        docs = np.fromiter((place.doc for _, place in hits), np.int64, len(hits))
        if len(self._row_of) == 1:
            return self._row_of[0][docs], scores
        segments = np.fromiter((place.segment_ord for _, place in hits), np.int64, len(hits))
        for segment, rows in enumerate(self._row_of):
            here = segments == segment
            ids[here] = rows[docs[here]]
        return ids, scores

    def _anywhere(self, phrase: Phrase, weights: list[float]) -> Query:
        """Return a query for the phrase in any column."""
        query, should = self._tantivy.Query, self._tantivy.Occur.Should
        columns = []
        for name, weight in zip(self._names, weights, strict=True):
            if len(phrase.words) == 1:
                found = query.term_query(self._schema, name, phrase.words[0])
            else:
                found = query.phrase_query(self._schema, name, list(phrase.words))
            columns.append((should, query.boost_query(found, weight) if weight != 1 else found))
        anywhere: Query = query.boolean_query(columns)
        return anywhere
