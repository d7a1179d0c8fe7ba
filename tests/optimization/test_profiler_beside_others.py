"""Threads and other profilers beside a measurement: who gives way to whom."""

from __future__ import annotations

import cProfile
import gc
import inspect
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from blackcore.minimal.query_engine.optimization.profiler import QueryProfiler
from blackcore.minimal.query_engine.optimization.profiling import functions
from blackcore.minimal.query_engine.optimization.profiling.execution_profile import (
    ExecutionProfile,
)
from tests.optimization.profiled import branch, recorded

MB = 1024 * 1024


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


@pytest.mark.skipif(functions.RECORDS_ALL_THREADS, reason="from Python 3.12 on it is refused")
def test_profiler_that_the_function_starts_and_ends_is_said_to_have_cut_the_functions_short() -> (
    None
):
    theirs = cProfile.Profile()

    def profiles_itself() -> int:
        branch(2)
        return theirs.runcall(branch, 3)

    profile = QueryProfiler().profile_execution(profiles_itself)
    assert profile.value == 6
    assert recorded(profile)["leaf"][0] == 2
    assert any("in part" in note for note in profile.notes)
    assert {e.code.co_name for e in theirs.getstats() if inspect.iscode(e.code)} >= {"leaf"}


@pytest.mark.skipif(functions.RECORDS_ALL_THREADS, reason="from Python 3.12 on it is refused")
@pytest.mark.parametrize("has_threads", [True, False])
def test_profiler_that_the_function_leaves_at_work_goes_on(
    has_threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watches(*_: object) -> None:
        return None

    def refuses(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    if not has_threads:
        monkeypatch.setattr(threading.Thread, "start", refuses)
    profiler = QueryProfiler()
    try:
        profile = profiler.profile_execution(sys.setprofile, watches)
        assert (sys.getprofile() is watches) == has_threads
        assert any("in part" in note for note in profile.notes)
        gc.collect()  # a cProfile that goes while it believes to be at work takes off what is
        assert (sys.getprofile() is watches) == has_threads
    finally:
        sys.setprofile(None)
    assert recorded(profiler.profile_execution(branch, 2))["leaf"][0] == 2


@pytest.mark.skipif(not functions.RECORDS_ALL_THREADS, reason="before 3.12 it takes the place")
@pytest.mark.parametrize("theirs", ["cProfile", "sys.monitoring"])
def test_function_that_is_refused_its_own_profiler_is_told_whose_place_it_wanted(
    theirs: str,
) -> None:
    def profiles_itself() -> int:
        if theirs == "cProfile":
            return cProfile.Profile().runcall(branch, 3)
        sys.monitoring.use_tool_id(sys.monitoring.PROFILER_ID, "theirs")
        sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)
        return branch(3)

    profiler = QueryProfiler()
    with pytest.raises(ValueError, match="already") as caught:
        profiler.profile_execution(profiler.profile_execution, profiles_itself)
    [note] = caught.value.__notes__
    assert "functions=False" in note
    assert QueryProfiler(functions=False).profile_execution(profiles_itself).value == 6


def test_refusal_of_our_own_profiler_costs_the_functions_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refused(cProfile.Profile):
        def enable(self, *_: Any, **__: Any) -> None:
            raise ValueError("Another profiling tool is already active")

    monkeypatch.setattr(cProfile, "Profile", Refused)
    profile = QueryProfiler().profile_execution(branch, 5)
    assert profile.value == 15
    assert any("Another profiling tool is already active" in note for note in profile.notes)


@pytest.mark.parametrize(
    "refusal", ["Another profiling tool is already active", "tool 2 is already in use"]
)
def test_refusal_of_a_second_profiler_is_explained_once(refusal: str) -> None:
    def refused() -> None:
        raise ValueError(refusal)

    profiler = QueryProfiler()
    with pytest.raises(ValueError, match="already") as caught:
        profiler.profile_execution(profiler.profile_execution, refused)
    [note] = caught.value.__notes__
    assert "functions=False" in note


def test_error_of_the_functions_own_is_left_as_it_was() -> None:
    def refuses() -> None:
        raise ValueError("already active")

    with pytest.raises(ValueError, match="already active") as caught:
        QueryProfiler().profile_execution(refuses)
    assert not hasattr(caught.value, "__notes__")


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
