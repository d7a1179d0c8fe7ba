"""The question as a frozen value: database, filters, sort, page, projection, search.

Bad values are refused when a model is built, with an error of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from .base import FieldPath, QueryModel, checked_plainly
from .conditions import AnyCondition, condition_fields
from .fingerprint import row_set_digest
from .kept_property import kept_property
from .operands import FrozenDict


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


def _plain_sort(
    field: object = None, order: object = "asc", *more: object
) -> dict[str, object] | None:
    if type(field) is not str or not field or type(order) is not str or more:
        return None
    return {"field": field, "order": order} if order in {"asc", "desc"} else None


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


def _plain_page(page: object = 1, size: object = 100, *more: object) -> dict[str, object] | None:
    if type(page) is not int or type(size) is not int or more:
        return None
    return {"page": page, "size": size} if page >= 1 and size >= 1 else None


checked_plainly(SortField, _plain_sort)
checked_plainly(QueryPagination, _plain_page)


class QuerySearch(QueryModel):
    """A full-text search over the whole database, before the filters.

    Args:
        text: what to look for.
        field_weights: how much a match in each field counts; the engine's own where None.
        min_score: only matches with a score above it.
    """

    text: Annotated[str, Field(min_length=1)]
    field_weights: Annotated[dict[FieldPath, float], AfterValidator(FrozenDict)] | None = None
    min_score: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    if TYPE_CHECKING:

        def __init__(
            self,
            text: str,
            field_weights: Mapping[str, float] | None = None,
            min_score: float = 0.0,
        ) -> None: ...


def _each_once(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))


def _as_search(value: object) -> object:
    return QuerySearch(value) if isinstance(value, str) else value


class StructuredQuery(QueryModel):
    """A question to one database. Frozen, comparable; equal questions have equal fingerprints.

    Args:
        database: its name.
        filters: conditions that must all hold.
        sort_fields: the first decides, later ones break its ties.
        pagination: the page wanted; None means all rows.
        select: the fields returned, each once; None means the whole record.
        distinct: return each row once, comparing what is returned.
        search: text to look for (a string, or a `QuerySearch`).
    """

    database: Annotated[str, Field(min_length=1)]
    filters: tuple[AnyCondition, ...] = ()
    sort_fields: tuple[SortField, ...] = ()
    pagination: QueryPagination | None = None
    select: (
        Annotated[tuple[FieldPath, ...], Field(min_length=1), AfterValidator(_each_once)] | None
    ) = None
    distinct: bool = False
    search: Annotated[QuerySearch, BeforeValidator(_as_search)] | None = None

    @kept_property
    def fingerprint(self) -> str:
        """Digest of the rows asked for, in their order; page and projection do not matter to it."""
        return row_set_digest(self)

    @kept_property
    def field_paths(self) -> tuple[str, ...]:
        """Every field the query names, each once."""
        named: list[str] = []
        for condition in self.filters:
            if condition.is_group:
                named += condition_fields(condition)
            else:
                named.append(condition.field)
        named += [sort.field for sort in self.sort_fields]
        named += self.select or ()
        if self.search is not None:
            named += self.search.field_weights or ()
        return tuple(dict.fromkeys(named))
