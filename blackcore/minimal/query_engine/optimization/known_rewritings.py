"""What the rules make of conditions of a shape seen before, made again from other values.

Conditions of the same structure whose values compare in the same way are rewritten in the same way,
and the filters that come out hold values that went in.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, overload

from ..query import FilterGroup, QueryOperator
from ..query.conditions import filter_of_checked
from .condition_structure import Asked, Structure
from .rules import RuleContext, RuleFired, context_of, rewritten

if TYPE_CHECKING:
    from ..query import Condition
    from .statistics import TableStatistics

_MAX_STRUCTURES = 256
_MAX_SHAPES = 64
"""Ways in which the values of one structure compare, that are kept."""


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
    """A group is made of what is made."""

    mode: Literal["and", "or"]
    members: tuple[_Part, ...]
    negate: bool


_Part: TypeAlias = "_Given | _Made | _Joined"


class _Known(NamedTuple):
    """How conditions of a shape are rewritten, and what the rules knew when they did it."""

    parts: tuple[_Part, ...]
    context: RuleContext


class _Shapes:
    """The shapes of one structure."""

    def __init__(self, asked: Asked) -> None:
        self.structure = Structure(asked)
        self.known: dict[Hashable, _Known] = {}


class KnownRewritings:
    """Asks the rules, and keeps how conditions of the shapes seen last are rewritten. Thread-safe.

    Args:
        switched_off: names of rules not to use.
    """

    def __init__(self, switched_off: frozenset[str] = frozenset()) -> None:
        self.switched_off = switched_off
        self._shapes: OrderedDict[Hashable, _Shapes] = OrderedDict()
        self._lock = threading.Lock()

    def rewritten(
        self,
        conditions: tuple[Condition, ...],
        statistics: TableStatistics,
        asked: Asked | None,
    ) -> tuple[tuple[Condition, ...], Sequence[RuleFired]]:
        """Return AND-ed conditions as the rules rewrite them, and which rules do.

        Args:
            conditions: as they were asked.
            statistics: of their database.
            asked: the conditions taken apart, None where they cannot be told by signs.
        """
        if asked is not None:
            shapes = self._shapes_of(asked)
            sign = shapes.structure.sign(asked, statistics)
            if sign is not None:
                return self._by_shape(conditions, statistics, asked, shapes, sign)
        return rewritten(conditions, context_of(statistics), switched_off=self.switched_off)

    def _by_shape(
        self,
        conditions: tuple[Condition, ...],
        statistics: TableStatistics,
        asked: Asked,
        shapes: _Shapes,
        sign: Hashable,
    ) -> tuple[tuple[Condition, ...], Sequence[RuleFired]]:
        known = shapes.known.get(sign)
        if known is not None:
            made = tuple([_made(part, asked) for part in known.parts])
            return made, RulesFired(conditions, known.context, self.switched_off)
        context = context_of(statistics)
        by_rules, fired = rewritten(conditions, context, switched_off=self.switched_off)
        try:
            parts = tuple([_part_of(made, asked, shapes.structure) for made in by_rules])
        except _DerivedValue:
            return by_rules, fired  # other values have to be asked the rules, too
        with self._lock:
            if len(shapes.known) >= _MAX_SHAPES:
                shapes.known.clear()
            shapes.known[sign] = _Known(parts, context)
        return by_rules, fired

    def _shapes_of(self, asked: Asked) -> _Shapes:
        key = tuple(asked.signs)
        with self._lock:
            shapes = self._shapes.get(key)
            if shapes is None:
                shapes = self._shapes[key] = _Shapes(asked)
                if len(self._shapes) > _MAX_STRUCTURES:
                    self._shapes.popitem(last=False)
            else:
                self._shapes.move_to_end(key)
        return shapes


def _part_of(condition: Condition, asked: Asked, structure: Structure) -> _Part:
    """Return how a condition that came out is made of what went in."""
    for position, part in enumerate(asked.parts):
        if part is condition:
            return _Given(position)
    if condition.is_group:
        members = [_part_of(member, asked, structure) for member in condition.filters]
        return _Joined(condition.mode, tuple(members), condition.negate)
    path, value = condition.field, condition.value
    source: int | tuple[int, ...] | None = None
    if isinstance(value, tuple):
        source = tuple([_position(path, member, asked, structure) for member in value])
    elif value is not None:
        source = _position(path, value, asked, structure)
    return _Made(path, condition.operator, source, condition.case_sensitive)


def _position(path: str, value: object, asked: Asked, structure: Structure) -> int:
    """Return where a value went in; of several that are equal any one is right."""
    for position, of_path in enumerate(structure.paths):
        each = asked.values[position]
        if of_path == path and type(each) is type(value) and each == value:
            return position
    raise _DerivedValue


class _DerivedValue(Exception):  # noqa: N818 - no error, but a reason to ask the rules
    """A rule made a value that did not go in; none does of values that are told, by now."""


def _made(part: _Part, asked: Asked) -> Condition:
    """Return the condition that a part stands for with other values."""
    if isinstance(part, _Given):
        return asked.parts[part.position]
    if isinstance(part, _Joined):
        members = tuple([_made(member, asked) for member in part.members])
        return FilterGroup(part.mode, members, part.negate)
    path, operator, source, case_sensitive = part
    value: object = None
    if isinstance(source, tuple):
        value = tuple([asked.values[position] for position in source])
    elif source is not None:
        value = asked.values[source]
    return filter_of_checked(path, operator, value, case_sensitive=case_sensitive)


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
