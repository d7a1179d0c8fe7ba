from __future__ import annotations

import logging
from itertools import count
from typing import TYPE_CHECKING

from blackcore.minimal.query_engine.loaders import LoadProgress
from blackcore.minimal.query_engine.loaders.progress import LoadMeter

if TYPE_CHECKING:
    import pytest


def test_reports_say_how_far_the_load_is_and_how_long_it_took() -> None:
    reports: list[LoadProgress] = []
    ticks = count()
    meter = LoadMeter("flights", reports.append, clock=lambda: float(next(ticks)))
    meter.begin_reading(100)
    meter.add_bytes(60)
    meter.set_records(5)
    meter.add_bytes(40)
    meter.finish(9)

    def report(bytes_read: int, records: int | None, elapsed: float) -> LoadProgress:
        return LoadProgress(
            database="flights",
            bytes_read=bytes_read,
            total_bytes=100,
            records=records,
            done=records == 9,
            elapsed_seconds=elapsed,
        )

    assert reports == [report(60, None, 1.0), report(100, 5, 2.0), report(100, 9, 3.0)]


def test_reading_anew_begins_at_zero() -> None:
    reports: list[LoadProgress] = []
    meter = LoadMeter("flights", reports.append)
    meter.begin_reading(100)
    meter.add_bytes(100)
    meter.set_records(7)
    meter.begin_reading(50)
    meter.add_bytes(10)
    assert (reports[-1].bytes_read, reports[-1].total_bytes, reports[-1].records) == (10, 50, None)


def test_callback_that_raises_is_logged_once_and_not_called_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[LoadProgress] = []

    def broken(progress: LoadProgress) -> None:
        calls.append(progress)
        raise ValueError("no terminal")

    meter = LoadMeter("flights", broken)
    with caplog.at_level(logging.ERROR):
        meter.add_bytes(1)
        meter.add_bytes(1)
    assert len(calls) == 1
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert "'flights'" in caplog.text
