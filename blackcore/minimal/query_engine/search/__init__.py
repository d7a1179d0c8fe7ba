"""Text search: what an engine is, two of our own, and how any of them is joined to rows.

`FullTextSearch` needs nothing but Python, `TantivySearch` is the faster one of the extra `search`;
any object with `search(query_text, data, config)` serves in their place. `wire_search` makes each
of them answer with the positions and scores of the records that match.
"""

from .adapter import BoundSearch, wire_search
from .base import (
    EVERY_MATCH,
    Records,
    RowSearchEngine,
    ScoredRows,
    SearchConfig,
    SearchMatch,
    TextSearchEngine,
)
from .full_text import FullTextSearch
from .tantivy_search import TantivySearch

__all__ = [
    "EVERY_MATCH",
    "BoundSearch",
    "FullTextSearch",
    "Records",
    "RowSearchEngine",
    "ScoredRows",
    "SearchConfig",
    "SearchMatch",
    "TantivySearch",
    "TextSearchEngine",
    "wire_search",
]
