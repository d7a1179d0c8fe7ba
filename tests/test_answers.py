"""Answers in the cache: found for their question and version alone, whatever cache it is."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from blackcore.minimal.query_engine import (
    CacheError,
    CacheSettings,
    CacheStatistics,
    MemoryCache,
    QueryFilter,
    QueryPagination,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.answers import AnswerCache
from blackcore.minimal.query_engine.data import Answer, Records
from blackcore.minimal.query_engine.monitoring import Monitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

QUERY = StructuredQuery(database="d", filters=[QueryFilter("n", "gt", 1)])
RECORDS = Records("d", [{"n": n} for n in range(5)], "v1")


def answer(*ids: int, total: int | None = None) -> Answer:
    return Answer(np.array(ids, dtype=np.uint32), len(ids) if total is None else total)


class Shelf:
    """A cache of somebody else's: keeps in a dict, or does what it is told instead."""

    def __init__(self, get: Any = None, keep: Any = None, tell: Any = None) -> None:
        self.kept: dict[str, object] = {}
        self.tags: dict[str, tuple[str, ...]] = {}
        self.get, self.keep, self.tell = get, keep, tell

    def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object | None:
        if isinstance(self.get, Exception):
            raise self.get
        return self.kept.get(query_hash) if self.get is None else self.get

    def cache_result(
        self, query_hash: str, result: object, ttl: float | None = None, tags: Iterable[str] = ()
    ) -> None:
        if isinstance(self.keep, Exception):
            raise self.keep
        self.kept[query_hash] = result
        self.tags[query_hash] = tuple(tags)

    def get_statistics(self) -> CacheStatistics:
        if isinstance(self.tell, Exception):
            raise self.tell
        return CacheStatistics(entries=len(self.kept))


class Asked:
    """Answers when it is asked, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.queries: list[StructuredQuery] = []

    def __call__(self, query: StructuredQuery) -> Answer:
        self.queries.append(query)
        return self.answers.pop(0)


def answers_in(cache: Any, monitor: Monitor | None = None) -> AnswerCache:
    return AnswerCache(cache, CacheSettings(), monitor or Monitor())


@pytest.mark.parametrize("make", [lambda: None, MemoryCache, Shelf])
def test_what_was_computed_is_found_again(make: Callable[[], Any]) -> None:
    answers, compute = answers_in(make()), Asked(answer(2, 3))
    assert not answers.holds(QUERY, RECORDS)
    first, was_there = answers.answer(QUERY, RECORDS, compute)
    assert not was_there
    assert answers.holds(QUERY, RECORDS)
    second, was_there = answers.answer(QUERY, RECORDS, compute)
    assert was_there
    assert second is first
    assert compute.queries == [QUERY]


def test_without_a_cache_every_answer_is_computed() -> None:
    answers, compute = answers_in(False), Asked(answer(2), answer(2))
    for _ in range(2):
        assert not answers.answer(QUERY, RECORDS, compute)[1]
    assert not answers.holds(QUERY, RECORDS)
    assert answers.statistics() is None
    answers.drop(RECORDS)


def test_another_version_or_question_is_another_answer() -> None:
    answers = answers_in(None)
    newer = Records("d", RECORDS.rows, "v2")
    other = StructuredQuery(database="d", filters=[QueryFilter("n", "gt", 2)])
    compute = Asked(answer(1), answer(2), answer(3))
    assert answers.answer(QUERY, RECORDS, compute)[0].ids.tolist() == [1]
    assert answers.answer(QUERY, newer, compute)[0].ids.tolist() == [2]
    assert answers.answer(other, RECORDS, compute)[0].ids.tolist() == [3]
    assert answers.answer(QUERY, RECORDS, compute)[0].ids.tolist() == [1]


def test_what_is_kept_can_not_be_written_to() -> None:
    kept, _ = answers_in(None).answer(QUERY, RECORDS, Asked(answer(1, 2)))
    with pytest.raises(ValueError, match="read-only"):
        kept.ids[0] = 7


def test_a_page_beyond_what_was_kept_asks_for_all_rows_from_then_on() -> None:
    sorted_by = [SortField("n")]
    answers = answers_in(None)
    compute = Asked(answer(0, 1, total=5), answer(0, 1, 2, 3, 4))

    def page(number: int) -> StructuredQuery:
        return StructuredQuery(
            database="d", sort_fields=sorted_by, pagination=QueryPagination(number, 2)
        )

    assert answers.answer(page(1), RECORDS, compute)[1] is False
    assert answers.answer(page(1), RECORDS, compute)[1] is True
    assert not answers.holds(page(2), RECORDS)
    second, was_there = answers.answer(page(2), RECORDS, compute)
    assert not was_there
    assert second.is_complete
    assert compute.queries == [page(1), StructuredQuery(database="d", sort_fields=sorted_by)]
    for number in (1, 2, 3, 99):
        assert answers.answer(page(number), RECORDS, compute)[1]


@pytest.mark.parametrize("cache", [Shelf(get=OSError("gone")), Shelf(get="rubbish"), Shelf(get=[])])
def test_a_cache_that_fails_to_give_is_bypassed_counted_and_logged_once(
    cache: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = Monitor()
    answers = answers_in(cache, monitor)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found, was_there = answers.answer(QUERY, RECORDS, Asked(answer(2)))
            assert found.ids.tolist() == [2]
            assert not was_there
    assert monitor.statistics({}, None).cache_failures >= 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cache Shelf.get_cached_result" in caplog.text
    assert "it was bypassed" in caplog.text


@pytest.mark.parametrize(
    "rubbish",
    [
        answer(0, 5),
        answer(0, 1, 2, total=1),
        answer(0, total=6),
        answer(0, total=-1),
        Answer(np.array([0], dtype=np.int64), 1),  # type: ignore[arg-type]  # rubbish
        Answer(np.array([[0]], dtype=np.uint32), 1),
        Answer([0], 1),  # type: ignore[arg-type]  # rubbish
        Answer(np.array([0], dtype=np.uint32), "1"),  # type: ignore[arg-type]  # rubbish
    ],
)
def test_an_answer_that_cannot_be_of_these_rows_is_rubbish_too(
    rubbish: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = Monitor()
    answers = answers_in(Shelf(get=rubbish), monitor)
    assert answers.answer(QUERY, RECORDS, Asked(answer(2)))[0].ids.tolist() == [2]
    assert not answers.holds(QUERY, RECORDS)
    assert monitor.statistics({}, None).cache_failures > 0
    assert "returned an Answer that cannot be of 5 rows; it was bypassed" in caplog.text


@pytest.mark.parametrize("sound", [answer(), answer(4), answer(0, 1, total=5)])
def test_an_answer_of_these_rows_is_taken_from_any_cache(sound: Answer) -> None:
    answers = answers_in(Shelf(get=sound))
    assert answers.answer(
        QUERY.model_copy(update={"pagination": QueryPagination(1, 1)}), RECORDS, Asked()
    ) == (sound, True)


def test_a_cache_that_fails_to_keep_is_bypassed_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitor = Monitor()
    answers = answers_in(Shelf(keep=OSError("full")), monitor)
    for _ in range(2):
        assert not answers.answer(QUERY, RECORDS, Asked(answer(2)))[1]
    assert monitor.statistics({}, None).cache_failures == 2
    assert "full" in caplog.text


def test_a_cache_that_fails_to_tell_is_bypassed() -> None:
    monitor = Monitor()
    assert answers_in(Shelf(tell=OSError("gone")), monitor).statistics() is None
    assert monitor.statistics({}, None).cache_failures == 1
    told = answers_in(Shelf()).statistics()
    assert told is not None
    assert told.entries == 0


def test_answers_carry_the_tags_of_their_database_and_its_version() -> None:
    shelf = Shelf()
    answers_in(shelf).answer(QUERY, RECORDS, Asked(answer(2)))
    assert list(shelf.tags.values()) == [("d", "d@v1")]


def test_dropping_a_version_drops_its_answers_and_no_others() -> None:
    answers = answers_in(MemoryCache())
    newer = Records("d", RECORDS.rows, "v2")
    for records in (RECORDS, newer):
        answers.answer(QUERY, records, Asked(answer(2)))
    answers.drop(RECORDS)
    assert not answers.holds(QUERY, RECORDS)
    assert answers.holds(QUERY, newer)
    answers_in(Shelf()).drop(RECORDS)  # it knows no tags: what it keeps is never found again


def test_an_answer_of_rows_that_others_have_replaced_is_given_and_not_kept() -> None:
    cache = MemoryCache()
    answers = answers_in(cache)
    records = Records("d", RECORDS.rows, "v1")

    def compute(query: StructuredQuery) -> Answer:
        records.is_superseded = True  # newer ones are there, and its answers were dropped
        return answer(2)

    answers.answer(QUERY, Records("d", RECORDS.rows, "v2"), Asked(answer(3)))
    assert answers.answer(QUERY, records, compute)[0].ids.tolist() == [2]
    assert len(cache) == 1
    assert not answers.holds(QUERY, records)


def test_a_cache_that_fails_to_drop_is_bypassed(caplog: pytest.LogCaptureFixture) -> None:
    class Tagged(Shelf):
        def invalidate_by_tags(self, tags: Iterable[str]) -> int:
            raise OSError("stuck")

    monitor = Monitor()
    answers_in(Tagged(), monitor).drop(RECORDS)
    assert monitor.statistics({}, None).cache_failures == 1
    assert "invalidate_by_tags raised OSError('stuck')" in caplog.text


@pytest.mark.parametrize("thing", [5, object(), {}, "cache", True])
def test_what_is_no_cache_is_refused_with_what_it_needs(thing: Any) -> None:
    with pytest.raises(CacheError, match="is not a cache; it needs the methods get_cached_result"):
        answers_in(thing)


def test_one_computes_however_many_ask_at_a_time() -> None:
    asked: list[StructuredQuery] = []
    begun, release = threading.Event(), threading.Event()
    answers = answers_in(None)

    def compute(query: StructuredQuery) -> Answer:
        asked.append(query)
        begun.set()
        assert release.wait(timeout=10)
        return answer(2)

    with ThreadPoolExecutor(6) as pool:
        leader = pool.submit(answers.answer, QUERY, RECORDS, compute)
        assert begun.wait(timeout=10)
        followers = [pool.submit(answers.answer, QUERY, RECORDS, compute) for _ in range(5)]
        release.set()
        found = [each.result(timeout=10) for each in (leader, *followers)]
    assert len(asked) == 1
    assert [was_there for _, was_there in found] == [False, True, True, True, True, True]
    assert all(each is found[0][0] for each, _ in found)


def test_an_error_reaches_all_who_ask_and_is_not_kept() -> None:
    answers = answers_in(None)

    def fail(query: StructuredQuery) -> Answer:
        raise ArithmeticError("no")

    for _ in range(2):
        with pytest.raises(ArithmeticError):
            answers.answer(QUERY, RECORDS, fail)
    assert answers.answer(QUERY, RECORDS, Asked(answer(2)))[0].ids.tolist() == [2]


def test_an_interrupt_leaves_the_question_open_to_the_next() -> None:
    answers = answers_in(None)

    def interrupted(query: StructuredQuery) -> Answer:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answers.answer(QUERY, RECORDS, interrupted)
    assert answers.answer(QUERY, RECORDS, Asked(answer(2)))[0].ids.tolist() == [2]


class Doorbell(Shelf):
    """A cache that rings when somebody looks into it for the second time."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.second = threading.Event()

    def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object | None:
        self.looks += 1
        if self.looks > 2:  # a leader looks twice: before, and once it leads
            self.second.set()
        return super().get_cached_result(query_hash, max_age)


def test_who_waited_for_a_page_and_wants_more_asks_for_all_rows() -> None:
    bell, begun = Doorbell(), threading.Event()
    answers = answers_in(bell)
    asked: list[StructuredQuery] = []

    def page(number: int) -> StructuredQuery:
        sort_fields = [SortField("n")]
        return StructuredQuery(
            database="d", sort_fields=sort_fields, pagination=QueryPagination(number, 2)
        )

    def compute(query: StructuredQuery) -> Answer:
        asked.append(query)
        if query.pagination is None:
            return answer(0, 1, 2, 3, 4)
        begun.set()
        assert bell.second.wait(timeout=10)
        return answer(0, 1, total=5)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(answers.answer, page(1), RECORDS, compute)
        assert begun.wait(timeout=10)
        third = pool.submit(answers.answer, page(3), RECORDS, compute)
        assert len(first.result(timeout=10)[0].ids) == 2
        assert len(third.result(timeout=10)[0].ids) == 5
    assert [query.pagination is None for query in asked] == [False, True]


def test_who_waited_for_one_who_was_interrupted_computes() -> None:
    bell, begun = Doorbell(), threading.Event()
    answers = answers_in(bell)

    def interrupted(query: StructuredQuery) -> Answer:
        begun.set()
        assert bell.second.wait(timeout=10)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(answers.answer, QUERY, RECORDS, interrupted)
        assert begun.wait(timeout=10)
        follower = pool.submit(answers.answer, QUERY, RECORDS, Asked(answer(2)))
        with pytest.raises(KeyboardInterrupt):
            leader.result(timeout=10)
        assert follower.result(timeout=10)[0].ids.tolist() == [2]


def test_an_answer_that_landed_between_look_and_lead_is_taken() -> None:
    class Late(Shelf):
        """Holds nothing at the first look, and the answer at the second."""

        looks = 0

        def get_cached_result(self, query_hash: str, max_age: float | None = None) -> object | None:
            self.looks += 1
            return None if self.looks == 1 else answer(3)

    found, was_there = answers_in(Late()).answer(QUERY, RECORDS, Asked())
    assert (found.ids.tolist(), was_there) == ([3], True)
