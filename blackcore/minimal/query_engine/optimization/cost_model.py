"""What it costs to look at a row in each way, in nanoseconds of one core.

Defaults measured on 336,776 flight records with CPython 3.11; only their ratios matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from ..data.columns import FEW_CODES
from ..query import Condition, FilterGroup, QueryFilter, QueryOperator
from ..query.operators import COMPLEMENT_OF, TEXT_OPERATORS
from ..query.patterns import compile_pattern
from ..query.values import Kind
from .logic import RANGES
from .plan import Way
from .selectivity import selectivity

if TYPE_CHECKING:
    from .statistics import ColumnState, FieldStatistics, TableStatistics


EXPECTED_USES = 8.0
"""A field that was looked up in the rows will be so many times more, each time that it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Nanoseconds per row, and what the first use of a column costs.

    A field that was looked up in the rows will be asked for again: `expected_uses` is over how many
    queries the making of its column is spread for each time that was done; the first time, a column
    has to pay by itself. A row looked up by itself misses the processor's caches, one among its
    neighbours does less, and one that the filter before has just looked at (`passing_lookup_ns`)
    does not. Where survivors are picked from a mask, `positions_ns` is of each row and
    `position_ns` of each survivor, as long as they are few (`dense_positions_ns` of each row
    otherwise); a text that was picked is no longer beside its neighbours
    (`gathered_ns_per_character`).
    """

    rows_start_ns: float = 5_000.0
    number_start_ns: float = 3_000.0
    codes_start_ns: float = 25_000.0
    series_start_ns: float = 40_000.0
    row_lookup_ns: float = 90.0
    passing_lookup_ns: float = 30.0
    scattered_lookup_ns: float = 700.0
    row_walk_ns: float = 1_200.0
    row_test_ns: float = 50.0
    spec_test_ns: float = 1_500.0
    number_compare_ns: float = 0.15
    string_compare_ns: float = 0.8
    contains_ns: float = 10.0
    contains_ns_per_character: float = 0.06
    regex_ns: float = 20.0
    regex_ns_per_character: float = 0.8
    backtracking_ns: float = 400.0
    fuzzy_ns_per_character: float = 2.0
    casefold_ns: float = 45.0
    casefold_ns_per_character: float = 0.8
    gather_ns: float = 5.0
    gathered_ns_per_character: float = 1.5
    number_gather_ns: float = 4.0
    positions_ns: float = 0.09
    position_ns: float = 13.0
    dense_positions_ns: float = 0.35
    code_lookup_ns: float = 0.8
    extract_ns: float = 170.0
    encode_ns: float = 90.0
    encode_distinct_ns: float = 5_000.0
    expected_uses: float = EXPECTED_USES
    sort_ns: float = 90.0
    partition_ns: float = 2.0

    def ways(
        self,
        condition: Condition,
        statistics: TableStatistics,
        surviving: float,
        *,
        picked: bool = False,
        passing: bool = False,
    ) -> dict[Way, float]:
        """Return what each way of evaluating a condition costs, for the whole database.

        Args:
            condition: a filter or a group.
            statistics: of its fields.
            surviving: the fraction of rows that is still in question.
            picked: whether their positions are at hand; then nothing looks at whole columns.
            passing: whether all filters before it look at the dicts, some rows at a time.
        """
        ways = self._ways(condition, statistics, surviving, passing=passing)
        if picked:
            if Way.SURVIVORS in ways:
                del ways[Way.COLUMN]
            return ways
        if surviving < 1.0:
            picking = self.picking_ns(statistics.row_count, surviving)
            for way in ways:
                if not way.is_over_all_rows(surviving):
                    ways[way] += picking
                elif way is Way.DISTINCT and not condition.is_group:
                    values = (
                        statistics.row_count * statistics.fields[condition.field].values_per_row
                    )
                    ways[way] += (1.0 - surviving) * values * self.code_lookup_ns
        return ways

    def picking_ns(self, rows: int, surviving: float) -> float:
        """Return what the positions of survivors cost, a fraction of the rows.

        There are two ways to them.
        """
        if surviving > _DENSE_FRACTION:
            return rows * self.dense_positions_ns
        return rows * (self.positions_ns + surviving * self.position_ns)

    def _ways(
        self,
        condition: Condition,
        statistics: TableStatistics,
        surviving: float,
        *,
        passing: bool = False,
    ) -> dict[Way, float]:
        if not condition.is_group:
            return self._filter_ways(condition, statistics, surviving, passing=passing)
        return self._group_ways(condition, statistics, surviving, passing=passing)

    def _group_ways(
        self, group: FilterGroup, statistics: TableStatistics, surviving: float, *, passing: bool
    ) -> dict[Way, float]:
        """AND looks further only at rows that hold so far, OR only at those that do not."""
        ways = dict.fromkeys((Way.COLUMN, Way.SURVIVORS, Way.ROWS), 0.0)
        left = surviving
        for at, member in enumerate(group.filters):
            # once for each member: groups nest 64 deep
            costs = self._ways(member, statistics, left, passing=passing or at > 0)
            column = costs.get(Way.COLUMN)  # the same whatever is left
            if column is None:
                column = self._ways(member, statistics, 1.0)[Way.ROWS]
            ways[Way.COLUMN] += column
            ways[Way.SURVIVORS] += costs.get(Way.SURVIVORS, costs[Way.ROWS])
            ways[Way.ROWS] += costs[Way.ROWS]
            fraction = selectivity(member, statistics)
            left *= fraction if group.mode == "and" else 1.0 - fraction
        return ways

    def arranged(
        self, condition: Condition, statistics: TableStatistics, surviving: float = 1.0
    ) -> Condition:
        """Return a condition with the members of its groups in the order that costs least.

        The rank of a member is its cost by the rows that it decides: those it leaves out of an AND,
        those it lets into an OR. The least goes first; patterns that may be slow go last.
        """
        if not condition.is_group or not condition.filters:
            return condition
        members = [self.arranged(m, statistics, surviving) for m in condition.filters]
        ranks = [
            (
                may_be_slow(member),
                min(self.ways(member, statistics, surviving).values())
                / _decided(selectivity(member, statistics), condition.mode),
            )
            for member in members
        ]
        order = sorted(range(len(members)), key=ranks.__getitem__)
        in_order = tuple(members[position] for position in order)
        if all(new is old for new, old in zip(in_order, condition.filters, strict=True)):
            return condition
        return FilterGroup(condition.mode, in_order, condition.negate)

    def rows_ns(self, condition: Condition, statistics: TableStatistics) -> float:
        """Return what looking at all the dicts costs."""
        if condition.is_group:
            return sum(self.rows_ns(member, statistics) for member in condition.filters)
        known = statistics.fields.get(condition.field)
        value_ns = 0.0 if known is None else self._value_ns(condition, known)[0]
        row_ns = self._row_ns(condition, known, value_ns, is_walk="." in condition.field)
        return statistics.row_count * (self.row_lookup_ns + row_ns)

    def _filter_ways(
        self,
        condition: QueryFilter,
        statistics: TableStatistics,
        surviving: float,
        *,
        passing: bool,
    ) -> dict[Way, float]:
        rows = statistics.row_count
        known = statistics.fields.get(condition.field)
        state = statistics.columns.get(condition.field)
        is_walk = "." in condition.field
        value_ns, gather_ns = (0.0, 0.0) if known is None else self._value_ns(condition, known)
        lookup_ns = self._lookup_ns(surviving, passing=passing)
        row_ns = lookup_ns + self._row_ns(condition, known, value_ns, is_walk=is_walk)
        ways = {Way.ROWS: self.rows_start_ns + surviving * rows * row_ns}
        if known is None or not _may_have_column(known, state):
            return ways
        values = rows * known.values_per_row
        making = 0.0
        if state is None:
            # what was asked n times is asked n times more
            uses = 1 + self.expected_uses * statistics.row_passes.get(condition.field, 0)
            making = (rows * self._making_ns(is_walk=is_walk) + values * self.extract_ns) / uses
        if known.has_lists:
            value_ns += self.code_lookup_ns  # which row a value belongs to
            gather_ns += self.gather_ns
        if state is not None and state.has_codes and _is_answered_by_codes(condition):
            value_ns = self.number_compare_ns * _comparisons(condition)
            gather_ns = self.number_gather_ns
            start = self.codes_start_ns
        else:
            start = self.series_start_ns if known.has_strings else self.number_start_ns
        ways[Way.COLUMN] = start + making + values * value_ns
        ways[Way.SURVIVORS] = start + making + surviving * values * (value_ns + gather_ns)
        if known.has_strings or known.has_lists:
            coding = self._coding_ns(known, state, values)
            once = known.distinct_count * max(value_ns, self.row_test_ns)
            looking_up = surviving * values * self.code_lookup_ns
            ways[Way.DISTINCT] = self.series_start_ns + making + coding + once + looking_up
        return ways

    def _making_ns(self, *, is_walk: bool) -> float:
        return self.row_walk_ns if is_walk else 0.0

    def _coding_ns(self, known: FieldStatistics, state: ColumnState | None, values: float) -> float:
        if state is not None and state.has_codes:
            return 0.0
        sorting = self.encode_distinct_ns * known.distinct_count
        return (values * self.encode_ns + sorting) / self.expected_uses

    def _row_ns(
        self,
        condition: QueryFilter,
        known: FieldStatistics | None,
        value_ns: float,
        *,
        is_walk: bool,
    ) -> float:
        """Return the cost of a row whose dict is at hand."""
        walk = self.row_walk_ns if is_walk else 0.0
        if (
            is_walk
            or known is None
            or not (condition.case_sensitive or condition.operator in _FOLDED_PLAINLY)
        ):
            return walk + self.spec_test_ns
        if condition.operator in TEXT_OPERATORS:  # they are put together first, as for a column
            walk += self.extract_ns
        return walk + max(self.row_test_ns, value_ns)

    def _lookup_ns(self, surviving: float, *, passing: bool) -> float:
        """Return what it costs to find the dict of a row in question."""
        if passing:
            return self.passing_lookup_ns
        scattered = 1.0 - surviving
        return self.row_lookup_ns + scattered * (self.scattered_lookup_ns - self.row_lookup_ns)

    def _value_ns(self, condition: QueryFilter, known: FieldStatistics) -> tuple[float, float]:
        """Return the cost of one value in a column, and of gathering it."""
        operator = COMPLEMENT_OF.get(condition.operator, condition.operator)
        if operator is QueryOperator.IS_NULL:
            return self.number_compare_ns, self.number_gather_ns
        if not known.has_strings:
            # one for each bound, and one for what is there at all
            passes = 1 + (operator is QueryOperator.BETWEEN) + (known.null_fraction > 0)
            return passes * self.number_compare_ns, self.number_gather_ns
        length = known.average_length
        gather_ns = self.gather_ns + self.gathered_ns_per_character * length
        if operator is QueryOperator.FUZZY:
            return 50.0 + self.fuzzy_ns_per_character * length, self.gather_ns
        if operator is QueryOperator.REGEX:
            pattern = compile_pattern(str(condition.value), case_sensitive=condition.case_sensitive)
            linear_ns = self.regex_ns + self.regex_ns_per_character * length
            return linear_ns if pattern.linear else self.backtracking_ns, gather_ns
        if not condition.case_sensitive:
            return self.casefold_ns + self.casefold_ns_per_character * length, gather_ns
        if operator is QueryOperator.CONTAINS:
            return self.contains_ns + self.contains_ns_per_character * length, gather_ns
        if operator is QueryOperator.IN:
            return self.row_test_ns, self.gather_ns
        if operator in RANGES and not isinstance(condition.value, str | tuple):
            return self.spec_test_ns, self.gather_ns  # dates, read from each text
        return self.string_compare_ns, self.gather_ns

    def order_ns(self, rows: float, limit: int | None) -> float:
        """Return what it costs to put rows in order, or the first `limit` of them."""
        if limit is not None and limit * 4 < rows:
            return rows * self.partition_ns + limit * self.sort_ns
        return rows * self.sort_ns


def _may_have_column(known: FieldStatistics, state: ColumnState | None) -> bool:
    """Return whether a field has a column, or its sampled values are of one kind that has."""
    if state is not None:
        return state.kind is not None
    return len(known.kinds - _NULL) <= 1 and known.kinds <= _COLUMN_KINDS


_NULL = frozenset({Kind.NULL})
_COLUMN_KINDS = frozenset({Kind.BOOL, Kind.NUMBER, Kind.STRING, Kind.LIST, Kind.NULL})


def may_be_slow(condition: Condition) -> bool:
    """Return whether a condition runs a pattern that only its timeout bounds."""
    if condition.is_group:
        return any(may_be_slow(member) for member in condition.filters)
    if condition.operator is not QueryOperator.REGEX:
        return False
    pattern = compile_pattern(str(condition.value), case_sensitive=condition.case_sensitive)
    return not pattern.linear


def rank(cost: float, fraction: float) -> float:
    """Return the rank of an AND-ed condition: what it costs by the rows that it leaves out."""
    return cost / _decided(fraction, "and")


def _decided(fraction: float, mode: Literal["and", "or"]) -> float:
    """Return the fraction of rows that a condition decides for a group of its mode."""
    return max(1.0 - fraction if mode == "and" else fraction, 1e-9)


_FOLDED_PLAINLY = TEXT_OPERATORS | {
    QueryOperator.EQUALS,
    QueryOperator.NOT_EQUALS,
    QueryOperator.CONTAINS,
    QueryOperator.NOT_CONTAINS,
}
"""What a pass over the dicts does in any case without asking the specification value by value."""


def _is_answered_by_codes(condition: QueryFilter) -> bool:
    operator = COMPLEMENT_OF.get(condition.operator, condition.operator)
    if not condition.case_sensitive:
        return False
    if operator is QueryOperator.IN:
        members = cast("tuple[object, ...]", condition.value)
        return len(members) <= FEW_CODES and all(isinstance(member, str) for member in members)
    compares = operator in RANGES or operator is QueryOperator.EQUALS
    return compares and isinstance(condition.value, str | tuple)


def _comparisons(condition: QueryFilter) -> float:
    """Return how many comparisons of numbers a filter on codes takes; those of a list are short."""
    if condition.operator in (QueryOperator.IN, QueryOperator.NOT_IN):
        return 1.0 + len(cast("tuple[object, ...]", condition.value)) / 4
    return 1.0


_DENSE_FRACTION = 0.1
