"""Executions measured: what comes back, what goes through, what nests."""

from __future__ import annotations

import cProfile
import gc
import operator
import pstats
import sys
import threading
from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Any

import pytest

from blackcore.minimal.query_engine.errors import ProfileError, SettingsError
from blackcore.minimal.query_engine.optimization.profiler import QueryProfiler
from blackcore.minimal.query_engine.optimization.profiling import measurement
from blackcore.minimal.query_engine.optimization.profiling.execution_profile import (
    ExecutionProfile,
)
from blackcore.minimal.query_engine.optimization.profiling.measurement import (
    Instruments,
    Measurement,
)
from blackcore.minimal.query_engine.settings import ProfilerSettings
from tests.optimization.profiled import branch, fails, leaf, recorded, sampling_threads

MB = 1024 * 1024


def test_profile_is_a_mapping_with_result_time_memory_and_sorted_stats() -> None:
    profile = QueryProfiler().profile_execution(branch, 5)
    assert isinstance(profile, Mapping)
    assert profile["result"] == profile.value == 15
    assert profile["elapsed_seconds"] == profile.elapsed_seconds > 0
    assert isinstance(profile["memory_delta_mb"], float)
    assert isinstance(profile["profile_stats"], pstats.Stats)
    assert vars(profile.profile_stats)["sort_type"] == "cumulative time"
    assert {"memory_peak_mb", "cpu_seconds", "gc_collections", "exception"} < set(profile)
    assert len(profile) == len(dict(profile))
    with pytest.raises(KeyError):
        profile["timings_"]


def test_arguments_reach_the_function_whatever_they_are_called() -> None:
    def takes(*args: object, **options: object) -> tuple[object, object]:
        return args, options

    profile = QueryProfiler().profile_execution(takes, 1, func=2, self=3, repeat=4)
    assert profile.value == ((1,), {"func": 2, "self": 3, "repeat": 4})


def test_stats_count_the_calls_of_the_function_and_nothing_of_the_profiler() -> None:
    profile = QueryProfiler().profile_execution(branch, 5)
    calls = recorded(profile)
    assert calls["leaf"][0] == 5
    assert calls["branch"][0] == 1
    assert set(calls) == {"leaf", "branch", "<genexpr>", "<built-in method builtins.sum>"}
    totals = [recorded(profile)[name][1] for name in ("branch", "leaf")]
    assert totals == sorted(totals, reverse=True)
    profile.profile_stats.print_callers()


def test_recursive_calls_are_told_apart_as_pstats_does() -> None:
    def down(n: int) -> int:
        return 0 if n == 0 else down(n - 1)

    theirs = cProfile.Profile()
    theirs.runcall(down, 7)
    ours = QueryProfiler().profile_execution(down, 7).profile_stats
    for stats in (ours, pstats.Stats(theirs)):
        [(primitive, calls)] = [
            line[:2] for (_, _, name), line in vars(stats)["stats"].items() if name == "down"
        ]
        assert (primitive, calls) == (1, 8)


def test_raised_error_goes_through_and_the_profile_is_kept() -> None:
    profiler = QueryProfiler()
    with pytest.raises(LookupError, match="nothing there") as caught:
        profiler.profile_execution(fails)
    kept = profiler.last
    assert kept is not None
    assert kept.exception is caught.value
    assert kept.result is None
    assert recorded(kept)["leaf"][0] == 3
    assert "raised LookupError" in str(kept)
    with pytest.raises(ProfileError, match="raised LookupError"):
        _ = kept.value
    assert sys.getprofile() is None
    profiler.forget()
    assert profiler.last is None


def test_interrupt_goes_through_and_ends_the_sampling_thread() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    profiler = QueryProfiler()
    with pytest.raises(KeyboardInterrupt):
        profiler.profile_execution(interrupted)
    assert not sampling_threads()
    assert isinstance(profiler.last.exception, KeyboardInterrupt)  # type: ignore[union-attr]


def test_measurement_that_is_never_finished_leaves_no_thread() -> None:
    begun = Measurement("begun", Instruments(functions=False), ProfilerSettings())
    [thread] = [each for each in threading.enumerate() if each.name == "query-profiler"]
    del begun
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()


class Adder:
    def __init__(self, *numbers: int) -> None:
        self.total = sum(numbers)

    def __call__(self, *numbers: int) -> int:
        return self.total + sum(numbers)

    def method(self, number: int) -> int:
        return self.total + number

    @classmethod
    def made(cls, number: int) -> Adder:
        return cls(number)


@pytest.mark.parametrize(
    ("called", "name"),
    [
        (len, "len"),
        (lambda it: len(it), "<lambda>"),  # noqa: PLW0108 - a function is wanted
        (partial(map, len), "partial"),
        (Adder, "Adder"),
        (Adder(2), "Adder"),
        (Adder(2).method, "Adder.method"),
        (Adder.made, "Adder.made"),
        ([].append, "list.append"),
        (operator.itemgetter(0), "itemgetter"),
    ],
)
def test_anything_that_can_be_called_is_measured_under_its_name(called: Any, name: str) -> None:
    argument: Any = 3 if name.startswith("Adder") else [1]
    profile = QueryProfiler().profile_execution(called, argument)
    assert type(profile.value) is type(called(argument))
    assert profile.name.endswith(name)
    assert escape(name) in profile._repr_html_()


def test_nested_profiles_each_see_what_ran_inside_them() -> None:
    profiler = QueryProfiler()
    inner: list[ExecutionProfile[int]] = []

    def outer() -> int:
        branch(2)
        inner.append(profiler.profile_execution(branch, 3))
        branch(4)
        return 1

    profile = profiler.profile_execution(outer)
    assert recorded(inner[0])["leaf"][0] == 3
    assert "outer" not in recorded(inner[0])
    assert recorded(profile)["leaf"][0] == 9
    assert recorded(profile)["outer"][0] == 1
    assert not profile.notes[1:]
    assert sys.getprofile() is None


def test_function_that_recurses_into_the_profiler_is_measured_at_every_level() -> None:
    profiler = QueryProfiler()
    seen: list[tuple[int, int]] = []

    def again(depth: int) -> int:
        if depth:
            profile = profiler.profile_execution(again, depth - 1)
            seen.append((depth, recorded(profile)["leaf"][0]))
        return leaf(depth)

    outermost = profiler.profile_execution(again, 3)
    assert seen == [(1, 1), (2, 2), (3, 3)]
    assert recorded(outermost)["leaf"][0] == 4


def test_blocks_that_overlap_do_not_end_each_other() -> None:
    profiler = QueryProfiler()
    first, second = profiler.profile("first"), profiler.profile("second")
    first.__enter__()
    branch(1)
    second.__enter__()
    branch(2)
    first.__exit__(None, None, None)
    branch(4)
    second.__exit__(None, None, None)
    assert first.profile is not None
    assert second.profile is not None
    assert recorded(first.profile)["leaf"][0] == 3
    assert recorded(second.profile)["leaf"][0] == 6


def test_blocks_are_measured_by_either_context_manager() -> None:
    profiler = QueryProfiler()
    with profiler.profile("both") as block:
        branch(2)
        with profiler as same:
            branch(3)
        assert same.last is not None
        assert recorded(same.last)["leaf"][0] == 3
    assert block.profile is not None
    assert block.profile is profiler.last
    assert block.profile.name == "both"
    assert recorded(block.profile)["leaf"][0] == 5


def test_block_is_entered_again_after_it_ended_and_not_before() -> None:
    block = QueryProfiler(functions=False).profile("twice")
    with pytest.raises(ProfileError, match="not been entered"):
        block.__exit__(None, None, None)
    with block:
        first = block.profile
        with pytest.raises(ProfileError, match="already"):
            block.__enter__()
    with block:
        pass
    assert first is None
    assert block.profile is not None
    assert not sampling_threads()


def test_block_that_raises_is_kept_with_its_error() -> None:
    profiler = QueryProfiler()
    with pytest.raises(LookupError), profiler:
        fails()
    assert isinstance(profiler.last.exception, LookupError)  # type: ignore[union-attr]
    with profiler:
        branch(1)
    assert profiler.last.exception is None  # type: ignore[union-attr]


def test_repeat_times_runs_without_instruments_and_then_looks_once() -> None:
    calls: list[object] = []

    def counted() -> int:
        calls.append(sys.getprofile())
        return branch(3)

    profile = QueryProfiler(repeat=4).profile_execution(counted)
    assert len(calls) == 5
    assert calls[:4] == [None] * 4
    assert len(profile.timings) == 4
    assert profile.elapsed_seconds == profile.timings.median_seconds
    assert recorded(profile)["leaf"][0] == 3
    assert "4 runs" in str(profile)
    assert "4 runs" in profile._repr_html_()


def test_run_that_raises_ends_the_repetition() -> None:
    profiler = QueryProfiler(repeat=3)
    with pytest.raises(LookupError):
        profiler.profile_execution(fails)
    assert isinstance(profiler.last.exception, LookupError)  # type: ignore[union-attr]


@pytest.mark.parametrize("repeat", [0, -1, True, 1.5])
def test_impossible_repeat_is_refused(repeat: Any) -> None:
    with pytest.raises(SettingsError, match="whole number from 1"):
        QueryProfiler(repeat=repeat)


def test_peak_sees_memory_that_python_does_not_allocate_and_that_is_gone_again() -> None:
    import numpy as np

    profiler = QueryProfiler(
        functions=False, settings=ProfilerSettings(memory_interval_seconds=1e-4)
    )
    ready = threading.Event()

    def passing() -> None:
        block = np.ones(64 * MB, dtype=np.uint8)
        for _ in range(20):  # each wait lets the sampling thread look
            ready.wait(0.001)
        del block

    profile = profiler.profile_execution(passing)
    assert profile.memory_peak_mb > 64
    assert profile.memory_delta_mb < 60


def test_peak_is_never_below_what_was_held_before_and_after() -> None:
    kept = QueryProfiler().profile_execution(bytearray, 8 * MB)
    assert kept.memory_peak_mb >= kept.memory_delta_mb
    assert kept.memory_peak_mb > 8


def test_collections_of_the_garbage_collector_are_counted() -> None:
    profile = QueryProfiler().profile_execution(gc.collect)
    assert len(profile.gc_collections) == 3
    assert profile.gc_collections[2] >= 1


def test_stacks_are_sampled_from_the_function_inwards() -> None:
    release = threading.Event()

    def waits() -> None:
        for _ in range(30):
            release.wait(0.001)

    profiler = QueryProfiler(
        functions=False, stacks=True, settings=ProfilerSettings(stack_interval_seconds=1e-4)
    )
    profile = profiler.profile_execution(waits)
    assert profile.stacks
    assert {stack[0][2] for stack in profile.stacks} == {"waits"}
    assert any(name == "wait" for stack in profile.stacks for _, _, name in stack)
    assert sum(profile.stacks.values()) <= profile.elapsed_seconds * 1.5 + 0.01


def test_system_that_keeps_no_peak_still_gives_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert measurement.lifetime_peak_bytes() is None
    assert QueryProfiler().profile_execution(branch, 5).memory_peak_mb > 0


def test_hottest_functions_come_with_their_place_and_go_into_text_and_notebook() -> None:
    profile = QueryProfiler(settings=ProfilerSettings(hottest_functions=2)).profile_execution(
        branch, 500
    )
    hottest = profile.hottest()
    assert len(hottest) == 2
    assert hottest[0].own_seconds >= hottest[1].own_seconds
    assert len(profile.hottest(10)) == 4
    places = {each.name: each.place for each in profile.hottest(10)}
    assert places["leaf"].startswith("optimization/profiled.py:")
    assert places["<built-in method builtins.sum>"] == "C"
    text, html = str(profile), profile._repr_html_()
    assert hottest[0].name in text
    assert "computing" in html
    assert "&lt;genexpr&gt;" in html
    assert "<genexpr>" not in html
    assert repr(profile) == text


@pytest.mark.parametrize(
    "name", ["memory_interval_seconds", "stack_interval_seconds", "hottest_functions"]
)
def test_impossible_settings_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        ProfilerSettings(**{name: 0})
