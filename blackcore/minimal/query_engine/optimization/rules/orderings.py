"""Rules for the order of the rows: fewer keys, and no more rows than are wanted."""

from __future__ import annotations

from dataclasses import replace

from ...query import SortField
from .context import Ordering, RuleContext


def drop_decided_keys(ordering: Ordering, context: RuleContext) -> Ordering:
    """Sort by no key that decides nothing: one sorted by already, one after a unique one.

    >>> from blackcore.minimal.query_engine import SortField
    >>> keys = (SortField("day"), SortField("day", "desc"), SortField("id"), SortField("name"))
    >>> print(drop_decided_keys(Ordering(keys), RuleContext(unique=frozenset({"id"}))))
    all rows by day, id
    """
    kept: dict[str, SortField] = {}
    for sort in ordering.sort_fields:
        kept.setdefault(sort.field, sort)
        if sort.field in context.unique:
            break
    if len(kept) == len(ordering.sort_fields):
        return ordering
    return replace(ordering, sort_fields=tuple(kept.values()))


def take_top_rows(ordering: Ordering, _context: RuleContext) -> Ordering:
    """Find the first rows of a sorted page without putting the others in order.

    >>> from blackcore.minimal.query_engine import SortField
    >>> print(take_top_rows(Ordering((SortField("day"),), wanted_rows=100), RuleContext()))
    first 100 rows by day
    """
    if ordering.limit is not None or ordering.wanted_rows is None or not ordering.sort_fields:
        return ordering
    return replace(ordering, limit=ordering.wanted_rows)


def stop_early(ordering: Ordering, _context: RuleContext) -> Ordering:
    """Find the first rows of a page without a sort, and only count the others.

    >>> print(stop_early(Ordering(wanted_rows=100), RuleContext()))
    first 100 rows as they come
    """
    in_order = not ordering.sort_fields and not ordering.searches and not ordering.distinct
    if ordering.limit is not None or ordering.wanted_rows is None or not in_order:
        return ordering
    return replace(ordering, limit=ordering.wanted_rows)
