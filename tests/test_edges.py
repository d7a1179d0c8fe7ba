"""Edges that are easily got wrong, through all the floors: each was wrong once."""

from __future__ import annotations

import contextlib
import copy
import pickle
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from blackcore.minimal.query_engine import (
    CacheSettings,
    EngineSettings,
    FilterGroup,
    InvalidPatternError,
    LoaderContractError,
    MissingExtraError,
    OptimizerError,
    QueryDepthError,
    QueryEngine,
    QueryEngineError,
    QueryError,
    QueryFilter,
    QueryPagination,
    QuerySearch,
    SettingsError,
    SortField,
    StructuredQuery,
    UnknownDatabaseError,
    UnknownFieldError,
    field,
)
from blackcore.minimal.query_engine.data import Answer, QueryResult, Records
from blackcore.minimal.query_engine.errors import did_you_mean
from blackcore.minimal.query_engine.query import QueryOperator, evaluate, holds, projected
from blackcore.minimal.query_engine.query.patterns import compile_pattern


class Shelf:
    def __init__(self, rows: Any) -> None:
        self.rows = rows
        self.loads = 0

    def load_database(self, name: str) -> Any:
        self.loads += 1
        return self.rows

    def get_available_databases(self) -> list[str]:
        return ["d"]

    def refresh_cache(self, name: str | None = None) -> None: ...


ROWS = [{"a": n, "k": 1, "t": f"word{n}"} for n in range(5)]


def result(*cells: Any) -> QueryResult:
    rows = [{"x": cell} for cell in cells]
    return QueryResult(Records("db", rows), np.arange(len(rows), dtype=np.uint32), len(rows))


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def digest(*filters: Any, **parts: Any) -> str:
    return StructuredQuery(database="d", filters=filters, **parts).fingerprint


# 1 data lost on the way to a frame
@pytest.mark.parametrize(
    "cells",
    [
        [[1], [2.5]],  # -> [[1], [2]]
        [[True], [2]],  # -> [[True], [True]]
        [{"a": 1}, {"a": 1, "b": 2}],  # -> b gone
        [{}, {"a": 1}],  # -> a gone
        [[{"a": 1}], [{"b": 2}]],  # -> b gone
        [{"a": [1]}, {"a": [1.5]}],  # -> [1]
    ],
    ids=repr,
)
def test_nested_values_lose_nothing_in_a_frame(cells: list[Any]) -> None:
    import json

    made = result(*cells).to_polars()["x"]
    values = made.to_list()
    if made.dtype == "String" or str(made.dtype) == "String":
        values = [json.loads(v) for v in values]
    for value, cell in zip(values, cells, strict=True):
        kept = (
            {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        )
        kept = (
            [
                {k: v for k, v in i.items() if v is not None} if isinstance(i, dict) else i
                for i in kept
            ]
            if isinstance(kept, list)
            else kept
        )
        assert repr(kept) == repr(cell)


def test_a_bool_is_not_a_number_in_a_frame_either_way_round() -> None:
    assert result(1, True).to_polars()["x"].to_list() == ["1", "true"]


@pytest.mark.parametrize("cells", [[1, 2.5], [2.5, 1], [None, 1, 2.5]])
def test_ints_and_floats_are_one_type_in_a_frame(cells: list[Any]) -> None:
    made = result(*cells).to_polars()["x"]
    assert str(made.dtype) == "Float64"
    assert made.to_list() == cells


def test_what_a_float_cannot_hold_is_not_put_into_one() -> None:
    made = result(1.5, 2**53 + 1).to_polars()["x"].to_list()
    assert str(made[1]) == str(2**53 + 1)


def test_strings_with_one_lone_surrogate_stay_strings() -> None:
    assert result("\ud800", "b").to_polars()["x"].to_list()[1] == "b"


# 2 rows loaded before a refresh are not held after it
def test_a_refresh_during_a_load_is_not_undone_by_it() -> None:
    class Racing(Shelf):
        engine: Any = None

        def load_database(self, name: str) -> Any:
            rows = super().load_database(name)
            if self.loads == 1:
                self.rows = [*rows, {"a": 99}]
                self.engine.refresh(
                    name
                )  # as from another thread, while the old rows are on their way
            return rows

    shelf = Racing(ROWS)
    shelf.engine = QueryEngine(shelf)
    shelf.engine.query("d").run()
    assert len(shelf.engine.query("d").run()) == 6


def test_a_loader_that_fails_to_refresh_is_an_error_of_ours_and_answers_are_dropped() -> None:
    class Failing(Shelf):
        def refresh_cache(self, name: str | None = None) -> None:
            raise OSError("disk gone")

    engine = QueryEngine(Failing(ROWS))
    engine.query("d").run()
    with pytest.raises(LoaderContractError, match="refresh_cache"):
        engine.refresh("d")
    assert engine.statistics().cache.entries == 0


# 3 foreign parts
def test_an_optimizer_whose_plan_is_none_is_an_error_of_ours() -> None:
    class Foreign:
        def optimize_query(self, query: Any, statistics: Any) -> Any:
            return SimpleNamespace(plan=None, rules_fired=())

    engine = QueryEngine(Shelf(ROWS), optimizer=Foreign())
    with pytest.raises(OptimizerError):
        engine.query("d").run()
    with pytest.raises(OptimizerError):
        engine.query("d").explain()


@pytest.mark.parametrize("thing", [42, True, object()])
def test_what_is_no_optimizer_is_refused_when_it_is_wired(thing: Any) -> None:
    with pytest.raises(OptimizerError, match="optimize_query"):
        QueryEngine(Shelf(ROWS), optimizer=thing)


def test_an_empty_search_engine_is_asked_all_the_same() -> None:
    class Empty:
        def __len__(self) -> int:
            return 0

        def search(self, query_text: str, data: Any, config: Any) -> Any:
            return [{"entity": data[3], "score": 1.0}]

    engine = QueryEngine(Shelf(ROWS), search=Empty())
    assert engine.query("d").search("nothing").run().data == [ROWS[3]]


def test_a_cache_whose_statistics_are_rubbish_is_bypassed() -> None:
    class Foreign:
        def get_cached_result(self, query_hash: str, max_age: Any = None) -> None: ...
        def cache_result(
            self, query_hash: str, result: Any, ttl: Any = None, tags: Any = ()
        ) -> None: ...
        def get_statistics(self) -> Any:
            return {"hits": 1}

    engine = QueryEngine(Shelf(ROWS), cache=Foreign())
    assert engine.statistics().cache is None
    assert str(engine.statistics())


def test_the_settings_of_the_cache_all_reach_the_cache() -> None:
    settings = EngineSettings(cache=CacheSettings(policy="s3fifo", max_entries=2))
    engine = QueryEngine(Shelf(ROWS), settings=settings)
    for n in range(9):
        engine.query("d").where(field("a") == n).run()
    assert engine.statistics().cache.entries <= 2


# 4 the specification
def test_dates_in_utc_are_read_in_any_case() -> None:
    moment = datetime(2013, 1, 1, tzinfo=UTC)
    for operator in (QueryOperator.EQUALS, QueryOperator.GTE):
        assert holds(operator, "2013-01-01T00:00:00Z", moment, case_sensitive=False)


@pytest.mark.parametrize("pattern", [r"(?P<x>a)(?P=x)", r"(?P<x>a)\g<x>"])
def test_named_back_references_run_on_the_other_engine(pattern: str) -> None:
    assert compile_pattern(pattern).search_each(["aa", "ab"]).tolist() == [True, False]


def test_only_what_rust_refuses_as_not_linear_runs_on_the_other_engine() -> None:
    with pytest.raises(InvalidPatternError):
        compile_pattern("(?#look-around)a")


def test_select_shows_none_where_null() -> None:
    assert projected({"a": float("nan")}, ["a"]) == {"a": None}


def test_rows_that_sort_keys_do_not_tell_apart_keep_the_records_order_also_of_a_search() -> None:
    rows = [{"k": 1} for _ in range(4)]
    query = StructuredQuery(database="d", sort_fields=[SortField("k")])
    assert evaluate(query, rows, {3: 2.0, 1: 1.0}) == [1, 3]


@pytest.mark.parametrize(
    "ask",
    [
        lambda q: q.where(field("a").equals("x", case_sensitive=False)).run(),
        lambda q: q.where(field("a").is_in(["x"], case_sensitive=False)).run(),
    ],
    ids=["eq in any case", "in in any case"],
)
def test_deep_records_that_were_loaded_can_be_asked(ask: Any) -> None:
    ask(QueryEngine(Shelf([deep(300), deep(300)])).query("d"))


# 5 frozen values
def test_values_of_a_filter_cannot_be_changed_under_its_digest() -> None:
    made = QueryFilter("t", "fuzzy", {"text": "x", "threshold": 0.9})
    with pytest.raises(TypeError):
        made.value["threshold"] = 0.1
    search = QuerySearch("x", {"a": 1.0})
    with pytest.raises(TypeError):
        search.field_weights["a"] = 9.0
    hash(made)
    hash(search)


def test_questions_that_differ_are_not_equal() -> None:
    assert QueryFilter("a", "eq", 1) != QueryFilter("a", "eq", True)


def test_results_and_answers_can_be_compared() -> None:
    assert (result(1, 2) == result(1, 2)) in (True, False)
    one, other = (Answer(np.arange(3, dtype=np.uint32), 3) for _ in range(2))
    assert (one == other) in (True, False)
    hash(result(1))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (digest(QueryFilter("a", "is_null")), digest(QueryFilter("a", "is_null", None, False))),
        (digest(QueryFilter("a", "eq", 5)), digest(QueryFilter("a", "eq", 5, False))),
        (digest(search=QuerySearch("x")), digest(search=QuerySearch("x", {}))),
    ],
)
def test_case_and_weights_that_do_not_matter_make_no_difference(one: str, other: str) -> None:
    assert one == other


@pytest.mark.parametrize(
    "error",
    [
        InvalidPatternError("a(", "unclosed", 1),
        UnknownFieldError("a", "d", ["b"]),
        UnknownDatabaseError("a", ["b"]),
        MissingExtraError("x", "y"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_errors_cross_processes(error: Exception) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own, a line above
        assert str(again) == str(error)
        assert vars(again) == vars(error)


# 6 bad input
def test_a_moment_of_numpy_in_nanoseconds_is_a_moment() -> None:
    assert QueryFilter("a", "gt", np.datetime64("2013-01-01", "ns")).value == datetime(2013, 1, 1)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: StructuredQuery(database=["x" * 100_000]),
        lambda: QueryPagination(page="x" * 100_000),
        lambda: FilterGroup.model_validate_json('{"filters":[' * 5_000),
    ],
)
def test_messages_stay_short(bad: Any) -> None:
    with pytest.raises(QueryError) as caught:
        bad()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "bad",
    [
        lambda: QueryFilter("a", "between", 10**5_000),
        lambda: str(QueryFilter("a", "eq", 10**5_000)),
        lambda: result(10**5_000)._repr_html_(),
        lambda: evaluate(
            StructuredQuery(database="d", sort_fields=[SortField("a")]),
            [{"a": [10**5_000]}, {"a": [1]}],
        ),
    ],
)
def test_ints_too_long_for_decimal_text_are_no_bare_value_error(bad: Any) -> None:
    with contextlib.suppress(QueryEngineError):
        bad()


def test_sort_takes_names_alone() -> None:
    with pytest.raises(QueryError):
        QueryEngine(Shelf(ROWS)).query("d").sort(3)  # type: ignore[arg-type]


def test_a_required_value_that_is_missing_is_said_so() -> None:
    with pytest.raises(QueryError) as caught:
        QueryFilter("a")  # type: ignore[call-arg]
    assert "operator is {" not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: CacheSettings(max_size_mb="1"),
        lambda: CacheSettings(max_size_mb=float("nan")),
    ],
)
def test_settings_of_another_type_are_refused(bad: Any) -> None:
    with pytest.raises(SettingsError):
        bad()


@pytest.mark.parametrize(
    ("name", "known", "nearest"),
    [
        ("cast.nmae", ["cast", "cast.name"], "cast.name"),
        ("DEP_DELAY", ["dep_delay", "arr_delay"], "dep_delay"),
    ],
)
def test_the_nearest_name_is_the_nearest(name: str, known: list[str], nearest: str) -> None:
    assert did_you_mean(name, known) == f"did you mean {nearest!r}?"


def test_unknown_export_arguments_are_refused(tmp_path: Any) -> None:
    with pytest.raises((QueryEngineError, TypeError)):
        QueryEngine(Shelf(ROWS)).export_sync(
            StructuredQuery(database="d"), tmp_path / "x.csv", foo=1
        )  # type: ignore[call-arg]


def test_an_export_of_no_rows_has_the_selected_columns(tmp_path: Any) -> None:
    engine = QueryEngine(Shelf(ROWS))
    engine.export_sync(
        engine.query("d").where(field("a") > 99).select("a", "t"), tmp_path / "x.csv"
    )
    assert (tmp_path / "x.csv").read_text().splitlines() == ["a,t"]


def test_records_too_deep_to_be_compared_are_said_to_be_so() -> None:
    engine = QueryEngine(Shelf([deep(sys.getrecursionlimit())] * 2))
    with pytest.raises(QueryDepthError, match="nested too deep"):
        engine.query("d").distinct().run()
