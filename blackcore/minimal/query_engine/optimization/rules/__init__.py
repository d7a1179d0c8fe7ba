"""Rewriting rules: each a pure function that gives something of the same meaning, cheaper to run.

A rule for conditions is given one node of the condition tree, its members rewritten already, and
returns a node. Meaning is two-valued here, with nulls and other types decided by each operator, so
De Morgan's laws hold exactly. What holds only where a path reaches one value per record (two ranges
on one field are one range) asks the context first: a list on the way lets two filters hold by two
elements. A rule for the order of the rows is given it whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...errors import QueryDepthError
from ...query import Condition, FilterGroup, QueryFilter
from ...query.operators import ORDERINGS, TEXT_OPERATORS, QueryOperator
from ..logic import is_everything, joined, members_of
from ..ranges import holds_for_nothing
from .conjuncts import join_equalities, merge_conjuncts
from .context import (
    ConditionRule,
    Ordering,
    OrderingRule,
    Rule,
    RuleContext,
    RuleFired,
    context_of,
    is_single_valued,
)
from .filters import (
    LONG_LIST,
    fold_case_once,
    literal_of,
    search_literals_plainly,
    search_prefixes,
    simplify_operators,
    without_repeats,
)
from .groups import (
    drop_complements,
    drop_duplicates,
    flatten_groups,
    fold_constants,
    pull_common_factors,
    push_negation_down,
)
from .orderings import drop_decided_keys, stop_early, take_top_rows

__all__ = [
    "CONDITION_RULES",
    "ORDERING_RULES",
    "RULES",
    "RULE_NAMES",
    "ConditionRule",
    "Ordering",
    "OrderingRule",
    "Rule",
    "RuleContext",
    "RuleFired",
    "are_plain",
    "context_of",
    "is_single_valued",
    "literal_of",
    "ordered",
    "rewritten",
]

CONDITION_RULES: Final[tuple[ConditionRule, ...]] = (
    push_negation_down,  # first: the others look at groups that are not negated only
    flatten_groups,  # then what belongs together stands in one group
    fold_case_once,  # makes equal what differs in case only, for the duplicates below
    simplify_operators,  # fewer operators for the rules below to know
    search_literals_plainly,  # as above
    search_prefixes,  # makes ranges, which find others on their field below
    fold_constants,  # what the operators above decided
    drop_duplicates,  # before anything is counted or merged
    drop_complements,  # while both sides still stand as they were written
    pull_common_factors,  # before equalities are joined: a joined `in` hides a common `eq`
    join_equalities,
    merge_conjuncts,  # last: ranges and equalities have found each other in one AND by now
)
"""Rules for conditions, in the order they are tried on a node, members before groups."""

_FILTER_RULES: Final = frozenset(
    {fold_case_once, simplify_operators, search_literals_plainly, search_prefixes}
)
"""Those for single filters, the others leave them as they are; and these leave groups."""

ORDERING_RULES: Final[tuple[OrderingRule, ...]] = (
    drop_decided_keys,  # first: how the rows are found depends on whether there is a key
    take_top_rows,
    stop_early,
)

RULES: Final[tuple[Rule, ...]] = (
    *CONDITION_RULES,
    *ORDERING_RULES,  # the order is that of the rows that the conditions leave
)
"""All rules, in the order they are tried."""

RULE_NAMES: Final = frozenset(rule.__name__ for rule in RULES)
_MAX_PASSES = 4


def are_plain(conditions: Sequence[Condition]) -> bool:
    """Return whether no rule can fire: filters that have nothing to do with each other.

    They are on different fields, or look for different things in the texts of one, and none of them
    can be simpler. Most questions are so, and the rules would cost more than a small database's
    answer.
    """
    filters: list[QueryFilter] = []
    for condition in conditions:
        if condition.is_group or _can_be_simpler(condition):
            return False
        filters.append(condition)
    if len({condition.field for condition in filters}) == len(filters):
        return True
    by_path: dict[str, list[QueryFilter]] = {}
    for condition in filters:
        by_path.setdefault(condition.field, []).append(condition)
    return not any(map(_can_be_merged, by_path.values()))


def _can_be_merged(filters: Sequence[QueryFilter]) -> bool:
    """Return whether filters on one field could be repeats or opposites, or make one range."""
    if len(filters) == 1:
        return False
    operators = {condition.operator for condition in filters}
    return len(operators) < len(filters) or not operators <= _SEARCHING


def _can_be_simpler(condition: QueryFilter) -> bool:
    operator, value = condition.operator, condition.value
    if not condition.case_sensitive:
        return operator not in TEXT_OPERATORS
    if operator in _EQUALITIES:
        return value is None
    if operator in _LISTS:
        members = value if isinstance(value, tuple) else ()
        return len(members) < 2 or _has_repeats(members)  # noqa: PLR2004 - one is `eq`
    if operator is QueryOperator.REGEX:
        return literal_of(str(value)) is not None
    if operator in ORDERINGS and type(value) in _ORDERED_TYPES:
        return False
    return operator in _BOUNDED and holds_for_nothing(condition)


def _has_repeats(members: tuple[object, ...]) -> bool:
    if len(members) <= LONG_LIST and len(set(members)) == len(members):
        return False
    return len(without_repeats(members)) < len(members)


_EQUALITIES: Final = frozenset({QueryOperator.EQUALS, QueryOperator.NOT_EQUALS})
_LISTS: Final = frozenset({QueryOperator.IN, QueryOperator.NOT_IN})
_SEARCHING: Final = TEXT_OPERATORS | {QueryOperator.CONTAINS}
_ORDERED_TYPES: Final[frozenset[type]] = frozenset({int, str})
_BOUNDED: Final = ORDERINGS | {QueryOperator.BETWEEN}


def rewritten(
    conditions: Sequence[Condition],
    context: RuleContext,
    *,
    switched_off: frozenset[str] = frozenset(),
) -> tuple[tuple[Condition, ...], tuple[RuleFired, ...]]:
    """Return AND-ed conditions rewritten until no rule changes anything, and what changed them."""
    rules = [rule for rule in CONDITION_RULES if rule.__name__ not in switched_off]
    try:
        root, fired = _fixed_point(joined("and", conditions), rules, context)
    except QueryDepthError:  # at the depth that is allowed there is no room to nest further
        return tuple(conditions), ()
    return (() if is_everything(root) else members_of(root, "and")), fired


def _fixed_point(
    root: Condition, rules: Sequence[ConditionRule], context: RuleContext
) -> tuple[Condition, tuple[RuleFired, ...]]:
    rewriting = _Rewriting(rules, context)
    for _ in range(_MAX_PASSES):
        before = len(rewriting.fired)
        root = rewriting.of(root)
        if len(rewriting.fired) == before or are_plain(members_of(root, "and")):
            break
    return root, tuple(rewriting.fired)


class _Rewriting:
    """Passes over one tree of conditions, and what fired in them."""

    def __init__(self, rules: Sequence[ConditionRule], context: RuleContext) -> None:
        self._filter_rules = [rule for rule in rules if rule in _FILTER_RULES]
        self._group_rules = [rule for rule in rules if rule not in _FILTER_RULES]
        self._context = context
        self._settled: dict[int, QueryFilter] = {}
        self.fired: list[RuleFired] = []

    def of(self, node: Condition) -> Condition:
        """Return a node after one try of each rule on its members, then on itself."""
        if not node.is_group:
            return self._of_filter(node)
        members = tuple([self.of(member) for member in node.filters])
        if any(new is not old for new, old in zip(members, node.filters, strict=True)):
            node = FilterGroup(node.mode, members, node.negate)
        return self._tried(node, self._group_rules)

    def _of_filter(self, node: QueryFilter) -> Condition:
        """What no rule changes in a filter does not change in the next pass either."""
        if id(node) in self._settled or not _can_be_simpler(node):
            return node
        after = self._tried(node, self._filter_rules)
        if after is node:
            self._settled[id(node)] = node
        return after

    def _tried(self, node: Condition, rules: Sequence[ConditionRule]) -> Condition:
        for rule in rules:
            after = rule(node, self._context)
            if after is not node and after != node:
                self.fired.append(RuleFired(rule.__name__, node, after))
                node = after
        return node


def ordered(
    ordering: Ordering, context: RuleContext, *, switched_off: frozenset[str] = frozenset()
) -> tuple[Ordering, tuple[RuleFired, ...]]:
    """Return an ordering after the rules for it, and what changed it."""
    fired: list[RuleFired] = []
    for rule in ORDERING_RULES:
        after = ordering if rule.__name__ in switched_off else rule(ordering, context)
        if after is not ordering:
            fired.append(RuleFired(rule.__name__, ordering, after))
            ordering = after
    return ordering, tuple(fired)
