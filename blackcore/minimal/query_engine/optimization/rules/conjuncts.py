"""Rules for several filters on one field."""

from __future__ import annotations

from ...query import Condition, QueryFilter
from ...query.operators import QueryOperator
from ..logic import EQUALITIES, NOTHING, joined
from ..ranges import merged_filters
from .context import RuleContext


def join_equalities(node: Condition, _context: RuleContext) -> Condition:
    """Make one `in` of several `eq` and `in` on one field that are OR-ed.

    >>> either = [QueryFilter("a", "eq", 1), QueryFilter("a", "in", [2, 3])]
    >>> str(join_equalities(joined("or", either), RuleContext()))
    'a in (1, 2, 3)'
    """
    if not node.is_group or node.negate or node.mode != "or":
        return node
    groups: dict[tuple[str, bool], list[object]] = {}
    others: list[Condition] = []
    joinable = 0
    for member in node.filters:
        if not member.is_group and member.operator in EQUALITIES:
            joinable += 1
            values = groups.setdefault((member.field, member.case_sensitive), [])
            is_list = member.operator is QueryOperator.IN and isinstance(member.value, tuple)
            values.extend(member.value if is_list else [member.value])  # type: ignore[arg-type]  # a tuple
        else:
            others.append(member)
    if joinable == len(groups):
        return node
    joined_lists = [
        QueryFilter(path, QueryOperator.IN, values, case_sensitive)
        for (path, case_sensitive), values in groups.items()
    ]
    return joined("or", [*joined_lists, *others])


def merge_conjuncts(node: Condition, context: RuleContext) -> Condition:
    """Make one filter of the AND-ed equalities and ranges on one field; nothing, if they exclude.

    >>> both = [QueryFilter("a", "gte", 1), QueryFilter("a", "lte", 5)]
    >>> str(merge_conjuncts(joined("and", both), RuleContext()))
    'a between (1, 5)'
    >>> never = [QueryFilter("a", "gt", 5), QueryFilter("a", "lt", 1)]
    >>> merge_conjuncts(joined("and", never), RuleContext()) is NOTHING
    True
    """
    if not node.is_group or node.negate or node.mode != "and":
        return node
    by_field: dict[str, list[QueryFilter]] = {}
    for member in node.filters:
        if not member.is_group and context.is_single_valued(member.field):
            by_field.setdefault(member.field, []).append(member)
    replaced: dict[int, tuple[Condition, ...]] = {}
    for filters in by_field.values():
        merged = merged_filters(filters) if len(filters) > 1 else None
        if merged is None:
            continue
        if not merged:
            return NOTHING
        replaced |= dict.fromkeys(map(id, filters), ())
        replaced[id(filters[0])] = tuple(merged)
    if not replaced:
        return node
    return joined("and", [m for old in node.filters for m in replaced.get(id(old), (old,))])
