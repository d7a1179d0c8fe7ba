"""Memory line by line, by memory_profiler."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest

from blackcore.minimal.query_engine.errors import MissingExtraError, ProfileError
from blackcore.minimal.query_engine.optimization.profiler import QueryProfiler
from blackcore.minimal.query_engine.optimization.profiling.line_memory import LineMemoryRecorder
from blackcore.minimal.query_engine.optimization.profiling.measurement import (
    Instruments,
    Measurement,
)
from blackcore.minimal.query_engine.settings import ProfilerSettings

MB = 1024 * 1024
BIG_MB = 40
"""More than glibc ever serves from memory that it already has, so that it shows in the process."""


@contextmanager
def no_tracer() -> Iterator[None]:
    """Take a coverage tool or a debugger off this thread."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


@pytest.fixture
def untraced() -> Iterator[None]:
    with no_tracer():
        yield


def allocates() -> int:
    small = [1]
    large = bytearray(b"x" * (BIG_MB * MB))
    if not small:
        small.append(2)
    return len(large)


class Holder:
    def method(self, n: int) -> int:
        return sum(range(n))


def test_line_that_allocates_stands_out(untraced: None) -> None:
    profile = QueryProfiler(line_memory=[allocates]).profile_execution(allocates)
    [table] = profile.line_memory
    assert table.name == "allocates"
    largest = table.largest
    assert largest is not None
    assert largest.text.strip().startswith("large = ")
    # the process may give back other memory meanwhile
    assert BIG_MB * 0.5 < largest.increment_mb < BIG_MB * 2.5
    assert largest.hits == 1
    by_text = {line.text.strip(): line for line in table.lines}
    assert by_text["small.append(2)"].hits == 0
    assert by_text["return len(large)"].memory_mb >= largest.memory_mb
    assert "large = " in str(profile)
    assert "large = " in profile._repr_html_()
    assert sys.gettrace() is None


def test_recorder_tells_of_what_ran_between_start_and_stop_and_of_nothing_else() -> None:
    recorder = LineMemoryRecorder([allocates, Holder.method])
    allocates()
    with no_tracer():
        recorder.start()
        allocates()
        recorder.stop()
        allocates()
        recorder.stop()
    table, unused = recorder.table()
    assert recorder.refused is None
    assert table.largest is not None
    assert table.largest.text.strip().startswith("large = ")
    assert {line.hits for line in table.lines} == {0, 1}
    assert table.lines[0].increment_mb == 0.0
    assert unused.largest is None
    first, *lines = str(table).splitlines()
    assert first == f"allocates ({__file__})"
    assert lines[0].split() == ["line", "MiB", "added", "hits"]
    assert any(line.endswith('large = bytearray(b"x" * (BIG_MB * MB))') for line in lines)
    assert any(line.split()[1:] == ["small.append(2)"] for line in lines)


def test_recorder_beside_a_tracer_records_nothing_and_says_so() -> None:
    def tracer(*_: object) -> None:
        return None

    recorder = LineMemoryRecorder([allocates])
    with no_tracer():
        sys.settrace(tracer)
        recorder.start()
        still = sys.gettrace()
        recorder.stop()
        sys.settrace(None)
    assert still is tracer
    assert recorder.refused is not None
    assert "debugger or a coverage tool" in recorder.refused
    assert recorder.table()[0].largest is None


def test_measurement_with_memory_by_line_is_made_without_functions() -> None:
    instruments = Instruments(line_memory=(allocates,))
    profile = Measurement("unused", instruments, ProfilerSettings()).finished(None)
    assert profile.line_memory[0].name == "allocates"
    assert any("functions were not recorded" in note for note in profile.notes)


def test_functions_are_left_out_beside_it_with_a_word(untraced: None) -> None:
    profile = QueryProfiler(line_memory=[allocates]).profile_execution(allocates)
    assert not profile.functions
    assert any("functions were not recorded" in note for note in profile.notes)


def test_methods_decorated_functions_and_inner_functions_are_found(untraced: None) -> None:
    def plain(n: int) -> list[int]:
        return [
            Holder().method(i)
            for i in range(n)
        ]  # fmt: skip

    @wraps(plain)
    def decorated(n: int) -> list[int]:
        return plain(n)

    profiler = QueryProfiler(line_memory=[Holder.method, Holder().method, decorated])
    profile = profiler.profile_execution(decorated, 4)
    method, bound, inner = profile.line_memory
    assert method == bound
    assert method.largest is not None
    assert method.largest.hits == 4
    assert sum(line.hits for line in inner.lines) > 0


def test_function_that_never_ran_has_lines_without_figures(untraced: None) -> None:
    profile = QueryProfiler(line_memory=[allocates]).profile_execution(len, [])
    [table] = profile.line_memory
    assert table.largest is None
    assert {line.hits for line in table.lines} == {0}


async def test_coroutine_is_seen_line_by_line(untraced: None) -> None:
    async def steps() -> int:
        held = bytearray(b"y" * (BIG_MB * MB))
        return len(held)

    profile = await QueryProfiler(line_memory=[steps]).profile_async(steps())
    assert profile.value == BIG_MB * MB
    assert profile.line_memory[0].largest.increment_mb > BIG_MB * 0.5  # type: ignore[union-attr]


def test_error_in_the_function_takes_the_tracer_off(untraced: None) -> None:
    def breaks() -> None:
        raise OSError("no")

    profiler = QueryProfiler(line_memory=[breaks])
    with pytest.raises(OSError, match="no"):
        profiler.profile_execution(breaks)
    assert sys.gettrace() is None
    assert profiler.last is not None
    assert profiler.last.line_memory[0].largest is not None


def test_tracer_at_work_is_left_at_work_and_the_function_runs(untraced: None) -> None:
    def tracer(*_: object) -> None:
        return None

    sys.settrace(tracer)
    try:
        profile = QueryProfiler(line_memory=[allocates]).profile_execution(allocates)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(None)
    assert profile.value == BIG_MB * MB
    assert any("debugger or a coverage tool" in note for note in profile.notes)
    assert profile.line_memory[0].largest is None


@pytest.mark.parametrize("given", [len, 7, Holder])
def test_what_is_not_written_in_python_is_refused_at_once(given: Any) -> None:
    with pytest.raises(ProfileError, match="written in Python"):
        QueryProfiler(line_memory=[given])


def test_missing_extra_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memory_profiler", None)
    with pytest.raises(MissingExtraError, match=r"blackcore-query-engine\[profile\]"):
        QueryProfiler(line_memory=[allocates])
    assert QueryProfiler().profile_execution(len, []).value == 0
