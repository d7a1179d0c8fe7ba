"""Rules for single filters: the plainest operator for what is asked."""

from __future__ import annotations

from typing import Final

from ...query import Condition, FilterGroup, QueryFilter
from ...query.operators import TEXT_OPERATORS, QueryOperator
from ...query.values import folded
from ..logic import EVERYTHING, NOTHING
from ..ranges import holds_for_nothing
from .context import RuleContext


def fold_case_once(node: Condition, _context: RuleContext) -> Condition:
    """Casefold a filter's value when planning, and drop the flag where case changes nothing.

    >>> str(fold_case_once(QueryFilter("a", "gt", 5, False), RuleContext()))
    'a > 5'
    """
    if node.is_group or node.case_sensitive:
        return node
    if node.operator in TEXT_OPERATORS:
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

    `eq None` is `is_null`; an `in` of one value is `eq`, of none is nothing; bounds that no value
    is between are nothing, too.

    >>> str(simplify_operators(QueryFilter("a", "in", [7, 7.0]), RuleContext()))
    'a == 7'
    >>> simplify_operators(QueryFilter("a", "between", [9, 1]), RuleContext()) is NOTHING
    True
    """
    if node.is_group:
        return node
    operator, value = node.operator, node.value
    if operator in _NULL_OF and value is None:
        return QueryFilter(node.field, _NULL_OF[operator])
    if operator in _SINGLE_OF and isinstance(value, tuple):
        return _simplified_list(node, value)
    return NOTHING if holds_for_nothing(node) else node


def _simplified_list(node: QueryFilter, given: tuple[object, ...]) -> Condition:
    values = without_repeats(given)
    if not values:
        return NOTHING if node.operator is QueryOperator.IN else EVERYTHING
    if len(values) == 1:
        return QueryFilter(node.field, _SINGLE_OF[node.operator], values[0], node.case_sensitive)
    return node if len(values) == len(given) else node.model_copy(update={"value": values})


def without_repeats(values: tuple[object, ...]) -> tuple[object, ...]:
    """Return plain values each once; long lists, and what is not plain, as they are."""
    if len(values) > LONG_LIST or not _PLAIN_TYPES.issuperset(map(type, values)):
        return values
    # True is not 1 here, though Python has them equal
    kept: dict[object, object] = {}
    for value in values:
        kept.setdefault((type(value) is bool, value), value)
    return tuple(kept.values())


LONG_LIST = 1_000
"""Longer ones are not looked through for repeats."""

_PLAIN_TYPES: Final[frozenset[type]] = frozenset({bool, int, float, str})
_NULL_OF: Final = {
    QueryOperator.EQUALS: QueryOperator.IS_NULL,
    QueryOperator.NOT_EQUALS: QueryOperator.IS_NOT_NULL,
}
_SINGLE_OF: Final = {
    QueryOperator.IN: QueryOperator.EQUALS,
    QueryOperator.NOT_IN: QueryOperator.NOT_EQUALS,
}


_METACHARACTERS: Final = frozenset(r".^$*+?{}[]\|()")
_LAST_PLAIN = "\ufffc"
_SURROGATES = range(0xD800, 0xE000)


def literal_of(pattern: str) -> tuple[str, bool] | None:
    """Return the text that a pattern looks for, and whether at the start; None for real patterns.

    Text that lone surrogates in the records could be taken for is left to the pattern.

    >>> literal_of("N9"), literal_of("^N9"), literal_of("N[0-9]")
    (('N9', False), ('N9', True), None)
    """
    anchored = pattern[:1] == "^"
    literal = pattern[1:] if anchored else pattern
    if not literal or not _METACHARACTERS.isdisjoint(literal) or max(literal) > _LAST_PLAIN:
        return None
    return literal, anchored


def _literal(node: Condition, context: RuleContext) -> tuple[QueryFilter, str, bool] | None:
    """Return the filter, its literal and whether it is anchored, where a plain one would do."""
    if node.is_group or node.operator is not QueryOperator.REGEX:
        return None
    found = literal_of(str(node.value)) if node.case_sensitive else None
    if found is None or node.field not in context.texts:
        return None
    return node, *found


def search_literals_plainly(node: Condition, context: RuleContext) -> Condition:
    """Turn a regular expression without metacharacters into `contains`.

    Only where all values are texts: `contains` asks a list for a member, a pattern never does.

    >>> str(search_literals_plainly(QueryFilter("a", "regex", "N9"), RuleContext()))
    "a regex 'N9'"
    >>> texts = RuleContext(texts=frozenset({"a"}))
    >>> str(search_literals_plainly(QueryFilter("a", "regex", "N9"), texts))
    "a contains 'N9'"
    """
    found = _literal(node, context)
    if found is None or found[2]:
        return node
    return QueryFilter(found[0].field, QueryOperator.CONTAINS, found[1])


def search_prefixes(node: Condition, context: RuleContext) -> Condition:
    """Turn a regular expression for a plain text at the start into the range of such texts.

    Only where all values are texts, one for each record: a range takes dates for texts, and two
    bounds could hold by two elements of a list.

    >>> texts = RuleContext(texts=frozenset({"a"}))
    >>> str(search_prefixes(QueryFilter("a", "regex", "^N9"), texts))
    "(a >= 'N9' and a < 'N:')"
    """
    found = _literal(node, context)
    if found is None or not found[2]:
        return node
    path, prefix = found[0].field, found[1]
    lowest = QueryFilter(path, QueryOperator.GTE, prefix)
    return FilterGroup("and", (lowest, QueryFilter(path, QueryOperator.LT, _after_prefix(prefix))))


def _after_prefix(prefix: str) -> str:
    """Return the least text after all that start with a prefix."""
    following = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(following if following not in _SURROGATES else _SURROGATES.stop)
