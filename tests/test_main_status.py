"""The status command: what is shared is shown, noted and never typed in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from blackcore.minimal.query_engine.__main__ import main
from blackcore.minimal.query_engine.integration.measured_targets import FORMAT, VERSION

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "status.json"
    path.write_text(
        json.dumps(
            {
                "agent_a": {"name": "Data\x1b[2J", "status": "external", "metrics": 7},
                "agent_c": {"completed_modules": ["cache"], "current_task": "export"},
                "last_update": "2026-01-01T00:00:00Z",
            }
        )
    )
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "latest.json"
    figures = [
        {"name": "memory_overhead_mb", "measured": 79.5, "target": 100, "wants": "below"},
        {"name": "lookup_time_ms", "measured": 0.004, "target": 1, "wants": "below"},
        {"name": "csv_rows_per_second", "measured": 9, "target": 100_000, "wants": "above"},
    ]
    path.write_text(json.dumps({"format": FORMAT, "version": VERSION, "figures": figures}))
    return path


def test_the_status_is_shown_agent_by_agent(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--file", str(file)]) == 0
    shown = capsys.readouterr()
    assert "agent_a: Data\\u001b[2J (external)" in shown.out
    assert "completed     cache\n  current task  export\n" in shown.out
    assert "nothing is measured yet" in shown.err
    assert "last update 2026-01-01T00:00:00Z" in shown.err


def test_an_update_notes_what_is_done_and_what_was_measured(
    file: Path, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["status", "--file", str(file), "--results", str(results)]
    assert main([*words, "--update", "export", ""]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  completed     cache, export" in lines
    assert "  current task  -" in lines
    cells = [line.split("  ") for line in lines]
    ours = [[cell.strip() for cell in each if cell] for each in cells if each[0] == "agent_c"]
    assert ours == [
        ["agent_c", "cache_implementation", "met", "memory_overhead_mb 79.5, lookup_time_ms 0.004"],
        ["agent_c", "export", "missed", "csv_rows_per_second 9"],
    ]
    assert json.loads(file.read_text())["agent_c"]["completed_modules"] == ["cache", "export"]


def test_as_json_it_is_what_the_file_says(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--file", str(file), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(file.read_text())


def test_a_broken_file_is_named_when_it_is_set_aside(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("{")
    assert main(["status", "--file", str(file), "--update", "cache", "export"]) == 0
    assert "status.broken-1.json" in capsys.readouterr().err


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--file", str(tmp_path / "none.json")]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("blackcore-query: there is no status at ")
    assert shown.err.count("\n") == 1


def test_words_that_status_does_not_know_are_usage_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (["status", "data"], ["status", "--update", "cache"], ["status", "--sort", "a"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        capsys.readouterr()
