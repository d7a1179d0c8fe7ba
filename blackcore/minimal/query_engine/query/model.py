"""The question as a frozen value: database, filters, sort, page, projection, search.

Bad values are refused when a model is built, with an error of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)

from ..errors import (
    InvalidFilterError,
    QueryDepthError,
    QueryEngineError,
    QueryError,
)
from ..settings import MAX_FILTER_DEPTH
from .fingerprint import row_set_digest
from .operands import check_operand, plain_operand
from .operators import NEGATION_OF, QueryOperator

FieldPath: TypeAlias = Annotated[str, Field(min_length=1)]


class QueryModel(BaseModel):
    """What the parts of a query share: frozen, strict about names, and with errors of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    def __init__(self, *positional: object, **values: object) -> None:
        if positional:
            values = _by_name(type(self), positional, values)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _ours(error) from error
        except RecursionError as error:
            raise _too_deep() from error

    @classmethod
    def model_validate(cls, obj: object, **options: object) -> Self:
        """Return the model for a mapping or an instance.

        Raises:
            QueryError: something in it cannot be; the message names what.
        """
        try:
            return super().model_validate(obj, **options)  # type: ignore[arg-type]  # as above
        except ValidationError as error:
            raise _ours(error) from error
        except RecursionError as error:
            raise _too_deep() from error

    @classmethod
    def model_validate_json(cls, json_data: str | bytes, **options: object) -> Self:  # type: ignore[override]  # pydantic's keywords pass through
        """Return the model for JSON text; raises as `model_validate` does."""
        try:
            return super().model_validate_json(json_data, **options)  # type: ignore[arg-type]  # as above
        except ValidationError as error:
            raise _ours(error) from error

    def model_copy(self, *, update: Mapping[str, object] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed; unlike pydantic's, the changes are validated."""
        del deep  # every part is frozen: a shallow copy shares nothing that can change
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**kept, **(update or {})})


def _by_name(
    model: type[QueryModel], positional: tuple[object, ...], values: dict[str, object]
) -> dict[str, object]:
    """Return the values with those given by position under the names of the fields."""
    names = _field_names(model)
    if len(positional) > len(names):
        raise QueryError(
            f"{model.__name__} takes {len(names)} values ({', '.join(names)}), "
            f"{len(positional)} were given"
        )
    named = dict(zip(names, positional, strict=False))
    if values and not named.keys().isdisjoint(values):
        twice = sorted(named.keys() & values.keys())
        raise QueryError(f"{model.__name__} was given {', '.join(twice)} twice")
    named.update(values)
    return named


@lru_cache(maxsize=64)
def _field_names(model: type[QueryModel]) -> tuple[str, ...]:
    return tuple(model.model_fields)


def _ours(error: ValidationError) -> QueryEngineError:
    """Return the error of ours inside pydantic's, or one that says the same in a line."""
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, QueryEngineError):
        return cause
    if first["type"] == "recursion_loop":
        return _too_deep()
    where = ".".join(str(part) for part in first["loc"]) or error.title
    return QueryError(f"{error.title}: {where} is {first['input']!r}; {first['msg']}")


def _too_deep() -> QueryDepthError:
    return QueryDepthError(
        f"filters are nested deeper than {MAX_FILTER_DEPTH}; flatten groups of the same mode"
    )


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

    def __invert__(self) -> Condition:
        opposite = NEGATION_OF.get(self.operator)
        if opposite is None:
            return FilterGroup("and", (self,), negate=True)
        return QueryFilter(self.field, opposite, self.value, self.case_sensitive)

    def __str__(self) -> str:
        """Return the filter as one would say it: `distance > 1000`."""
        shown = "" if self.operator in _UNARY else f" {_shown(self.value)}"
        folded = "" if self.case_sensitive else " (any case)"
        return f"{self.field} {_SYMBOLS.get(self.operator, self.operator.value)}{shown}{folded}"


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
            raise _too_deep()

    @cached_property
    def depth(self) -> int:
        """How many groups deep the nesting goes; 1 for a group of filters."""
        return 1 + max((m.depth for m in self.filters if isinstance(m, FilterGroup)), default=0)

    def __invert__(self) -> Condition:
        return FilterGroup(self.mode, self.filters, negate=not self.negate)

    def __str__(self) -> str:
        """Return the group in brackets: `(a == 1 or not b > 2)`."""
        inner = f" {self.mode} ".join(map(str, self.filters)) or f"no condition ({self.mode})"
        return f"{'not ' if self.negate else ''}({inner})"


Condition: TypeAlias = QueryFilter | FilterGroup


def _condition_tag(value: object) -> str:
    """Tell which of the two a condition is, so that an error speaks of that one only."""
    if isinstance(value, Mapping):
        return "filter" if "field" in value or "operator" in value else "group"
    return "filter" if isinstance(value, QueryFilter) else "group"


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


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 4]} ..."


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


class SortField(QueryModel):
    """A field to sort by: `SortField("dep_delay", "desc")`. Nulls come last either way."""

    field: FieldPath
    order: Literal["asc", "desc"] = "asc"

    if TYPE_CHECKING:

        def __init__(self, field: str, order: Literal["asc", "desc"] = "asc") -> None: ...

    @property
    def descending(self) -> bool:
        """Whether the greatest comes first."""
        return self.order == "desc"


class QueryPagination(QueryModel):
    """One page of rows: `QueryPagination(page=1, size=100)`; pages count from 1."""

    page: Annotated[int, Field(ge=1, strict=True)] = 1
    size: Annotated[int, Field(ge=1, strict=True)] = 100

    if TYPE_CHECKING:

        def __init__(self, page: int = 1, size: int = 100) -> None: ...

    @property
    def start(self) -> int:
        """Zero-based position of the page's first row."""
        return (self.page - 1) * self.size

    @property
    def stop(self) -> int:
        """Position after the page's last row."""
        return self.page * self.size


class QuerySearch(QueryModel):
    """A full-text search over the whole database, before the filters.

    Args:
        text: what to look for.
        field_weights: how much a match in each field counts; the engine's own where None.
        min_score: only matches with a score above it.
    """

    text: Annotated[str, Field(min_length=1)]
    field_weights: dict[FieldPath, float] | None = None
    min_score: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    if TYPE_CHECKING:

        def __init__(
            self,
            text: str,
            field_weights: Mapping[str, float] | None = None,
            min_score: float = 0.0,
        ) -> None: ...


def _as_search(value: object) -> object:
    return QuerySearch(value) if isinstance(value, str) else value


class StructuredQuery(QueryModel):
    """A question to one database. Frozen, comparable; equal questions have equal fingerprints.

    Args:
        database: its name.
        filters: conditions that must all hold.
        sort_fields: the first decides, later ones break its ties.
        pagination: the page wanted; None means all rows.
        select: the fields returned; None means the whole record.
        distinct: return each row once, comparing what is returned.
        search: text to look for (a string, or a `QuerySearch`).
    """

    database: Annotated[str, Field(min_length=1)]
    filters: tuple[AnyCondition, ...] = ()
    sort_fields: tuple[SortField, ...] = ()
    pagination: QueryPagination | None = None
    select: Annotated[tuple[FieldPath, ...], Field(min_length=1)] | None = None
    distinct: bool = False
    search: Annotated[QuerySearch, BeforeValidator(_as_search)] | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the rows asked for, in their order; page and projection do not matter to it."""
        return row_set_digest(self)

    @cached_property
    def condition(self) -> FilterGroup:
        """All filters as one group."""
        return FilterGroup("and", self.filters)

    @cached_property
    def field_paths(self) -> tuple[str, ...]:
        """Every field the query names, each once."""
        return tuple(dict.fromkeys(_fields_of(self)))


def _fields_of(query: StructuredQuery) -> list[str]:
    named = [path for condition in query.filters for path in condition_fields(condition)]
    named.extend(sort.field for sort in query.sort_fields)
    named.extend(query.select or ())
    if query.search is not None:
        named.extend(query.search.field_weights or ())
    return named


def condition_fields(condition: Condition) -> list[str]:
    """Return the fields that a condition names, in order, with repeats."""
    if isinstance(condition, QueryFilter):
        return [condition.field]
    return [path for member in condition.filters for path in condition_fields(member)]


FilterGroup.model_rebuild()
StructuredQuery.model_rebuild()
