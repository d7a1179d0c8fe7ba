"""The shared status: ours is noted, what is others' stays, and no figure is typed in."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from blackcore.minimal.query_engine import CoordinationError, update_agent_status
from blackcore.minimal.query_engine.integration import coordination, read_status, refresh_metrics
from blackcore.minimal.query_engine.integration.measured_targets import FORMAT, VERSION
from blackcore.minimal.query_engine.query_log.file_lock import locked

ROOT = Path(__file__).resolve().parent.parent.parent
NOON = datetime(2026, 2, 3, 13, 0, 0, 999, tzinfo=timezone(timedelta(hours=1)))
OTHERS = {"agent_a": {"name": "Data", "metrics": {"Größe": 1e3}}, "unknown": [None, "\ud800"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".coordination" / "status.json"


def write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def stored(path: Path) -> Any:
    return json.loads(path.read_bytes())


def measure(path: Path, **measured: float) -> None:
    """Write results, each with the target 1, below which it should be."""
    results = path.parent.parent / "benchmarks" / "results" / "latest.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    figures = [
        {"name": name, "measured": value, "target": 1, "wants": "below"}
        for name, value in measured.items()
    ]
    results.write_text(json.dumps({"format": FORMAT, "version": VERSION, "figures": figures}))


def test_a_missing_file_is_made_with_its_folder(path: Path) -> None:
    update = update_agent_status("cache", "export", path=path, clock=lambda: NOON)
    assert update.path == path
    assert update.set_aside is None
    assert stored(path) == update.status
    assert update.status == {
        "agent_c": {
            "name": "Performance & Export",
            "status": "in_progress",
            "completed_modules": ["cache"],
            "current_task": "export",
            "metrics": {},
        },
        "last_update": "2026-02-03T12:00:00Z",
    }


def test_no_module_is_noted_twice_and_the_order_stays(path: Path) -> None:
    for module in ("cache", "export", "cache"):
        update_agent_status(module, None, path=path)
    assert stored(path)["agent_c"]["completed_modules"] == ["cache", "export"]
    assert stored(path)["agent_c"]["current_task"] is None


def test_what_is_others_stays_as_it_is(path: Path) -> None:
    ours = {"completed_modules": ["a", "a"], "colour": "red", "metrics": {"mood": 5}}
    write(path, {**OTHERS, "agent_c": ours, "last_update": "before", "after": 1})
    update_agent_status("b", "c", path=path, clock=lambda: NOON)
    after = stored(path)
    assert list(after) == ["agent_a", "unknown", "agent_c", "last_update", "after"]
    assert {name: after[name] for name in OTHERS} == OTHERS
    assert after["agent_c"]["colour"] == "red"
    assert after["agent_c"]["metrics"] == {"mood": 5}
    assert after["agent_c"]["completed_modules"] == ["a", "b"]


def test_other_scripts_are_written_as_people_read_them(path: Path) -> None:
    write(path, {"agent_a": {"name": "Größe"}})
    update_agent_status("cache", None, path=path)
    assert "Größe" in path.read_text(encoding="utf-8")


def test_metrics_are_what_the_results_beside_say(path: Path) -> None:
    measure(path, memory_overhead_mb=0.5, lookup_time_ms=0.25, csv_rows_per_second=2)
    metrics = update_agent_status("cache", None, path=path).status["agent_c"]["metrics"]
    assert metrics == {
        "cache_implementation": {
            "memory_overhead_mb": 0.5,
            "lookup_time_ms": 0.25,
            "target_met": True,
        },
        "export": {"csv_rows_per_second": 2.0, "target_met": False},
    }


def test_what_is_no_longer_measured_is_taken_away(path: Path) -> None:
    typed_in = {"cache_implementation": {"target_met": True}, "mood": 5}
    write(path, {"agent_c": {"metrics": typed_in}})
    assert update_agent_status("a", None, path=path).status["agent_c"]["metrics"] == {"mood": 5}


def test_results_can_be_elsewhere(path: Path, tmp_path: Path) -> None:
    measure(path, repeated_queries_percent=0.5)
    elsewhere = (tmp_path / "benchmarks").rename(tmp_path / "away") / "results" / "latest.json"
    update = update_agent_status("a", None, path=path, results_path=elsewhere)
    assert "hit_rate" in update.status["agent_c"]["metrics"]


def test_broken_results_leave_the_status_alone(path: Path) -> None:
    write(path, OTHERS)
    before = path.read_bytes()
    measure(path)
    (path.parent.parent / "benchmarks" / "results" / "latest.json").write_text("{")
    with pytest.raises(CoordinationError, match="are no JSON"):
        update_agent_status("a", None, path=path)
    assert path.read_bytes() == before


def test_metrics_can_be_brought_up_to_date_alone(path: Path) -> None:
    update_agent_status("cache", "export", path=path)
    measure(path, repeated_queries_percent=0.5)
    agent = refresh_metrics(path=path).status["agent_c"]
    assert agent["completed_modules"] == ["cache"]
    assert agent["current_task"] == "export"
    assert set(agent["metrics"]) == {"hit_rate"}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b"[" * 100_000], ids=range(6)
)
def test_a_broken_file_is_set_aside_and_named(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, content)
    update = update_agent_status("cache", "export", path=path)
    assert update.set_aside == path.with_name("status.broken-1.json")
    assert update.set_aside.read_bytes() == content
    assert stored(path)["agent_c"]["completed_modules"] == ["cache"]
    assert "status.broken-1.json" in caplog.text


def test_what_was_set_aside_before_is_kept(path: Path) -> None:
    for number in (1, 2):
        write(path, b"{" * number)
        update_agent_status("cache", None, path=path)
    assert path.with_name("status.broken-1.json").read_bytes() == b"{"
    assert path.with_name("status.broken-2.json").read_bytes() == b"{{"


@pytest.mark.parametrize(
    "agent",
    [5, {"completed_modules": "cache"}, {"completed_modules": [1]}, {"metrics": []}],
)
def test_a_broken_entry_of_ours_costs_others_nothing(path: Path, agent: object) -> None:
    write(path, {**OTHERS, "agent_c": agent})
    update = update_agent_status("cache", None, path=path)
    assert update.set_aside is not None
    assert stored(update.set_aside)["agent_c"] == agent
    assert {name: stored(path)[name] for name in OTHERS} == OTHERS
    assert stored(path)["agent_c"]["completed_modules"] == ["cache"]


@pytest.mark.parametrize("module", ["", "  ", None, 7])
def test_a_module_that_is_no_text_is_refused(path: Path, module: Any) -> None:
    with pytest.raises(CoordinationError, match="completed_module is"):
        update_agent_status(module, "export", path=path)
    assert not path.exists()


def test_a_task_that_is_no_text_is_refused(path: Path) -> None:
    with pytest.raises(CoordinationError, match="next_task is ''"):
        update_agent_status("cache", "", path=path)


def test_a_clock_without_a_zone_is_refused(path: Path) -> None:
    with pytest.raises(CoordinationError, match="without a zone"):
        update_agent_status("cache", None, path=path, clock=lambda: datetime(2026, 1, 1))
    assert not path.exists()


def test_the_time_is_now_by_default(path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    last = update_agent_status("cache", None, path=path).status["last_update"]
    assert before <= datetime.fromisoformat(last) <= datetime.now(UTC)


def test_a_status_that_cannot_be_written_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(CoordinationError, match="cannot be written"):
        update_agent_status("cache", None, path=path)


def test_a_lock_that_is_not_given_back_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordination, "LOCK_WAIT_SECONDS", 0.0)
    update_agent_status("cache", None, path=path)
    with (
        locked(path.with_name("status.json.lock")),
        pytest.raises(CoordinationError, match="being written by somebody else"),
    ):
        update_agent_status("export", None, path=path)
    assert stored(path)["agent_c"]["completed_modules"] == ["cache"]


def test_nothing_but_the_status_and_its_lock_is_left(path: Path) -> None:
    update_agent_status("cache", None, path=path)
    names = {each.name for each in path.parent.iterdir()}
    assert names == {
        "status.json",
        "status.json.lock",
    }


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    write(path, OTHERS)
    script = (
        "import sys; from blackcore.minimal.query_engine.integration import update_agent_status\n"
        "name, path = sys.argv[1:]\n"
        "for n in range(15): update_agent_status(f'{name}{n}', name, path=path)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, name, str(path)], cwd=ROOT)  # noqa: S603 - our own script
        for name in "ab"
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    modules = stored(path)["agent_c"]["completed_modules"]
    assert sorted(modules) == sorted(f"{name}{n}" for name in "ab" for n in range(15))
    assert {name: stored(path)[name] for name in OTHERS} == OTHERS


def test_the_project_around_the_working_directory_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert update_agent_status("cache", None).path == tmp_path / ".coordination" / "status.json"
    assert read_status()["agent_c"]["completed_modules"] == ["cache"]


def test_a_relative_path_is_meant_from_the_working_directory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(path, repeated_queries_percent=0.5)
    path.parent.mkdir()
    monkeypatch.chdir(path.parent)
    update = update_agent_status("cache", None, path="status.json")
    assert update.path == path
    assert "hit_rate" in update.status["agent_c"]["metrics"]


def test_reading_says_where_there_is_none(path: Path) -> None:
    with pytest.raises(CoordinationError, match="there is no status at"):
        read_status(path)


def test_reading_says_what_is_wrong(path: Path) -> None:
    write(path, b"[]")
    with pytest.raises(CoordinationError, match="is no JSON object but"):
        read_status(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CoordinationError, match="cannot be read"):
        read_status(path)
