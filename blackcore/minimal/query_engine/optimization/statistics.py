"""What is known of a database's values: gathered per field on first use, kept with the version."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from ..data import BoolColumn, Column, Records, StringColumn
from ..query.values import Kind, is_null, kind_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SAMPLE_ROWS = 1_000
"""Rows looked at, evenly spread: enough to rank filters by, in well under a millisecond a field."""

_MOST_COMMON = 50

ColumnKind: TypeAlias = Literal["number", "bool", "string"]


@dataclass(frozen=True, slots=True)
class FieldStatistics:
    """What a sample of one field's values shows. Fractions are of the sampled rows, 0.0 to 1.0.

    Attributes:
        field: its path.
        sampled_rows: how many rows were looked at.
        null_fraction: rows whose value is missing, null or NaN.
        distinct_count: estimated number of distinct values in the whole database.
        most_common: the most frequent values and their fractions.
        numbers: the sampled numbers, sorted.
        strings: the sampled strings, sorted.
        values: the sampled values as they are, through lists too.
        kinds: which kinds of value occur.
        average_length: characters of the strings, 0 without any.
        through_list: whether a list is on the way.
    """

    field: str
    sampled_rows: int
    null_fraction: float
    distinct_count: float
    most_common: Mapping[object, float]
    numbers: Sequence[float]
    strings: Sequence[str]
    values: Sequence[object]
    kinds: frozenset[Kind]
    average_length: float
    through_list: bool

    def fraction_below(self, bound: float | str, *, inclusive: bool) -> float:
        """Return the fraction of rows whose value of the bound's type is below a bound."""
        if not self.sampled_rows:
            return 0.0
        bisect = bisect_right if inclusive else bisect_left
        if isinstance(bound, str):
            return bisect(self.strings, bound) / self.sampled_rows
        return bisect(self.numbers, bound) / self.sampled_rows


@dataclass(frozen=True, slots=True)
class ColumnState:
    """A field's column: its kind, None where rows have no one type, and whether it has codes."""

    kind: ColumnKind | None
    has_codes: bool = False


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """What is known of a database: how many rows, the statistics of some fields, their columns.

    A field whose column was never asked for is not among `columns`; `row_passes` says how often
    its values were looked up in the dicts instead.
    """

    database: str
    row_count: int
    fields: Mapping[str, FieldStatistics] = field(default_factory=dict)
    columns: Mapping[str, ColumnState] = field(default_factory=dict)
    row_passes: Mapping[str, int] = field(default_factory=dict)


QueryStatistics: TypeAlias = TableStatistics
"""The statistics that one query needs: those of the fields it names."""


def gather(records: Records, paths: Iterable[str]) -> TableStatistics:
    """Return the statistics of the fields named, gathering those not known yet."""
    fields = {path: field_statistics(records, path) for path in paths}
    columns = {path: _state(column) for path, column in records.columns.items() if path in fields}
    return TableStatistics(records.name, len(records), fields, columns, records.row_passes)


def field_statistics(records: Records, path: str) -> FieldStatistics:
    """Return the statistics of one field, gathered on first use."""
    return records.derived(("statistics", path), lambda: _sampled(records, path))


def _state(column: Column | None) -> ColumnState:
    if isinstance(column, StringColumn):
        return ColumnState("string", column.has_codes)
    if column is None:
        return ColumnState(None)
    return ColumnState("bool" if isinstance(column, BoolColumn) else "number")


def _sampled(records: Records, path: str) -> FieldStatistics:
    walked = [walk(records.rows[i], path) for i in _sample_positions(len(records))]
    values = [value for found, _ in walked for value in (found or [None])]
    counts = Counter(value for value in values if isinstance(value, str | int | float | bool))
    sampled = len(walked)
    strings = sorted(value for value in values if isinstance(value, str))
    common = counts.most_common(_MOST_COMMON)
    nulls = sum(1 for found, _ in walked if all(map(is_null, found)))
    return FieldStatistics(
        field=path,
        sampled_rows=sampled,
        null_fraction=nulls / sampled if sampled else 0.0,
        distinct_count=_distinct_count(counts, len(records)),
        most_common={value: count / sampled for value, count in common if count > 1},
        numbers=sorted(cast("float", v) for v in values if kind_of(v) is Kind.NUMBER),
        strings=strings,
        values=values,
        kinds=frozenset(map(kind_of, values)),
        average_length=sum(map(len, strings)) / len(strings) if strings else 0.0,
        through_list=any(through_list for _, through_list in walked),
    )


def _sample_positions(row_count: int) -> Sequence[int]:
    """Return one position in each stride of rows, anywhere in it: records often repeat in step."""
    if row_count <= SAMPLE_ROWS:
        return range(row_count)
    within = Random(row_count)  # noqa: S311 - the same sample each time, no secret
    stride = row_count / SAMPLE_ROWS
    return [int((step + within.random()) * stride) for step in range(SAMPLE_ROWS)]


def _distinct_count(counts: Counter[str | int | float | bool], row_count: int) -> float:
    """Estimate distinct values from a sample: Duj1 (Haas et al., VLDB 1995), as in PostgreSQL."""
    sampled = counts.total()
    if not sampled:
        return 0.0
    once = sum(1 for count in counts.values() if count == 1)
    if row_count <= sampled:
        return float(len(counts))
    return sampled * len(counts) / (sampled - once + once * sampled / row_count)
