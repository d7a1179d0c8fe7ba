"""What callers pass, checked: each returns the value as the cache wants it, or raises."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

from ..errors import CacheKeyError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

BYTES_PER_MB = 1024 * 1024


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def checked_positive(name: str, value: float) -> float:
    """Return a number above 0.

    Raises:
        SettingsError: it is not; NaN and text are not either.
    """
    if _is_number(value) and value > 0:
        return value
    raise SettingsError(f"{name} is {value!r}; it must be a number greater than 0")


def checked_not_negative(name: str, value: float) -> float:
    """Return a number from 0 up, and not infinite, as a float.

    Raises:
        SettingsError: it is not.
    """
    if _is_number(value) and 0 <= value < float("inf"):
        return float(value)
    raise SettingsError(f"{name} is {value!r}; it must be a number, 0 or greater")


def checked_age(max_age: float) -> float:
    """Return an age, from 0 up; infinity is one too.

    Raises:
        SettingsError: it is not.
    """
    if _is_number(max_age) and max_age >= 0:
        return max_age
    raise SettingsError(f"max_age is {max_age!r}; it must be a number, 0 or greater, or None")


def checked_bytes(max_size_mb: float) -> int:
    """Return a bound given in mebibytes as bytes, at least one."""
    size = checked_positive("max_size_mb", max_size_mb) * BYTES_PER_MB
    if size == float("inf"):
        raise SettingsError(f"max_size_mb is {max_size_mb!r}; a bound is finite")
    return max(1, int(size))


def checked_entries(max_entries: int | None) -> int | None:
    """Return a bound in entries, None for no bound."""
    if max_entries is None:
        return None
    if _is_whole(max_entries) and max_entries >= 1:
        return int(max_entries)
    raise SettingsError(
        f"max_entries is {max_entries!r}; it must be an int greater than 0, or None for no bound"
    )


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags, each once, in the order given.

    Raises:
        SettingsError: one of them, or all of them together, is not what a tag is.
    """
    if isinstance(tags, str):
        raise SettingsError(
            f"tags is the text {tags!r}; give an iterable of texts, as in ({tags!r},)"
        )
    if not tags:
        return ()
    try:
        unique = tuple(dict.fromkeys(tags))
    except TypeError as error:
        raise SettingsError(f"tags is {tags!r}; it must be an iterable of texts") from error
    for tag in unique:
        if not isinstance(tag, str):
            raise SettingsError(f"the tag {tag!r} is not a text")
    return unique


def unusable_key(key: Hashable, error: TypeError) -> CacheKeyError:
    """Return the error for a key that could not be looked up."""
    return CacheKeyError(
        f"a key of type {type(key).__name__!r} cannot be looked up ({error}); "
        "a key must be hashable, as texts, numbers, and tuples of them are"
    )


def checked_key(key: Hashable) -> Hashable:
    """Return a key that is hashable.

    Raises:
        CacheKeyError: it is not.
    """
    try:
        hash(key)
    except TypeError as error:
        raise unusable_key(key, error) from error
    return key
