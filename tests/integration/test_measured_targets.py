"""Metrics follow from what was measured: nothing else stands in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from blackcore.minimal.query_engine import CoordinationError
from blackcore.minimal.query_engine.integration.measured_targets import (
    FORMAT,
    VERSION,
    MeasuredFigure,
    metrics_of,
    read_figures,
)

if TYPE_CHECKING:
    from pathlib import Path


def results(path: Path, *figures: object, **other: object) -> Path:
    content = {"format": FORMAT, "version": VERSION, "figures": list(figures), **other}
    path.write_text(json.dumps(content))
    return path


def figure(name: str, measured: object, target: object, wants: object) -> dict[str, object]:
    return {"name": name, "measured": measured, "target": target, "wants": wants, "title": "any"}


def test_figures_are_read_by_name(tmp_path: Path) -> None:
    path = results(tmp_path / "latest.json", figure("lookup_time_ms", 0.004, 1, "below"))
    assert read_figures(path) == {
        "lookup_time_ms": MeasuredFigure("lookup_time_ms", 0.004, 1, "below")
    }


def test_where_nothing_was_measured_there_are_no_figures(tmp_path: Path) -> None:
    assert read_figures(tmp_path / "latest.json") == {}
    assert metrics_of({}) == {}


@pytest.mark.parametrize(
    ("measured", "wants", "met"),
    [(9.9, "below", True), (10, "below", False), (10.1, "above", True), (10, "above", False)],
)
def test_a_figure_is_met_on_the_right_side_of_its_target(
    measured: float, wants: str, met: bool
) -> None:
    assert MeasuredFigure("any", measured, 10, wants).is_met is met  # type: ignore[arg-type] # a literal


def metrics(**measured: float) -> dict[str, dict[str, float | bool]]:
    return metrics_of({n: MeasuredFigure(n, value, 100, "below") for n, value in measured.items()})


def test_a_metric_is_met_when_all_of_its_figures_are() -> None:
    assert metrics(memory_overhead_mb=79.51234, lookup_time_ms=0.0041) == {
        "cache_implementation": {
            "memory_overhead_mb": 79.51,
            "lookup_time_ms": 0.0041,
            "target_met": True,
        }
    }


def test_a_metric_is_missed_when_one_of_its_figures_is_even_if_others_are_not_there() -> None:
    assert metrics(memory_overhead_mb=101.0)["cache_implementation"] == {
        "memory_overhead_mb": 101.0,
        "target_met": False,
    }


def test_nothing_is_said_of_a_target_while_figures_are_missing() -> None:
    assert metrics(lookup_time_ms=1.0)["cache_implementation"] == {"lookup_time_ms": 1.0}


def test_figures_of_no_metric_are_left_out() -> None:
    assert metrics(something_else=1.0) == {}


def test_figures_that_are_only_shown_are_left_out(tmp_path: Path) -> None:
    assert read_figures(results(tmp_path / "latest.json", figure("a", 5, None, "below"))) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "are no JSON"),
        (b"\xff", "are no JSON"),
        (b"[" * 100_000, "are no JSON"),
        (b"[]", "holds no results of ours"),
        (b'{"format": "another"}', "holds no results of ours"),
        (b'{"format": "blackcore targets", "version": 2}', "are of version 2, this code reads 1"),
        (b'{"format": "blackcore targets", "version": 1}', "have no list of figures"),
    ],
)
def test_a_file_that_is_something_else_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "latest.json"
    path.write_bytes(content)
    with pytest.raises(CoordinationError, match=said) as caught:
        read_figures(path)
    assert "make targets" in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        7,
        {"name": "a"},
        figure("a", "5", 10, "below"),
        figure("a", True, 10, "below"),
        figure("a", 5, [10], "below"),
        figure("a", 5, 10, "less"),
    ],
)
def test_a_figure_that_is_none_is_refused(tmp_path: Path, given: object) -> None:
    with pytest.raises(CoordinationError, match="have a figure"):
        read_figures(results(tmp_path / "latest.json", given))


def test_a_results_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CoordinationError, match="cannot be read"):
        read_figures(tmp_path)
