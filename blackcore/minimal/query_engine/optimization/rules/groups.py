"""Rules for groups: constants, negation, duplicates, common factors."""

from __future__ import annotations

from collections import Counter

from ...query import Condition, FilterGroup, QueryFilter, condition_fields
from ...query.fingerprint import condition_text
from ...query.operators import NEGATION_OF
from ..logic import EVERYTHING, NOTHING, is_everything, is_nothing, joined, members_of
from .context import RuleContext


def push_negation_down(node: Condition, _context: RuleContext) -> Condition:
    """Negate the members instead of the group, and filters by their complements.

    `not gt` is not `lte`: it keeps nulls and strings. Where an operator has no complement the
    negated group around it stays.

    >>> negated = FilterGroup("or", [QueryFilter("a", "eq", 1), QueryFilter("b", "gt", 2)], True)
    >>> str(push_negation_down(negated, RuleContext()))
    '(a != 1 and not (b > 2))'
    """
    if not node.is_group or not node.negate:
        return node
    if len(node.filters) == 1 and isinstance(node.filters[0], QueryFilter):
        only = node.filters[0]
        return ~only if only.operator in NEGATION_OF else node
    opposite: Condition = FilterGroup(
        "or" if node.mode == "and" else "and",
        tuple(push_negation_down(~member, _context) for member in node.filters),
    )
    return opposite


def flatten_groups(node: Condition, _context: RuleContext) -> Condition:
    """Dissolve groups in groups of the same mode, and groups of one member.

    >>> inner = FilterGroup("and", [QueryFilter("b", "eq", 2), QueryFilter("c", "eq", 3)])
    >>> str(flatten_groups(FilterGroup("and", [QueryFilter("a", "eq", 1), inner]), RuleContext()))
    '(a == 1 and b == 2 and c == 3)'
    """
    if not node.is_group:
        return node
    if node.negate:
        only = node.filters[0] if len(node.filters) == 1 else None
        if only is not None and only.is_group:
            return ~only
        return node
    flat = [part for member in node.filters for part in members_of(member, node.mode)]
    return joined(node.mode, flat) if len(flat) != len(node.filters) or len(flat) == 1 else node


def fold_constants(node: Condition, _context: RuleContext) -> Condition:
    """Drop members that always hold from AND, that never do from OR; let the others decide.

    >>> str(fold_constants(FilterGroup("and", [QueryFilter("a", "eq", 1), NOTHING]), RuleContext()))
    '(no condition (or))'
    """
    if not node.is_group:
        return node
    if not node.filters:
        return EVERYTHING if is_everything(node) else NOTHING
    if node.negate:
        only = node.filters[0] if len(node.filters) == 1 else None
        if only is not None and (is_everything(only) or is_nothing(only)):
            return NOTHING if is_everything(only) else EVERYTHING
        return node
    decides, drops = (
        (is_nothing, is_everything) if node.mode == "and" else (is_everything, is_nothing)
    )
    if any(decides(member) for member in node.filters):
        return NOTHING if node.mode == "and" else EVERYTHING
    kept = [member for member in node.filters if not drops(member)]
    return joined(node.mode, kept) if len(kept) != len(node.filters) else node


def drop_duplicates(node: Condition, _context: RuleContext) -> Condition:
    """Ask nothing twice in one group.

    >>> twice = [QueryFilter("a", "eq", 1), QueryFilter("a", "eq", 1.0)]
    >>> str(drop_duplicates(FilterGroup("and", twice), RuleContext()))
    'a == 1'
    """
    if not node.is_group or node.negate:
        return node
    texts = _related_texts(node)
    if len(set(texts.values())) == len(texts):
        return node
    first = {text: position for position, text in reversed(texts.items())}
    kept = [
        member
        for position, member in enumerate(node.filters)
        if position not in texts or first[texts[position]] == position
    ]
    return joined(node.mode, kept)


def _related_texts(group: FilterGroup) -> dict[int, str]:
    """Return the canonical texts, by position, of members that share a field with another."""
    paths = [set(condition_fields(member)) for member in group.filters]
    counts = Counter(path for of_member in paths for path in of_member)
    return {
        position: condition_text(group.filters[position])
        for position, of_member in enumerate(paths)
        if not of_member or any(counts[path] > 1 for path in of_member)
    }


def drop_complements(node: Condition, _context: RuleContext) -> Condition:
    """See that `x or not x` always holds, and `x and not x` never does.

    >>> both = [QueryFilter("a", "eq", 1), QueryFilter("a", "ne", 1)]
    >>> is_everything(drop_complements(FilterGroup("or", both), RuleContext()))
    True
    """
    if not node.is_group or node.negate:
        return node
    texts = _related_texts(node)
    if len(texts) < 2:  # noqa: PLR2004 - one has nothing to be the opposite of
        return node
    there = set(texts.values())
    has_groups = any(member.is_group for member in node.filters)
    for position in texts:
        member = node.filters[position]
        if not (has_groups or member.operator in NEGATION_OF):  # type: ignore[union-attr]  # all are filters
            continue  # only a group is its opposite
        opposite = flatten_groups(~member, _context)
        if condition_text(push_negation_down(opposite, _context)) in there:
            return NOTHING if node.mode == "and" else EVERYTHING
    return node


def pull_common_factors(node: Condition, _context: RuleContext) -> Condition:
    """Ask once for what every branch of an OR asks for.

    >>> a, b, c = (QueryFilter(name, "eq", 1) for name in "abc")
    >>> branches = [FilterGroup("and", [a, b]), FilterGroup("and", [a, c])]
    >>> str(pull_common_factors(FilterGroup("or", branches), RuleContext()))
    '(a == 1 and (b == 1 or c == 1))'
    """
    if not node.is_group or node.negate or node.mode != "or" or len(node.filters) < 2:  # noqa: PLR2004 - one branch has no other
        return node
    branches = [{condition_text(m): m for m in members_of(b, "and")} for b in node.filters]
    common = set(branches[0]).intersection(*branches[1:])
    if not common:
        return node
    shared = [member for text, member in branches[0].items() if text in common]
    rests = [[m for text, m in branch.items() if text not in common] for branch in branches]
    if not all(rests):
        return joined("and", shared)  # a branch asks for nothing else: the others add nothing
    return FilterGroup("and", (*shared, joined("or", [joined("and", rest) for rest in rests])))
