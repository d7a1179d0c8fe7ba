"""Whole questions answered plainly, record by record: what every faster path is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .conditions import Condition, QueryFilter
from .model import SortField, StructuredQuery
from .operators import COMPLEMENT_OF, holds
from .values import frozen, is_null, project, reach, sort_key

Record = Mapping[str, object]


def matches(condition: Condition, record: Record) -> bool:
    """Return whether a filter or a group of them holds for a record.

    >>> matches(QueryFilter("cast.name", "eq", "Ann"), {"cast": [{"name": "Bo"}, {"name": "Ann"}]})
    True
    """
    if isinstance(condition, QueryFilter):
        return _filter_matches(condition, record)
    combine = all if condition.mode == "and" else any
    return combine(matches(member, record) for member in condition.filters) != condition.negate


def _filter_matches(condition: QueryFilter, record: Record) -> bool:
    """A filter holds for any value that its path reaches; negative operators are complements."""
    positive = COMPLEMENT_OF.get(condition.operator)
    operator = positive or condition.operator
    found = any(
        holds(operator, value, condition.value, case_sensitive=condition.case_sensitive)
        for value in reach(record, condition.field)
    )
    return found != (positive is not None)


def evaluate(
    query: StructuredQuery,
    records: Sequence[Record],
    scores: Mapping[int, float] | None = None,
) -> list[int]:
    """Return the positions of all records that a query asks for, in its order, of every page.

    Args:
        query: the question; its page is left out of account.
        records: the database.
        scores: the search engine's score by record position, for a query that searches.
    """
    ids: Iterable[int] = range(len(records))
    if scores is not None:
        ids = sorted(scores) if query.sort_fields else by_score(scores)
    chosen = [i for i in ids if all(matches(c, records[i]) for c in query.filters)]
    chosen = sorted_ids(chosen, query.sort_fields, records)
    return distinct_ids(chosen, query.select, records) if query.distinct else chosen


def by_score(scores: Mapping[int, float]) -> list[int]:
    """Return record positions by falling score, equal scores in the records' order."""
    return sorted(scores, key=lambda i: (-scores[i], i))


def sorted_ids(
    ids: Sequence[int], sort_fields: Sequence[SortField], records: Sequence[Record]
) -> list[int]:
    """Return positions sorted stably, nulls last in either order."""
    ordered = list(ids)
    for sort in reversed(sort_fields):
        values = {i: reach(records[i], sort.field)[0] for i in ordered}
        present = [i for i in ordered if not is_null(values[i])]
        absent = [i for i in ordered if is_null(values[i])]
        present.sort(key=lambda i, v=values: sort_key(v[i]), reverse=sort.descending)  # type: ignore[misc]  # the default binds this round's values
        ordered = present + absent
    return ordered


def distinct_ids(
    ids: Sequence[int], select: Sequence[str] | None, records: Sequence[Record]
) -> list[int]:
    """Return the first position of each row that differs as returned."""
    kept: dict[object, int] = {}
    for i in ids:
        row = records[i] if select is None else [project(records[i], path) for path in select]
        kept.setdefault(frozen(row), i)
    return list(kept.values())


def projected(record: Record, select: Sequence[str]) -> dict[str, object]:
    """Return the row that `select` leaves of a record.

    >>> projected({"a": {"b": 1}}, ["a.b", "c"])
    {'a.b': 1, 'c': None}
    """
    return {path: project(record, path) for path in select}
