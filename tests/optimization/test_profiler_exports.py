"""Profiles as pstats files and as what speedscope opens, and the percentiles of runs."""

from __future__ import annotations

import json
import math
import pstats
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import QueryEngine, field
from blackcore.minimal.query_engine.errors import ExportPathError, ProfileError
from blackcore.minimal.query_engine.optimization.profiler import QueryProfiler
from blackcore.minimal.query_engine.optimization.profiling import RunTimings, Speedscope
from blackcore.minimal.query_engine.optimization.profiling.functions import (
    Counts,
    FunctionKey,
    FunctionTable,
)
from blackcore.minimal.query_engine.settings import ProfilerSettings

UNITS = {"none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"}
FILE_KEYS = {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}


def check_speedscope(document: Any) -> None:
    """Hold a document to speedscope's file format, as its published schema and importer have it."""
    assert set(document) <= FILE_KEYS
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert set(document["shared"]) == {"frames"}
    frames = document["shared"]["frames"]
    for frame in frames:
        assert isinstance(frame["name"], str)
        assert set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame.get("file", ""), str)
        assert type(frame.get("line", 0)) is int
    assert len(document["profiles"]) >= 1
    assert 0 <= document["activeProfileIndex"] < len(document["profiles"])
    for profile in document["profiles"]:
        assert isinstance(profile["name"], str)
        assert profile["unit"] in UNITS
        assert math.isfinite(profile["endValue"])
        assert profile["startValue"] <= profile["endValue"]
        check = {"evented": check_events, "sampled": check_samples}[profile["type"]]
        check(profile, len(frames))


def check_events(profile: Any, frames: int) -> None:
    """Events are in time, and what opens last closes first; everything closes."""
    head = {"type", "name", "unit", "startValue", "endValue"}
    assert set(profile) == head | {"events"}
    stack = []
    for event in profile["events"]:
        assert set(event) == {"type", "at", "frame"}
        assert 0 <= event["frame"] < frames
        assert profile["startValue"] <= event["at"] <= profile["endValue"]
        if event["type"] == "O":
            stack.append(event["frame"])
        else:
            assert event["type"] == "C"
            assert stack.pop() == event["frame"]
    assert not stack
    assert all(a["at"] <= b["at"] for a, b in pairwise(profile["events"]))


def check_samples(profile: Any, frames: int) -> None:
    """There is a weight for each sample, and together they are the profile."""
    head = {"type", "name", "unit", "startValue", "endValue"}
    assert set(profile) == head | {"samples", "weights"}
    assert len(profile["samples"]) == len(profile["weights"])
    assert all(0 <= frame < frames for sample in profile["samples"] for frame in sample)
    assert all(weight >= 0 for weight in profile["weights"])
    assert sum(profile["weights"]) == pytest.approx(profile["endValue"] - profile["startValue"])


def leaf(n: int) -> int:
    return sum(range(n))


def branch(n: int) -> int:
    return sum(leaf(100) for _ in range(n))


def trunk() -> int:
    return branch(300) + leaf(10)


def key(name: str) -> FunctionKey:
    return ("code.py", 1, name)


def table_of(totals: dict[str, float], calls: dict[tuple[str, str], float]) -> FunctionTable:
    table = FunctionTable()
    for name, total in totals.items():
        table.edges[None, key(name)] = Counts(1, 0, 0.0, total)
    for (caller, name), total in calls.items():
        table.edges[key(caller), key(name)] = Counts(1, 0, 0.0, total)
    return table


def ways(table: FunctionTable) -> dict[str, float]:
    """Return the seconds of each way through the calls, its names joined."""
    document = Speedscope("test")
    document.add_functions("functions", table)
    values: Any = document.to_dict()
    check_speedscope(values)
    names = [frame["name"] for frame in values["shared"]["frames"]]
    [profile] = values["profiles"]
    return {
        "/".join(names[frame] for frame in sample): weight
        for sample, weight in zip(profile["samples"], profile["weights"], strict=True)
    }


def test_pstats_file_is_read_back_by_pstats(tmp_path: Path) -> None:
    profile = QueryProfiler().profile_execution(trunk)
    profile.export_pstats(tmp_path / "run.pstats")
    back = pstats.Stats(str(tmp_path / "run.pstats"))
    assert vars(back)["stats"] == vars(profile.profile_stats)["stats"]
    assert [file.name for file in tmp_path.iterdir()] == ["run.pstats"]


def test_speedscope_file_of_functions_keeps_to_the_format(tmp_path: Path) -> None:
    profile = QueryProfiler().profile_execution(trunk)
    profile.export_speedscope(tmp_path / "run.speedscope.json")
    document = json.loads((tmp_path / "run.speedscope.json").read_bytes())
    check_speedscope(document)
    names = [frame["name"] for frame in document["shared"]["frames"]]
    shown = [[names[i] for i in sample] for sample in document["profiles"][0]["samples"]]
    assert {sample[0] for sample in shown} == {"trunk"}
    assert any(sample[:2] == ["trunk", "branch"] and "leaf" in sample for sample in shown)
    total = dict(profile.functions.functions())
    whole = sum(counts.own_seconds for counts in total.values())
    assert document["profiles"][0]["endValue"] == pytest.approx(whole, rel=0.05)


def test_speedscope_file_has_sampled_stacks_first() -> None:
    document = Speedscope("stacks")
    document.add_stacks("stacks", {(key("a"), key("b")): 0.5, (key("a"),): 0.25})
    values: Any = document.to_dict()
    check_speedscope(values)
    assert values["profiles"][0]["samples"] == [[0, 1], [0]]
    assert values["profiles"][0]["weights"] == [0.5, 0.25]


def test_stacks_of_a_run_keep_to_the_format() -> None:
    waiting = threading.Event()
    profiler = QueryProfiler(
        functions=False, stacks=True, settings=ProfilerSettings(stack_interval_seconds=1e-4)
    )
    profile = profiler.profile_execution(lambda: [waiting.wait(0.001) for _ in range(20)])
    values: Any = profile.speedscope().to_dict()
    check_speedscope(values)
    [stacks] = values["profiles"]
    assert stacks["name"].endswith("sampled stacks")
    assert values["shared"]["frames"][stacks["samples"][0][0]]["name"] == "<lambda>"


def test_query_is_exported_with_its_functions_and_stages(tmp_path: Path) -> None:
    class Loader:
        def load_database(self, name: str) -> list[dict[str, Any]]:
            return [{"n": n % 10} for n in range(1_000)]

        def get_available_databases(self) -> list[str]:
            return ["numbers"]

        def refresh_cache(self, name: str | None = None) -> None: ...

    engine = QueryEngine(Loader())
    profile = QueryProfiler().profile_query(engine, engine.query("numbers").where(field("n") > 4))
    profile.export_pstats(tmp_path / "query.pstats")
    profile.export_speedscope(tmp_path / "query.json")
    assert vars(pstats.Stats(str(tmp_path / "query.pstats")))["stats"]
    document = json.loads((tmp_path / "query.json").read_bytes())
    check_speedscope(document)
    functions, stages = document["profiles"]
    assert (functions["type"], stages["type"]) == ("sampled", "evented")
    assert stages["endValue"] == pytest.approx(profile.total_time_ms)


def test_stages_are_events_one_after_the_other() -> None:
    document = Speedscope("query")
    document.add_stages("stages", {"load": 1.5, "cache": 0.0, "filter": 2.0})
    values: Any = document.to_dict()
    check_speedscope(values)
    assert values["profiles"][0]["unit"] == "milliseconds"
    assert [event["at"] for event in values["profiles"][0]["events"]] == [
        0,
        1.5,
        1.5,
        1.5,
        1.5,
        3.5,
    ]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 1e6)))
def test_any_stages_keep_to_the_format(stages: dict[str, float]) -> None:
    document = Speedscope("query")
    document.add_stages("stages", stages)
    check_speedscope(document.to_dict())


def test_time_of_a_function_is_shared_out_among_the_ways_to_it() -> None:
    table = table_of(
        {"root": 10.0, "a": 6.0, "b": 3.0, "shared": 6.0},
        {("root", "a"): 6.0, ("root", "b"): 3.0, ("a", "shared"): 4.0, ("b", "shared"): 2.0},
    )
    assert ways(table) == pytest.approx(
        {"root/a/shared": 4, "root/a": 2, "root/b/shared": 2, "root/b": 1, "root": 1}
    )


def test_recursion_ends_and_small_branches_count_to_where_they_branch_off() -> None:
    table = table_of(
        {"root": 10.0, "again": 8.0, "tiny": 0.001},
        {
            ("root", "again"): 8.0,
            ("again", "again"): 7.0,
            ("again", "root"): 0.0,
            ("root", "tiny"): 0.001,
        },
    )
    assert ways(table) == pytest.approx({"root/again": 8, "root": 2})


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), st.floats(0, 10), max_size=12
    ),
    st.lists(st.floats(0.001, 20), min_size=5, max_size=5),
)
def test_ways_add_up_to_the_outermost_functions_for_any_calls(
    calls: dict[tuple[str, str], float], totals: list[float]
) -> None:
    named = dict(zip("abcde", totals, strict=True))
    inner = {n: sum(t for (a, b), t in calls.items() if b == n and a != n) for n in named}
    whole = sum(max(total - inner[name], 0) for name, total in named.items())
    assert sum(ways(table_of(named, calls)).values()) == pytest.approx(whole, abs=1e-6)


def test_file_names_that_are_no_text_are_exported_all_the_same(tmp_path: Path) -> None:
    code = compile("def inner():\n    return 1\n\ninner()", "undecodable \udcff.py", "exec")
    profile = QueryProfiler().profile_execution(exec, code, {})
    profile.export_speedscope(tmp_path / "run.json")
    document = json.loads((tmp_path / "run.json").read_bytes())
    check_speedscope(document)
    files = {frame.get("file") for frame in document["shared"]["frames"]}
    assert "undecodable \udcff.py" in files
    profile.export_pstats(tmp_path / "run.pstats")
    assert vars(pstats.Stats(str(tmp_path / "run.pstats")))["stats"]
    assert rb"undecodable \udcff.py" in profile._repr_html_().encode()


def test_profile_without_functions_says_why_it_cannot_be_exported(tmp_path: Path) -> None:
    profile = QueryProfiler(functions=False).profile_execution(trunk)
    with pytest.raises(ProfileError, match="functions=True"):
        profile.export_pstats(tmp_path / "none")
    with pytest.raises(ProfileError, match="without functions and stacks"):
        profile.export_speedscope(tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    profile = QueryProfiler().profile_execution(trunk)
    with pytest.raises(ExportPathError, match="cannot write"):
        profile.export_pstats(tmp_path / "no folder" / "run.pstats")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ExportPathError, match="folder"):
        profile.export_pstats(tmp_path / "folder")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


@given(
    st.lists(st.floats(0, 1e3), min_size=1, max_size=300),
    st.sampled_from([1, 25, 50, 90, 95, 99, 100]),
)
def test_percentiles_are_those_of_numpy_by_nearest_rank(seconds: list[float], rank: int) -> None:
    timings = RunTimings(tuple(seconds))
    expected = np.sort(seconds)[math.ceil(len(seconds) * rank / 100) - 1]
    assert timings.percentile_seconds(rank) == expected
    share = np.mean(np.array(seconds) <= timings.percentile_seconds(rank))
    assert share >= rank / 100 - 1e-9
    assert timings.median_seconds == pytest.approx(np.median(seconds))
    assert timings.best_seconds == min(seconds)
    assert timings.p95_seconds <= timings.p99_seconds <= max(seconds)
