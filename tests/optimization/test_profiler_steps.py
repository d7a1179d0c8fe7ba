"""Coroutines and generators, measured step by step."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from blackcore.minimal.query_engine.errors import ProfileError
from blackcore.minimal.query_engine.optimization.profiler import QueryProfiler
from blackcore.minimal.query_engine.settings import ProfilerSettings
from tests.optimization.profiled import branch, recorded, sampling_threads

MB = 1024 * 1024


def test_generator_comes_back_unharmed_with_a_word_that_nothing_ran() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)

    profile = QueryProfiler().profile_execution(numbers)
    assert list(profile.value) == [0, 1, 2]
    [note] = [note for note in profile.notes if "nothing has run" in note]
    assert "profile_iteration" in note


async def test_async_generator_comes_back_unharmed_with_a_word_that_fits() -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    profile = QueryProfiler().profile_execution(numbers)
    assert [number async for number in profile.value] == [0, 1, 2]
    [note] = [note for note in profile.notes if "nothing has run" in note]
    assert "profile_async" in note
    assert "profile_iteration" not in note


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


@pytest.mark.parametrize("stacks", [False, True])
async def test_cancelled_coroutine_is_cancelled_and_its_profile_kept(stacks: bool) -> None:
    cleaned_up = False

    async def waits() -> None:
        nonlocal cleaned_up
        branch(3)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned_up = True

    profiler = QueryProfiler(functions=not stacks, stacks=stacks)
    task = asyncio.create_task(profiler.profile_async(waits()))
    await asyncio.sleep(0)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await task
    assert task.cancelled()
    assert cleaned_up
    assert isinstance(profiler.last.exception, asyncio.CancelledError)  # type: ignore[union-attr]
    assert stacks or recorded(profiler.last)["leaf"][0] == 3  # type: ignore[arg-type]
    assert not sampling_threads()


async def test_time_limit_ends_a_profiled_coroutine() -> None:
    profiler = QueryProfiler()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await profiler.profile_async(asyncio.sleep(60))
    assert isinstance(profiler.last.exception, asyncio.CancelledError)  # type: ignore[union-attr]
    assert not sampling_threads()


def test_coroutine_that_nobody_finishes_leaves_no_thread() -> None:
    @types.coroutine
    def waits() -> Generator[str, None, None]:
        yield "waiting"

    async def forever() -> None:
        await waits()

    profiler = QueryProfiler(functions=False)
    profiled = profiler.profile_async(forever())
    assert profiled.send(None) == "waiting"
    assert sampling_threads()
    profiled.close()
    assert not sampling_threads()
    assert isinstance(profiler.last.exception, GeneratorExit)  # type: ignore[union-attr]


def test_error_that_is_false_reaches_the_coroutine_too() -> None:
    class FalseError(Exception):
        def __bool__(self) -> bool:
            return False

    @types.coroutine
    def waits() -> Generator[str, None, None]:
        yield "waiting"

    async def catches() -> str:
        try:
            await waits()
        except FalseError:
            return "caught"
        return "not told"

    profiled = QueryProfiler().profile_async(catches())
    profiled.send(None)
    with pytest.raises(StopIteration) as stopped:
        profiled.throw(FalseError())
    assert stopped.value.value.value == "caught"


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


async def test_stacks_of_a_coroutine_book_what_it_waits_for_as_waiting() -> None:
    profiler = QueryProfiler(
        functions=False, stacks=True, settings=ProfilerSettings(stack_interval_seconds=1e-4)
    )
    profile = await profiler.profile_async(asyncio.sleep(0.03))
    assert any(stack[0][2] == "(waiting)" for stack in profile.stacks)
