from __future__ import annotations

from blackcore.minimal.query_engine.cache.ghost import Ghost


def test_the_oldest_ghosts_are_forgotten_beyond_the_bound() -> None:
    ghost = Ghost(max_bytes=100)
    for key in "abc":
        ghost.evicted(key, 40)
    assert len(ghost) == 2
    assert [ghost.kept(key, cost_seconds=1.0) for key in "abc"] == [False, True, True]


def test_a_key_evicted_again_counts_once_with_its_last_weight() -> None:
    ghost = Ghost(max_bytes=100)
    ghost.evicted("a", 90)
    ghost.evicted("a", 50)
    ghost.evicted("b", 50)
    assert len(ghost) == 2


def test_a_reading_starts_anew() -> None:
    ghost = Ghost(max_bytes=2**20)
    ghost.evicted("a", 10)
    ghost.kept("a", cost_seconds=0.5)
    first = ghost.read()
    assert (first.returned, first.saved_seconds, first.seconds_per_mb) == (1, 0.5, 0.5)
    assert ghost.read().returned == 0


def test_what_is_larger_than_the_bound_leaves_no_ghost() -> None:
    ghost = Ghost(max_bytes=10)
    ghost.evicted("a", 11)
    assert len(ghost) == 0
