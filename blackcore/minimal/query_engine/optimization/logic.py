"""Conditions as logic: constants, members, and what single filters say of one value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..query import Condition, FilterGroup, QueryOperator
from ..query.operators import ORDERINGS

EVERYTHING = FilterGroup("and", ())
"""Holds for every record."""
NOTHING = FilterGroup("or", ())
"""Holds for no record."""

EQUALITIES = frozenset({QueryOperator.EQUALS, QueryOperator.IN})
RANGES = ORDERINGS | {QueryOperator.BETWEEN}


def is_everything(condition: Condition) -> bool:
    """Return whether a condition is the constant that holds for every record."""
    return _is_constant(condition, "and")


def is_nothing(condition: Condition) -> bool:
    """Return whether a condition is the constant that holds for no record."""
    return _is_constant(condition, "or")


def _is_constant(condition: Condition, mode: str) -> bool:
    if not condition.is_group or condition.filters:
        return False
    return (condition.mode == mode) != condition.negate


def joined(mode: Literal["and", "or"], members: Iterable[Condition]) -> Condition:
    """Return members in one group; a single member needs none.

    >>> from blackcore.minimal.query_engine import QueryFilter
    >>> str(joined("and", [QueryFilter("a", "eq", 1)]))
    'a == 1'
    """
    kept = tuple(members)
    return kept[0] if len(kept) == 1 else FilterGroup(mode, kept)


def members_of(condition: Condition, mode: str) -> tuple[Condition, ...]:
    """Return what a condition joins by a mode: the members of such a group, else itself."""
    if condition.is_group and condition.mode == mode and not condition.negate:
        return condition.filters
    return (condition,)
