"""Filters, and groups of them: what must hold for a record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Tag

from ..errors import InvalidFilterError, QueryError, shown_value
from ..settings import MAX_FILTER_DEPTH
from .base import FieldPath, QueryModel, checked_plainly, made_of, too_deep
from .kept_property import kept_property
from .operands import check_operand, plain_operand
from .operators import NEGATION_OF, QueryOperator
from .values import frozen


class _Conditions:
    """The operators `& | ~` on conditions."""

    def __and__(self, other: Condition) -> FilterGroup:
        return _joined("and", self, other)

    def __or__(self, other: Condition) -> FilterGroup:
        return _joined("or", self, other)

    def __bool__(self) -> bool:
        raise QueryError(
            "a condition is neither true nor false before it is asked of a record; combine "
            "conditions with & | ~ (not with: and, or, not), and write a < field < b as two of them"
        )


class QueryFilter(_Conditions, QueryModel):
    """One operator on one field: `QueryFilter("distance", "gt", 1000)`.

    Args:
        field: a dotted path.
        operator: one of `QueryOperator`, or its text.
        value: what the operator compares with; lists become tuples.
        case_sensitive: False compares strings by `str.casefold()`, and regular expressions
            with `(?i)`.

    Raises:
        InvalidFilterError: the operator cannot take the value.
        InvalidPatternError: the regular expression does not compile.
    """

    is_group: ClassVar[Literal[False]] = False
    field: FieldPath
    operator: QueryOperator
    value: Annotated[object, BeforeValidator(plain_operand)] = None
    case_sensitive: bool = True

    if TYPE_CHECKING:

        def __init__(
            self,
            field: str,
            operator: QueryOperator | str,
            value: object = None,
            case_sensitive: bool = True,
        ) -> None: ...

    def model_post_init(self, _context: object) -> None:
        """Refuse a value that the operator cannot take."""
        check_operand(self.field, self.operator, self.value, case_sensitive=self.case_sensitive)

    def __eq__(self, other: object) -> bool:
        """Return whether both ask the same way; 1 and True, equal in Python, are not the same."""
        if not isinstance(other, QueryFilter):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @kept_property
    def _identity(self) -> tuple[object, ...]:
        return (self.field, self.operator, self.case_sensitive, frozen(self.value))

    def __invert__(self) -> Condition:
        opposite = NEGATION_OF.get(self.operator)
        if opposite is None:
            return FilterGroup("and", (self,), negate=True)
        return QueryFilter(self.field, opposite, self.value, self.case_sensitive)

    def __str__(self) -> str:
        """Return the filter as one would say it: `distance > 1000`."""
        shown = "" if self.operator in _UNARY else f" {shown_value(self.value, _SHOWN_CHARACTERS)}"
        folded = "" if self.case_sensitive else " (any case)"
        return f"{self.field} {_SYMBOLS.get(self.operator, self.operator.value)}{shown}{folded}"


def _plain_filter(
    field: object = None,
    operator: object = None,
    value: object = None,
    case_sensitive: object = True,
    *more: object,
) -> dict[str, object] | None:
    """Return the values of a filter whose parts are of the very types that it holds."""
    kind = type(operator)
    if type(field) is not str or not field or (kind is not QueryOperator and kind is not str):
        return None
    known = _OPERATORS.get(operator)  # type: ignore[call-overload]  # a str, as just seen
    if known is None or type(case_sensitive) is not bool or more:
        return None
    plain = plain_operand(value)
    check_operand(field, known, plain, case_sensitive=case_sensitive)
    return {"field": field, "operator": known, "value": plain, "case_sensitive": case_sensitive}


_OPERATORS = {key: each for each in QueryOperator for key in (each, each.value)}
checked_plainly(QueryFilter, _plain_filter)


def filter_of_checked(
    field: str, operator: QueryOperator, value: object, *, case_sensitive: bool
) -> QueryFilter:
    """Return the filter of an operator and values that other filters have taken already."""
    values = {"field": field, "operator": operator, "value": value}
    return made_of(QueryFilter, values | {"case_sensitive": case_sensitive})


class FilterGroup(_Conditions, QueryModel):
    """Conditions joined by "and" or "or", the whole negated where asked. Groups nest freely.

    No conditions: "and" holds for every record, "or" for none.

    Raises:
        QueryDepthError: nested deeper than `settings.MAX_FILTER_DEPTH`.
    """

    is_group: ClassVar[Literal[True]] = True
    mode: Literal["and", "or"] = "and"
    filters: tuple[AnyCondition, ...] = ()
    negate: bool = False

    if TYPE_CHECKING:

        def __init__(
            self,
            mode: Literal["and", "or"] = "and",
            filters: Iterable[Condition] = (),
            negate: bool = False,
        ) -> None: ...

    def model_post_init(self, _context: object) -> None:
        """Refuse groups nested too deep."""
        if self.depth > MAX_FILTER_DEPTH:
            raise too_deep()

    @kept_property
    def depth(self) -> int:
        """How many groups deep the nesting goes; 1 for a group of filters."""
        return 1 + max((m.depth for m in self.filters if isinstance(m, FilterGroup)), default=0)

    def __invert__(self) -> Condition:
        return FilterGroup(self.mode, self.filters, negate=not self.negate)

    def __str__(self) -> str:
        """Return the group in brackets: `(a == 1 or not b > 2)`."""
        inner = f" {self.mode} ".join(map(str, self.filters)) or f"no condition ({self.mode})"
        return f"{'not ' if self.negate else ''}({inner})"


def _plain_group(
    mode: object = "and", filters: object = (), negate: object = False, *more: object
) -> dict[str, object] | None:
    """Return the values of a group of conditions that were made already."""
    if type(mode) is not str or mode not in {"and", "or"} or type(negate) is not bool or more:
        return None
    if type(filters) not in {tuple, list}:
        return None
    members: tuple[Condition, ...] = tuple(filters)  # type: ignore[arg-type]  # a tuple or a list
    if not _CONDITIONS.issuperset(map(type, members)):
        return None
    depth = 1 + max([m.depth for m in members if m.is_group], default=0)
    if depth > MAX_FILTER_DEPTH:
        raise too_deep()
    return {"mode": mode, "filters": members, "negate": negate, "depth": depth}


_CONDITIONS: frozenset[type] = frozenset({QueryFilter, FilterGroup})
checked_plainly(FilterGroup, _plain_group)

Condition: TypeAlias = QueryFilter | FilterGroup


def _condition_tag(value: object) -> str:
    """Tell which of the two a condition is, so that an error speaks of that one only."""
    if isinstance(value, QueryFilter):
        return "filter"
    if isinstance(value, FilterGroup) or not isinstance(value, Mapping):
        return "group"
    if "field" in value or "operator" in value:
        return "filter"
    _require_shallow(value)
    return "group"


def _require_shallow(group: Mapping[str, object]) -> None:
    """Raise for mappings nested too deep, before each level takes its part of the C stack.

    From Python 3.12 on nothing else stops them: there is no limit to calls that go through C.
    """
    level = [group]
    for _ in range(MAX_FILTER_DEPTH):
        inner = {id(each): each for outer in level for each in _mappings_in(outer)}
        if not inner:
            return
        level = list(inner.values())
    raise too_deep()


def _mappings_in(group: Mapping[str, object]) -> list[Mapping[str, object]]:
    members = group.get("filters")
    if not isinstance(members, Collection) or isinstance(members, str | bytes):
        return []
    return [each for each in members if isinstance(each, Mapping) and "field" not in each]


AnyCondition: TypeAlias = Annotated[
    Annotated[QueryFilter, Tag("filter")] | Annotated[FilterGroup, Tag("group")],
    Discriminator(_condition_tag),
]

_SHOWN_CHARACTERS = 60
_UNARY = frozenset({QueryOperator.IS_NULL, QueryOperator.IS_NOT_NULL})
_SYMBOLS = {
    QueryOperator.EQUALS: "==",
    QueryOperator.NOT_EQUALS: "!=",
    QueryOperator.GT: ">",
    QueryOperator.GTE: ">=",
    QueryOperator.LT: "<",
    QueryOperator.LTE: "<=",
}


def _joined(mode: Literal["and", "or"], left: object, right: object) -> FilterGroup:
    """Return both conditions in one group; a long chain stays one group deep."""
    members: list[Condition] = []
    for side in (left, right):
        if isinstance(side, FilterGroup) and side.mode == mode and not side.negate:
            members.extend(side.filters)
        elif isinstance(side, QueryFilter | FilterGroup):
            members.append(side)
        else:
            raise InvalidFilterError(
                f"{side!r} cannot be combined with a condition; write it as "
                "field('name') == value, with brackets around each condition"
            )
    return FilterGroup(mode, members)


def condition_fields(condition: Condition) -> list[str]:
    """Return the fields that a condition names, in order, with repeats."""
    return fields_of(condition.filters) if condition.is_group else [condition.field]


def fields_of(conditions: Iterable[Condition]) -> list[str]:
    """Return the fields that several conditions name, in order, with repeats."""
    paths: list[str] = []
    for condition in conditions:
        if condition.is_group:
            paths += fields_of(condition.filters)
        else:
            paths.append(condition.field)
    return paths


FilterGroup.model_rebuild()
