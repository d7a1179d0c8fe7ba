"""What is published of the measurements is what was measured, and what got worse is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import blackcore.minimal.query_engine as face
from benchmarks.targets.comparison import changes, told
from benchmarks.targets.figures import LATEST, Figure, Part, Results, figure, names
from benchmarks.targets.tables import BEGIN, END, markdown, write_readme
from blackcore.minimal.query_engine.integration import read_status
from blackcore.minimal.query_engine.integration.measured_targets import (
    METRICS,
    metrics_of,
    read_figures,
)

ROOT = Path(__file__).resolve().parent.parent


def results(*figures: Figure) -> Results:
    day = "2026-01-02T03:04:05Z"
    return Results(day, "abc", "Linux x86_64, 2 cores", {"python": "3.11.7"}, list(figures), {})


def lookup(measured: float, peer: float | None = None) -> Figure:
    peers = None if peer is None else {"theine": peer, "slowest": 99.0}
    return figure("lookup_time_ms", "lookup", "a lookup", "ms", measured, "below", 1.0, peers)


def rate(measured: float, peer: float) -> Figure:
    return figure("rate", "export", "CSV", "rows/s", measured, "above", 100.0, {"csv": peer})


def test_the_readme_says_what_was_measured() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition(BEGIN)[2].partition(END)[0]
    assert section == f"\n{markdown(Results.read(LATEST))}\n"


def test_the_committed_status_says_what_was_measured() -> None:
    metrics = read_status(ROOT / ".coordination" / "status.json")["agent_c"]["metrics"]
    assert metrics == metrics_of(read_figures(LATEST))
    assert metrics.keys() == METRICS.keys()


def test_the_committed_results_name_no_machine_and_no_path() -> None:
    text = LATEST.read_text(encoding="utf-8")
    assert str(Path.home()) not in text
    assert not [word for word in ("/tmp", "/home", "/work") if word in text]  # noqa: S108 - not used


def test_the_best_peer_is_the_one_on_the_better_side() -> None:
    small = figure("a", "lookup", "a", "ms", 2.0, "below", None, {"b": 1.0, "c": 4.0})
    great = figure("a", "export", "a", "rows/s", 2.0, "above", None, {"b": 1.0, "c": 4.0})
    assert (small.peer, small.times_better, small.is_met) == ("b", 0.5, None)
    assert (great.peer, great.times_better, great.is_met) == ("c", 0.5, None)


def test_a_target_is_met_on_its_right_side() -> None:
    assert [lookup(0.5).is_met, lookup(1.0).is_met] == [True, False]
    assert [rate(101, 1).is_met, rate(100, 1).is_met] == [True, False]


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = results(lookup(0.25, 0.5), rate(250.0, 125.0))
    written.write(tmp_path / "results" / "latest.json")
    assert Results.read(tmp_path / "results" / "latest.json") == written


def test_numbers_are_written_with_the_digits_they_are_good_for(tmp_path: Path) -> None:
    series = {"ours": [1234567.0, 0.000123456], "texts": ["a", "b"]}
    part = Part([lookup(0.123456)], {"series": series})
    path = tmp_path / "latest.json"
    Results("", "", "", {}, part.figures, part.plots).write(path)
    read = json.loads(path.read_text())
    assert read["figures"][0]["measured"] == 0.1235
    assert read["plots"]["series"] == {"ours": [1235000.0, 0.0001235], "texts": ["a", "b"]}
    assert '"ours": [1235000.0, 0.0001235]' in path.read_text()


def test_a_part_goes_from_process_to_process() -> None:
    part = Part([lookup(0.25, 0.5)], {"a": [1]})
    assert Part.from_json(part.to_json()) == part


def test_no_two_figures_have_a_name() -> None:
    with pytest.raises(AssertionError, match="two figures"):
        names([lookup(1), lookup(2)])


def test_what_got_worse_is_told_the_worst_first_and_by_ratio() -> None:
    old, new = results(lookup(0.1, 0.2), rate(300, 150)), results(lookup(0.2, 0.4), rate(100, 100))
    text = told(old, new)
    assert text.splitlines()[0].startswith("More than 10% worse than in the run of 2026-01-02")
    assert "3.00x  CSV: 300 then, 100 rows/s now, 2.00x against csv" in text.splitlines()[1]
    assert "2.00x  a lookup: 0.1 then, 0.2 ms now, 1.00x against theine" in text.splitlines()[2]


def test_what_got_better_or_is_noise_is_not_told() -> None:
    old, new = results(lookup(0.1), rate(100, 10)), results(lookup(0.05), rate(95, 10))
    assert told(old, new).startswith("Nothing is more than 10% worse")


def test_figures_that_only_one_run_has_are_not_compared() -> None:
    assert list(changes(results(lookup(0.1)), results(rate(1, 1)))) == []


def test_without_a_committed_result_nothing_is_compared() -> None:
    assert told(None, results()) == "There is no committed result to compare with."


def test_the_table_names_a_missed_target() -> None:
    lines = markdown(results(lookup(2.0, 1.0))).splitlines()
    assert lines[2] == (
        "| a lookup | < 1 ms | 2 ms **(missed)** | theine 1 ms, slowest 99 ms | 0.5x |"
    )


def test_the_table_goes_where_its_marks_are(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"one\n{BEGIN}two\n{END}three\n", encoding="utf-8")
    write_readme(results(lookup(0.5)), readme)
    once = readme.read_text(encoding="utf-8")
    write_readme(results(lookup(0.5)), readme)
    assert readme.read_text(encoding="utf-8") == once
    assert once.startswith(f"one\n{BEGIN}\n| figure |")
    assert once.endswith(f"\n{END}three\n")


def test_a_readme_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(BEGIN, encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the lines"):
        write_readme(results(), readme)
    assert readme.read_text(encoding="utf-8") == BEGIN


def test_what_the_status_calls_completed_is_there() -> None:
    package = ROOT / "blackcore" / "minimal" / "query_engine"
    agent = read_status(ROOT / ".coordination" / "status.json")["agent_c"]
    parts = {path.stem for path in package.iterdir()} | {"benchmarks", "examples"}
    assert set(agent["completed_modules"]) <= parts
    assert set(agent["interfaces_ready"]) <= set(face.__all__)
