from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest

from blackcore.minimal.query_engine.errors import SettingsError
from blackcore.minimal.query_engine.search.index_store import IndexStore


def test_a_list_is_built_once_per_variant() -> None:
    store, records, calls = IndexStore(2), [{}], []

    def build(name: Any) -> Any:
        calls.append(name)
        return name

    for name in ("a", "b", "a", "b"):
        assert store.get(records, name, lambda name=name: build(name)) == name
    assert calls == ["a", "b"]


def test_an_equal_list_is_another_list() -> None:
    store, first, second = IndexStore(2), [{"a": 1}], [{"a": 1}]
    assert store.get(first, None, lambda: "first") == "first"
    assert store.get(second, None, lambda: "second") == "second"


def test_a_list_that_grew_is_built_anew() -> None:
    store, records = IndexStore(2), [{}]
    store.get(records, None, lambda: "old")
    records.append({})
    assert store.get(records, None, lambda: "new") == "new"
    assert len(store) == 1


def test_the_least_recently_used_list_goes_first() -> None:
    store, lists = IndexStore(2), [[], [{}], [{}, {}]]
    for place in (0, 1, 0, 2):
        store.get(lists[place], None, lambda: "built")
    assert [store.forget(records) for records in lists] == [True, False, True]
    assert store.forget(lists[0]) is False


def test_what_failed_is_built_again() -> None:
    store, records = IndexStore(1), []

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.get(records, None, fail)
    assert store.get(records, None, lambda: "built") == "built"


def test_threads_wait_for_the_one_that_builds() -> None:
    store, records, calls, barrier = IndexStore(1), [], [], Barrier(4)

    def ask() -> Any:
        barrier.wait()
        return store.get(records, None, lambda: calls.append(1) or object())

    with ThreadPoolExecutor(4) as pool:
        built = [each.result() for each in [pool.submit(ask) for _ in range(4)]]
    assert len(calls) == 1
    assert len(set(map(id, built))) == 1


def test_different_lists_are_built_side_by_side() -> None:
    store, first, second = IndexStore(2), [], [{}]
    reached, go_on = Event(), Event()

    def slow() -> Any:
        reached.set()
        assert go_on.wait(30)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.get, first, None, slow)
        assert reached.wait(30)
        assert store.get(second, None, lambda: "quick") == "quick"
        go_on.set()
        assert waiting.result() == "slow"


@pytest.mark.parametrize("number", [0, -1, 2.5, None, True])
def test_a_number_of_lists_that_cannot_be_is_refused(number: Any) -> None:
    with pytest.raises(SettingsError, match="whole number from 1"):
        IndexStore(number)
