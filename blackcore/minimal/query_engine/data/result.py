"""Answers: the rows that a question chose, as positions, and what a caller gets of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..errors import MissingExtraError
from ..query.evaluator import projected
from ..query.kept_property import kept_property
from ..query.values import Kind, json_text, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from .columns import RowIds
    from .records import Records
from .built_columns import ResultColumns, result_columns
from .frames import series_of
from .stages import StageActual

_SHOWN_ROWS = 10
_SHOWN_FIELDS = 12
_SHOWN_CHARACTERS = 60
_CHUNK_ROWS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The positions of the rows that a question chose, in its order: what a cache keeps.

    Attributes:
        ids: one position per row, 4 bytes each; the first ones only, where a page was asked for and
            ordering the rest would have cost more than it was worth.
        total_rows: how many rows the question has in all.
    """

    ids: RowIds
    total_rows: int

    @property
    def is_complete(self) -> bool:
        """Whether every row is there."""
        return len(self.ids) == self.total_rows

    def covers(self, stop: int | None) -> bool:
        """Return whether the rows before a position (all of them for None) are there."""
        return self.is_complete or (stop is not None and stop <= len(self.ids))

    def is_of(self, row_count: int) -> bool:
        """Return whether this can be an answer over so many rows, as far as its parts tell.

        To be asked of what comes from somewhere else; takes some microseconds, more for many rows.
        """
        ids: object = self.ids
        return (
            isinstance(ids, np.ndarray)
            and ids.dtype == np.uint32
            and ids.ndim == 1
            and type(self.total_rows) is int
            and len(ids) <= self.total_rows <= row_count
            and (not len(ids) or int(ids.max()) < row_count)
        )

    def cache_weight_bytes(self) -> int:
        """What the answer weighs in a cache."""
        return self.ids.nbytes + 120


@dataclass(frozen=True, init=False, eq=False)
class QueryResult:
    """The rows of one answer, or of one page of it.

    `data` is a new list, but its dicts are the loader's own (unless `select` made new ones):
    changing one changes the database for everybody.

    Attributes:
        records: the database's version that was asked.
        ids: positions of the chosen ones, in order.
        total_count: rows of all pages together.
        page: the page's number, from 1; 1 where all rows were asked for.
        page_size: rows a page holds at most; None where all rows were asked for.
        select: fields of the projection, None for whole records.
        from_cache: whether the answer was there already.
        execution_time_ms: from the question to this result, in milliseconds.
        stages: milliseconds by stage.
        actuals: what each filter, the sort and `distinct` left and took, beside the estimates;
            empty for an answer that was there already.
    """

    records: Records = field(repr=False)
    ids: RowIds = field(repr=False)
    total_count: int
    page: int = 1
    page_size: int | None = None
    select: tuple[str, ...] | None = None
    from_cache: bool = False
    execution_time_ms: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    actuals: tuple[StageActual, ...] = field(default=(), repr=False)

    def __init__(
        self,
        records: Records,
        ids: RowIds,
        total_count: int,
        *,
        page: int = 1,
        page_size: int | None = None,
        select: tuple[str, ...] | None = None,
        from_cache: bool = False,
        execution_time_ms: float = 0.0,
        stages: Mapping[str, float] | None = None,
        actuals: tuple[StageActual, ...] = (),
    ) -> None:
        values = self.__dict__  # a third of what the generated method of a frozen class costs
        values["records"] = records
        values["ids"] = ids
        values["total_count"] = total_count
        values["page"] = page
        values["page_size"] = page_size
        values["select"] = select
        values["from_cache"] = from_cache
        values["execution_time_ms"] = execution_time_ms
        values["stages"] = {} if stages is None else stages
        values["actuals"] = actuals

    @kept_property
    def data(self) -> list[dict[str, object]]:
        """The rows as dicts: the loader's own, or new ones where `select` chose fields."""
        return self._picked(self.ids.tolist())

    def _picked(self, ids: list[int]) -> list[dict[str, object]]:
        rows = self.records.rows
        if self.select is None:
            if len(ids) < 2:  # noqa: PLR2004 - of one, itemgetter makes no tuple
                return [rows[i] for i in ids]
            return list(itemgetter(*ids)(rows))
        select = self.select
        if any("." in path for path in select):
            return [projected(rows[i], select) for i in ids]
        return [
            {path: _shown_null(row.get(path)) for path in select}
            for row in map(rows.__getitem__, ids)
        ]

    def chunks(self, chunk_rows: int = _CHUNK_ROWS) -> Iterator[list[dict[str, object]]]:
        """Yield the rows in lists of at most `chunk_rows`, picked as they are asked for."""
        for start in range(0, len(self.ids), chunk_rows):
            yield self._picked(self.ids[start : start + chunk_rows].tolist())

    def built_columns(self) -> ResultColumns | None:
        """Return the rows as columns that exist already, None where not all do.

        None too where columns would not say all that the rows do: fields of several types, records
        whose keys differ, NaN. What was changed in the records' dicts since is not in the columns.
        """
        return result_columns(self.records, self.ids, self.select)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[dict[str, object]]:
        return iter(self.data)

    def __getitem__(self, position: int) -> dict[str, object]:
        return self.data[position]

    @property
    def field_names(self) -> list[str]:
        """Every field of the rows, in order of appearance."""
        if self.select is not None:
            return list(self.select)
        return list(dict.fromkeys(name for row in self.data for name in row))

    def to_polars(self) -> pl.DataFrame:
        """Return the rows as a Polars frame, one column per field.

        Fields that only some rows have are there, null elsewhere. A field becomes JSON text where
        no Polars type holds all its values as they are: several types, objects with differing keys.
        Taken from columns where they exist.
        """
        built = self.built_columns()
        if built is not None:
            return built.to_polars()
        return pl.DataFrame([series_of(str(name), self._cells(name)) for name in self.field_names])

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a pandas frame, one column per field.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("to_pandas()", "pandas") from error
        return pd.DataFrame({name: self._cells(name) for name in self.field_names})

    def _cells(self, name: str) -> list[object]:
        return [row.get(name) for row in self.data]

    def _repr_html_(self) -> str:
        """Return the first rows as a table, for notebooks."""
        shown = list(islice(self._first_rows(), _SHOWN_ROWS))
        names = list(dict.fromkeys(name for row in shown for name in row))
        more = len(names) - _SHOWN_FIELDS
        names = names[:_SHOWN_FIELDS]
        head = "".join(f"<th>{escape(str(name))}</th>" for name in names)
        body = "".join(
            f"<tr>{''.join(_cell_html(row.get(name)) for name in names)}</tr>" for row in shown
        )
        fields = f", {more} more fields" if more > 0 else ""
        source = "from cache" if self.from_cache else "computed"
        return (
            f"<p>{len(self):,} of {self.total_count:,} rows{fields}; "
            f"{self.execution_time_ms:.2f} ms, {source}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _first_rows(self) -> Iterator[dict[str, object]]:
        return iter(self._picked(self.ids[:_SHOWN_ROWS].tolist()))


def _cell_html(value: object) -> str:
    if value is None:
        return '<td style="opacity:0.5">null</td>'
    align = "right" if kind_of(value) is Kind.NUMBER else "left"
    text = value if isinstance(value, str) else json_text(value)
    shown = escape(text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…")
    return f'<td style="text-align:{align}">{shown}</td>'


def _shown_null(value: object) -> object:
    """Return None for NaN, which is null, and any other value as it is."""
    return None if type(value) is float and value != value else value  # noqa: PLR0124 - NaN
