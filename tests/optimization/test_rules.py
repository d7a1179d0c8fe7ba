"""Each rule changes how a condition is asked, never what it asks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import FilterGroup, QueryFilter, SortField, StructuredQuery
from blackcore.minimal.query_engine.data import Records, StringColumn
from blackcore.minimal.query_engine.optimization import CostBasedOptimizer, gather
from blackcore.minimal.query_engine.optimization.logic import EVERYTHING, NOTHING
from blackcore.minimal.query_engine.optimization.query_optimizer import needed_fields
from blackcore.minimal.query_engine.optimization.rules import (
    CONDITION_RULES,
    ORDERING_RULES,
    RULE_NAMES,
    RULES,
    Ordering,
    RuleContext,
    are_plain,
    ordered,
    rewritten,
)
from blackcore.minimal.query_engine.optimization.rules.filters import literal_of
from blackcore.minimal.query_engine.query import Condition, matches
from tests.strategies import AGREEMENT, PATHS, cases, conditions, databases


def true_context(rows: list[dict[str, Any]]) -> RuleContext:
    """Return what columns of all paths would tell."""
    records = Records("db", rows)
    columns = {path: records.column(path) for path in PATHS}
    built = {path: column for path, column in columns.items() if column is not None}
    texts = {path for path, column in built.items() if isinstance(column, StringColumn)}
    return RuleContext(single_valued=frozenset(built), texts=frozenset(texts))


def filters(*texts: tuple[str, str, Any]) -> list[QueryFilter]:
    return [QueryFilter(path, operator, value) for path, operator, value in texts]


def found(condition: Condition, rows: list[dict[str, Any]]) -> list[int]:
    return [i for i, row in enumerate(rows) if matches(condition, row)]


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Condition]]:
    rows = draw(databases())
    few = st.sampled_from(draw(st.lists(conditions(rows), min_size=1, max_size=3)))
    # the same few conditions again and again, negated and grouped: what rules feed on
    tree = st.recursive(
        few | few.map(lambda c: ~c),
        lambda inner: st.builds(
            FilterGroup,
            mode=st.sampled_from(["and", "or"]),
            filters=st.lists(inner, max_size=3),
            negate=st.booleans(),
        ),
        max_leaves=6,
    )
    return rows, draw(st.lists(tree, min_size=1, max_size=3))


@AGREEMENT
@given(trees())
def test_all_rules_together_keep_the_meaning(
    case: tuple[list[dict[str, Any]], list[Condition]],
) -> None:
    rows, given_conditions = case
    expected = found(FilterGroup("and", given_conditions), rows)
    for context in (RuleContext(), true_context(rows)):
        changed, fired = rewritten(given_conditions, context)
        assert not (fired and are_plain(given_conditions))
        assert found(FilterGroup("and", changed), rows) == expected


@cases(60, 2_000)
@given(trees())
def test_each_rule_alone_keeps_the_meaning_also_under_not(
    case: tuple[list[dict[str, Any]], list[Condition]],
) -> None:
    rows, given_conditions = case
    context = true_context(rows)
    for condition in (*given_conditions, FilterGroup("and", given_conditions)):
        for node in (condition, FilterGroup("or", (condition,), negate=True)):
            expected = found(node, rows)
            for rule in CONDITION_RULES:
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


def keys(*names: str) -> tuple[SortField, ...]:
    return tuple(SortField(name.lstrip("-"), "desc" if name[0] == "-" else "asc") for name in names)


@pytest.mark.parametrize(
    ("before", "unique", "after"),
    [
        (Ordering(keys("a", "-b", "-a")), "", Ordering(keys("a", "-b"))),
        (Ordering(keys("a", "b", "c")), "b", Ordering(keys("a", "b"))),
        (Ordering(keys("a", "b")), "b", Ordering(keys("a", "b"))),
        (Ordering(keys("a"), 10), "", Ordering(keys("a"), 10, limit=10)),
        (Ordering(keys("a"), 10, distinct=True), "", Ordering(keys("a"), 10, True, limit=10)),
        (Ordering((), 10), "", Ordering((), 10, limit=10)),
        (Ordering((), 10, distinct=True), "", Ordering((), 10, distinct=True)),
        (Ordering((), 10, searches=True), "", Ordering((), 10, searches=True)),
        (Ordering(), "a", Ordering()),
    ],
    ids=str,
)
def test_an_order_has_no_more_keys_and_rows_than_it_needs(
    before: Ordering, unique: str, after: Ordering
) -> None:
    changed, fired = ordered(before, RuleContext(unique=frozenset(unique)))
    assert changed == after
    assert bool(fired) is (after != before)


def test_a_key_that_is_unique_is_the_last_one_sorted_by_and_the_order_stays_the_same() -> None:
    rows: list[dict[str, Any]] = [{"id": n, "a": n % 3, "b": -n} for n in (3, 1, 2, 0)]
    records = Records("db", rows)
    query = StructuredQuery(database="db", sort_fields=keys("a", "id", "b"))
    made = CostBasedOptimizer().optimize_query(query, gather(records, needed_fields(query)))
    assert made.plan.sort_fields == keys("a", "id")
    assert [str(rule) for rule in made.rules_fired] == [
        "drop_decided_keys: all rows by a, id, b -> all rows by a, id"
    ]
    rows.append({"id": 3, "a": 0, "b": 9})
    again = Records("db", rows)
    made = CostBasedOptimizer().optimize_query(query, gather(again, needed_fields(query)))
    assert made.plan.sort_fields == query.sort_fields


@pytest.mark.parametrize("rule", ORDERING_RULES)
def test_each_rule_for_the_order_can_be_switched_off(rule: Any) -> None:
    for ordering in (Ordering(keys("a", "a"), 10), Ordering((), 10)):
        off, _ = ordered(ordering, RuleContext(), switched_off=frozenset({rule.__name__}))
        changed, fired = ordered(ordering, RuleContext())
        if rule.__name__ in {each.name for each in fired}:
            assert off != changed
        else:
            assert off == changed


def test_all_rules_stand_in_one_tuple_each_with_a_name_of_its_own() -> None:
    assert RULES == CONDITION_RULES + ORDERING_RULES
    assert len(RULE_NAMES) == len(RULES)
    for rule in RULES:
        assert ">>> " in str(rule.__doc__), rule


def test_plain_questions_are_seen_to_be_plain() -> None:
    plain = filters(("a", "eq", 1), ("b", "in", [1, 2]), ("c", "regex", "^a+"), ("d", "lt", 2))
    assert are_plain(plain)
    for other in filters(
        ("e", "in", [1, 1.0]),
        ("e", "regex", "^a"),
        ("e", "eq", None),
        ("e", "between", [2, 1]),
        ("e", "gt", True),
        ("a", "eq", 2),
        ("c", "regex", "^b+"),
        ("c", "gt", "b"),
        ("c", "not_contains", "b"),
    ):
        assert not are_plain([*plain, other])
    of_one_text = filters(("c", "contains", "b"), ("c", "fuzzy", "b"))
    assert are_plain([*plain, *of_one_text])
    assert not are_plain([*plain, *of_one_text, QueryFilter("c", "contains", "b")])
    assert are_plain([QueryFilter("c", "regex", "^a", False)])
    assert not are_plain([QueryFilter("c", "eq", "A", False)])
    assert not are_plain([FilterGroup("and", plain)])


PREFIXES = ["a", "ab", "é", "\ud7ff", "\uffff", "z\x00", "🙂", "2013", "A-b", " "]
STARTS = [*PREFIXES, "", "b", "aa", "b\U0010ffff", "é1", "\ue000", "2013-01-01", "A-bc", "ab🙂"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_texts_that_start_with_a_prefix_are_those_the_pattern_finds(prefix: str) -> None:
    texts = RuleContext(texts=frozenset({"a"}))
    rows: list[dict[str, Any]] = [{"a": text} for text in (*STARTS, None)]
    for pattern in (f"^{prefix}", prefix):
        asked = [QueryFilter("a", "regex", pattern)]
        for node in (*asked, *(~condition for condition in asked)):
            changed, fired = rewritten([node], texts)
            assert found(FilterGroup("and", changed), rows) == found(node, rows)
            assert bool(fired) is (literal_of(pattern) is not None)


@pytest.mark.parametrize(
    "pattern", ["", "^", "^a+", "a|b", "(?i)a", "^a$", "a.b", "\\d", "^a^", "^a\ufffd", "[a]"]
)
def test_real_patterns_stay_patterns(pattern: str) -> None:
    texts = RuleContext(texts=frozenset({"a"}))
    asked = filters(("a", "regex", pattern))
    assert rewritten(asked, texts)[0] == tuple(asked)


def test_a_prefix_meets_the_other_ranges_on_its_field() -> None:
    texts = RuleContext(texts=frozenset({"a"}))
    changed, _ = rewritten(filters(("a", "regex", "^N9"), ("a", "gt", "N95")), texts)
    assert [str(each) for each in changed] == ["a > 'N95'", "a < 'N:'"]
    assert rewritten(filters(("a", "regex", "^N9"), ("a", "lt", "M")), texts)[0] == (NOTHING,)


def test_a_pattern_asks_no_dates_no_lists_and_no_other_types_plainly() -> None:
    for rows in ([{"a": "x"}, {"a": date(2013, 1, 1)}], [{"a": "x"}, {"a": ["x"]}]):
        query = StructuredQuery(database="db", filters=filters(("a", "regex", "^x")))
        statistics = gather(Records("db", rows), ["a"])
        assert CostBasedOptimizer().optimize_query(query, statistics).filters == query.filters
    through = [{"a": [{"x": "ab"}, {"x": "b"}]}]
    query = StructuredQuery(database="db", filters=filters(("a.x", "regex", "^b")))
    statistics = gather(Records("db", through), ["a.x"])
    assert CostBasedOptimizer().optimize_query(query, statistics).filters == query.filters


NEVER = [
    ("between", [9, 1]),
    ("between", ["b", "a"]),
    ("between", [1, "a"]),
    ("between", [True, 2]),
]
NEVER += [("gt", True), ("lte", [1]), ("gte", {"x": 1}), ("lt", None), ("between", [[1], [2]])]


@pytest.mark.parametrize(("operator", "value"), NEVER)
def test_bounds_that_no_value_is_between_are_nothing_and_everything_under_not(
    operator: str, value: Any
) -> None:
    rows: list[dict[str, Any]] = [
        {"a": v} for v in (None, True, False, 1, 5, 9.5, "a", "b", [1], [2], {"x": 1}, [5, "a"])
    ]
    rows.append({"a": [{"x": 1}, {"x": 2}]})
    asked = QueryFilter("a", operator, value)
    assert found(asked, rows) == []
    assert rewritten([asked], RuleContext())[0] == (NOTHING,)
    assert rewritten([~asked], RuleContext())[0] == ()


def test_bounds_that_read_as_dates_are_left_alone() -> None:
    crossed = filters(("a", "between", ["2013-01-01T01:00:00+01:00", "2013-01-01"]))
    assert rewritten(crossed, RuleContext())[0] == tuple(crossed)


@pytest.mark.parametrize("operator", ["in", "not_in"])
def test_values_asked_for_twice_in_a_list_are_asked_for_once(operator: str) -> None:
    asked = QueryFilter("a", operator, [1, True, 1.0, "x", "x", 0.5])
    changed = rewritten([asked], RuleContext())[0]
    rows = [{"a": v} for v in (1, True, "x", 0.5, None, 2, False)]
    assert len(changed[0].value) == 4  # type: ignore[union-attr, arg-type]  # a filter with a list
    assert found(changed[0], rows) == found(asked, rows)
    nested = QueryFilter("a", operator, [[1], [True], [1]])
    assert rewritten([nested], RuleContext())[0] == (nested,)


LISTS: list[dict[str, Any]] = [
    {"a": [{"x": low}, {"x": high}]} for low in (0, 1, 5, "b", None) for high in (2, 9, "a")
]


@pytest.mark.parametrize(
    "pair",
    [
        filters(("a.x", "gte", 1), ("a.x", "lte", 0)),
        filters(("a.x", "gt", 4), ("a.x", "lt", 3)),
        filters(("a.x", "eq", 1), ("a.x", "eq", 9)),
        filters(("a.x", "in", [1, 5]), ("a.x", "in", [2, 9])),
        filters(("a.x", "between", [5, 6]), ("a.x", "between", [8, 9])),
        filters(("a.x", "is_null", None), ("a.x", "gt", 1)),
        filters(("a.x", "eq", 1), ("a.x", "ne", 2)),
        filters(("a.x", "contains", "a"), ("a.x", "contains", "b")),
    ],
    ids=lambda pair: " and ".join(map(str, pair)),
)
def test_two_elements_of_a_list_may_each_satisfy_one_of_two_filters(
    pair: list[QueryFilter],
) -> None:
    both = FilterGroup("and", pair)
    for node in (both, ~both, FilterGroup("or", pair), ~FilterGroup("or", pair)):
        for context in (RuleContext(), true_context(LISTS)):
            changed, _ = rewritten([node], context)
            assert found(FilterGroup("and", changed), LISTS) == found(node, LISTS)
    assert found(both, LISTS) or pair[1].operator == "ne" or pair[1].operator == "gt"


def test_constants_decide_or_disappear() -> None:
    a = QueryFilter("a", "eq", 1)
    assert rewritten([FilterGroup("and", [a, EVERYTHING])], RuleContext())[0] == (a,)
    assert rewritten([FilterGroup("or", [a, EVERYTHING])], RuleContext())[0] == ()
    assert rewritten([FilterGroup("and", [a, NOTHING])], RuleContext())[0] == (NOTHING,)
    assert rewritten([FilterGroup("or", [a, NOTHING], negate=True)], RuleContext())[0] == (~a,)


TEXTS = RuleContext(texts=frozenset({"t"}), single_valued=frozenset({"t"}))
A, B, C = filters(("a", "eq", 1), ("b", "gt", 2), ("c", "contains", "x"))
FIRED_BY: dict[str, list[Condition]] = {
    "push_negation_down": [FilterGroup("or", [A, B], negate=True)],
    "flatten_groups": [FilterGroup("and", [A, FilterGroup("and", [B, C])])],
    "fold_case_once": [QueryFilter("c", "contains", "X", False)],
    "simplify_operators": filters(("a", "in", [1])),
    "search_literals_plainly": filters(("t", "regex", "x")),
    "search_prefixes": filters(("t", "regex", "^x")),
    "fold_constants": [FilterGroup("or", [A, EVERYTHING])],
    "drop_duplicates": [FilterGroup("or", [B, B])],
    "drop_complements": [FilterGroup("or", [A, ~A])],
    "pull_common_factors": [FilterGroup("or", [A & B, A & C])],
    "join_equalities": [FilterGroup("or", filters(("a", "eq", 1), ("a", "eq", 3)))],
    "merge_conjuncts": filters(("a", "gt", 0), ("a", "gt", 1)),
}
RULE_ROWS: list[dict[str, Any]] = [
    {"a": a, "b": b, "c": c, "t": t}
    for a in (None, 0, 1, 3, "1")
    for b, c, t in ((None, None, None), (3, "xX", "x"), (1, "y", "yx"), (3.5, ["x"], "xy"))
]


@pytest.mark.parametrize("rule", CONDITION_RULES, ids=lambda rule: str(rule.__name__))
def test_each_rule_fires_where_it_is_meant_to_and_not_where_it_is_switched_off(rule: Any) -> None:
    name = rule.__name__
    given_conditions = FIRED_BY[name]
    changed, fired = rewritten(given_conditions, TEXTS)
    assert name in {each.name for each in fired}
    without, others = rewritten(given_conditions, TEXTS, switched_off=frozenset({name}))
    assert name not in {each.name for each in others}
    expected = found(FilterGroup("and", given_conditions), RULE_ROWS)
    assert found(FilterGroup("and", changed), RULE_ROWS) == expected
    assert found(FilterGroup("and", without), RULE_ROWS) == expected
