"""Queries measured through an engine, stage by stage."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blackcore.minimal.query_engine import QueryEngine, field
from blackcore.minimal.query_engine.data import QueryResult, StageActual
from blackcore.minimal.query_engine.errors import (
    ExportError,
    ProfileError,
    SettingsError,
    UnknownFieldError,
)
from blackcore.minimal.query_engine.optimization import Explanation
from blackcore.minimal.query_engine.optimization.plan import (
    ExecutionPlan,
    FilterStage,
    QueryCost,
    Way,
)
from blackcore.minimal.query_engine.optimization.profiler import (
    QueryPerformanceProfile,
    QueryProfiler,
)
from blackcore.minimal.query_engine.optimization.profiling import STAGES, RunTimings, StageRows
from blackcore.minimal.query_engine.optimization.profiling.query_runs import QueryRuns
from blackcore.minimal.query_engine.query import QueryFilter, StructuredQuery

CARRIERS = ("UA", "AA", "DL", "HA")
ROWS = [
    {
        "id": n,
        "carrier": CARRIERS[n * 2654435761 % 1013 % 4],
        "distance": n * 7 % 3000,
        "note": f"gate {n % 9}",
    }
    for n in range(6_000)
]


class Loader:
    def load_database(self, name: str) -> list[dict[str, Any]]:
        return ROWS

    def get_available_databases(self) -> list[str]:
        return ["flights"]

    def refresh_cache(self, name: str | None = None) -> None:
        return None


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine(Loader())


@pytest.fixture
def uncached() -> QueryEngine:
    return QueryEngine(Loader(), cache=False)


def asked(engine: QueryEngine) -> Any:
    near = field("carrier") == "HA", field("distance") > 100
    return engine.query("flights").where(*near).sort("-distance").page(1, 20)


class Engine:
    """An engine made of two: any object with the methods will do."""

    def __init__(self) -> None:
        self.cached, self.sparing = QueryEngine(Loader()), QueryEngine(Loader(), cache=False)

    def execute(self, query: Any, *, use_cache: bool = True) -> QueryResult:
        return (self.cached if use_cache else self.sparing).execute(query)

    def explain(self, query: Any, analyze: bool = False) -> Explanation:
        return self.cached.explain(query, analyze)


def made(**changes: Any) -> QueryPerformanceProfile:
    """Return a profile with the figures given, the rest from a real one."""
    values: dict[str, Any] = {
        "query": "flights",
        "total_time_ms": 0.0,
        "memory_peak_mb": 1.0,
        "memory_delta_mb": 0.0,
        "rows": 1,
        "total_rows": 1,
        "from_cache": False,
        "runs_from_cache": 0,
        "timings": RunTimings((0.001,)),
        "explanation": None,
        "execution": QueryProfiler(functions=False).profile_execution(list),
    }
    return QueryPerformanceProfile(**{**values, **changes})


def test_every_stage_has_its_time_and_they_add_up(engine: QueryEngine) -> None:
    profile = QueryProfiler().profile_query(engine, asked(engine))
    assert isinstance(profile, QueryPerformanceProfile)
    assert tuple(profile.stages) == STAGES
    assert sum(profile.stages.values()) == pytest.approx(profile.total_time_ms)
    assert profile.stages == {
        "load": profile.data_load_ms,
        "cache": profile.cache_check_ms,
        "plan": profile.plan_ms,
        "search": profile.search_ms,
        "filter": profile.filter_ms,
        "sort": profile.sort_ms,
        "distinct": profile.distinct_ms,
        "export": profile.export_ms,
        "other": profile.other_ms,
    }
    for used in ("load", "cache", "plan", "filter", "sort", "other"):
        assert profile.stages[used] > 0, used
    for unused in ("search", "distinct", "export"):
        assert profile.stages[unused] == 0, unused
    assert profile.total_time_ms >= profile.timings.seconds[0] * 1e3 * 0.999
    assert profile.memory_peak_mb > 0
    assert not profile.from_cache


def test_search_and_distinct_have_their_stages(uncached: QueryEngine) -> None:
    query = uncached.query("flights").search("gate").where(field("carrier") == "HA")
    profile = QueryProfiler().profile_query(uncached, query.select("note").distinct())
    assert profile.search_ms > 0
    assert profile.distinct_ms > 0
    assert profile.bottleneck() == max(profile.stages, key=lambda stage: profile.stages[stage])


def test_answer_is_the_one_that_a_caller_gets(engine: QueryEngine) -> None:
    query = asked(engine)
    profile = QueryProfiler().profile_query(engine, query)
    result = engine.execute(query)
    assert (profile.rows, profile.total_rows) == (len(result), result.total_count)


def test_rows_expected_stand_beside_the_rows_there_were(engine: QueryEngine) -> None:
    profile = QueryProfiler().profile_query(engine, asked(engine))
    filters = [each for each in profile.stage_rows if each.kind == "filter"]
    assert {each.name for each in filters} == {"carrier == 'HA'", "distance > 100"}
    for each in filters:
        assert each.estimated_rows is not None
        assert each.estimated_ms is not None
        assert each.way
        assert each.off_by < 3
    truth = sum(row["carrier"] == "HA" and row["distance"] > 100 for row in ROWS)  # type: ignore[operator]
    assert filters[-1].actual_rows == truth
    [sort] = [each for each in profile.stage_rows if each.kind == "sort"]
    assert sort.way == ""
    assert sort.estimated_rows is not None


def test_cached_answer_shows_what_computing_it_takes_all_the_same(engine: QueryEngine) -> None:
    engine.execute(asked(engine))
    profile = QueryProfiler().profile_query(engine, asked(engine))
    assert profile.from_cache
    assert profile.filter_ms == 0
    assert [each.kind for each in profile.stage_rows] == ["filter", "filter", "sort"]
    assert "the answer was in the cache" in profile.finding()
    assert "from cache" in str(profile)


def test_repeated_runs_give_percentiles(uncached: QueryEngine) -> None:
    profile = QueryProfiler().profile_query(uncached, asked(uncached), repeat=7)
    assert len(profile.timings) == 7
    assert profile.median_ms <= profile.p95_ms <= profile.p99_ms
    assert profile.total_time_ms == pytest.approx(profile.median_ms, rel=0.01)
    assert profile.runs_from_cache == 0
    assert "7 runs" in str(profile)
    assert "7 runs" in profile._repr_html_()
    assert len(QueryProfiler(repeat=3).profile_query(uncached, asked(uncached)).timings) == 3


def test_runs_of_two_kinds_are_pointed_out(engine: QueryEngine) -> None:
    profile = QueryProfiler().profile_query(engine, asked(engine), repeat=4)
    assert profile.runs_from_cache == 3
    assert any("3 of 4 runs were answered from the cache" in note for note in profile.notes)
    assert "use_cache=False" in str(profile)


def test_cache_is_left_aside_by_engines_that_can() -> None:
    profile = QueryProfiler().profile_query(
        Engine(), asked(QueryEngine(Loader())), repeat=3, use_cache=False
    )
    assert profile.runs_from_cache == 0


def test_engine_that_cannot_leave_its_cache_aside_is_told_so() -> None:
    class Stubborn(Engine):
        def execute(self, query: Any) -> QueryResult:  # type: ignore[override]
            return super().execute(query)

    query = asked(QueryEngine(Loader()))
    with pytest.raises(ProfileError, match="Stubborn does not"):
        QueryProfiler().profile_query(Stubborn(), query, use_cache=False)
    assert QueryProfiler().profile_query(Stubborn(), query).rows == 20


def test_any_object_that_executes_and_explains_can_be_profiled() -> None:
    query = StructuredQuery(database="flights", filters=[QueryFilter("carrier", "eq", "HA")])
    assert QueryProfiler().profile_query(Engine(), query).rows == sum(
        row["carrier"] == "HA" for row in ROWS
    )
    with pytest.raises(ProfileError, match="SimpleNamespace; an engine has"):
        QueryProfiler().profile_query(SimpleNamespace(execute=len), query)  # type: ignore[arg-type]


def test_export_is_a_stage_and_writes_the_file(engine: QueryEngine, tmp_path: Path) -> None:
    target = tmp_path / "rows.json"
    profile = QueryProfiler().profile_query(engine, asked(engine), export_to=target)
    assert profile.export_ms > 0
    assert json.loads(target.read_text()) == engine.execute(asked(engine)).data
    assert profile.total_time_ms == pytest.approx(sum(profile.stages.values()))
    with pytest.raises(ProfileError, match="Engine has not"):
        QueryProfiler().profile_query(Engine(), asked(engine), export_to=target)


def test_query_that_raises_goes_through_and_is_kept(engine: QueryEngine) -> None:
    profiler = QueryProfiler()
    with pytest.raises(UnknownFieldError, match="carrier"):
        profiler.profile_query(engine, engine.query("flights").where(field("carier") == "HA"))
    assert isinstance(profiler.last.exception, UnknownFieldError)  # type: ignore[union-attr]


def test_explanation_that_raises_is_kept_however_often_the_query_runs() -> None:
    class Broken(Engine):
        def explain(self, query: Any, analyze: bool = False) -> Explanation:
            raise OSError("no plan")

    query = StructuredQuery(database="flights")
    for repeat in (1, 2):
        profiler = QueryProfiler(repeat=repeat)
        with pytest.raises(OSError, match="no plan"):
            profiler.profile_query(Broken(), query)
        assert isinstance(profiler.last.exception, OSError)  # type: ignore[union-attr]


def test_export_that_fails_goes_through_and_is_kept(engine: QueryEngine, tmp_path: Path) -> None:
    profiler = QueryProfiler()
    with pytest.raises(ExportError):
        profiler.profile_query(engine, asked(engine), export_to=tmp_path / "none" / "rows.json")
    kept = profiler.last
    assert kept is not None
    assert kept.name == "export"
    assert isinstance(kept.exception, ExportError)


def test_impossible_repeat_is_refused_before_anything_runs(engine: QueryEngine) -> None:
    with pytest.raises(SettingsError, match="repeat is 0"):
        QueryProfiler().profile_query(engine, asked(engine), repeat=0)
    assert engine.statistics().queries == 0


def test_result_of_runs_that_never_ran_is_refused() -> None:
    with pytest.raises(ProfileError, match="not been run"):
        _ = QueryRuns(lambda: pytest.fail("not to be run")).last_result


def test_functions_of_the_query_are_recorded_without_touching_its_times(
    uncached: QueryEngine,
) -> None:
    profile = QueryProfiler().profile_query(uncached, asked(uncached))
    names = {each.name for each in profile.execution.hottest(1_000)}
    assert {"explain", "staged"} <= names
    light = QueryProfiler(functions=False).profile_query(uncached, asked(uncached))
    assert not light.execution.functions
    assert light.stage_rows


def test_bottleneck_is_the_stage_that_took_longest() -> None:
    profile = made(total_time_ms=10.0, data_load_ms=1.0, filter_ms=7.0, sort_ms=2.0)
    assert profile.bottleneck() == "filter"
    assert profile.finding() == "filter took 70% of 10 ms"
    assert "bottleneck: filter" in str(profile)
    assert made().finding() == "load took 0% of 0 ns"


def test_stage_without_an_estimate_is_not_off() -> None:
    row = StageRows("distinct", "distinct", "", None, 5, None, 2.0)
    assert row.off_by == 1.0
    profile = made(total_time_ms=2.0, distinct_ms=2.0, stage_rows=(row,))
    assert profile.finding() == "distinct took 100% of 2 ms"
    assert ">5<" in profile._repr_html_()


def test_finding_names_the_slowest_filter_and_the_estimate_that_is_far_off(
    uncached: QueryEngine,
) -> None:
    slow, off = QueryFilter("note", "regex", "g.*1"), QueryFilter("carrier", "eq", "HA")
    plan = ExecutionPlan(
        "flights",
        100,
        (
            FilterStage(off, Way.COLUMN, 0.5, QueryCost(1e3, 50.0)),
            FilterStage(slow, Way.DISTINCT, 0.1, QueryCost(1e3, 3.0)),
        ),
    )
    actuals = (
        StageActual("filter", 2, 1_000_000, off),
        StageActual("filter", 1, 3_000_000, slow),
    )
    query = StructuredQuery(database="flights", filters=[off, slow])

    class Told(Engine):
        def explain(self, query: Any, analyze: bool = False) -> Explanation:
            return Explanation(query, plan, actuals)

    rows = QueryProfiler().profile_query(Told(), query).stage_rows
    profile = made(total_time_ms=10.0, filter_ms=7.0, stage_rows=rows)
    assert profile.finding() == (
        "filter took 70% of 10 ms; note regex 'g.*1' is 75% of it and left 1 rows, looked at "
        "once per distinct value; the estimate for carrier == 'HA' is off by 25: "
        "50 rows expected, 2 found"
    )
    html = profile._repr_html_()
    assert ">2 (far off)<" in html
    assert ">1<" in html
    assert ">once per distinct value<" in html


def test_profile_is_plain_values_for_json(engine: QueryEngine) -> None:
    profile = QueryProfiler().profile_query(engine, asked(engine), repeat=2)
    values = json.loads(profile.to_json())
    assert values == json.loads(json.dumps(profile.to_dict()))
    assert values["bottleneck"] == profile.bottleneck()
    assert values["runs"]["count"] == 2
    assert values["stage_rows"][0]["estimated_rows"] is not None
    assert values["notes"] == list(profile.notes)


def test_notebook_shows_a_bar_of_the_stages_and_the_hottest_functions(
    uncached: QueryEngine,
) -> None:
    query = uncached.query("flights").where(field("note") != "<script>")
    profile = QueryProfiler().profile_query(uncached, query)
    html = profile._repr_html_()
    for stage, _, share in profile.shares():
        assert f"{stage} {share:.0%}" in html
        assert f"width:{share:.3%}" in html
    assert sum(share for _, _, share in profile.shares()) == pytest.approx(1.0)
    assert "hottest functions" in html
    assert profile.execution.hottest()[0].place in html
    assert "rows expected" in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_notebook_leaves_out_what_there_is_not() -> None:
    html = made(notes=("a <note>",))._repr_html_()
    assert "hottest functions" not in html
    assert "rows expected" not in html
    assert "note: a &lt;note&gt;" in html
