"""Functions and coroutines that remember their results in a cache."""

from __future__ import annotations

import functools
import inspect
from itertools import count
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    NamedTuple,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    overload,
)

from .arguments import checked_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from .memory_cache import MemoryCache

    _Prepare = Callable[..., tuple[Hashable, Callable[[], Any]]]  # of a function of any signature

P = ParamSpec("P")
Rest = ParamSpec("Rest")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_serial = count(1)


class CacheInfo(NamedTuple):
    """What one function's calls came to: answered from the cache, and computed."""

    hits: int
    misses: int


class CachedFunction(Protocol[P, R_co]):
    """A function whose results are kept, called as the function itself.

    In a class it is a method: its results are kept per object, which must be hashable.
    """

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the function's result, computed or kept."""

    @overload
    def __get__(self, instance: None, owner: type, /) -> CachedFunction[P, R_co]: ...

    @overload
    def __get__(
        self: CachedFunction[Concatenate[Any, Rest], R_co],  # the object, of whatever class
        instance: object,
        owner: type | None = None,
        /,
    ) -> CachedFunction[Rest, R_co]: ...

    def cache_info(self) -> CacheInfo:
        """Return how many calls were answered from the cache, and how many were computed."""

    def cache_clear(self) -> int:
        """Drop this function's results, and no other's; return how many those were."""


class _Keeping(NamedTuple):
    """The options of `get_or_compute`, by their names there."""

    ttl_seconds: float | None
    tags: tuple[str, ...]
    stale_seconds: float
    early_refresh: float


class _Calls:
    """Counts the calls and computations of one function."""

    __slots__ = ("computed", "made")

    def __init__(self) -> None:
        self.made = 0
        self.computed = 0

    def info(self) -> CacheInfo:
        computed = self.computed
        return CacheInfo(max(0, self.made - computed), computed)


def cached(
    cache: MemoryCache,
    *,
    ttl_seconds: float | None = None,
    tags: Iterable[str] = (),
    stale_seconds: float = 0.0,
    early_refresh: float = 0.0,
    key: Callable[..., Hashable] | None = None,
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """Return a decorator that keeps the results of a function, or of a coroutine function.

    Calls with equal arguments share a result, and one computation while it runs. `1` and `1.0` are
    equal; `f(1)` and `f(x=1)` are different calls. Several functions may use one cache.

    Args:
        cache: where results are kept.
        ttl_seconds: how long to serve a result; None is the cache's own.
        tags: names the results can be invalidated by.
        stale_seconds: see `MemoryCache.get_or_compute`.
        early_refresh: see `MemoryCache.get_or_compute`.
        key: called with the arguments, returns what tells calls apart; None: the arguments, which
            then must be hashable.

    >>> from blackcore.minimal.query_engine.cache import MemoryCache
    >>> @cached(MemoryCache(), ttl_seconds=60)
    ... def square(number: int) -> int:
    ...     return number * number
    >>> square(7), square(7)
    (49, 49)
    >>> square.cache_info()
    CacheInfo(hits=1, misses=1)
    """
    common_tags = checked_tags(tags)
    make_key = key or _arguments_as_key

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        name = f"{function.__module__}.{function.__qualname__}#{next(_serial)}"
        keeping = _Keeping(ttl_seconds, (*common_tags, name), stale_seconds, early_refresh)
        calls = _Calls()

        def prepare(*args: P.args, **kwargs: P.kwargs) -> tuple[Hashable, Callable[[], R]]:
            calls.made += 1

            def compute() -> R:
                calls.computed += 1
                return function(*args, **kwargs)

            return (name, make_key(*args, **kwargs)), compute

        call = _async_call if inspect.iscoroutinefunction(function) else _call
        wrapper = functools.wraps(function)(call(cache, keeping, prepare))
        wrapper.cache_info = calls.info  # type: ignore[attr-defined]  # CachedFunction has them
        wrapper.cache_clear = functools.partial(cache.invalidate_by_tags, (name,))  # type: ignore[attr-defined]
        return cast("CachedFunction[P, R]", wrapper)

    return decorate


def _call(cache: MemoryCache, keeping: _Keeping, prepare: _Prepare) -> Callable[..., object]:
    options = keeping._asdict()

    def call(*args: object, **kwargs: object) -> object:
        key, compute = prepare(*args, **kwargs)
        return cache.get_or_compute(key, compute, **options)

    return call


def _async_call(cache: MemoryCache, keeping: _Keeping, prepare: _Prepare) -> Callable[..., object]:
    options = keeping._asdict()

    async def call(*args: object, **kwargs: object) -> object:
        key, compute = prepare(*args, **kwargs)
        return await cache.get_or_compute_async(key, compute, **options)

    return call


def _arguments_as_key(*args: object, **kwargs: object) -> Hashable:
    return (args, tuple(sorted(kwargs.items()))) if kwargs else args
