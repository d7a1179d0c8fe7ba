"""How much a search is wanted, from what was asked."""

from __future__ import annotations

import pytest

from blackcore.minimal.query_engine import (
    QueryFilter,
    QueryPagination,
    QuerySearch,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.integration.interest import (
    FadingCounts,
    Interest,
    Wish,
    terms_of,
    wish_of,
)
from blackcore.minimal.query_engine.settings import SearchAwareSettings


def wish(text: str, way: str = "plain") -> Wish:
    return Wish(f"{text}/{way}", terms_of(text), way)


def interest_in(*asked: Wish, **settings: float) -> Interest:
    interest = Interest(SearchAwareSettings(**settings))  # type: ignore[arg-type]
    for each in asked:
        interest.note(each)
    return interest


def test_what_was_asked_more_and_later_is_wanted_more() -> None:
    war, sea, end = wish("war"), wish("sea"), wish("end")
    interest = interest_in(war, war, sea, *[end] * 3, half_life_searches=10)
    assert interest.of(end) > interest.of(war) > interest.of(sea) > 0
    for _ in range(40):
        interest.note(sea)
    assert interest.of(sea) > interest.of(end)


def test_nothing_is_wanted_before_anything_was_asked() -> None:
    assert interest_in().of(wish("war")) == 0


def test_a_new_search_starts_with_what_its_text_and_its_way_bring_along() -> None:
    asked = [wish("war"), wish("war"), wish("sea", "late"), wish("end", "late")]
    interest = interest_in(*asked)
    assert interest.of(wish("war", "late")) > interest.of(wish("sea", "early"))
    assert interest.of(wish("war", "late")) > interest.of(wish("war", "early"))
    assert interest.of(wish("never", "late")) == 0


def test_a_new_text_starts_with_a_part_of_its_rarest_term() -> None:
    interest = interest_in(*[wish("war")] * 9, wish("sea"))
    both, other = interest.of(wish("war sea")), interest.of(wish("war never"))
    assert both > other == 0
    assert interest_in(*[wish("war")] * 9, wish("sea"), term_share=0).of(wish("war sea")) == 0
    alone = [interest_in(*[wish("war")] * 9, term_share=part).of(wish("war")) for part in (0, 1)]
    assert alone[0] == alone[1]  # it is not counted twice


def test_a_search_s_own_share_counts_for_more_the_more_its_text_was_asked() -> None:
    ways = [wish("sea", "late")] * 30
    few = interest_in(*ways, *[wish("war", "early")] * 2)
    many = interest_in(*ways, *[wish("war", "early")] * 200)
    assert few.of(wish("war", "late")) > few.of(wish("war", "early"))  # as all are asked
    assert many.of(wish("war", "late")) < many.of(wish("war", "early"))  # as it is asked


def test_factors_are_parts_of_the_usual_within_bounds() -> None:
    interest = interest_in(*[wish("war")] * 50, min_factor=0.25, max_factor=3.0)
    assert interest.factor(wish("never")) == 0.25
    assert interest.factor(wish("war")) == 3.0


def test_the_way_is_all_but_the_text_page_and_projection() -> None:
    def way(text: str = "war", **more: object) -> str:
        query = StructuredQuery("db", search=text, **more)  # type: ignore[arg-type]
        assert query.search is not None
        return wish_of(query, query.search).way

    plain = way()
    assert way("sea") == plain
    assert way(pagination=QueryPagination(3, 10), select=["a"]) == plain
    others = [
        way(filters=[QueryFilter("a", "gt", 1)]),
        way(sort_fields=[SortField("a")]),
        way(distinct=True),
    ]
    for search in (QuerySearch("war", {"t": 2.0}), QuerySearch("war", None, 0.5)):
        query = StructuredQuery("db", search=search)
        others.append(wish_of(query, search).way)
    assert len({plain, *others}) == 6


def test_a_text_without_a_word_of_ours_is_its_own_term() -> None:
    assert terms_of("?!") == ("?!",)
    assert terms_of('War "the End" war') == ("war", "the end")


def test_a_count_asked_at_every_tick_comes_to_the_most() -> None:
    counts = FadingCounts(half_life=5, max_keys=10)
    for tick in range(1, 31):
        counts.add("war", tick)
    assert counts.value("war", 30) == pytest.approx(counts.most(30))


def test_the_faintest_are_forgotten_beyond_the_bound() -> None:
    counts = FadingCounts(half_life=5, max_keys=4)
    for tick, key in enumerate("aabcde"):
        counts.add(key, tick)
    assert len(counts) <= 4
    assert counts.value("e", 6) > 0
    assert counts.value("a", 6) > 0
    assert counts.value("b", 6) == 0
