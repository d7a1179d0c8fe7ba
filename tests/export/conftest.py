from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from blackcore.minimal.query_engine.export import CsvOptions, StreamingExporter
from blackcore.minimal.query_engine.settings import ExportSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path


@pytest.fixture
def exporter() -> StreamingExporter:
    """Give an exporter that does not wait for the disk, and reports every block."""
    return StreamingExporter(ExportSettings(durable=False, progress_interval_seconds=0.0))


@pytest.fixture
def awaited() -> Callable[[Iterable[object]], AsyncIterator[object]]:
    """Give a function that makes an async generator of any members."""

    async def generate(members: Iterable[object]) -> AsyncIterator[object]:
        for member in members:
            yield member

    return generate


@pytest.fixture
def only() -> Callable[[Path], list[str]]:
    """Give a function that lists the names in a folder."""
    return lambda folder: sorted(path.name for path in folder.iterdir())


@pytest.fixture
def written_csv(exporter: StreamingExporter, tmp_path: Path) -> Callable[..., bytes]:
    """Give a function from rows and options to the bytes of their CSV."""

    def write(rows: Any, **options: Any) -> bytes:
        path = tmp_path / "written.csv"
        exporter.export_csv(rows, path, options=CsvOptions(**options))
        return path.read_bytes()

    return write
