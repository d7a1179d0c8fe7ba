"""Each rule changes how a condition is asked, never what it asks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine import FilterGroup, QueryFilter, SortField, StructuredQuery
from blackcore.minimal.query_engine.data import Records, StringColumn
from blackcore.minimal.query_engine.optimization.logic import EVERYTHING, NOTHING
from blackcore.minimal.query_engine.optimization.rules import (
    RULES,
    RuleContext,
    needed_sort_fields,
    rewritten,
)
from blackcore.minimal.query_engine.query import Condition, matches
from tests.strategies import PATHS, conditions, databases


def true_context(rows: list[dict[str, Any]]) -> RuleContext:
    """Return what columns of all paths would tell."""
    records = Records("db", rows)
    columns = {path: records.column(path) for path in PATHS}
    built = {path: column for path, column in columns.items() if column is not None}
    texts = {path for path, column in built.items() if isinstance(column, StringColumn)}
    return RuleContext(single_valued=frozenset(built), texts=frozenset(texts))


def found(condition: Condition, rows: list[dict[str, Any]]) -> list[int]:
    return [i for i, row in enumerate(rows) if matches(condition, row)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Condition]]:
    rows = draw(databases())
    few = st.sampled_from(draw(st.lists(conditions(rows), min_size=1, max_size=3)))
    # the same few conditions again and again, negated and grouped: what rules feed on
    trees = st.recursive(
        few | few.map(lambda c: ~c),
        lambda inner: st.builds(
            FilterGroup,
            mode=st.sampled_from(["and", "or"]),
            filters=st.lists(inner, max_size=3),
            negate=st.booleans(),
        ),
        max_leaves=6,
    )
    return rows, draw(st.lists(trees, min_size=1, max_size=3))


@given(cases())
def test_all_rules_together_keep_the_meaning(
    case: tuple[list[dict[str, Any]], list[Condition]],
) -> None:
    rows, given_conditions = case
    expected = found(FilterGroup("and", given_conditions), rows)
    for context in (RuleContext(), true_context(rows)):
        changed, _ = rewritten(given_conditions, context)
        assert found(FilterGroup("and", changed), rows) == expected


@settings(max_examples=60)
@given(cases())
def test_each_rule_alone_keeps_the_meaning_also_under_not(
    case: tuple[list[dict[str, Any]], list[Condition]],
) -> None:
    rows, given_conditions = case
    context = true_context(rows)
    for condition in (*given_conditions, FilterGroup("and", given_conditions)):
        for node in (condition, FilterGroup("or", (condition,), negate=True)):
            expected = found(node, rows)
            for rule in RULES:
                changed = rule(node, context)
                assert changed is node or found(changed, rows) == expected, rule.__name__


NUMBERS = [-1, 0, 1, 1.5, 2, 2**53, 2**53 + 1, float("inf")]
BOUNDS = ["eq", "gt", "gte", "lt", "lte"]


@pytest.mark.parametrize("first", BOUNDS)
@pytest.mark.parametrize("second", BOUNDS)
def test_two_bounds_on_one_field_are_merged_without_a_change_of_meaning(
    first: str, second: str
) -> None:
    values: list[Any] = [*NUMBERS, None, True, "a", "b", "2013-01-01", [1], 0.5, 1.75]
    rows = [{"a": value} for value in values]
    for low in [*NUMBERS, "a", "b", "2013-01-01", True]:
        for high in [*NUMBERS, "a", "2013-01-01"]:
            pair = [QueryFilter("a", first, low), QueryFilter("a", second, high)]
            changed, _ = rewritten(pair, RuleContext())
            assert found(FilterGroup("and", changed), rows) == found(FilterGroup("and", pair), rows)


def filters(*texts: tuple[str, str, Any]) -> list[QueryFilter]:
    return [QueryFilter(path, operator, value) for path, operator, value in texts]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (filters(("a", "gt", 5), ("a", "gt", 7)), ["a > 7"]),
        (filters(("a", "gte", 1), ("a", "lte", 5)), ["a between (1, 5)"]),
        (filters(("a", "between", [1, 9]), ("a", "lt", 5)), ["a >= 1", "a < 5"]),
        (filters(("a", "in", [1, 2, 3]), ("a", "in", [2, 3, 4])), ["a in (2, 3)"]),
        (filters(("a", "in", [1, 2, 3]), ("a", "gt", 2)), ["a == 3"]),
        (filters(("a", "eq", 1), ("a", "eq", 2)), None),
        (filters(("a", "gt", 5), ("a", "lt", 5)), None),
        (filters(("a", "gt", 5), ("a", "lt", "x")), None),
        (filters(("a", "is_null", None), ("a", "gt", 5)), None),
        (filters(("a", "is_not_null", None), ("a", "gt", 5)), ["a > 5"]),
        (filters(("a", "in", [])), None),
        (filters(("a", "in", [4])), ["a == 4"]),
        (filters(("a", "eq", None)), ["a is_null"]),
        (filters(("a", "eq", 1), ("a", "eq", 1.0)), ["a == 1"]),
        (filters(("a", "eq", 1), ("a", "ne", 1)), None),
        (filters(("a", "not_in", [])), []),
    ],
)
def test_what_can_be_said_in_fewer_words_is(
    before: list[QueryFilter], after: list[str] | None
) -> None:
    changed, fired = rewritten(before, RuleContext())
    assert (changed == (NOTHING,)) if after is None else ([str(c) for c in changed] == after)
    assert fired


def test_filters_on_a_path_that_may_go_through_lists_are_not_merged() -> None:
    pair = filters(("a.x", "gt", 5), ("a.x", "lt", 3))
    assert rewritten(pair, RuleContext())[0] == tuple(pair)
    assert matches(FilterGroup("and", pair), {"a": [{"x": 9}, {"x": 1}]})
    single = RuleContext(single_valued=frozenset({"a.x"}))
    assert rewritten(pair, single)[0] == (NOTHING,)


def test_strings_that_read_as_dates_are_not_taken_to_exclude_each_other() -> None:
    pair = filters(("a", "eq", "2013-01-01"), ("a", "eq", "2013-01-01T00:00:00"))
    assert rewritten(pair, RuleContext())[0] == tuple(pair)


def test_a_pattern_without_metacharacters_becomes_contains_where_all_values_are_texts() -> None:
    pattern = filters(("a", "regex", "N9"))
    assert rewritten(pattern, RuleContext())[0] == tuple(pattern)
    texts = RuleContext(texts=frozenset({"a"}))
    assert rewritten(pattern, texts)[0] == tuple(filters(("a", "contains", "N9")))
    assert not matches(pattern[0], {"a": ["N9"]})


def test_common_factors_and_complements_are_found_in_nested_groups() -> None:
    a, b, c = filters(("a", "eq", 1), ("b", "gt", 2), ("c", "contains", "x"))
    either = (a & b) | (a & c)
    changed, _ = rewritten([either], RuleContext())
    assert {str(each) for each in changed} == {"a == 1", "(b > 2 or c contains 'x')"}
    assert rewritten([b | ~b], RuleContext())[0] == ()
    assert rewritten([a | (a & b)], RuleContext())[0] == (a,)


def test_a_rule_that_is_switched_off_changes_nothing() -> None:
    pair = filters(("a", "gt", 5), ("a", "gt", 7))
    changed, fired = rewritten(pair, RuleContext(), switched_off=frozenset({"merge_conjuncts"}))
    assert changed == tuple(pair)
    assert not fired


def test_what_fired_tells_before_and_after() -> None:
    _, fired = rewritten(filters(("a", "in", [4])), RuleContext())
    assert str(fired[0]) == "simplify_operators: a in (4,) -> a == 4"


def test_a_condition_nested_as_deep_as_allowed_is_left_as_it_is_rather_than_refused() -> None:
    a, b, c = filters(("a", "eq", 1), ("b", "gt", 2), ("c", "gt", 2))
    deep: Condition = (a & b) | (a & c)
    for level in range(61):
        other = QueryFilter("d", "gt", level)
        deep = FilterGroup("or" if level % 2 else "and", (deep, other))
    changed, _ = rewritten([deep], RuleContext())
    row = {"a": 1, "b": 3, "c": 0, "d": 100}
    assert matches(FilterGroup("and", changed), row) == matches(deep, row)


def test_a_field_sorted_by_twice_decides_once() -> None:
    keys = [SortField("a"), SortField("b", "desc"), SortField("a", "desc")]
    query = StructuredQuery(database="db", sort_fields=keys)
    assert needed_sort_fields(query) == tuple(keys[:2])


def test_constants_decide_or_disappear() -> None:
    a = QueryFilter("a", "eq", 1)
    assert rewritten([FilterGroup("and", [a, EVERYTHING])], RuleContext())[0] == (a,)
    assert rewritten([FilterGroup("or", [a, EVERYTHING])], RuleContext())[0] == ()
    assert rewritten([FilterGroup("and", [a, NOTHING])], RuleContext())[0] == (NOTHING,)
    assert rewritten([FilterGroup("or", [a, NOTHING], negate=True)], RuleContext())[0] == (~a,)
