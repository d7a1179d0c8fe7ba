"""Conditions of a known shape are rewritten again as the rules would, without asking them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import (
    CostBasedOptimizer,
    FilterGroup,
    QueryFilter,
    QueryPagination,
    SortField,
    StructuredQuery,
    field,
)
from blackcore.minimal.query_engine.optimization import QueryStatistics, known_rewritings
from blackcore.minimal.query_engine.optimization.condition_structure import Asked
from blackcore.minimal.query_engine.optimization.known_rewritings import KnownRewritings
from blackcore.minimal.query_engine.optimization.rules import RuleFired, context_of, rewritten
from blackcore.minimal.query_engine.optimization.statistics import ColumnState, FieldStatistics
from blackcore.minimal.query_engine.query import Condition
from tests.strategies import AGREEMENT

NOTHING_KNOWN = QueryStatistics("db", 10)
TEXTS_KNOWN = QueryStatistics(
    "db",
    10,
    {"b": FieldStatistics("b", 10, 10)},
    {"b": ColumnState("string"), "x.y": ColumnState("number")},
)

NUMBERS = st.sampled_from([-1, 0, 1, 1.0, 2, 2.5, 3, 2**70, float(2**70), float("inf")])
TEXTS = st.sampled_from(["", "a", "b", "ba", "A", "2020-01-01", "2020-01-01T00:00", "^a", "a|b"])
OTHERS = st.sampled_from(
    [None, True, False, date(2020, 1, 1), Decimal("1.5"), (1, 2), (None,), {"a": 1}]
)
BOUNDS = NUMBERS | TEXTS | st.sampled_from([date(2020, 1, 1), True])
VALUES = NUMBERS | TEXTS | OTHERS
FUZZY = st.builds(lambda text, least: {"text": text, "threshold": least}, TEXTS, st.just(0.5))
VALUES_OF: dict[str, st.SearchStrategy[Any]] = {
    "eq": VALUES,
    "ne": VALUES,
    "contains": VALUES,
    "in": st.lists(NUMBERS, max_size=3)
    | st.lists(TEXTS, max_size=3)
    | st.lists(VALUES, max_size=2),
    "not_in": st.lists(NUMBERS, max_size=3),
    "gt": BOUNDS,
    "gte": NUMBERS,
    "lt": BOUNDS,
    "lte": NUMBERS,
    "between": st.tuples(NUMBERS, NUMBERS) | st.tuples(TEXTS, TEXTS),
    "is_null": st.none(),
    "is_not_null": st.none(),
    "regex": st.sampled_from(["a", "^a", "a|b", "[ab]"]),
    "fuzzy": FUZZY | TEXTS,
}


@st.composite
def like_shaped(draw: st.DrawFn) -> list[list[Condition]]:
    """Return the same conditions several times, each time with other values."""
    leaf = st.tuples(
        st.sampled_from(["a", "a", "b", "x.y"]),
        st.sampled_from(sorted(VALUES_OF)),
        st.sampled_from([True, True, True, False]),
    )
    tree = st.recursive(
        leaf,
        lambda inner: st.tuples(
            st.sampled_from(["and", "or"]), st.lists(inner, max_size=3), st.booleans()
        ),
        max_leaves=6,
    )
    shapes = draw(st.lists(tree, min_size=1, max_size=4))
    return [[filled(draw, shape) for shape in shapes] for _ in range(4)]


def filled(draw: st.DrawFn, shape: Any) -> Condition:
    if isinstance(shape[1], list):
        return FilterGroup(shape[0], [filled(draw, inner) for inner in shape[1]], shape[2])
    path, operator, case_sensitive = shape
    return QueryFilter(path, operator, draw(VALUES_OF[operator]), case_sensitive)


def rewritten_by(
    known: KnownRewritings, asked: list[Condition], statistics: QueryStatistics = NOTHING_KNOWN
) -> tuple[tuple[Condition, ...], Sequence[RuleFired]]:
    apart = Asked()
    return known.rewritten(tuple(asked), statistics, apart if apart.add(asked) else None)


@AGREEMENT
@given(like_shaped(), st.permutations([NOTHING_KNOWN, TEXTS_KNOWN, TEXTS_KNOWN, NOTHING_KNOWN]))
def test_what_is_made_again_is_what_the_rules_make(
    askings: list[list[Condition]], known_of: list[QueryStatistics]
) -> None:
    known = KnownRewritings()
    for asked, statistics in zip(askings, known_of, strict=True):
        conditions, fired = rewritten_by(known, asked, statistics)
        by_rules, rules_fired = rewritten(asked, context_of(statistics))
        assert repr(conditions) == repr(by_rules)
        assert tuple(fired) == rules_fired


def either(*codes: str) -> list[Condition]:
    """Return conditions that four rules rewrite, the same for all codes."""
    return [FilterGroup("or", [field("a") == code for code in codes]), field("b") >= 1]


def made(known: KnownRewritings, conditions: list[Condition]) -> str:
    made_of_them, fired = rewritten_by(known, conditions)
    is_known = isinstance(fired, known_rewritings.RulesFired)
    return f"{'known' if is_known else 'new'}: {' and '.join(map(str, made_of_them))}"


def test_other_values_of_a_shape_are_rewritten_without_asking_the_rules() -> None:
    known = KnownRewritings()
    assert made(known, either("x", "y")) == "new: a in ('x', 'y') and b >= 1"
    assert made(known, either("p", "q")) == "known: a in ('p', 'q') and b >= 1"


def test_values_that_are_equal_are_another_shape_where_the_others_are_not() -> None:
    known = KnownRewritings()
    assert made(known, either("x", "y")) == "new: a in ('x', 'y') and b >= 1"
    assert made(known, either("x", "x")) == "new: a == 'x' and b >= 1"
    assert made(known, either("z", "z")) == "known: a == 'z' and b >= 1"


def test_bounds_that_cross_are_another_shape_than_those_that_do_not() -> None:
    known = KnownRewritings()

    def between(low: int, high: int) -> list[Condition]:
        return [field("a") > low, field("a") < high]

    assert made(known, between(1, 5)).startswith("new: a > 1")
    assert made(known, between(2, 7)).startswith("known: a > 2")
    assert made(known, between(7, 2)) == "new: (no condition (or))"
    assert made(known, between(9, 1)) == "known: (no condition (or))"


def test_what_holds_of_one_value_is_not_made_again_where_there_may_be_several() -> None:
    known = KnownRewritings()
    never = [field("x.y") > 5, field("x.y") < 1]
    for statistics, left in ((TEXTS_KNOWN, 1), (NOTHING_KNOWN, 2), (TEXTS_KNOWN, 1)):
        assert len(rewritten_by(known, never, statistics)[0]) == left


@pytest.mark.parametrize(
    "condition",
    [
        FilterGroup("or", [QueryFilter("a", "eq", "x", False), field("a") == "y"]),
        FilterGroup("or", [field("a") == "2020-01-01", field("a") == "2020-01-02"]),
        FilterGroup("or", [field("a") == 1, field("a") == "1"]),
        FilterGroup("or", [field("a") == [1], field("a") == [2]]),
        field("a").is_in([[None]]),
        FilterGroup("or", [field("a") == date(2020, 1, 1), field("a") == date(2020, 1, 2)]),
        field("a").regex("^abc"),
    ],
    ids=[
        "case to fold",
        "texts of dates",
        "several types",
        "lists",
        "a list in a list",
        "days",
        "plain text",
    ],
)
def test_what_a_shape_says_too_little_of_is_left_to_the_rules(condition: Condition) -> None:
    known = KnownRewritings()
    first, again = made(known, [condition]), made(known, [condition])
    assert first == again
    assert again.startswith("new")


def test_what_a_rule_derives_from_a_value_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(conditions: Any, *_: Any, **__: Any) -> Any:
        return tuple(QueryFilter(c.field, c.operator, c.value * 2) for c in conditions), ()

    monkeypatch.setattr(known_rewritings, "rewritten", doubled)
    known = KnownRewritings()
    assert made(known, [field("a") == 1]) == "new: a == 2"
    assert made(known, [field("a") == 2]) == "new: a == 4"


def test_what_fired_is_told_of_known_shapes_too_with_their_own_values() -> None:
    known = KnownRewritings()
    made(known, either("x", "y"))
    _, fired = rewritten_by(known, either("p", "q"))
    assert [str(rule) for rule in fired] == [
        "join_equalities: (a == 'p' or a == 'q') -> a in ('p', 'q')"
    ]
    assert fired[0].name == "join_equalities"
    assert fired[:1] == tuple(fired)
    assert "join_equalities" in repr(fired)


def test_rules_that_are_switched_off_stay_so() -> None:
    known = KnownRewritings(frozenset({"join_equalities"}))
    written = "(a == 'x' or a == 'y') and b >= 1"
    assert made(known, either("x", "y")) == f"new: {written}"
    assert made(known, either("x", "y")) == f"known: {written}"


def test_as_many_structures_are_kept_as_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_rewritings, "_MAX_STRUCTURES", 2)
    known = KnownRewritings()
    shapes = [either(*"xyzuv"[:count]) for count in (2, 3, 4)]
    for shape in shapes:
        made(known, shape)
    assert [made(known, shape)[:3] for shape in reversed(shapes)] == ["kno", "kno", "new"]


def test_as_many_shapes_of_a_structure_are_kept_as_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_rewritings, "_MAX_SHAPES", 2)
    known = KnownRewritings()
    shapes = [either("x", "y", "z"), either("x", "x", "z"), either("x", "y", "x")]
    assert [made(known, shape)[:3] for shape in shapes] == ["new", "new", "new"]
    assert [made(known, shape)[:3] for shape in reversed(shapes)] == ["kno", "new", "new"]


def test_conditions_of_many_values_are_left_to_the_rules() -> None:
    known = KnownRewritings()
    many = either(*(f"code {number}" for number in range(30)))
    assert made(known, many) == made(known, many)
    assert made(known, many).startswith("new")


def test_an_optimizer_tells_the_rules_of_filters_and_of_the_order_together() -> None:
    optimizer = CostBasedOptimizer()
    known = [optimizer.optimize_query(_sorted(codes), NOTHING_KNOWN) for codes in ("xy", "pq")]
    names = ["join_equalities", "take_top_rows"]
    assert [[rule.name for rule in made_of.rules_fired] for made_of in known] == [names, names]


def _sorted(codes: str) -> StructuredQuery:
    return StructuredQuery(
        database="db",
        filters=either(*codes),
        sort_fields=[SortField("b")],
        pagination=QueryPagination(1, 10),
    )
