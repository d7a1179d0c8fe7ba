"""Directories of database files, and what a loader says of them."""

from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO_NS = 1_500_000_000_000_000_000


class WriteFile(Protocol):
    """Writes one file of the directory: text, bytes, or a value as JSON; gzipped for a .gz."""

    def __call__(self, name: str, content: object) -> Path: ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    return directory


@pytest.fixture
def write(folder: Path) -> WriteFile:
    def write_file(name: str, content: object) -> Path:
        path = folder / name
        if isinstance(content, str):
            content = content.encode()
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        # old enough that no loader waits for the clock to tick
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
        return path

    return write_file
