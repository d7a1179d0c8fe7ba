"""A property that is computed once and kept with its object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Self, TypeVar, overload

T = TypeVar("T")


class kept_property(Generic[T]):  # noqa: N801 - read and used as `property` is
    """What `functools.cached_property` is, without the lock that costs 0.6 us in Python 3.11.

    Threads that ask for the first time at once may each compute the value; the last one's is kept,
    as it is in Python 3.12. So it is for values that are the same whoever computes them.

    >>> class Circle:
    ...     @kept_property
    ...     def area(self) -> float:
    ...         print("computed")
    ...         return 3.14
    >>> circle = Circle()
    >>> circle.area + circle.area
    computed
    6.28
    """

    def __init__(self, compute: Callable[..., T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        """Return the value, from the object's own dict at every later time."""
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(instance)
        return value
