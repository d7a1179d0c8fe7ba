"""The cost model of this machine, measured in less than a second.

Each figure is the least of a few rounds over made-up values: what disturbs a measurement only makes
it longer. Looks into the rows are measured with the processor's caches swept first, as they are
found when a database is larger than those.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import compress
from operator import gt

import numpy as np
import polars as pl
import regex
from rapidfuzz import fuzz, process

from ..data import StringColumn
from ..data.columns import cells_of, column_of
from ..query import QueryOperator, holds
from ..query.values import walk
from .cost_model import CostModel

_ROWS = 20_000
_FEW = 2_000
_MANY = 200_000
_FIELDS = 16
_SWEPT_BYTES = 48 * 1024 * 1024
_WORDS = ("late", "snow", "gate", "crew", "fine")
_TIMES = 10
_ROUNDS = 4
_MANY_ROUNDS = 40
_BUDGET_NS = 400_000_000

Clock = Callable[[], int]


def calibrate(*, clock: Clock = time.perf_counter_ns) -> CostModel:
    """Return the cost model of this machine, for `CostBasedOptimizer(calibrate())`.

    Takes less than a second and some 100 MB for as long. Measure on a quiet machine: on a busy one
    single figures come out many times too high, and plans depend on their ratios.

    Args:
        clock: nanoseconds, rising.
    """
    bench = _Bench(clock)
    measured = bench.rows_figures() | bench.number_figures() | bench.text_figures()
    # what a coarse clock sees nothing of keeps its default
    return replace(CostModel(), **{name: figure for name, figure in measured.items() if figure > 0})


class _Bench:
    """Made-up rows, and what looking at a value costs in each way, in nanoseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadline = clock() + _BUDGET_NS
        self._dice = random.Random(1)  # noqa: S311 - the same values each time, no secret
        self._texts = [" ".join(self._dice.choices(_WORDS, k=4)) for _ in range(_ROWS)]
        names = [f"field {n}" for n in range(_FIELDS)]
        self._rows: list[dict[str, object]] = [
            dict.fromkeys(names, n + 0.5) | {"a": n / 2, "b": text, "c": {"d": n}}
            for n, text in enumerate(self._texts)
        ]
        self._swept = np.zeros(_SWEPT_BYTES // 8)

    def _ns(
        self,
        what: Callable[[], object],
        values: int = 1,
        *,
        sweep: bool = False,
        rounds: int = _ROUNDS,
    ) -> float:
        """Return the least nanoseconds a value that some rounds took."""
        best = float("inf")
        for _ in range(rounds):
            if sweep:
                self._swept += 1.0
            start = self._clock()
            what()
            now = self._clock()
            best = min(best, now - start)
            if now > self._deadline:
                break
        return best / values

    def rows_figures(self) -> dict[str, float]:
        """Return what looks into the dicts cost."""
        rows = self._rows
        cells = [row.get("a") for row in rows]
        some = sorted(self._dice.sample(range(_ROWS), _FEW // 4))
        few = rows[:_FEW]
        compare = _greater_than(float(_FEW))
        return {
            "row_lookup_ns": self._ns(lambda: cells_of(rows, "a"), _ROWS, sweep=True),
            "passing_lookup_ns": self._ns(lambda: cells_of(few, "a"), _FEW),
            "scattered_lookup_ns": self._ns(
                lambda: cells_of([rows[i] for i in some], "a"), len(some), sweep=True
            ),
            "row_walk_ns": self._ns(lambda: [walk(row, "c.d") for row in few], _FEW),
            "row_test_ns": self._ns(
                lambda: list(compress(range(_ROWS), map(compare, cells))), _ROWS
            ),
            "spec_test_ns": self._ns(
                lambda: [holds(QueryOperator.GT, cell, 5) for cell in cells[:_FEW]], _FEW
            ),
            "extract_ns": self._ns(lambda: column_of(*cells_of(rows, "b")), _ROWS, sweep=True),
        }

    def number_figures(self) -> dict[str, float]:
        """Return what columns of numbers cost, and putting them in order."""
        values = np.arange(_MANY) * 7919.0 % _MANY
        one = values[:1]
        few, none, many = (np.arange(_MANY) % 100 < share for share in (1, 0, 30))
        ids = np.flatnonzero(few).astype(np.uint32)
        codes = (np.arange(_MANY) % 100).astype(np.int16)
        table = np.arange(100) % 2 == 0
        positions_ns = self._ns(lambda: np.flatnonzero(none).astype(np.uint32), _MANY)
        few_positions_ns = self._ns(lambda: np.flatnonzero(few).astype(np.uint32), _MANY)
        return {
            "number_start_ns": self._ns(
                lambda: np.count_nonzero(np.flatnonzero(np.less(one, 1))), rounds=_MANY_ROUNDS
            ),
            "number_compare_ns": self._ns(lambda: np.less(values, 1), _MANY),
            "number_gather_ns": self._ns(lambda: np.less(values[ids], 1), len(ids)),
            "positions_ns": positions_ns,
            "position_ns": max(0.0, few_positions_ns - positions_ns) * _MANY / len(ids),
            "dense_positions_ns": self._ns(lambda: np.flatnonzero(many).astype(np.uint32), _MANY),
            "code_lookup_ns": self._ns(lambda: table.take(codes, mode="wrap"), _MANY),
            "sort_ns": self._ns(lambda: np.argsort(values, kind="stable"), _MANY),
            "partition_ns": self._ns(lambda: np.partition(values, 100), _MANY),
        }

    def text_figures(self) -> dict[str, float]:
        """Return what columns of strings cost."""
        texts = self._texts
        series = pl.Series(texts)
        long = pl.Series([text * _TIMES for text in texts[:_FEW]])
        added = (_TIMES - 1) * sum(map(len, texts[:_FEW]))
        one, few = series[:1], series[:_FEW]
        ids = np.arange(0, _ROWS, 2, dtype=np.uint32)
        some = np.arange(0, _FEW, 2, dtype=np.uint32)
        look_around = regex.compile("(?=late)l.*fine")
        coded = StringColumn(series)
        _ = coded.codes
        names = texts[:_FEW]

        def longer(what: Callable[[pl.Series], object], short_ns: float) -> float:
            return max(0.0, self._ns(lambda: what(long)) - short_ns * _FEW) / added

        contains = self._ns(lambda: _contains(series), _ROWS)
        pattern = self._ns(lambda: series.str.contains("sn[a-z]w"), _ROWS)
        folded = self._ns(lambda: _contains(series.str.to_lowercase()), _ROWS)
        fuzzy = self._ns(lambda: process.cdist([names[0]], names, scorer=fuzz.ratio))
        gathered = self._ns(lambda: _contains(long.gather(some))) - self._ns(
            lambda: _contains(few.gather(some))
        )
        return {
            "series_start_ns": self._ns(
                lambda: _contains(one).fill_null(value=False), rounds=_MANY_ROUNDS
            ),
            "codes_start_ns": self._ns(lambda: coded.first_code("late"), rounds=_MANY_ROUNDS),
            "string_compare_ns": self._ns(lambda: series == "late snow gate", _ROWS),
            "contains_ns": contains,
            "contains_ns_per_character": longer(_contains, contains),
            "regex_ns": pattern,
            "regex_ns_per_character": longer(lambda s: s.str.contains("sn[a-z]w!"), pattern),
            "backtracking_ns": self._ns(lambda: list(map(look_around.search, names)), _FEW),
            "fuzzy_ns_per_character": fuzzy / sum(map(len, names)),
            "casefold_ns": folded,
            "casefold_ns_per_character": longer(lambda s: _contains(s.str.to_lowercase()), folded),
            "gather_ns": self._ns(lambda: series.gather(ids), len(ids)),
            "gathered_ns_per_character": gathered / (added / 2),
            "encode_ns": self._ns(lambda: StringColumn(series).codes, _ROWS),
            "encode_distinct_ns": self._ns(lambda: StringColumn(_distinct_texts()).codes, _FEW),
        }


def _contains(series: pl.Series) -> pl.Series:
    return series.str.contains("finer", literal=True)


def _distinct_texts() -> pl.Series:
    return pl.Series([f"text {n * 7919 % _FEW}" for n in range(_FEW)])


def _greater_than(bound: float) -> Callable[[object], bool]:
    return lambda value: type(value) is float and gt(value, bound)
