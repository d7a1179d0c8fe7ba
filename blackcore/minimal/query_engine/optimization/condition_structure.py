"""What of conditions decides how the rules rewrite them, without what does not.

No rule looks at a value but by its type, by whether it equals another value on its field and, for
bounds, by which of them is greater. What cannot be told by so little (case to fold, patterns of
plain text, dates and strings that read as such) is said to be so.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from ..query import QueryOperator
from ..query.operators import TEXT_OPERATORS
from ..query.values import instant_of
from .logic import RANGES
from .rules import is_single_valued, literal_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from ..query import Condition, QueryFilter
    from .statistics import TableStatistics

_MAX_VALUES = 24
"""Conditions with more are left to the rules: to compare the values would take as long."""

_LISTS: Final = frozenset({QueryOperator.IN, QueryOperator.NOT_IN, QueryOperator.BETWEEN})
_TOLD: Final[frozenset[type]] = frozenset({type(None), bool, int, float, str, Decimal})
"""Types whose equal values ask the same. Two moments of one clock reading, the hour before and
after the clock is set back, are equal to Python, and so are 1 and True in a list or dict."""

_ALIKE: Final[tuple[frozenset[type], ...]] = (
    frozenset({int, float}),
    frozenset({str}),
    frozenset({bool}),
)
"""Types of values that compare with each other; bools do with numbers for Python only."""


class Asked:
    """Conditions taken apart: their parts and values in order, and a sign of each part.

    The signs tell all of the conditions but their values, the types of those included: signs and
    values together are equal only for conditions that ask the same.
    """

    __slots__ = ("parts", "signs", "values")

    def __init__(self) -> None:
        self.parts: list[Condition] = []
        self.signs: list[Hashable] = []
        self.values: list[object] = []

    def add(self, conditions: Sequence[Condition]) -> bool:
        """Take conditions apart; return whether they are of those that can be told by signs."""
        for condition in conditions:
            self.parts.append(condition)
            if condition.is_group:
                members = condition.filters
                self.signs.append((condition.mode, condition.negate, len(members)))
                if not self.add(members):
                    return False
                continue
            operator, value = condition.operator, condition.value
            kinds: object = type(value)
            if isinstance(value, tuple):
                if len(value) > _MAX_VALUES:
                    return False
                kinds = tuple(map(type, value))
                if operator not in _LISTS or not _TOLD.issuperset(kinds):
                    return False  # a list to compare with, not a list of values
                self.values += value
            elif value is not None:
                if kinds not in _TOLD and operator is not QueryOperator.FUZZY:
                    return False
                self.values.append(value)
            if operator is QueryOperator.REGEX and literal_of(str(value)) is not None:
                return False
            self.signs.append((condition.field, operator, kinds, condition.case_sensitive))
        return len(self.values) <= _MAX_VALUES


class _Compared:
    """Values that rules may compare with each other: those of one field."""

    __slots__ = ("filters", "has_bounds", "is_opaque", "kinds", "path", "positions")

    def __init__(self, path: str) -> None:
        self.path = path
        self.filters = 0
        self.positions: list[int] = []
        self.kinds: set[type] = set()
        self.has_bounds = False
        self.is_opaque = False

    def add(self, condition: QueryFilter, start: int) -> int:
        """Take in a filter whose values start at a position; return where the next ones do."""
        value = condition.value
        members = value if isinstance(value, tuple) else () if value is None else (value,)
        stop = start + len(members)
        self.filters += 1
        self.positions += range(start, stop)
        self.kinds.update(map(type, members))
        self.has_bounds |= condition.operator in RANGES
        # what is folded is equal to more than itself
        self.is_opaque |= not condition.case_sensitive
        return stop

    @property
    def is_compared(self) -> bool:
        """Whether there are two values or filters at least."""
        return self.filters > 1 or len(self.positions) > 1

    @property
    def is_alike(self) -> bool:
        """Whether the order and equality of the values is all that the rules can ask of them."""
        return not self.is_opaque and any(self.kinds <= alike for alike in _ALIKE)

    def sign(self, values: list[object], statistics: TableStatistics) -> Hashable | None:
        """Return which values are equal and, beside bounds, which of two is greater.

        None for texts of which one reads as a date, whose equals are not told by its letters.
        """
        own = [values[position] for position in self.positions]
        if str in self.kinds and any(map(_reads_as_date, own)):
            return None
        each = set(own)
        told: Hashable = None
        if self.has_bounds:
            told = tuple(map(sorted(each).index, own))  # type: ignore[type-var]  # all alike
        elif len(each) < len(own):
            told = tuple(map(own.index, own))
        return (told, self.filters > 1 and is_single_valued(self.path, statistics))


class Structure:
    """What conditions of the same signs share: which of their values the rules may compare.

    Attributes:
        paths: of each value its field.
    """

    def __init__(self, asked: Asked) -> None:
        self.paths: list[str] = []
        fields: dict[str, _Compared] = {}
        at = 0
        self._is_told = True
        for part in asked.parts:
            if part.is_group:
                continue
            self._is_told &= part.case_sensitive or part.operator in TEXT_OPERATORS
            on_field = fields.setdefault(part.field, _Compared(part.field))
            start, at = at, on_field.add(part, at)
            self.paths += [part.field] * (at - start)
        self._compared = [each for each in fields.values() if each.is_compared]
        self._is_told &= all(each.is_alike for each in self._compared)

    def sign(self, asked: Asked, statistics: TableStatistics) -> Hashable | None:
        """Return how the values compare, None where that is not all that the rules look at."""
        if not self._is_told:
            return None
        signs: list[Hashable] = []
        for each in self._compared:
            sign = each.sign(asked.values, statistics)
            if sign is None:
                return None
            signs.append(sign)
        return tuple(signs)


def _reads_as_date(text: object) -> bool:
    return instant_of(text) is not None
