"""Executions measured: what comes back, what goes through, and who gives way to whom."""

from __future__ import annotations

import asyncio
import cProfile
import gc
import inspect
import pstats
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from blackcore.minimal.query_engine.errors import ProfileError, SettingsError
from blackcore.minimal.query_engine.optimization.profiler import QueryProfiler
from blackcore.minimal.query_engine.optimization.profiling import functions, measurement
from blackcore.minimal.query_engine.optimization.profiling.execution_profile import (
    ExecutionProfile,
)
from blackcore.minimal.query_engine.settings import ProfilerSettings

MB = 1024 * 1024


def leaf(n: int) -> int:
    return n + 1


def branch(n: int) -> int:
    return sum(leaf(i) for i in range(n))


def fails() -> None:
    branch(3)
    raise LookupError("nothing there")


def recorded(profile: ExecutionProfile[Any]) -> dict[str, tuple[int, float]]:
    """Return calls and cumulative seconds of the functions by name."""
    lines = vars(profile.profile_stats)["stats"]
    return {name: (calls, total) for (_, _, name), (_, calls, _, total, _) in lines.items()}


@pytest.fixture
def foreign_profiler() -> Iterator[str]:
    """Have another tool watch this thread's calls, as an IDE or a benchmark might."""
    if hasattr(sys, "monitoring"):
        sys.monitoring.use_tool_id(sys.monitoring.PROFILER_ID, "somebody else")
        yield "Another profiling tool"
        sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)
    else:
        sys.setprofile(lambda *_: None)
        yield "function"
        sys.setprofile(None)


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
    assert not [t for t in threading.enumerate() if t.name == "query-profiler"]
    assert isinstance(profiler.last.exception, KeyboardInterrupt)  # type: ignore[union-attr]


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


def test_another_profiler_costs_the_functions_and_not_the_caller(foreign_profiler: str) -> None:
    before = sys.getprofile()
    profile = QueryProfiler().profile_execution(branch, 5)
    assert profile.value == 15
    assert profile.elapsed_seconds > 0
    assert not profile.functions
    assert profile.hottest() == []
    profile.profile_stats.print_stats()  # an empty one, which can be used all the same
    [note] = [note for note in profile.notes if "another profiler" in note]
    assert foreign_profiler in note
    assert "end it first" in note
    assert sys.getprofile() is before


def test_code_under_cprofile_is_profiled_on_the_clock_and_cprofile_goes_on() -> None:
    theirs = cProfile.Profile()
    theirs.enable()
    try:
        profile = QueryProfiler().profile_execution(branch, 5)
        branch(2)
    finally:
        theirs.disable()
    assert profile.value == 15
    assert any("another profiler" in note for note in profile.notes)
    calls = {e.code.co_name: e.callcount for e in theirs.getstats() if inspect.iscode(e.code)}
    assert calls["leaf"] == 7


def test_function_that_starts_threads_is_measured_with_their_cpu_time() -> None:
    def burn() -> None:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            branch(10)

    def threaded() -> int:
        threads = [threading.Thread(target=burn) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(threads)

    profile = QueryProfiler().profile_execution(threaded)
    assert profile.value == 2
    assert profile.cpu_seconds >= 0.04
    assert profile.thread_cpu_seconds < 0.03
    assert any("other threads used" in note for note in profile.notes)


def test_two_threads_may_use_one_profiler() -> None:
    profiler = QueryProfiler()
    together = threading.Barrier(2)
    found: list[ExecutionProfile[int]] = []

    def work() -> int:
        together.wait(20)
        total = branch(50)
        together.wait(20)
        return total

    threads = [
        threading.Thread(target=lambda: found.append(profiler.profile_execution(work)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [profile.value for profile in found] == [1275, 1275]
    with_functions = [profile for profile in found if profile.functions]
    # before 3.12 each thread has its own place for a profiler; since then one must do without
    assert len(with_functions) == (1 if functions.RECORDS_ALL_THREADS else 2)


def test_generator_comes_back_unharmed_with_a_word_that_nothing_ran() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)

    profile = QueryProfiler().profile_execution(numbers)
    assert list(profile.value) == [0, 1, 2]
    [note] = [note for note in profile.notes if "nothing has run" in note]
    assert "profile_iteration" in note


def test_iteration_is_measured_step_by_step() -> None:
    profiler = QueryProfiler()

    def numbers() -> Iterator[int]:
        for number in range(3):
            branch(2)
            yield number

    items = []
    for item in profiler.profile_iteration(numbers()):
        branch(10)  # the caller's own, which does not count
        items.append(item)
    assert items == [0, 1, 2]
    assert profiler.last is not None
    assert profiler.last.result == 3
    assert recorded(profiler.last)["leaf"][0] == 6


def test_iteration_given_up_leaves_the_profile_of_what_was_taken() -> None:
    profiler = QueryProfiler()
    steps = profiler.profile_iteration(iter(range(10)))
    assert [next(steps), next(steps)] == [0, 1]
    steps.close()  # type: ignore[attr-defined]
    assert profiler.last is not None
    assert (profiler.last.result, profiler.last.exception) == (2, None)


def test_iteration_that_raises_is_kept_with_its_error() -> None:
    def breaks() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    profiler = QueryProfiler()
    with pytest.raises(OSError, match="gone"):
        list(profiler.profile_iteration(breaks()))
    assert isinstance(profiler.last.exception, OSError)  # type: ignore[union-attr]


async def test_coroutine_is_measured_in_its_own_steps_only() -> None:
    async def own() -> int:
        branch(2)
        await asyncio.sleep(0)
        branch(3)
        return 7

    async def other() -> None:
        for _ in range(5):
            branch(10)
            await asyncio.sleep(0)

    profiler = QueryProfiler()
    profile, _ = await asyncio.gather(profiler.profile_async(own()), other())
    assert profile.value == 7
    assert recorded(profile)["leaf"][0] == 5
    assert profile.elapsed_seconds >= profile.thread_cpu_seconds


async def test_coroutines_profiled_side_by_side_do_not_mix() -> None:
    async def own(steps: int) -> int:
        for _ in range(steps):
            branch(steps)
            await asyncio.sleep(0)
        return steps

    profiler = QueryProfiler()
    profiles = await asyncio.gather(*(profiler.profile_async(own(n)) for n in (1, 2, 3)))
    assert [recorded(profile)["leaf"][0] for profile in profiles] == [1, 4, 9]


async def test_coroutine_that_raises_or_is_cancelled_behaves_as_without_the_profiler() -> None:
    async def catches() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "cleaned up"
        return "slept"

    async def breaks() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    profiler = QueryProfiler()
    task = asyncio.create_task(profiler.profile_async(catches()))
    await asyncio.sleep(0)
    task.cancel()
    assert (await task).value == "cleaned up"
    with pytest.raises(ValueError, match="no"):
        await profiler.profile_async(breaks())
    assert isinstance(profiler.last.exception, ValueError)  # type: ignore[union-attr]


async def test_futures_and_tasks_can_be_awaited_too() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    assert (await QueryProfiler().profile_async(task)).value == "done"


async def test_what_cannot_be_awaited_is_refused() -> None:
    with pytest.raises(ProfileError, match="cannot be awaited"):
        await QueryProfiler().profile_async(branch)  # type: ignore[arg-type]


def test_what_cannot_be_called_or_must_be_awaited_is_refused_before_it_runs() -> None:
    async def later() -> None: ...

    with pytest.raises(ProfileError, match=r"profile_async\(.*later\(\.\.\.\)\)"):
        QueryProfiler().profile_execution(later)
    with pytest.raises(ProfileError, match="cannot be called"):
        QueryProfiler().profile_execution(7)  # type: ignore[arg-type]


async def test_coroutine_from_a_plain_function_comes_back_unawaited() -> None:
    async def later() -> int:
        return 3

    profile = QueryProfiler().profile_execution(lambda: later())  # noqa: PLW0108 - not itself a coroutine function
    assert any("coroutine" in note for note in profile.notes)
    assert await profile.value == 3


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


async def test_stacks_of_a_coroutine_book_what_it_waits_for_as_waiting() -> None:
    profiler = QueryProfiler(
        functions=False, stacks=True, settings=ProfilerSettings(stack_interval_seconds=1e-4)
    )
    profile = await profiler.profile_async(asyncio.sleep(0.03))
    assert any(stack[0][2] == "(waiting)" for stack in profile.stacks)


def test_functions_beside_a_sampling_thread_follow_the_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(functions, "RECORDS_ALL_THREADS", True)
    threads: list[str] = []

    def look() -> None:
        threads.extend(thread.name for thread in threading.enumerate())

    profile = QueryProfiler().profile_execution(look)
    assert "query-profiler" not in threads
    assert any("mix up" in note for note in profile.notes)
    with_stacks = QueryProfiler(stacks=True).profile_execution(look)
    assert "query-profiler" in threads
    assert not with_stacks.functions
    assert any("samples stacks" in note for note in with_stacks.notes)


def test_system_without_a_thread_to_give_costs_the_samples_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuses)
    profile = QueryProfiler(functions=False).profile_execution(branch, 5)
    assert profile.value == 15
    assert any("no thread to give" in note for note in profile.notes)
    assert profile.memory_peak_mb > 0


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
    assert places["leaf"].startswith("optimization/test_profiler.py:")
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
