from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from blackcore.minimal.query_engine.errors import ExportOptionError, MissingExtraError
from blackcore.minimal.query_engine.export import ExportProgress, StreamingExporter, TqdmProgress
from blackcore.minimal.query_engine.export.progress import Tally

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rates_are_not_known_before_time_has_passed() -> None:
    start = ExportProgress(rows=0, bytes=0, elapsed_seconds=0.0, total_rows=10)
    assert (start.rows_per_second, start.fraction, start.remaining_seconds) == (0.0, 0.0, None)


def test_total_that_is_not_known_leaves_fraction_and_remaining_open() -> None:
    some = ExportProgress(rows=5, bytes=1, elapsed_seconds=1.0)
    assert (some.fraction, some.remaining_seconds) == (None, None)


def test_more_rows_than_were_promised_are_never_more_than_all() -> None:
    over = ExportProgress(rows=15, bytes=1, elapsed_seconds=1.0, total_rows=10)
    assert (over.fraction, over.remaining_seconds) == (1.0, 0.0)


def test_nothing_to_do_is_all_done() -> None:
    assert ExportProgress(rows=0, bytes=0, elapsed_seconds=0.0, total_rows=0).fraction == 1.0


def test_reports_come_once_an_interval() -> None:
    clock = Clock()
    tally = Tally(total_rows=4, interval_seconds=0.5, clock=clock)
    assert tally.due() is None
    clock.now += 0.5
    tally.rows, tally.bytes = 2, 20
    assert tally.due() == ExportProgress(rows=2, bytes=20, elapsed_seconds=0.5, total_rows=4)
    assert tally.due() is None
    clock.now += 0.49
    assert tally.due() is None
    clock.now += 0.02
    assert tally.due() is not None


async def test_callback_hears_growing_counts_and_the_finished_one_last(
    exporter: StreamingExporter, awaited: Any, tmp_path: Path
) -> None:
    heard: list[ExportProgress] = []
    rows = [{"a": "x" * 1_000}] * 2_000
    await exporter.export_csv_async(awaited(rows), tmp_path / "a.csv", on_progress=heard.append)
    assert [report.rows for report in heard] == sorted(report.rows for report in heard)
    assert [report.finished for report in heard] == [False] * (len(heard) - 1) + [True]
    assert heard[-1].rows == 2_000
    assert heard[-1].bytes == (tmp_path / "a.csv").stat().st_size
    assert heard[-1].total_rows is None


async def test_file_has_its_name_when_the_finished_report_comes(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    seen: list[tuple[bool, bool]] = []
    path = tmp_path / "a.csv"

    async def look(progress: ExportProgress) -> None:
        seen.append((progress.finished, path.exists()))

    rows = [{"a": "x" * 1_000}] * 2_000
    await exporter.export_csv_async(rows, path, on_progress=look)
    assert seen[0] == (False, False)
    assert seen[-1] == (True, True)


def test_plain_call_reports_too_and_knows_the_total_of_a_list(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    heard: list[ExportProgress] = []
    rows = [{"a": "x" * 1_000}] * 2_000
    exporter.export_json(rows, tmp_path / "a.json", on_progress=heard.append)
    assert len(heard) > 2
    assert {report.total_rows for report in heard} == {2_000}
    assert heard[-1].finished


def test_plain_call_awaits_an_async_callback(exporter: StreamingExporter, tmp_path: Path) -> None:
    heard: list[ExportProgress] = []

    class Listener:
        async def __call__(self, progress: ExportProgress) -> None:
            heard.append(progress)

    exporter.export_json([{"a": 1}], tmp_path / "a.json", on_progress=Listener())
    exporter.export_json([{"a": 1}], tmp_path / "a.json", on_progress=Listener().__call__)
    assert sum(report.finished for report in heard) == 2


def test_plain_call_refuses_a_callback_that_hides_its_coroutine(
    exporter: StreamingExporter, tmp_path: Path
) -> None:
    async def never(progress: ExportProgress) -> None:
        raise AssertionError

    def hear(progress: ExportProgress) -> Any:
        return never(progress)

    with pytest.raises(ExportOptionError, match="cannot await"):
        exporter.export_json([{"a": 1}], tmp_path / "a.json", on_progress=hear)


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_callback_that_raises_ends_the_export(
    exporter: StreamingExporter, asynchronous: Any, tmp_path: Path, only: Any
) -> None:
    def refuse(progress: ExportProgress) -> None:
        raise ZeroDivisionError

    rows = [{"a": "x" * 1_000}] * 2_000
    path = tmp_path / "a.csv"
    if asynchronous:
        with pytest.raises(ZeroDivisionError):
            await exporter.export_csv_async(iter(rows), path, on_progress=refuse)
    else:
        with pytest.raises(ZeroDivisionError):
            exporter.export_csv(iter(rows), path, on_progress=refuse)
    assert only(tmp_path) in ([], ["a.csv"] if asynchronous else [])


def test_bar_follows_and_closes_and_other_callbacks_still_hear(
    exporter: StreamingExporter, tmp_path: Path, capsys: Any
) -> None:
    heard: list[ExportProgress] = []
    rows = [{"a": n} for n in range(1_000)]
    exporter.export_csv(rows, tmp_path / "a.csv", progress=True, on_progress=heard.append)
    assert "1.00k/1.00k" in capsys.readouterr().err
    assert heard[-1].finished


async def test_bar_works_beside_a_loop(
    exporter: StreamingExporter, awaited: Any, tmp_path: Path, capsys: Any
) -> None:
    await exporter.export_csv_async(
        awaited([{"a": 1}] * 10), tmp_path / "a.csv", total_rows=10, progress=True
    )
    assert "10.0/10.0" in capsys.readouterr().err


def test_missing_tqdm_names_the_extra(
    exporter: StreamingExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: Any
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(MissingExtraError, match=r"blackcore-query-engine\[progress\]"):
        exporter.export_csv([], tmp_path / "a.csv", progress=True)
    assert only(tmp_path) == []


def test_bar_can_be_closed_twice(capsys: Any) -> None:
    bar = TqdmProgress("export")
    bar.close()
    bar.close()
    assert "export" in capsys.readouterr().err
