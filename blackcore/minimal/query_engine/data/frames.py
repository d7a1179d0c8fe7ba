"""Values of a field as a Polars series that holds them exactly, or as JSON text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import cast

import polars as pl

from ..query.patterns import scalar_text
from ..query.values import json_equal, json_text
from .columns import EXACT_FLOAT_INTEGER

_NULL = frozenset({type(None)})
_EXACT = frozenset({bool, str, float, date, time, timedelta})


def series_of(name: str, cells: Sequence[object]) -> pl.Series:
    """Return the cells as a series of one type, as JSON text where none holds them all exactly.

    A lone surrogate, which Polars cannot hold, becomes U+FFFD.

    >>> series_of("a", [1, 2.5]).to_list(), series_of("a", [1, True]).to_list()
    ([1.0, 2.5], ['1', 'true'])
    """
    types = frozenset(map(type, cells)) - _NULL
    if types == {str}:
        texts = [None if cell is None else scalar_text(cast("str", cell)) for cell in cells]
        return pl.Series(name, texts, dtype=pl.String)
    if types == {int, float} and _are_exact_floats(cells):
        return pl.Series(name, cells, dtype=pl.Float64)
    made = _of_one_type(name, cells)
    if made is not None and ((len(types) <= 1 and types <= _EXACT) or _holds(made, cells)):
        return made
    json_texts = [None if cell is None else scalar_text(json_text(cell)) for cell in cells]
    return pl.Series(name, json_texts, dtype=pl.String)


def _of_one_type(name: str, cells: Sequence[object]) -> pl.Series | None:
    try:
        return pl.Series(name, cells, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return None


def _are_exact_floats(cells: Sequence[object]) -> bool:
    limit = EXACT_FLOAT_INTEGER
    return all(type(cell) is not int or -limit <= cell <= limit for cell in cells)


def _holds(series: pl.Series, cells: Sequence[object]) -> bool:
    """Return whether a series gives the cells back: Polars drops late keys and casts unasked."""
    if series.dtype == pl.Object:
        return False
    return all(
        json_equal(held, cell) and isinstance(held, datetime) == isinstance(cell, datetime)
        for held, cell in zip(series.to_list(), cells, strict=True)
    )
