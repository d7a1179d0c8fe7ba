"""What the rules make of conditions of a shape seen before, made again from other values.

No rule looks at a value but by its type, by whether it equals another value on its field and, for
bounds, by which of them is greater. So conditions that agree in all of that are rewritten in the
same way, and the filters that come out hold values that went in. What cannot be told by so little
(case to fold, patterns of plain text, strings that read as dates) is left to the rules.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, overload

from ..query import FilterGroup, QueryFilter, QueryOperator
from ..query.operands import FrozenDict
from ..query.operators import TEXT_OPERATORS
from ..query.values import instant_of
from .logic import RANGES
from .rules import RuleContext, RuleFired, context_of, is_single_valued, literal_of, rewritten

if TYPE_CHECKING:
    from ..query import Condition
    from .statistics import TableStatistics

_MAX_SHAPES = 512
_MAX_VALUES = 24
"""Conditions with more are left to the rules: to compare the values would take as long."""

_LISTS: Final = frozenset({QueryOperator.IN, QueryOperator.NOT_IN, QueryOperator.BETWEEN})
_ALIKE: Final[tuple[frozenset[type], ...]] = (
    frozenset({int, float}),
    frozenset({str}),
    frozenset({bool}),
)
"""Types of values that compare with each other; bools do with numbers for Python only."""

_OPAQUE: Final[frozenset[type]] = frozenset({datetime, date, Decimal, FrozenDict})
"""Types that have comparisons of their own; one such value on a field is compared with none."""


class _OnField:
    """The values that one field is compared with."""

    __slots__ = ("filters", "has_bounds", "is_opaque", "values")

    def __init__(self) -> None:
        self.filters = 0
        self.values: list[object] = []
        self.has_bounds = False
        self.is_opaque = False

    @property
    def is_told(self) -> bool:
        """Whether the order and equality of the values is all that the rules can ask of them."""
        values = self.values
        kinds = set(map(type, values))
        if self.is_opaque or not any(kinds <= alike for alike in _ALIKE):
            return False
        # a date is told by its instant, and two texts may be of one
        return str not in kinds or all(instant_of(value) is None for value in values)

    @property
    def sign(self) -> Hashable:
        """Which values are equal; where there are bounds, also which of two is greater."""
        values = self.values
        each = set(values)
        if self.has_bounds and len(values) > 1:
            return tuple(map(sorted(each).index, values))  # type: ignore[type-var]  # all alike
        return None if len(each) == len(values) else tuple(map(values.index, values))


class _Shape:
    """What of conditions decides how they are rewritten; their parts and values in order."""

    def __init__(self) -> None:
        self.parts: list[Condition] = []
        self.values: list[tuple[str, object]] = []
        self._signs: list[Hashable] = []
        self._fields: dict[str, _OnField] = {}

    def key(self, conditions: Sequence[Condition], statistics: TableStatistics) -> Hashable | None:
        """Return the shape of conditions, None where it does not say enough of them."""
        if not self._add(conditions) or len(self.values) > _MAX_VALUES:
            return None
        for path, on_field in self._fields.items():
            if on_field.filters == 1 and len(on_field.values) <= 1:
                continue  # nothing to compare it with
            if not on_field.is_told:
                return None
            self._signs.append(on_field.sign)
            if on_field.filters > 1:
                self._signs.append(is_single_valued(path, statistics))
        return tuple(self._signs)

    def _add(self, conditions: Sequence[Condition]) -> bool:
        for condition in conditions:
            self.parts.append(condition)
            if not condition.is_group:
                if not self._add_filter(condition):
                    return False
                continue
            members = condition.filters
            self._signs.append((condition.mode, condition.negate, len(members)))
            if not self._add(members):
                return False
        return True

    def _add_filter(self, condition: QueryFilter) -> bool:
        path, operator, value = condition.field, condition.operator, condition.value
        on_field = self._fields.get(path)
        if on_field is None:
            on_field = self._fields[path] = _OnField()
        on_field.filters += 1
        kinds: object = type(value)
        if isinstance(value, tuple):
            if operator not in _LISTS:
                return False  # a list to compare with, not a list of values
            kinds = tuple(map(type, value))
            on_field.values += value
            self.values += [(path, member) for member in value]
        elif value is not None:
            self.values.append((path, value))
            on_field.values.append(value)
            on_field.is_opaque |= kinds in _OPAQUE
        if operator in RANGES:
            on_field.has_bounds = True
        elif not condition.case_sensitive:
            on_field.is_opaque = True
        self._signs.append((path, operator, kinds, condition.case_sensitive))
        if not condition.case_sensitive:
            return operator in TEXT_OPERATORS
        return operator is not QueryOperator.REGEX or literal_of(str(value)) is None

    def part_of(self, condition: Condition) -> _Part:
        """Return how a condition that came out is made of what went in."""
        for position, part in enumerate(self.parts):
            if part is condition:
                return _Given(position)
        if condition.is_group:
            return _Joined(condition, tuple(map(self.part_of, condition.filters)))
        path, value = condition.field, condition.value
        source: int | tuple[int, ...] | None = None
        if isinstance(value, tuple):
            source = tuple([self._position(path, member) for member in value])
        elif value is not None:
            source = self._position(path, value)
        return _Made(path, condition.operator, source, condition.case_sensitive)

    def _position(self, path: str, value: object) -> int:
        """Return where a value went in; of several that are equal any one is right."""
        return next(
            position
            for position, (of_path, given) in enumerate(self.values)
            if of_path == path and type(given) is type(value) and given == value
        )

    def made(self, part: _Part) -> Condition:
        """Return the condition that a part stands for with the values of this shape."""
        if isinstance(part, _Given):
            return self.parts[part.position]
        if isinstance(part, _Joined):
            like, members = part
            return (
                FilterGroup(like.mode, tuple(map(self.made, members)), like.negate)
                if members
                else like
            )
        path, operator, source, case_sensitive = part
        value: object = None
        if isinstance(source, tuple):
            value = tuple([self.values[position][1] for position in source])
        elif source is not None:
            value = self.values[source][1]
        return QueryFilter(path, operator, value, case_sensitive)


class _Given(NamedTuple):
    """A condition that went in comes out."""

    position: int


class _Made(NamedTuple):
    """A filter of values that went in, by their positions; None for one without a value."""

    field: str
    operator: QueryOperator
    source: int | tuple[int, ...] | None
    case_sensitive: bool


class _Joined(NamedTuple):
    """A group like one that came out, of other members."""

    like: FilterGroup
    members: tuple[_Part, ...]


_Part: TypeAlias = "_Given | _Made | _Joined"


class _Known(NamedTuple):
    """How conditions of a shape are rewritten, and what the rules knew when they did it."""

    parts: tuple[_Part, ...]
    context: RuleContext


class KnownRewritings:
    """Asks the rules, and keeps how conditions of the shapes seen last are rewritten. Thread-safe.

    Args:
        switched_off: names of rules not to use.
    """

    def __init__(self, switched_off: frozenset[str] = frozenset()) -> None:
        self.switched_off = switched_off
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def rewritten(
        self, conditions: tuple[Condition, ...], statistics: TableStatistics
    ) -> tuple[tuple[Condition, ...], Sequence[RuleFired]]:
        """Return AND-ed conditions as the rules rewrite them, and which rules do."""
        shape = _Shape()
        key = shape.key(conditions, statistics)
        if key is not None:
            with self._lock:
                known = self._known.get(key)
                if known is not None:
                    self._known.move_to_end(key)
            if known is not None:
                made = tuple([shape.made(part) for part in known.parts])
                return made, RulesFired(conditions, known.context, self.switched_off)
        context = context_of(statistics)
        rules_made, fired = rewritten(conditions, context, switched_off=self.switched_off)
        if key is not None:
            parts = tuple([shape.part_of(condition) for condition in rules_made])
            with self._lock:
                self._known[key] = _Known(parts, context)
                if len(self._known) > _MAX_SHAPES:
                    self._known.popitem(last=False)
        return rules_made, fired


class RulesFired(Sequence[RuleFired]):
    """The rules that change something in conditions, found out when someone looks.

    Args:
        conditions: as they were asked.
        context: what the rules know.
        switched_off: names of rules not to use.
        more: rules that fired afterwards.
    """

    def __init__(
        self,
        conditions: tuple[Condition, ...],
        context: RuleContext,
        switched_off: frozenset[str],
        more: tuple[RuleFired, ...] = (),
    ) -> None:
        self._asked = conditions, context, switched_off
        self._more = more

    def followed_by(self, more: tuple[RuleFired, ...]) -> RulesFired:
        """Return these and more."""
        return RulesFired(*self._asked, more=self._more + more) if more else self

    @cached_property
    def _fired(self) -> tuple[RuleFired, ...]:
        conditions, context, switched_off = self._asked
        return rewritten(conditions, context, switched_off=switched_off)[1] + self._more

    def __len__(self) -> int:
        return len(self._fired)

    @overload
    def __getitem__(self, position: int) -> RuleFired: ...

    @overload
    def __getitem__(self, position: slice) -> tuple[RuleFired, ...]: ...

    def __getitem__(self, position: int | slice) -> RuleFired | tuple[RuleFired, ...]:
        """Return one of them, or a tuple of some."""
        return self._fired[position]

    def __repr__(self) -> str:
        return f"RulesFired{self._fired!r}"
