"""Blocks and coroutines, measured while they run and only then."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from ...errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import TracebackType
    from typing import Self

    from .execution_profile import ExecutionProfile
    from .measurement import Measurement

T = TypeVar("T")


class Stepped(Generic[T]):
    """Awaits something, measuring each of its steps from where it goes on to where it waits."""

    def __init__(self, awaitable: Awaitable[T], measurement: Measurement) -> None:
        self._awaitable = awaitable
        self._measurement = measurement

    def __await__(self) -> Generator[object, object, T]:
        coroutine = _awaiting(self._awaitable)
        sent: object = None
        thrown: BaseException | None = None
        while True:
            with self._measurement:
                try:
                    waits_for = coroutine.send(sent) if thrown is None else coroutine.throw(thrown)
                except StopIteration as stop:
                    found: T = stop.value
                    return found
            sent = thrown = None
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - passed on into the coroutine, cancellation too
                thrown = error


async def _awaiting(awaitable: Awaitable[T]) -> T:
    """Return what it gives: a coroutine has `send` and `throw`, other awaitables need not."""
    return await awaitable


class OpenBlocks(threading.local):
    """The blocks that each thread is in, the innermost last."""

    def __init__(self) -> None:
        self.blocks: list[ProfiledBlock] = []


class ProfiledBlock:
    """A block of code that is measured: `with profiler.profile() as block: ...`.

    It can be entered again after it ended.

    Attributes:
        profile: what it took, None until it ends.
    """

    def __init__(
        self,
        measure: Callable[[], Measurement],
        keep: Callable[[ExecutionProfile[object]], object],
    ) -> None:
        self.profile: ExecutionProfile[object] | None = None
        self._measure = measure
        self._keep = keep
        self._measurement: Measurement | None = None

    def __enter__(self) -> Self:
        if self._measurement is not None:
            raise ProfileError("this block is being measured already; make one with profile()")
        self._measurement = self._measure()
        self._measurement.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        measurement, self._measurement = self._measurement, None
        if measurement is None:
            raise ProfileError("this block has not been entered; use it in a with statement")
        measurement.__exit__(kind, error, traceback)
        self.profile = measurement.finished(None, error)
        self._keep(self.profile)
