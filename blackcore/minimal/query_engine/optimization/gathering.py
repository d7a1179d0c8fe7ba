"""Statistics taken from records: on first use, and again where a column knows better.

A field is first known from a sample of rows, one in each stride. Once it has a column of numbers,
or codes of its distinct strings, what the whole column tells (nulls, least and greatest value,
distinct strings and their frequencies) takes the place of the sample's estimates.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from ..data import (
    AnyColumn,
    BoolColumn,
    Column,
    ListColumn,
    NumberColumn,
    Records,
    StringColumn,
)
from ..query.values import Kind, kind_of, walk
from .statistics import (
    HISTOGRAM_BUCKETS,
    ColumnState,
    FieldStatistics,
    Histogram,
    TableStatistics,
    histogram_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from .statistics import OrderedValue

SAMPLE_ROWS = 2_000
"""Rows looked at, evenly spread: enough to rank filters by, in about a millisecond a field."""

COLUMN_SAMPLE_ROWS = 10_000
"""Values of a column looked at for what would need all of them sorted."""

KEPT_TEXTS = 4_096
"""A field with codes and no more distinct strings has patterns tried on all of them."""

_MOST_COMMON = 50
_PLAIN_TYPES: frozenset[type] = frozenset({type(None), bool, int, float, str})
_MISSING = object()
_Key: TypeAlias = object


@dataclass(slots=True)
class _Known:
    """The best statistics of a field so far, and whether its column was looked at."""

    statistics: FieldStatistics
    is_of_column: bool = False


def gather(records: Records, paths: Iterable[str]) -> TableStatistics:
    """Return the statistics of the fields named, gathering those not known yet."""
    built = records.column_store.made
    passes = records.row_passes
    known = _known_fields(records)
    fields: dict[str, FieldStatistics] = {}
    columns: dict[str, ColumnState] = {}
    looked_up: dict[str, int] = {}
    for path in paths:
        column = built.get(path)
        field = known.get(path)
        if field is not None and (field.is_of_column or column is None):
            fields[path] = field.statistics  # nothing tells more of it
        else:
            flat = None if isinstance(column, ListColumn) else column
            fields[path] = _known(records, known, path, flat)
        if path in built:
            columns[path] = _state(column)
        elif path in passes:
            looked_up[path] = passes[path]
    return TableStatistics(records.name, len(records), fields, columns, looked_up)


def field_statistics(records: Records, path: str) -> FieldStatistics:
    """Return the statistics of one field, gathered on first use."""
    return _known(records, _known_fields(records), path, records.columns.get(path))


def _known(
    records: Records, fields: dict[str, _Known], path: str, column: Column | None
) -> FieldStatistics:
    known = fields.get(path)
    if known is None:  # threads that come at once find the same
        known = fields.setdefault(path, _Known(_of_rows(records, path)))
    if column is not None and not known.is_of_column:
        better = _of_column(known.statistics, column)
        if better is not None:
            known.statistics, known.is_of_column = better, True
    return known.statistics


def _known_fields(records: Records) -> dict[str, _Known]:
    return records.derived("statistics", _no_fields)


def _no_fields() -> dict[str, _Known]:
    return {}


_NO_COLUMN = ColumnState(None)
_NUMBERS = ColumnState("number")
_BOOLEANS = ColumnState("bool")
_STRINGS = ColumnState("string")
_CODED_STRINGS = ColumnState("string", has_codes=True)
_LISTS = ColumnState("list")
_CODED_LISTS = ColumnState("list", has_codes=True)


def _state(column: AnyColumn | None) -> ColumnState:
    kind = type(column)
    if kind in _PLAIN_STATES:
        return _PLAIN_STATES[kind]
    if isinstance(column, ListColumn):
        return _CODED_LISTS if _state(column.inner).has_codes else _LISTS
    return _CODED_STRINGS if cast("StringColumn", column).has_codes else _STRINGS


_PLAIN_STATES: dict[type, ColumnState] = {
    type(None): _NO_COLUMN,
    NumberColumn: _NUMBERS,
    BoolColumn: _BOOLEANS,
}


def _of_rows(records: Records, path: str) -> FieldStatistics:
    """Return what a sample of the rows tells."""
    rows = records.rows
    positions = _sample_positions(len(rows))
    # the same for all fields: to find rows all over the memory takes longer than to read them
    sampled = records.derived("sampled rows", lambda: [rows[i] for i in positions])
    if "." not in path:
        cells = [row.get(path, _MISSING) for row in sampled]
        missing = sum(1 for cell in cells if cell is _MISSING)
        sample = tuple([None if cell is _MISSING else cell for cell in cells] if missing else cells)
        return _described(path, len(rows), sample, missing, through_list=False)
    walked = [walk(row, path) for row in sampled]
    missing = sum(1 for found, _ in walked if not found)
    if any(through_list for _, through_list in walked):
        lists = tuple(tuple(found) or (None,) for found, _ in walked)
        return _described(path, len(rows), lists, missing, through_list=True)
    singles = tuple(found[0] if found else None for found, _ in walked)
    return _described(path, len(rows), singles, missing, through_list=False)


@lru_cache(maxsize=16)
def _sample_positions(row_count: int) -> Sequence[int]:
    """Return one position in each stride of rows, anywhere in it: records often repeat in step."""
    if row_count <= SAMPLE_ROWS:
        return range(row_count)
    within = Random(row_count)  # noqa: S311 - the same sample each time, no secret
    stride = row_count / SAMPLE_ROWS
    return [int((step + within.random()) * stride) for step in range(SAMPLE_ROWS)]


def _described(
    path: str, row_count: int, sample: tuple[object, ...], missing: int, *, through_list: bool
) -> FieldStatistics:
    """Return what sampled values tell; through a list, those of values stand for those of rows."""
    if not sample:
        return FieldStatistics(path, row_count, 0)
    lists = cast("tuple[tuple[object, ...], ...]", sample) if through_list else ()
    values = _Values([value for cell in lists for value in cell] if through_list else sample)
    nulls = (
        sum(1 for cell in lists if all(kind_of(v) is Kind.NULL for v in cell))
        if through_list
        else values.null_count
    )
    counts = values.counts
    common = {key: n for key, n in counts.most_common(_MOST_COMMON) if n > 1}
    distinct = _distinct_count(counts, row_count * counts.total() / len(sample))
    strings = sorted(values.strings)
    numbers = sorted(values.numbers)
    ordered: list[OrderedValue] = list(numbers) or list(strings)
    return FieldStatistics(
        field=path,
        row_count=row_count,
        sampled_rows=len(sample),
        null_fraction=nulls / len(sample),
        missing_fraction=missing / len(sample),
        distinct_count=distinct,
        most_common=tuple((_value_of(key), n / len(values)) for key, n in common.items()),
        numbers=_rest(numbers, common, len(values)),
        strings=_rest(strings, common, len(values)),
        minimum=ordered[0] if ordered else None,
        maximum=ordered[-1] if ordered else None,
        kinds=values.kinds,
        average_length=sum(map(len, strings)) / len(strings) if strings else 0.0,
        through_list=through_list,
        is_unique=not through_list and len(counts) == row_count,
        texts=tuple((v, n / len(values)) for v, n in counts.items() if isinstance(v, str)),
        sample=sample,
    )


class _Values:
    """Values sorted out by kind."""

    def __init__(self, values: Sequence[object]) -> None:
        self._values = values
        types = set(map(type, values))
        if types <= _PLAIN_TYPES:
            self.strings = [v for v in values if type(v) is str]
            self.numbers = [v for v in values if type(v) is int or (type(v) is float and v == v)]  # noqa: PLR0124 - NaN
            self.booleans = [v for v in values if type(v) is bool]
            found = len(self.strings) + len(self.numbers) + len(self.booleans)
            self.null_count = len(values) - found
            self.kinds = frozenset(
                kind
                for kind, there in (
                    (Kind.STRING, self.strings),
                    (Kind.NUMBER, self.numbers),
                    (Kind.BOOL, self.booleans),
                    (Kind.NULL, self.null_count),
                )
                if there
            )
            return
        kinds = list(map(kind_of, values))
        by_kind = list(zip(values, kinds, strict=True))
        self.strings = [cast("str", v) for v, kind in by_kind if kind is Kind.STRING]
        self.numbers = [cast("float", v) for v, kind in by_kind if kind is Kind.NUMBER]
        self.booleans = [bool(v) for v, kind in by_kind if kind is Kind.BOOL]
        self.null_count = kinds.count(Kind.NULL)
        self.kinds = frozenset(kinds)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def counts(self) -> Counter[_Key]:
        """How often each boolean, number and string occurs, booleans told apart from numbers."""
        counts: Counter[_Key] = Counter(self.strings)
        counts.update(self.numbers)
        counts.update((bool, value) for value in self.booleans)
        return counts


def _value_of(key: _Key) -> object:
    return key[1] if isinstance(key, tuple) else key


def _rest(ordered: Sequence[OrderedValue], common: dict[_Key, int], total: int) -> Histogram | None:
    rest = [value for value in ordered if value not in common]
    return histogram_of(rest, len(rest) / total)


def _distinct_count(counts: Counter[_Key], values: float) -> float:
    """Estimate distinct values from a sample: Duj1 (Haas et al., VLDB 1995), as in PostgreSQL."""
    sampled = counts.total()
    if not sampled or values <= sampled:
        return float(len(counts))
    once = sum(1 for count in counts.values() if count == 1)
    return _duj1(sampled, len(counts), once, values)


def _duj1(sampled: int, distinct: int, once: int, values: float) -> float:
    return sampled * distinct / (sampled - once + once * sampled / values)


def _of_column(sampled: FieldStatistics, column: Column) -> FieldStatistics | None:
    """Return the statistics with what a column knows better, None where it knows nothing."""
    if isinstance(column, StringColumn):
        return _of_codes(sampled, column) if column.has_codes else None
    return _of_numbers(sampled, column)


def _of_numbers(sampled: FieldStatistics, column: NumberColumn) -> FieldStatistics | None:
    values = column.values if column.valid is None else column.values[column.valid]
    rows, present = len(column.values), len(values)
    if not present:
        return None
    drawn = np.sort(_drawn(values))
    distinct, counts = np.unique(drawn, return_counts=True)
    fraction = present / rows
    common = _most_common(distinct, counts, fraction / len(drawn))
    rest = drawn[~np.isin(drawn, np.array(list(common), dtype=drawn.dtype))]
    is_bool = isinstance(column, BoolColumn)
    most_common = tuple((bool(v) if is_bool else v, part) for v, part in common.items())
    is_all = len(drawn) == present
    estimated = float(len(distinct))
    if not is_all:
        once = int(np.count_nonzero(counts == 1))
        estimated = _duj1(len(drawn), len(distinct), once, present)
    return replace(
        sampled,
        sampled_rows=rows if is_all else len(drawn),
        null_fraction=1.0 - fraction,
        distinct_count=estimated,
        most_common=most_common,
        numbers=None if is_bool else histogram_of(rest.tolist(), fraction * len(rest) / len(drawn)),
        minimum=None if is_bool else values.min().item(),
        maximum=None if is_bool else values.max().item(),
        kinds=_column_kinds(Kind.BOOL if is_bool else Kind.NUMBER, present, rows),
        is_unique=sampled.is_unique or (present == rows and _is_rising(values)),
    )


def _column_kinds(kind: Kind, present: int, rows: int) -> frozenset[Kind]:
    return frozenset({kind} if present == rows else {kind, Kind.NULL})


def _drawn(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if len(values) <= COLUMN_SAMPLE_ROWS:
        return values
    within = np.random.default_rng(len(values)).random(COLUMN_SAMPLE_ROWS)
    stride = len(values) / COLUMN_SAMPLE_ROWS
    return values[((np.arange(COLUMN_SAMPLE_ROWS) + within) * stride).astype(np.int64)]


def _is_rising(values: npt.NDArray[np.generic]) -> bool:
    """Return whether each value is greater than the one before, as the numbers of records are."""
    return bool(np.less(values[:-1], values[1:]).all())


def _most_common(
    distinct: npt.NDArray[np.generic], counts: npt.NDArray[np.int64], fraction: float
) -> dict[float, float]:
    """Return the most frequent values, the first of them first, and their fractions."""
    top = np.argsort(-counts, kind="stable")[:_MOST_COMMON]
    return {
        value: count * fraction
        for value, count in zip(distinct[top].tolist(), counts[top].tolist(), strict=True)
        if count > 1
    }


def _of_codes(sampled: FieldStatistics, column: StringColumn) -> FieldStatistics | None:
    codes, distinct = column.codes, column.distinct
    rows = len(codes)
    if not len(distinct):
        return None
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    present = int(counts.sum())
    common = _most_common(np.arange(len(distinct)), counts, 1 / rows)
    common_codes = np.array(list(common), dtype=np.int64)
    names = distinct.gather(common_codes).to_list()
    rest = counts.copy()
    rest[common_codes] = 0
    few = len(distinct) <= KEPT_TEXTS
    return replace(
        sampled,
        sampled_rows=rows,
        null_fraction=1.0 - present / rows,
        distinct_count=float(len(distinct)),
        most_common=tuple(zip(names, common.values(), strict=True)),
        strings=_histogram_of_counts(column, rest, rows),
        minimum=distinct[0],
        maximum=distinct[-1],
        kinds=_column_kinds(Kind.STRING, present, rows),
        is_unique=len(distinct) == rows,
        texts=tuple(zip(distinct.to_list(), (counts / rows).tolist(), strict=True))
        if few
        else sampled.texts,
    )


def _histogram_of_counts(
    column: StringColumn, counts: npt.NDArray[np.int64], rows: int
) -> Histogram | None:
    """Return the exact histogram of strings that occur so often each, in order."""
    sums = np.cumsum(counts)
    total = int(sums[-1])
    if not total:
        return None
    buckets = min(HISTOGRAM_BUCKETS, max(1, total - 1))
    ranks = np.round(np.linspace(1, total, buckets + 1))
    bounds = column.distinct.gather(np.searchsorted(sums, ranks)).to_list()
    return Histogram(tuple(bounds), total / rows)
