from __future__ import annotations

from blackcore.minimal.query_engine.cache.ghost import Ghost


def test_the_oldest_ghosts_are_forgotten_beyond_the_bound() -> None:
    ghost = Ghost(max_bytes=100, step_bytes=100)
    for key in "abc":
        ghost.evicted(key, 40)
    assert len(ghost) == 2
    assert [ghost.kept(key, cost_seconds=1.0) for key in "abc"] == [False, True, True]


def test_a_key_evicted_again_counts_once_with_its_last_weight() -> None:
    ghost = Ghost(max_bytes=100, step_bytes=100)
    ghost.evicted("a", 90)
    ghost.evicted("a", 50)
    ghost.evicted("b", 50)
    assert len(ghost) == 2


def test_a_reading_starts_anew() -> None:
    ghost = Ghost(max_bytes=2**20, step_bytes=2**20)
    ghost.evicted("a", 10)
    ghost.kept("a", cost_seconds=0.5)
    first = ghost.read()
    assert (first.returned, first.saved_seconds, first.seconds_per_mb) == (1, 0.5, 0.5)
    assert ghost.read().returned == 0


def test_what_is_larger_than_the_bound_leaves_no_ghost() -> None:
    ghost = Ghost(max_bytes=10, step_bytes=10)
    ghost.evicted("a", 11)
    assert len(ghost) == 0


def test_what_is_forgotten_does_not_count_when_it_is_kept_and_leaves_its_room() -> None:
    ghost = Ghost(max_bytes=100, step_bytes=100)
    ghost.evicted("a", 60)
    ghost.forget("a")
    ghost.forget("never")
    assert not ghost.kept("a", cost_seconds=1.0)
    ghost.evicted("b", 60)
    ghost.evicted("c", 40)
    assert len(ghost) == 2


def test_the_larger_cache_that_pays_best_is_told() -> None:
    ghost = Ghost(max_bytes=1_000, step_bytes=100)
    for number in range(10):
        ghost.evicted(number, 100)
    ghost.kept(9, cost_seconds=1.0)  # one step would have done
    ghost.kept(7, cost_seconds=9.0)  # three steps
    ghost.kept(0, cost_seconds=2.0)  # ten
    reading = ghost.read()
    assert (reading.returned, reading.saved_seconds, reading.larger_by_bytes) == (2, 10.0, 300)


def test_a_distance_counts_all_that_left_since_be_it_remembered_or_not() -> None:
    ghost = Ghost(max_bytes=1_000, step_bytes=100)
    ghost.evicted("a", 100)
    for _ in range(3):
        ghost.evicted("b", 100)
        ghost.kept("b", cost_seconds=0.0)
    ghost.kept("a", cost_seconds=1.0)
    assert ghost.read().larger_by_bytes == 400
