"""What a text search engine is, what it is told, and what it gives back."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np

from ..errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Records: TypeAlias = list[dict[str, object]]
"""The records of one database, as its loader gave them."""

EVERY_MATCH = sys.maxsize
"""A `max_results` that cuts nothing off."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SearchConfig:
    """What a search engine is told besides the text, under the names that such engines read.

    Attributes:
        mode: "exact", "fuzzy", "prefix", or another that the engine knows.
        max_results: so many of the best matches at most; by default every match.
        min_score: only matches with a score above it.
        field_weights: weight by field name, 1.0 where none is given; 0 takes a field out.
        fuzzy_threshold: 0.0 to 1.0, how alike two words are at least in mode "fuzzy".
        highlight_matches: whether the engine marks what it found.
        case_sensitive: whether "Us" and "us" are two words.
        use_stemming: whether "films" finds "film".
        use_synonyms: whether "movie" finds "film".

    Raises:
        SettingsError: for a value that cannot be.

    >>> SearchConfig(mode="fuzzy", field_weights={"title": 3})
    SearchConfig(mode='fuzzy', field_weights={'title': 3.0})
    """

    mode: str = "exact"
    max_results: int = EVERY_MATCH
    min_score: float = 0.0
    field_weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    fuzzy_threshold: float = 0.8
    highlight_matches: bool = False
    case_sensitive: bool = False
    use_stemming: bool = False
    use_synonyms: bool = False

    def __post_init__(self) -> None:
        if type(self.mode) is not str or not self.mode:
            raise _refused("mode", self.mode, "it names a mode, such as 'exact' or 'fuzzy'")
        if type(self.max_results) is not int or self.max_results < 1:
            raise _refused("max_results", self.max_results, "it is a whole number of at least 1")
        if not _is_number(self.min_score) or self.min_score < 0:
            raise _refused("min_score", self.min_score, "it is a number of at least 0")
        if not _is_number(self.fuzzy_threshold) or not 0 <= self.fuzzy_threshold <= 1:
            raise _refused("fuzzy_threshold", self.fuzzy_threshold, "it is a number from 0 to 1")
        for name in ("highlight_matches", "case_sensitive", "use_stemming", "use_synonyms"):
            if type(getattr(self, name)) is not bool:
                raise _refused(name, getattr(self, name), "it is True or False")
        object.__setattr__(self, "field_weights", _checked_weights(self.field_weights))

    def __repr__(self) -> str:
        """Return what differs from the defaults."""
        default = {f.name: f.default for f in fields(self)} | {"field_weights": {}}
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name, usual in default.items()
            if getattr(self, name) != usual
        ]
        return f"SearchConfig({', '.join(shown)})"


def _refused(name: str, value: object, allowed: str) -> SettingsError:
    return SettingsError(f"SearchConfig.{name} is {value!r}; {allowed}")


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type] # a number by its type


def _checked_weights(weights: object) -> dict[str, float]:
    """Return a plain dict of the weights: foreign engines ask `isinstance(weights, dict)`."""
    if not isinstance(weights, Mapping):
        raise _refused("field_weights", weights, "it is a mapping of field name to weight")
    for name, weight in weights.items():
        if not isinstance(name, str):
            raise _refused("field_weights", dict(weights), f"{name!r} is not a field name")
        if not _is_number(weight) or weight < 0:
            raise _refused(f"field_weights[{name!r}]", weight, "it is a number of at least 0")
    return {name: float(weight) for name, weight in weights.items()}


@dataclass(frozen=True, slots=True)
class SearchMatch:
    """One record that matches, and how well (above 0; more is better)."""

    entity: dict[str, object]
    score: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScoredRows:
    """Positions of the matching records, best first, records' order among equal scores.

    Attributes:
        ids: uint32, each position once; not writable.
        scores: float64, the score of each, all above 0; not writable.
    """

    ids: NDArray[np.uint32]
    scores: NDArray[np.float64]

    @classmethod
    def ranked(
        cls,
        ids: NDArray[np.integer],
        scores: NDArray[np.floating],
        *,
        min_score: float = 0.0,
        max_results: int = EVERY_MATCH,
    ) -> ScoredRows:
        """Return the rows that score above `min_score` (NaN never does), ranked.

        >>> ScoredRows.ranked(np.array([0, 1, 2, 3]), np.array([1.0, 0.0, 2.0, 1.0]))
        ScoredRows(3 rows: 2 (2.0), 0 (1.0), 3 (1.0))
        """
        kept = scores > min_score
        ids, scores = ids[kept], scores[kept]
        order = np.lexsort((ids, -scores))[:max_results]
        ranked_ids = ids[order].astype(np.uint32)
        ranked_scores = scores[order].astype(np.float64)
        ranked_ids.flags.writeable = False
        ranked_scores.flags.writeable = False
        return cls(ranked_ids, ranked_scores)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        """Return how many rows there are, and the first few."""
        best = zip(self.ids[:3].tolist(), self.scores[:3].tolist(), strict=True)
        shown = ", ".join(f"{row} ({score:.4})" for row, score in best)
        more = ", ..." if len(self) > 3 else ""  # noqa: PLR2004 # the three shown above
        return f"ScoredRows({len(self)} rows{': ' if shown else ''}{shown}{more})"


@runtime_checkable
class TextSearchEngine(Protocol):
    """Finds the records that match a text; any object with this method serves.

    An engine may also offer:

    - `calculate_relevance_score(item, query_text, field_weights) -> float`, asked where `search`
      returns bare records (an older form takes no weights);
    - `scores_depend_on_corpus: bool`, False where a record's score is the same whatever the other
      records are; then the engine may be asked about the survivors of the filters only.
    """

    def search(self, query_text: str, data: Records, config: SearchConfig, /) -> Sequence[object]:
        """Return a list of results, each with `entity` and `score`.

        A result may be an object with these attributes, a mapping with these keys, or the record
        itself. In an older form the third parameter is `database_name`.
        """
        ...


@runtime_checkable
class RowSearchEngine(TextSearchEngine, Protocol):
    """A search engine that knows positions of records, which spares a search for each."""

    def search_rows(self, query_text: str, data: Records, config: SearchConfig, /) -> ScoredRows:
        """Return the positions in `data` of the matching records, with their scores."""
        ...

    def forget(self, data: Records, /) -> bool:
        """Drop what is kept about a list of records; return whether there was anything."""
        ...
