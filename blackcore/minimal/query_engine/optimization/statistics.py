"""What is known of a database's values: frozen values that can be printed and kept as JSON."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal, NamedTuple, TypeAlias, cast

import polars as pl

from ..query.patterns import text_series
from ..query.values import Kind, kind_of

HISTOGRAM_BUCKETS = 100
TRIED_TEXTS = 1_000
"""Patterns are tried on so many distinct texts at most."""

FEW_TEXTS = 32
"""Enough of them to tell a pattern that fits most from one that fits few."""

TRIED_CHARACTERS = 60_000
"""Of long texts fewer are tried, so that a pattern takes no longer over them."""

COUNTED_TYPES: frozenset[type] = frozenset({bool, int, float, str})
"""Types of the values that are counted one by one."""

ColumnKind: TypeAlias = Literal["number", "bool", "string", "list"]
OrderedValue: TypeAlias = float | str
"""What has an order to be estimated by: a number or a string."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Ordered values in buckets of equal depth: between any two bounds lie equally many.

    Attributes:
        bounds: ascending; the first is the least value, the last the greatest.
        fraction: of all rows, those that have one of the values, 0.0 to 1.0.
    """

    bounds: tuple[OrderedValue, ...]
    fraction: float

    def below(self, bound: OrderedValue, *, inclusive: bool) -> float:
        """Return the fraction of all rows with a value below a bound of the same type.

        >>> Histogram((0, 10, 20), 0.5).below(15, inclusive=True)
        0.375
        """
        bisect = bisect_right if inclusive else bisect_left
        position = bisect(self.bounds, bound)
        if position == 0:
            return 0.0
        if position == len(self.bounds):
            return self.fraction
        within = _share_below(bound, self.bounds[position - 1], self.bounds[position])
        return self.fraction * (position - 1 + within) / (len(self.bounds) - 1)


def _share_below(bound: OrderedValue, low: OrderedValue, high: OrderedValue) -> float:
    """Return how far into a bucket a bound lies, 0.0 to 1.0: half-way for strings."""
    if isinstance(bound, str):
        return 0.0 if bound == low else 1.0 if bound == high else 0.5
    try:
        # floats, for a Decimal does not mix with them
        share = (float(bound) - float(low)) / (float(high) - float(low))
    except (OverflowError, ZeroDivisionError):
        return 0.5
    return min(1.0, max(0.0, share)) if share == share else 0.5  # noqa: PLR0124 - infinities give NaN


class TriedTexts(NamedTuple):
    """Distinct texts, a series of them, the fraction of rows that have each; all or some."""

    names: list[str]
    series: pl.Series
    fractions: list[float]
    is_all: bool


@dataclass(frozen=True)
class FieldStatistics:
    """What is known of one field's values. Fractions are of the rows, 0.0 to 1.0.

    Attributes:
        field: its path.
        row_count: rows of the database.
        sampled_rows: how many of them were looked at.
        null_fraction: rows whose value is missing, null or NaN.
        missing_fraction: rows that do not have the field at all.
        distinct_count: number of distinct values in the whole database, estimated unless all rows
            were looked at.
        most_common: the most frequent booleans, numbers and strings, and their fractions.
        numbers: the numbers that are not among them, None without any.
        strings: the strings that are not among them, None without any.
        minimum: the least number, or string where there are no numbers; None without either.
        maximum: the greatest.
        kinds: which kinds of value occur.
        average_length: characters of the strings, 0 without any.
        through_list: whether a list is on the way.
        is_unique: whether it is proven that no two rows have equal values, and none is null.
        texts: distinct strings as they are, and the fraction of the rows that have each.
        sample: values as they are, one per sampled row; through a list the tuple of those reached.
    """

    field: str
    row_count: int
    sampled_rows: int
    null_fraction: float = 0.0
    missing_fraction: float = 0.0
    distinct_count: float = 0.0
    most_common: tuple[tuple[object, float], ...] = ()
    numbers: Histogram | None = None
    strings: Histogram | None = None
    minimum: OrderedValue | None = None
    maximum: OrderedValue | None = None
    kinds: frozenset[Kind] = frozenset()
    average_length: float = 0.0
    through_list: bool = False
    is_unique: bool = False
    texts: tuple[tuple[str, float], ...] = dataclasses.field(default=(), repr=False)
    sample: tuple[object, ...] = dataclasses.field(default=(), repr=False)

    @property
    def is_exact(self) -> bool:
        """Whether every row was looked at."""
        return self.sampled_rows >= self.row_count

    @property
    def is_all_text(self) -> bool:
        """Whether it is proven that every value is a string or null."""
        return self.is_exact and self.kinds <= _TEXT_KINDS and not self.through_list

    @cached_property
    def has_lists(self) -> bool:
        """Whether some values are lists, or are reached through one."""
        return self.through_list or Kind.LIST in self.kinds

    @cached_property
    def values_per_row(self) -> float:
        """How many values a row has: members of its list, or what is reached through lists."""
        if not self.has_lists or not self.sample:
            return 1.0
        held = sum(len(cell) if isinstance(cell, list | tuple) else 1 for cell in self.sample)
        return held / len(self.sample)

    def member_fraction(self, value: float | str) -> float | None:
        """Return the fraction of rows whose list has a member, None if not all values are lists."""
        if self.through_list or not self.kinds <= _LIST_KINDS:
            return None
        return self._lists_by_member.get(_common_key(value), 0) / max(1, len(self.sample))

    @cached_property
    def _lists_by_member(self) -> Counter[object]:
        lists = [cast("list[object]", cell) for cell in self.sample if kind_of(cell) is Kind.LIST]
        return Counter(
            key
            for cell in lists
            for key in {_common_key(m) for m in cell if type(m) in COUNTED_TYPES}
        )

    @cached_property
    def has_strings(self) -> bool:
        """Whether some values are strings."""
        return Kind.STRING in self.kinds

    def common_fraction(self, value: object) -> float | None:
        """Return the fraction of one of the most common values, None for any other value."""
        return self._common_by_key.get(_common_key(value))

    def text_fraction(self, text: str) -> float | None:
        """Return the fraction of rows that have a text, None unless all texts are kept."""
        return self._fraction_by_text.get(text, 0.0) if self._has_all_texts else None

    @cached_property
    def _has_all_texts(self) -> bool:
        of_texts = self.kinds <= _TEXT_KINDS
        return (
            self.is_exact
            and not self.through_list
            and (not of_texts or len(self.texts) == self.distinct_count)
        )

    @cached_property
    def _fraction_by_text(self) -> dict[str, float]:
        return dict(self.texts)

    @property
    def other_fraction(self) -> float:
        """Rows whose value is neither null nor among the most common."""
        return max(0.0, 1.0 - self.null_fraction - self._common_total)

    def fraction_below(self, bound: OrderedValue, *, inclusive: bool) -> float:
        """Return the fraction of rows whose value of the bound's type is below a bound."""
        values, sums = self._common_strings if isinstance(bound, str) else self._common_numbers
        bisect = bisect_right if inclusive else bisect_left
        common = sums[bisect(values, bound)]
        rest = self.strings if isinstance(bound, str) else self.numbers
        return common + (0.0 if rest is None else rest.below(bound, inclusive=inclusive))

    def fraction_of_type(self, bound: OrderedValue) -> float:
        """Return the fraction of rows whose value has the type of a bound."""
        _, sums = self._common_strings if isinstance(bound, str) else self._common_numbers
        rest = self.strings if isinstance(bound, str) else self.numbers
        return sums[-1] + (0.0 if rest is None else rest.fraction)

    def to_dict(self) -> dict[str, object]:
        """Return the statistics as plain values, ready for JSON; see `TableStatistics.to_dict`."""
        from .statistics_json import field_to_dict

        return field_to_dict(self)

    def __str__(self) -> str:
        """Return one line: `carrier: string, 16 distinct, 0 % null, most common UA 17 %`."""
        kinds = ", ".join(sorted(kind.name.lower() for kind in self.kinds)) or "no values"
        parts = [f"{kinds}{' through lists' if self.through_list else ''}"]
        parts.append("unique" if self.is_unique else f"{self.distinct_count:,.0f} distinct")
        parts.append(f"{self.null_fraction:.3g} null")
        if self.minimum is not None:
            parts.append(f"{_shown(self.minimum)} to {_shown(self.maximum)}")
        if self.most_common:
            common = ", ".join(f"{_shown(v)} {part:.3g}" for v, part in self.most_common[:_SHOWN])
            parts.append(f"most common {common}")
        if not self.is_exact:
            parts.append(f"from {self.sampled_rows:,} rows")
        return f"{self.field}: {'; '.join(parts)}"

    @cached_property
    def tried_texts(self) -> TriedTexts:
        """The kept texts that patterns are tried on, evenly spread over all of them."""
        characters = len(self.texts) * self.average_length
        stride = max(1, -(-len(self.texts) // TRIED_TEXTS), int(characters / TRIED_CHARACTERS))
        tried = self.texts[::stride]
        total = sum(part for _, part in self.texts)
        if self.kinds <= _TEXT_KINDS:
            total = 1.0 - self.null_fraction
        parts = [part for _, part in tried]
        weight = sum(parts)
        names = [text for text, _ in tried]
        is_all = stride == 1 and self._has_all_texts
        factor = total / weight if weight else 0.0
        fractions = [part * factor for part in parts]
        return TriedTexts(names, text_series(names), fractions, is_all)

    @cached_property
    def with_few_texts(self) -> FieldStatistics:
        """The same with so few texts that to try something on them takes microseconds."""
        tried, few = self.tried_texts, FEW_TEXTS
        stride = -(-len(tried.names) // few)
        if stride <= 1:
            return self
        kept = zip(tried.names, tried.fractions, strict=True)
        sample = self.sample[:: max(1, len(self.sample) // few)]
        return dataclasses.replace(self, texts=tuple(kept)[::stride], sample=sample)

    @cached_property
    def tried_fractions(self) -> dict[Hashable, float]:
        """What was found of filters that were tried on the kept texts; filled by who tries."""
        return {}

    @cached_property
    def _common_by_key(self) -> dict[object, float]:
        return {_common_key(value): fraction for value, fraction in self.most_common}

    @cached_property
    def _common_total(self) -> float:
        return sum(fraction for _, fraction in self.most_common)

    @cached_property
    def _common_numbers(self) -> tuple[list[OrderedValue], list[float]]:
        return self._common_of(Kind.NUMBER)

    @cached_property
    def _common_strings(self) -> tuple[list[OrderedValue], list[float]]:
        return self._common_of(Kind.STRING)

    def _common_of(self, kind: Kind) -> tuple[list[OrderedValue], list[float]]:
        """Return the common values of a kind in order, and the fractions before each, summed."""
        pairs = [(cast("float", v), part) for v, part in self.most_common if kind_of(v) is kind]
        pairs.sort()
        sums = list(accumulate((part for _, part in pairs), initial=0.0))
        return [value for value, _ in pairs], sums


_TEXT_KINDS = frozenset({Kind.STRING, Kind.NULL})
_LIST_KINDS = frozenset({Kind.LIST, Kind.NULL})
_SHOWN = 3
_SHOWN_CHARACTERS = 30


def _common_key(value: object) -> object:
    """Return what a value is looked up by: True is not 1, though Python has them equal."""
    return (bool, value) if value is True or value is False else value


def _shown(value: object) -> str:
    shown = ascii(value) if isinstance(value, str) else str(value)
    cut = len(shown) > _SHOWN_CHARACTERS
    return f"{shown[: _SHOWN_CHARACTERS - 3]}..." if cut else shown


class ColumnState(NamedTuple):
    """A field's column: its kind, None where rows have no one type, and whether it has codes.

    A "list" column holds the values of a path through lists, or the members of lists.
    """

    kind: ColumnKind | None
    has_codes: bool = False


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """What is known of a database: how many rows, the statistics of some fields, their columns.

    A field whose column was never asked for is not among `columns`; `row_passes` says how often
    its values had been looked up in the dicts instead. All of it is as it was at one moment.
    """

    database: str
    row_count: int
    fields: Mapping[str, FieldStatistics] = dataclasses.field(default_factory=dict)
    columns: Mapping[str, ColumnState] = dataclasses.field(default_factory=dict)
    row_passes: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return the statistics as plain values, ready for JSON.

        They hold sampled values of the records, so they are as confidential as those.
        """
        from .statistics_json import table_to_dict

        return table_to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> TableStatistics:
        """Return the statistics that `to_dict` wrote.

        Raises:
            OptimizerError: something in the values cannot be; the message names what.
        """
        from .statistics_json import table_from_dict

        return table_from_dict(values)

    def to_json(self) -> str:
        """Return the statistics as JSON text."""
        from .statistics_json import table_to_json

        return table_to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> TableStatistics:
        """Return the statistics that `to_json` wrote; raises as `from_dict` does."""
        from .statistics_json import table_from_json

        return table_from_json(text)

    def __str__(self) -> str:
        """Return a headline, and a line for each field that is known."""
        lines = [f"{self.database}: {self.row_count:,} rows"]
        for path, known in self.fields.items():
            column = self.columns.get(path)
            kept = "" if column is None or column.kind is None else f" [{column.kind} column]"
            lines.append(f"  {known}{kept}")
        return "\n".join(lines)


QueryStatistics: TypeAlias = TableStatistics
"""The statistics that one query needs: those of the fields it names."""


def histogram_of(ordered: Iterable[OrderedValue], fraction: float) -> Histogram | None:
    """Return the histogram of values in order, None where there are none."""
    values = list(ordered)
    if not values:
        return None
    buckets = min(HISTOGRAM_BUCKETS, max(1, len(values) - 1))
    last = len(values) - 1
    bounds = [values[round(step * last / buckets)] for step in range(buckets + 1)]
    return Histogram(tuple(bounds), fraction)
