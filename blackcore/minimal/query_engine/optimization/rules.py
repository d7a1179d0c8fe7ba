"""Rewriting rules: each a pure function that gives a condition of the same meaning, cheaper to run.

A rule is given one node of the condition tree, its members rewritten already, and returns a node.
Meaning is two-valued here, with nulls and other types decided by each operator, so De Morgan's laws
hold exactly. What holds only where a path reaches one value per record (two ranges on one field are
one range) asks the context first: a list on the way lets two filters hold by two elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..errors import QueryDepthError
from ..query import Condition, FilterGroup, QueryFilter, SortField, StructuredQuery
from ..query.fingerprint import condition_text
from ..query.operators import NEGATION_OF, QueryOperator
from ..query.values import folded
from .logic import EQUALITIES, EVERYTHING, NOTHING, is_everything, is_nothing, joined, members_of
from .ranges import merged_filters


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What a rule may know of the database.

    Attributes:
        single_valued: dotted paths that pass through a list in no record; a path of one key
            never does.
        texts: paths whose values are strings or null in every record.
    """

    single_valued: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()

    def is_single_valued(self, path: str) -> bool:
        """Return whether a path surely reaches one value per record at most."""
        return "." not in path or path in self.single_valued


Rule: TypeAlias = Callable[[Condition, RuleContext], Condition]


@dataclass(frozen=True, slots=True)
class RuleFired:
    """A rule that changed something: what stood there, and what stands there now."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before} -> {self.after}"


def push_negation_down(node: Condition, _context: RuleContext) -> Condition:
    """Negate the members instead of the group, and filters by their complements.

    `not gt` is not `lte`: it keeps nulls and strings. Where an operator has no complement the
    negated group around it stays.

    >>> negated = FilterGroup("or", [QueryFilter("a", "eq", 1), QueryFilter("b", "gt", 2)], True)
    >>> str(push_negation_down(negated, RuleContext()))
    '(a != 1 and not (b > 2))'
    """
    if isinstance(node, QueryFilter) or not node.negate:
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
    if isinstance(node, QueryFilter):
        return node
    if node.negate:
        only = node.filters[0] if len(node.filters) == 1 else None
        if isinstance(only, FilterGroup):
            return ~only
        return node
    flat = [part for member in node.filters for part in members_of(member, node.mode)]
    return joined(node.mode, flat) if len(flat) != len(node.filters) or len(flat) == 1 else node


def fold_constants(node: Condition, _context: RuleContext) -> Condition:
    """Drop members that always hold from AND, that never do from OR; let the others decide.

    >>> str(fold_constants(FilterGroup("and", [QueryFilter("a", "eq", 1), NOTHING]), RuleContext()))
    '(no condition (or))'
    """
    if isinstance(node, QueryFilter):
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
    if isinstance(node, QueryFilter) or node.negate:
        return node
    kept = {condition_text(member): member for member in reversed(node.filters)}
    if len(kept) == len(node.filters):
        return node
    return joined(node.mode, [m for m in node.filters if kept[condition_text(m)] is m])


def fold_case_once(node: Condition, _context: RuleContext) -> Condition:
    """Casefold a filter's value when planning, and drop the flag where case changes nothing.

    >>> str(fold_case_once(QueryFilter("a", "gt", 5, False), RuleContext()))
    'a > 5'
    """
    if not isinstance(node, QueryFilter) or node.case_sensitive:
        return node
    if node.operator in (QueryOperator.REGEX, QueryOperator.FUZZY):
        return node
    if node.operator in _CASELESS or isinstance(node.value, int | float):
        return node.model_copy(update={"case_sensitive": True})
    value = folded(node.value)
    # a tuple that was folded is a list; compare as the model keeps it
    plain = tuple(value) if isinstance(value, list) else value
    return node if plain == node.value else node.model_copy(update={"value": value})


_CASELESS = frozenset({QueryOperator.IS_NULL, QueryOperator.IS_NOT_NULL})


def simplify_operators(node: Condition, _context: RuleContext) -> Condition:
    """Use the plainest operator for what is asked.

    `eq None` is `is_null`; an `in` of one value is `eq`, of none is nothing.

    >>> str(simplify_operators(QueryFilter("a", "in", [7]), RuleContext()))
    'a == 7'
    """
    if not isinstance(node, QueryFilter):
        return node
    operator, value = node.operator, node.value
    if operator in _NULL_OF and value is None:
        return QueryFilter(node.field, _NULL_OF[operator])
    if operator in _SINGLE_OF and isinstance(value, tuple):
        return _simplified_list(node, value)
    return node


def _simplified_list(node: QueryFilter, values: tuple[object, ...]) -> Condition:
    if not values:
        return NOTHING if node.operator is QueryOperator.IN else EVERYTHING
    if len(values) == 1:
        return QueryFilter(node.field, _SINGLE_OF[node.operator], values[0], node.case_sensitive)
    return node


_NULL_OF: Final = {
    QueryOperator.EQUALS: QueryOperator.IS_NULL,
    QueryOperator.NOT_EQUALS: QueryOperator.IS_NOT_NULL,
}
_SINGLE_OF: Final = {
    QueryOperator.IN: QueryOperator.EQUALS,
    QueryOperator.NOT_IN: QueryOperator.NOT_EQUALS,
}
_METACHARACTERS: Final = frozenset(r".^$*+?{}[]\|()")


def search_literals_plainly(node: Condition, context: RuleContext) -> Condition:
    """Turn a regular expression without metacharacters into `contains`.

    Only where all values are texts: `contains` asks a list for a member, a pattern never does.

    >>> str(search_literals_plainly(QueryFilter("a", "regex", "N9"), RuleContext()))
    "a regex 'N9'"
    >>> texts = RuleContext(texts=frozenset({"a"}))
    >>> str(search_literals_plainly(QueryFilter("a", "regex", "N9"), texts))
    "a contains 'N9'"
    """
    if not isinstance(node, QueryFilter) or node.operator is not QueryOperator.REGEX:
        return node
    pattern = str(node.value)
    literal = pattern and node.case_sensitive and _METACHARACTERS.isdisjoint(pattern)
    if not literal or node.field not in context.texts:
        return node
    return QueryFilter(node.field, QueryOperator.CONTAINS, pattern)


def join_equalities(node: Condition, _context: RuleContext) -> Condition:
    """Make one `in` of several `eq` and `in` on one field that are OR-ed.

    >>> either = [QueryFilter("a", "eq", 1), QueryFilter("a", "in", [2, 3])]
    >>> str(join_equalities(FilterGroup("or", either), RuleContext()))
    'a in (1, 2, 3)'
    """
    if isinstance(node, QueryFilter) or node.negate or node.mode != "or":
        return node
    groups: dict[tuple[str, bool], list[object]] = {}
    others: list[Condition] = []
    joinable = 0
    for member in node.filters:
        if isinstance(member, QueryFilter) and member.operator in EQUALITIES:
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
    >>> str(merge_conjuncts(FilterGroup("and", both), RuleContext()))
    'a between (1, 5)'
    >>> never = [QueryFilter("a", "gt", 5), QueryFilter("a", "lt", 1)]
    >>> is_nothing(merge_conjuncts(FilterGroup("and", never), RuleContext()))
    True
    """
    if isinstance(node, QueryFilter) or node.negate or node.mode != "and":
        return node
    by_field: dict[str, list[QueryFilter]] = {}
    for member in node.filters:
        if isinstance(member, QueryFilter) and context.is_single_valued(member.field):
            by_field.setdefault(member.field, []).append(member)
    replaced: dict[int, Condition | None] = {}
    for filters in by_field.values():
        merged = merged_filters(filters) if len(filters) > 1 else None
        if merged is None:
            continue
        if not merged:
            return NOTHING
        replaced |= dict.fromkeys(map(id, filters))
        replaced[id(filters[0])] = joined("and", merged)
    if not replaced:
        return node
    kept = [replaced.get(id(member), member) for member in node.filters]
    return joined("and", [member for member in kept if member is not None])


def pull_common_factors(node: Condition, _context: RuleContext) -> Condition:
    """Ask once for what every branch of an OR asks for.

    >>> a, b, c = (QueryFilter(name, "eq", 1) for name in "abc")
    >>> branches = [FilterGroup("and", [a, b]), FilterGroup("and", [a, c])]
    >>> str(pull_common_factors(FilterGroup("or", branches), RuleContext()))
    '(a == 1 and (b == 1 or c == 1))'
    """
    if isinstance(node, QueryFilter) or node.negate or node.mode != "or" or len(node.filters) < 2:  # noqa: PLR2004 - one branch has no other
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


def drop_complements(node: Condition, _context: RuleContext) -> Condition:
    """See that `x or not x` always holds, and `x and not x` never does.

    >>> both = [QueryFilter("a", "eq", 1), QueryFilter("a", "ne", 1)]
    >>> is_everything(drop_complements(FilterGroup("or", both), RuleContext()))
    True
    """
    if isinstance(node, QueryFilter) or node.negate:
        return node
    texts = {condition_text(member) for member in node.filters}
    for member in node.filters:
        opposite = push_negation_down(flatten_groups(~member, _context), _context)
        if condition_text(opposite) in texts:
            return NOTHING if node.mode == "and" else EVERYTHING
    return node


RULES: Final[tuple[Rule, ...]] = (
    push_negation_down,  # first: the others look at groups that are not negated only
    flatten_groups,  # then what belongs together stands in one group
    fold_case_once,  # makes equal what differs in case only, for the duplicates below
    simplify_operators,  # fewer operators for the rules below to know
    search_literals_plainly,  # as above
    fold_constants,  # what the operators above decided
    drop_duplicates,  # before anything is counted or merged
    drop_complements,  # while both sides still stand as they were written
    pull_common_factors,  # before equalities are joined: a joined `in` hides a common `eq`
    join_equalities,
    merge_conjuncts,  # last: ranges and equalities have found each other in one AND by now
)
"""All rules, in the order they are tried on a node, members before groups."""

RULE_NAMES: Final = frozenset(rule.__name__ for rule in RULES)
_MAX_PASSES = 4


def are_plain(conditions: Sequence[Condition]) -> bool:
    """Return whether no rule can fire: filters on different fields, none of which can be simpler.

    Most questions are so, and the rules would cost more than a small database's answer.
    """
    paths = set()
    for condition in conditions:
        if isinstance(condition, FilterGroup) or not condition.case_sensitive:
            return False
        if condition.operator in _CAN_BE_SIMPLER or condition.value is None:
            return False
        paths.add(condition.field)
    return len(paths) == len(conditions)


_CAN_BE_SIMPLER: Final = frozenset(
    {QueryOperator.REGEX, QueryOperator.IN, QueryOperator.NOT_IN, QueryOperator.BETWEEN}
)


def rewritten(
    conditions: Sequence[Condition],
    context: RuleContext,
    *,
    switched_off: frozenset[str] = frozenset(),
) -> tuple[tuple[Condition, ...], tuple[RuleFired, ...]]:
    """Return AND-ed conditions rewritten until no rule changes anything, and what changed them."""
    rules = [rule for rule in RULES if rule.__name__ not in switched_off]
    try:
        root, fired = _fixed_point(FilterGroup("and", tuple(conditions)), rules, context)
    except QueryDepthError:  # at the depth that is allowed there is no room to nest further
        return tuple(conditions), ()
    return (() if is_everything(root) else members_of(root, "and")), fired


def _fixed_point(
    root: Condition, rules: Sequence[Rule], context: RuleContext
) -> tuple[Condition, tuple[RuleFired, ...]]:
    fired: list[RuleFired] = []
    for _ in range(_MAX_PASSES):
        before = root
        root = _pass(root, rules, context, fired)
        if root == before:
            break
    return root, tuple(fired)


def _pass(
    node: Condition, rules: Sequence[Rule], context: RuleContext, fired: list[RuleFired]
) -> Condition:
    if isinstance(node, FilterGroup):
        members = tuple(_pass(member, rules, context, fired) for member in node.filters)
        if any(new is not old for new, old in zip(members, node.filters, strict=True)):
            node = FilterGroup(node.mode, members, node.negate)
    for rule in rules:
        after = rule(node, context)
        if after is not node and after != node:
            fired.append(RuleFired(rule.__name__, str(node), str(after)))
            node = after
    return node


def needed_sort_fields(query: StructuredQuery) -> tuple[SortField, ...]:
    """Return the sort fields without those that decide nothing: a field sorted by already."""
    first = {sort.field: sort for sort in reversed(query.sort_fields)}
    return tuple(sort for sort in query.sort_fields if first[sort.field] is sort)
