"""Regular expressions in the dialect of Rust's regex crate, which runs in linear time.

Patterns that it refuses for what it cannot do in linear time (look-around, back-references) run on
the `regex` package, under a deadline.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
import regex

from ..errors import InvalidPatternError, PatternTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NOT_LINEAR = ("look-around", "backreferences are not supported")
_NAMED_REFERENCE = re.compile(r"\(\?P=|\\[kg]<")
_CARET = re.compile(r"^    (?P<shown>.*)\n    (?P<lead> *)\^", re.MULTILINE)
_REASON = re.compile(r"^error: (.+)", re.MULTILINE)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled expression.

    `linear` says that Rust's engine runs it; otherwise it is expensive and can time out.
    """

    text: str
    case_sensitive: bool
    linear: bool

    @property
    def rust_text(self) -> str:
        """The expression as Polars runs it, with the flag for case in front."""
        return self.text if self.case_sensitive else f"(?i){self.text}"

    def search_each(
        self,
        texts: Sequence[str],
        *,
        timeout_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> Mask:
        """Return one bool per text: whether the expression is found anywhere in it.

        A lone surrogate is seen as U+FFFD: it has no place in UTF-8, on which Rust works.

        Raises:
            PatternTimeoutError: a pattern that is not linear took longer than `timeout_seconds`
                over all the texts together.
        """
        if self.linear:
            return self.search_series(text_series(texts))
        return self._search_slowly([scalar_text(t) for t in texts], timeout_seconds, clock)

    def search_series(self, series: pl.Series) -> Mask:
        """Return one bool per string of a series without nulls, for a linear pattern."""
        return series.str.contains(self.rust_text).to_numpy()

    def _search_slowly(
        self, texts: Sequence[str], timeout_seconds: float, clock: Callable[[], float]
    ) -> Mask:
        compiled = _compile_backtracking(self.text, self.case_sensitive)
        found = np.zeros(len(texts), dtype=np.bool_)
        deadline = clock() + timeout_seconds
        for position, text in enumerate(texts):
            remaining = deadline - clock()
            try:
                if remaining <= 0:
                    raise TimeoutError  # noqa: TRY301 - one way out for both clocks
                found[position] = compiled.search(text, timeout=remaining) is not None
            except TimeoutError as error:
                raise PatternTimeoutError(
                    f"the pattern {self.text!r} took more than {timeout_seconds:g} s over "
                    f"{len(texts)} values; put cheaper filters beside it, or do without "
                    "look-around and back-references"
                ) from error
        return found


def scalar_text(text: str) -> str:
    """Return a text that UTF-8 can hold: lone surrogates become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def text_series(texts: Sequence[str]) -> pl.Series:
    """Return texts as a Polars series of strings, lone surrogates as U+FFFD."""
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series([scalar_text(text) for text in texts], dtype=pl.String)


@lru_cache(maxsize=1024)
def compile_pattern(text: str, *, case_sensitive: bool = True) -> Pattern:
    """Return the compiled pattern.

    Raises:
        InvalidPatternError: neither engine can compile it; the error tells the position.

    >>> compile_pattern("^N[0-9]+").linear, compile_pattern("(?=a)b").linear
    (True, False)
    """
    if text != scalar_text(text):
        raise InvalidPatternError(text, "a lone surrogate cannot be matched", None)
    refusal = _rust_refusal(text)
    if refusal is None:
        return Pattern(text, case_sensitive, linear=True)
    reason = _reason(refusal)
    is_named = reason.startswith("unrecognized") and _NAMED_REFERENCE.search(text)
    if not is_named and not any(sign in reason for sign in _NOT_LINEAR):
        raise InvalidPatternError(text, reason, _position(refusal))
    try:
        _compile_backtracking(text, case_sensitive)
    except regex.error as error:
        reason = getattr(error, "msg", str(error))
        raise InvalidPatternError(text, reason, getattr(error, "pos", None)) from error
    return Pattern(text, case_sensitive, linear=False)


def _rust_refusal(text: str) -> str | None:
    try:
        pl.Series([""]).str.contains(text)
    except pl.exceptions.ComputeError as error:
        return str(error)
    return None


def _reason(refusal: str) -> str:
    found = _REASON.search(refusal)
    if found is not None:
        return found.group(1)
    return refusal.partition("\n")[0].removeprefix("regex error: ").rstrip(".")


def _position(refusal: str) -> int | None:
    """Return the offset that Rust's caret points at; it points so for one-line patterns only."""
    found = _CARET.search(refusal)
    return len(found.group("lead")) if found is not None else None


@lru_cache(maxsize=256)
def _compile_backtracking(text: str, case_sensitive: bool) -> regex.Pattern[str]:
    return regex.compile(text, 0 if case_sensitive else regex.IGNORECASE)
