"""The fluent way to the query model, which reads like the question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ..errors import QueryError
from .conditions import Condition, FilterGroup, QueryFilter
from .kept_property import kept_property
from .model import QueryPagination, QuerySearch, SortField, StructuredQuery
from .operators import DEFAULT_FUZZY_THRESHOLD, QueryOperator

if TYPE_CHECKING:
    from os import PathLike

ResultT_co = TypeVar("ResultT_co", covariant=True)
ExplanationT_co = TypeVar("ExplanationT_co", covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class FieldExpression:
    """A field to be compared; every comparison gives a condition.

    Conditions combine with `&`, `|` and `~`; put brackets around each.
    """

    path: str

    def _filter(
        self, operator: QueryOperator, value: object = None, *, case_sensitive: bool = True
    ) -> QueryFilter:
        return QueryFilter(self.path, operator, value, case_sensitive)

    def __eq__(self, value: object) -> QueryFilter:  # type: ignore[override]  # a condition, as in every query builder
        return self._filter(QueryOperator.EQUALS, value)

    def __ne__(self, value: object) -> QueryFilter:  # type: ignore[override]  # as above
        return self._filter(QueryOperator.NOT_EQUALS, value)

    def __hash__(self) -> int:
        return hash(self.path)

    def __lt__(self, value: object) -> QueryFilter:
        return self._filter(QueryOperator.LT, value)

    def __le__(self, value: object) -> QueryFilter:
        return self._filter(QueryOperator.LTE, value)

    def __gt__(self, value: object) -> QueryFilter:
        return self._filter(QueryOperator.GT, value)

    def __ge__(self, value: object) -> QueryFilter:
        return self._filter(QueryOperator.GTE, value)

    def equals(self, value: object, *, case_sensitive: bool = True) -> QueryFilter:
        """Return the condition that the field equals a value; as `==`, with a choice of case."""
        return self._filter(QueryOperator.EQUALS, value, case_sensitive=case_sensitive)

    def not_equals(self, value: object, *, case_sensitive: bool = True) -> QueryFilter:
        """Return the complement of `equals`, which keeps nulls."""
        return self._filter(QueryOperator.NOT_EQUALS, value, case_sensitive=case_sensitive)

    def contains(self, value: object, *, case_sensitive: bool = True) -> QueryFilter:
        """Return the condition that a string has this part, or a list this member."""
        return self._filter(QueryOperator.CONTAINS, value, case_sensitive=case_sensitive)

    def not_contains(self, value: object, *, case_sensitive: bool = True) -> QueryFilter:
        """Return the complement of `contains`, which keeps nulls."""
        return self._filter(QueryOperator.NOT_CONTAINS, value, case_sensitive=case_sensitive)

    def is_in(self, values: Iterable[object], *, case_sensitive: bool = True) -> QueryFilter:
        """Return the condition that the field equals one of the values."""
        members = _members(values)
        return self._filter(QueryOperator.IN, members, case_sensitive=case_sensitive)

    def not_in(self, values: Iterable[object], *, case_sensitive: bool = True) -> QueryFilter:
        """Return the complement of `is_in`, which keeps nulls."""
        members = _members(values)
        return self._filter(QueryOperator.NOT_IN, members, case_sensitive=case_sensitive)

    def between(self, low: object, high: object) -> QueryFilter:
        """Return the condition that the field lies between two bounds, both included."""
        return self._filter(QueryOperator.BETWEEN, (low, high))

    def is_null(self) -> QueryFilter:
        """Return the condition that the field is missing, null or NaN."""
        return self._filter(QueryOperator.IS_NULL)

    def is_not_null(self) -> QueryFilter:
        """Return the complement of `is_null`."""
        return self._filter(QueryOperator.IS_NOT_NULL)

    def regex(self, pattern: str, *, case_sensitive: bool = True) -> QueryFilter:
        """Return the condition that a pattern (Rust's dialect) is found anywhere in the string."""
        return self._filter(QueryOperator.REGEX, pattern, case_sensitive=case_sensitive)

    def fuzzy(
        self,
        text: str,
        threshold: float = DEFAULT_FUZZY_THRESHOLD,
        *,
        case_sensitive: bool = True,
    ) -> QueryFilter:
        """Return the condition that the string resembles a text, 0.0 to 1.0 (rapidfuzz ratio)."""
        value = {"text": text, "threshold": threshold}
        return self._filter(QueryOperator.FUZZY, value, case_sensitive=case_sensitive)


def _members(values: object) -> object:
    """Return a list for any iterable but a string, which the model then refuses by name."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        return values
    return list(values)


def field(path: str) -> FieldExpression:
    """Return a field to be compared, by its dotted path.

    >>> str((field("carrier") == "AA") & (field("distance") > 1000))
    "(carrier == 'AA' and distance > 1000)"
    """
    return FieldExpression(path)


class Runner(Protocol[ResultT_co, ExplanationT_co]):
    """What a built query hands itself to; the engine is one."""

    def execute(self, query: StructuredQuery) -> ResultT_co:
        """Return the result of a query."""
        ...

    def explain(self, query: StructuredQuery, analyze: bool = False) -> ExplanationT_co:
        """Return how a query is run."""
        ...

    async def export(self, query: StructuredQuery, path: str | PathLike[str]) -> int:
        """Write the rows of a query to a file; return how many."""
        ...


@dataclass(frozen=True, init=False, repr=False)
class Query(Generic[ResultT_co, ExplanationT_co]):
    """A question being put together. Each method returns a new one; nothing is changed.

    `run`, `explain` and `export` hand it to the engine that it came from.
    """

    runner: Runner[ResultT_co, ExplanationT_co]
    database: str
    conditions: tuple[Condition, ...] = ()
    sort_fields: tuple[SortField, ...] = ()
    pagination: QueryPagination | None = None
    selected: tuple[str, ...] | None = None
    is_distinct: bool = False
    searched: QuerySearch | None = None

    def __init__(
        self,
        runner: Runner[ResultT_co, ExplanationT_co],
        database: str,
        conditions: tuple[Condition, ...] = (),
        sort_fields: tuple[SortField, ...] = (),
        pagination: QueryPagination | None = None,
        selected: tuple[str, ...] | None = None,
        is_distinct: bool = False,
        searched: QuerySearch | None = None,
    ) -> None:
        values = self.__dict__  # a third of what the generated method of a frozen class costs
        values["runner"] = runner
        values["database"] = database
        values["conditions"] = conditions
        values["sort_fields"] = sort_fields
        values["pagination"] = pagination
        values["selected"] = selected
        values["is_distinct"] = is_distinct
        values["searched"] = searched

    @kept_property
    def structured(self) -> StructuredQuery:
        """The question as a value."""
        return StructuredQuery(
            database=self.database,
            filters=self.conditions,
            sort_fields=self.sort_fields,
            pagination=self.pagination,
            select=self.selected,
            distinct=self.is_distinct,
            search=self.searched,
        )

    def _with(self, attribute: str, value: object) -> Query[ResultT_co, ExplanationT_co]:
        """Return a copy with one attribute changed, faster than `dataclasses.replace`."""
        changed = object.__new__(type(self))
        values = changed.__dict__
        values.update(self.__dict__)
        values[attribute] = value
        values.pop("structured", None)
        return changed

    def where(self, *conditions: Condition) -> Query[ResultT_co, ExplanationT_co]:
        """Return the query with conditions added, all of which must hold."""
        for condition in conditions:
            if not isinstance(condition, _CONDITIONS):
                raise QueryError(
                    f"where() was given {condition!r}; give conditions, as in "
                    "where(field('carrier') == 'AA')"
                )
        return self._with("conditions", self.conditions + conditions)

    def search(
        self,
        text: str,
        weights: Mapping[str, float] | None = None,
        min_score: float | None = None,
    ) -> Query[ResultT_co, ExplanationT_co]:
        """Return the query with a full-text search over the whole database."""
        search = QuerySearch(text, weights, 0.0 if min_score is None else min_score)
        return self._with("searched", search)

    def sort(self, *fields: str | SortField) -> Query[ResultT_co, ExplanationT_co]:
        """Return the query sorted: `sort("-dep_delay", "carrier")`, a minus for descending."""
        return self._with("sort_fields", tuple([_sort_field(each) for each in fields]))

    def page(self, number: int, size: int = 100) -> Query[ResultT_co, ExplanationT_co]:
        """Return the query for one page of rows, counted from 1."""
        return self._with("pagination", QueryPagination(number, size))

    def select(self, *fields: str) -> Query[ResultT_co, ExplanationT_co]:
        """Return the query with rows that hold just these fields."""
        return self._with("selected", fields)

    def distinct(self) -> Query[ResultT_co, ExplanationT_co]:
        """Return the query with each row once, as returned."""
        return self._with("is_distinct", True)

    def run(self) -> ResultT_co:
        """Return the answer."""
        return self.runner.execute(self.structured)

    def explain(self, *, analyze: bool = False) -> ExplanationT_co:
        """Return how the query is run; with `analyze` it is run, and estimates meet the truth."""
        return self.runner.explain(self.structured, analyze=analyze)

    async def export(self, path: str | PathLike[str]) -> int:
        """Write the rows to a file whose suffix tells the format; return how many.

        `engine.export(query, path, options, ...)` takes options besides.
        """
        return await self.runner.export(self.structured, path)

    def __str__(self) -> str:
        """Return the question in a line."""
        return describe(self.structured)

    def __repr__(self) -> str:
        try:
            return f"<Query: {self}>"
        except QueryError as error:  # a debugger shows unfinished questions too
            return f"<Query: {self.database!r}, not to be asked: {error}>"


_CONDITIONS = (QueryFilter, FilterGroup)


def _sort_field(given: str | SortField) -> SortField:
    if isinstance(given, SortField):
        return given
    if not isinstance(given, str):
        raise QueryError(
            f"sort() was given {given!r}; give names of fields, with a minus for descending, "
            "or SortField"
        )
    if given.startswith("-"):
        return SortField(given[1:], "desc")
    return SortField(given, "asc")


def describe(query: StructuredQuery) -> str:
    """Return a query in a line, as one would say it.

    >>> describe(StructuredQuery(database="flights", filters=[field("month") == 6],
    ...          sort_fields=[SortField("dep_delay", "desc")]))
    'flights where month == 6 sort -dep_delay'
    """
    parts = [query.database]
    if query.search is not None:
        parts.append(f"search {query.search.text!r}")
    if query.filters:
        parts.append(f"where {' and '.join(map(str, query.filters))}")
    if query.sort_fields:
        keys = (f"{'-' if sort.descending else ''}{sort.field}" for sort in query.sort_fields)
        parts.append(f"sort {', '.join(keys)}")
    if query.select is not None:
        parts.append(f"select {', '.join(query.select)}")
    if query.distinct:
        parts.append("distinct")
    if query.pagination is not None:
        parts.append(f"page {query.pagination.page} of {query.pagination.size}")
    return " ".join(parts)
