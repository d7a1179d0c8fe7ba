"""Which text of a record goes into which column of a full-text index."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SettingsError
from .words import fold, texts, weight_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .base import Records

MAX_COLUMNS = 100
"""FTS5 holds hundreds, but each costs a byte per row; records whose keys are data have no end."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One column per path that leads to text, as long as there are at most `MAX_COLUMNS`.

    Where there are more, one column per top-level field; where those are too many as well, the
    rarest fields share the last column.
    """

    columns: tuple[str, ...]
    column_of: Mapping[str, int]
    """By path; by top-level field where `whole_fields`."""
    whole_fields: bool = False

    @classmethod
    def of(cls, records: Records) -> Layout:
        """Return the layout for these records; takes one pass over them."""
        paths = dict.fromkeys(path for record in records for path, _ in texts(record))
        if len(paths) <= MAX_COLUMNS:
            return cls(tuple(paths), {path: column for column, path in enumerate(paths)})
        # as texts writes them: a key may hold dots, so the path cannot be cut
        fields = Counter(str(key) for record in records for key in record)
        ordered = [name for name, _ in fields.most_common()]  # ties in order of appearance
        own, shared = ordered[:MAX_COLUMNS], ordered[MAX_COLUMNS:]
        if shared:
            shared.insert(0, own.pop())
        column_of = {name: column for column, name in enumerate(own)}
        column_of |= dict.fromkeys(shared, len(own))
        names = (*own, *(["(others)"] if shared else []))
        return cls(names, column_of, whole_fields=True)

    def documents(
        self, records: Records, *, case_sensitive: bool
    ) -> Iterator[list[list[str] | None]]:
        """Yield for each record the folded values of each column, None where it has none."""
        width = len(self.columns)
        for record in records:
            document: list[list[str] | None] = [None] * width
            for column, text in self._placed(record):
                words = fold(text, case_sensitive=case_sensitive)
                values = document[column]
                if values is None:
                    document[column] = [words]
                else:
                    values.append(words)
            yield document

    def _placed(self, record: dict[str, object]) -> Iterator[tuple[int, str]]:
        column_of = self.column_of
        if not self.whole_fields:
            return ((column_of[path], text) for path, text in texts(record))
        return (
            (column_of[str(key)], text)
            for key, value in record.items()
            for _, text in texts({key: value})
        )

    def weights(self, field_weights: Mapping[str, float]) -> list[float]:
        """Return the weight of each column.

        A weight for a path holds for all that is below it, the longest path first. A field
        without text has no column, and its weight nothing to weigh.

        Raises:
            SettingsError: for a field that shares its column with others.
        """
        if self.whole_fields:
            for path in field_weights:
                self._check_alone(path)
        given = dict(field_weights)
        return [weight_of(path, given) for path in self.columns]

    def _check_alone(self, path: str) -> None:
        if path in self.column_of and self.columns[self.column_of[path]] == path:
            return
        raise SettingsError(
            f"field_weights[{path!r}] cannot be had: the records have more than {MAX_COLUMNS} "
            "different fields with text, so that only the most frequent top-level fields are "
            f"weighted by themselves, such as {', '.join(map(repr, self.columns[:5]))}"
        )
