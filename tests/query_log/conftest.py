"""The clock and the loader of the neighbours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import clock, make_loader

__all__ = ["clock", "make_loader", "path"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "queries.jsonl"
