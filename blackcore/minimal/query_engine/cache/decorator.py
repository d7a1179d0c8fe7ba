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

from .arguments import checked_not_negative, checked_positive, checked_tags
from .computing import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from .memory_cache import MemoryCache

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
    """The calls of one function: what tells them apart, what they compute, how many they were."""

    __slots__ = ("_function", "_make_key", "_name", "computed", "made")

    def __init__(
        self,
        function: Callable[..., Any],  # a function of any signature
        name: str,
        make_key: Callable[..., Hashable] | None,
    ) -> None:
        self._function = function
        self._name = name
        self._make_key = make_key
        self.made = 0
        self.computed = 0

    def key_of(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Hashable:
        self.made += 1
        if self._make_key is not None:
            return self._name, self._make_key(*args, **kwargs)
        if kwargs:
            # Three, of which the last is no argument: no call without keywords is taken for this.
            return self._name, args, tuple(sorted(kwargs.items()))
        return self._name, args

    def computation(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Callable[[], Any]:
        def compute() -> Any:  # noqa: ANN401 - what the function returns
            self.computed += 1
            return self._function(*args, **kwargs)

        return compute

    @staticmethod
    def never(key: Hashable, default: object) -> object:  # noqa: ARG004 - as `get_hit`
        return default

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
    if ttl_seconds is not None:
        checked_positive("ttl_seconds", ttl_seconds)
    checked_not_negative("stale_seconds", stale_seconds)
    checked_not_negative("early_refresh", early_refresh)

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        name = f"{function.__module__}.{function.__qualname__}#{next(_serial)}"
        keeping = _Keeping(ttl_seconds, (*common_tags, name), stale_seconds, early_refresh)
        calls = _Calls(function, name, key)
        call = _async_call if inspect.iscoroutinefunction(function) else _call
        wrapper = functools.wraps(function)(call(cache, keeping, calls))
        wrapper.cache_info = calls.info  # type: ignore[attr-defined]  # CachedFunction has them
        wrapper.cache_clear = functools.partial(cache.invalidate_by_tags, (name,))  # type: ignore[attr-defined]
        return cast("CachedFunction[P, R]", wrapper)

    return decorate


def _call(cache: MemoryCache, keeping: _Keeping, calls: _Calls) -> Callable[..., object]:
    options = keeping._asdict()
    get_hit = calls.never if keeping.early_refresh else cache.get_hit
    key_of = calls.key_of

    def call(*args: object, **kwargs: object) -> object:
        key = key_of(args, kwargs)
        value = get_hit(key, ABSENT)  # before anything is made that only a miss needs
        if value is not ABSENT:
            return value
        return cache.get_or_compute(key, calls.computation(args, kwargs), **options)

    return call


def _async_call(cache: MemoryCache, keeping: _Keeping, calls: _Calls) -> Callable[..., object]:
    options = keeping._asdict()
    get_hit = calls.never if keeping.early_refresh else cache.get_hit
    key_of = calls.key_of

    async def call(*args: object, **kwargs: object) -> object:
        key = key_of(args, kwargs)
        value = get_hit(key, ABSENT)
        if value is not ABSENT:
            return value
        return await cache.get_or_compute_async(key, calls.computation(args, kwargs), **options)

    return call
