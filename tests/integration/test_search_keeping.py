"""Which answers to searches stay in the cache."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pytest

from blackcore.minimal.query_engine import (
    CacheSettings,
    MemoryCache,
    QueryEngine,
    QueryFilter,
    StructuredQuery,
)
from blackcore.minimal.query_engine.cache.tuning import SelfTuningCache
from blackcore.minimal.query_engine.integration import SearchAwareCacheOptimizer
from blackcore.minimal.query_engine.integration.tracked_searches import DrawableSet
from tests.integration.searching import WORDS, Foreign, Setup, rows_of, search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackcore.minimal.query_engine.settings import CachePolicy


@pytest.fixture
def loader(make_loader: Any) -> Any:
    return make_loader(db=rows_of())


@pytest.mark.parametrize("policy", ["lru", "s3fifo"])
def test_an_answer_wanted_more_comes_back_and_the_newcomer_goes(loader: Any, policy: Any) -> None:
    setup = Setup(loader, cache=MemoryCache(max_entries=2, policy=policy))
    setup.ask("war", "war", "war", "sea", "sea", "end")
    assert setup.kept("war", "sea", "end") == ["war", "sea"]
    done = setup.optimizer.statistics()
    assert (done["turned_away"], done["brought_back"], done["searches"]) == (1, 1, 6)


def test_the_least_wanted_goes_even_where_the_policy_chose_another(loader: Any) -> None:
    setup = Setup(loader, cache=MemoryCache(max_entries=3))
    # by LRU it would be war's turn
    setup.ask(*["war"] * 5, "sea", *["end"] * 3, "road", "road")
    assert setup.kept(*WORDS) == ["war", "end", "road"]
    done = setup.optimizer.statistics()
    assert done["brought_back"] == 1
    assert "turned_away" not in done


def test_a_newcomer_wanted_as_much_as_others_stays(loader: Any) -> None:
    setup = Setup(loader, cache=MemoryCache(max_entries=2))
    setup.ask("war", "sea", "end")
    assert setup.kept("war", "sea", "end") == ["sea", "end"]
    assert "brought_back" not in setup.optimizer.statistics()


@pytest.fixture
def uneven(make_loader: Any) -> Any:
    """2,000 rows hold "war", which weigh some 8,400 bytes, and one each of the other words."""
    return make_loader(db=[{"t": "war"}] * 2_000 + [{"t": word} for word in WORDS[1:]])


def of_bytes(most: int) -> MemoryCache:
    return MemoryCache(max_size_mb=most / 2**20)


def test_a_large_newcomer_does_not_push_out_small_ones_that_are_wanted(uneven: Any) -> None:
    setup = Setup(uneven, cache=of_bytes(9_500))
    small = WORDS[1:6]
    setup.ask(*small * 3)
    setup.ask("war")
    assert setup.kept(*WORDS) == small
    assert setup.optimizer.statistics()["brought_back"] >= 3
    setup.optimizer.detach()
    setup.ask("war")
    assert len(setup.kept(*small)) < 3  # as it is without


def test_a_cache_that_finds_its_size_is_told_who_had_to_leave_in_the_end(uneven: Any) -> None:
    sizes = CacheSettings(max_size_mb=9_500 / 2**20, policy="lru", auto_tune=True)
    cache = SelfTuningCache(sizes, available_bytes=lambda: 2**40)
    setup = Setup(uneven, cache=cache)
    small = WORDS[1:6]
    setup.ask(*small * 3)
    setup.ask("war")
    assert setup.kept(*WORDS) == small
    assert list(cache._ghost._weights) == [setup.engine.answer_key(search("war"))]


def test_small_ones_make_room_for_a_large_one_that_is_wanted_more_than_all_of_them(
    uneven: Any,
) -> None:
    setup = Setup(uneven, cache=of_bytes(9_500))
    setup.ask(*["war"] * 50, "peace", "love")
    assert setup.kept(*WORDS) == ["war", "peace", "love"]
    setup.ask("end")  # by LRU it is war's turn
    kept = setup.kept(*WORDS)
    assert "war" in kept
    assert len(kept) == 3
    assert setup.cache.get_statistics().memory_used_bytes <= 9_500


def test_by_gdsf_the_dearer_of_two_wanted_alike_stays(loader: Any, monkeypatch: Any) -> None:
    setup = Setup(loader, cache=MemoryCache(max_entries=2, policy="gdsf"))
    took = iter([9_000_000, 1_000_000, 2_000_000])

    def costing(event: Any) -> None:
        event_of = type(event)
        parts = {name: getattr(event, name) for name in event_of.__slots__}
        SearchAwareCacheOptimizer.answered(
            setup.optimizer, event_of(**{**parts, "elapsed_ns": next(took)})
        )

    monkeypatch.setattr(setup.optimizer, "answered", costing)
    setup.ask("war", "sea", "end")
    assert setup.kept("war", "sea", "end") == ["war", "end"]


def test_an_answer_brought_back_does_not_outlive_its_time(loader: Any, clock: Any) -> None:
    setup = Setup(
        loader,
        cache=MemoryCache(max_entries=2, ttl_seconds=100, clock=clock),
        clock=clock,
        max_factor=1.0,
        min_factor=1.0,
    )
    setup.ask("war", "war", "war")
    clock.pass_by(60)
    setup.ask("sea", "sea", "end")
    assert setup.ask("war") == [True]
    clock.pass_by(41)
    assert setup.ask("war") == [False]


def test_what_came_back_goes_again_when_it_is_the_least_wanted(loader: Any) -> None:
    setup = Setup(loader, cache=MemoryCache(max_entries=2), half_life_searches=5)
    setup.ask("war", "war", "sea", "sea", "end")
    assert setup.kept("war", "sea") == ["war", "sea"]
    setup.ask(*["sea"] * 20, "road", "road", "night")
    assert setup.kept(*WORDS) == ["sea", "night"] or setup.kept(*WORDS) == ["sea", "road"]


def test_what_is_asked_much_lives_longer_within_bounds(loader: Any, clock: Any) -> None:
    setup = Setup(loader, clock=clock, max_factor=2.0, half_life_searches=50)
    for word in WORDS[2:]:
        setup.ask(word, *["war"] * 3)
    setup.cache.delete(setup.engine.answer_key(search("war")))
    setup.ask("war", "love house")
    described = setup.cache.describe(setup.engine.answer_key(search("war")))
    assert described is not None
    assert described.ttl == 200
    rare = setup.cache.describe(setup.engine.answer_key(search("love house")))
    assert rare is not None
    assert 50 <= rare.ttl < 100


def test_an_answer_that_comes_to_be_asked_much_lives_longer_from_then_on(
    loader: Any, clock: Any
) -> None:
    setup = Setup(loader, clock=clock, max_factor=3.0, min_factor=1.0)
    setup.ask("war")
    for word in WORDS[1:]:
        setup.ask(word, "war", "war")
    clock.pass_by(90)
    assert setup.ask("war") == [True]
    clock.pass_by(200)  # 290 of 300 seconds, where others have 100
    assert setup.ask("war", "sea") == [True, False]
    clock.pass_by(11)
    assert setup.ask("war") == [False]


def test_what_is_wanted_more_counts_for_more_cost_within_bounds(loader: Any) -> None:
    setup = Setup(loader, max_factor=2.0, min_factor=0.5, half_life_searches=10)
    for word in WORDS[2:]:
        setup.ask(word, *["war"] * 3)
    setup.cache.delete(setup.engine.answer_key(search("war")))

    def counted(text: str) -> float:
        """Return what a hit saves by the cache's count, in parts of what computing it took."""
        setup.ask(text)
        search_ = setup.optimizer._tracked.by_key(setup.engine.answer_key(search(text)))
        assert search_ is not None
        before = setup.cache.get_statistics().compute_seconds_saved
        assert setup.ask(text) == [True]
        saved = setup.cache.get_statistics().compute_seconds_saved - before
        return saved / search_.cost_seconds

    assert counted("war") == pytest.approx(2.0)
    assert 0.5 <= counted("house night road") < 1.3


def test_an_answer_of_a_version_that_is_gone_does_not_come_back(loader: Any) -> None:
    setup = Setup(loader, cache=MemoryCache(max_entries=2), old_version_seconds=0)
    setup.ask(*["war"] * 9, "sea")
    old = setup.engine.answer_key(search("war"))
    entry = setup.cache.get(old)
    setup.engine.refresh("db")
    setup.ask("end")
    setup.cache.set(old, entry)  # a late thread kept what it had computed from the old rows
    setup.ask("road", "night")
    assert old not in setup.cache


def test_answers_to_other_questions_are_left_to_the_policy(loader: Any) -> None:
    setup = Setup(loader, cache=MemoryCache(max_entries=2))
    plain = StructuredQuery("db", [QueryFilter("id", "gt", 3)])
    for _ in range(5):
        setup.engine.execute(plain)
    setup.ask("war", "sea")
    assert not setup.engine.execute(plain).from_cache
    assert "brought_back" not in setup.optimizer.statistics()


def test_of_a_foreign_cache_nothing_is_chosen_and_all_is_answered(loader: Any) -> None:
    setup = Setup(loader, cache=Foreign())
    assert setup.ask("war", "war", "sea", "war") == [False, True, False, True]
    assert setup.optimizer.statistics() == {"searches": 4}


def test_threads_that_search_leave_the_cache_within_its_bounds_and_right(loader: Any) -> None:
    setup = Setup(loader, cache=MemoryCache(max_entries=3))
    plain = QueryEngine(loader, setup.search, cache=False)
    expected = {word: plain.execute(search(word)).data for word in WORDS}
    wrong: list[str] = []

    def ask(seed: int) -> None:
        draw = random.Random(seed)  # noqa: S311 - a replay
        for _ in range(60):
            word = draw.choices(WORDS, range(1, len(WORDS) + 1))[0]
            if setup.engine.execute(search(word)).data != expected[word]:
                wrong.append(word)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(setup.cache) <= 3
    assert setup.engine.statistics().observer_failures == 0
    assert setup.optimizer.statistics()["searches"] == 240


def shifting(words: list[str], count: int, seed: int) -> Iterator[StructuredQuery]:
    """Yield searches whose topics come and go, among others that are asked once."""
    draw = random.Random(seed)  # noqa: S311 - a replay
    topics = [draw.sample(words, 20) for _ in range(40)]
    popular = [1 / (rank + 1) for rank in range(20)]
    active = draw.sample(range(40), 4)
    for number in range(count):
        if number % 300 == 0:
            active[draw.randrange(4)] = draw.randrange(40)
        is_stray = draw.random() < 0.3
        topic = words if is_stray else topics[draw.choice(active)]
        text = draw.choices(topic, None if is_stray else popular)[0]
        least = draw.choices(range(8), [1 / (rank + 1) for rank in range(8)])[0]
        yield StructuredQuery("db", [QueryFilter("id", "gt", least)], search=text)


class Known:
    """A search engine that knows where each word stands, so that a replay is quick."""

    scores_depend_on_corpus = False

    def calculate_relevance_score(self, item: Any, query_text: str) -> float:
        return float(item["t"] == query_text)

    def search(self, query_text: str, data: list[Any], config: Any) -> list[Any]:
        at = int(query_text.removeprefix("w"))
        return [{"entity": data[at], "score": 1.0}]


def hit_rate(policy: CachePolicy, seed: int, count: int, *, aware: bool) -> float:
    words = [f"w{at}" for at in range(1_000)]
    rows = [{"id": at, "t": word} for at, word in enumerate(words)]

    class Rows:
        def load_database(self, name: str) -> list[dict[str, Any]]:
            return rows

        def get_available_databases(self) -> list[str]:
            return ["db"]

        def refresh_cache(self, name: str | None = None) -> None: ...

    cache, engine = MemoryCache(max_entries=50, policy=policy), Known()
    asked = QueryEngine(Rows(), engine, cache)
    if aware:
        SearchAwareCacheOptimizer(cache, engine, asked)
    return sum(asked.execute(each).from_cache for each in shifting(words, count, seed)) / count


@pytest.mark.parametrize(
    ("policy", "seed", "count"),
    [
        ("s3fifo", 1, 1_500),
        *(
            pytest.param(policy, seed, 6_000, marks=pytest.mark.deep)
            for policy in ("lru", "s3fifo")
            for seed in (1, 2, 3)
        ),
    ],
)
def test_a_stream_with_shifting_interests_has_more_hits_than_by_the_policy_alone(
    policy: Any, seed: int, count: int
) -> None:
    plain, aware = (hit_rate(policy, seed, count, aware=aware) for aware in (False, True))
    assert aware - plain >= 0.03


def test_drawing_gives_each_member_once_and_in_the_long_run_alike() -> None:
    some: DrawableSet[int] = DrawableSet()
    for member in (*range(40), 7):
        some.add(member)
    for member in (*range(20, 40), 39):
        some.discard(member)
    assert len(some) == 20
    drawn = [some.draw(5) for _ in range(400)]
    assert all(len(set(each)) == 5 for each in drawn)
    counts = [sum(member in each for each in drawn) for member in range(20)]
    assert min(counts) > 60
    assert sorted(some.draw(99)) == [*range(20)]
