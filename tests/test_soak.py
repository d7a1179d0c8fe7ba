"""A long-lived process leaves nothing behind: no memory, no thread, no file handle, no file."""

from __future__ import annotations

import gc
import tempfile
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.soak import WEIGHTS, Soak

if TYPE_CHECKING:
    from pathlib import Path

MILLION = 1_000_000
WARM_UP = 200_000
BYTES_PER_OPERATION = 32
"""Growth that a leak of the smallest object in each operation would exceed."""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where temporary files go during the test, if somebody makes any."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def begun() -> tuple[set[int | None], int]:
    """Return the threads there are, and how many files are open."""
    gc.collect()
    return {thread.ident for thread in threading.enumerate()}, psutil.Process().num_fds()


def leftovers(folder: Path) -> list[str]:
    """Return the files that no operation meant to leave."""
    meant = (".csv", ".json", ".jsonl", ".jsonl.gz", ".lock")
    return [p.name for p in folder.rglob("*") if p.is_file() and not p.name.endswith(meant)]


def soaked(folder: Path, operations: int) -> Soak:
    """Return a soak after so many operations, in rounds so that threads come and go."""
    soak = Soak(folder)
    for seed in range(4):
        soak.run(operations // 4, seed)
    return soak


@pytest.mark.skipif(not hasattr(psutil.Process, "num_fds"), reason="handles are counted otherwise")
def test_two_thousand_operations_leave_nothing_behind(tmp_path: Path, scratch: Path) -> None:
    folder = tmp_path / "soak"
    folder.mkdir()
    soaked_before = Soak(folder)  # what is made once for all, such as a library's own threads
    soaked_before.run(200, 99)
    soaked_before.close()
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()
    (folder / "data").rmdir()
    before = begun()

    soak = soaked(folder, 2_000)
    soak.close()

    assert soak.done.total() == 2_000
    assert set(soak.done) >= {name for name, weight in WEIGHTS.items() if weight >= 2}
    assert begun() == before
    assert leftovers(folder) == []
    assert list(scratch.iterdir()) == []


@pytest.mark.deep
def test_a_million_operations_take_no_more_memory_than_some(tmp_path: Path, scratch: Path) -> None:
    soak = Soak(tmp_path)
    soak.run(WARM_UP, 1)
    threads, files = begun()
    before = psutil.Process().memory_info().rss
    rounds = 8
    for seed in range(rounds):
        soak.run((MILLION - WARM_UP) // rounds, 2 + seed)
    gc.collect()
    grown = psutil.Process().memory_info().rss - before

    assert soak.done.total() == MILLION
    assert begun() == (threads, files)
    assert grown < BYTES_PER_OPERATION * (MILLION - WARM_UP)
    soak.close()
    assert leftovers(tmp_path) == []
    assert list(scratch.iterdir()) == []
