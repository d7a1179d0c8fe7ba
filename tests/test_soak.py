"""A long-lived process leaves nothing behind: no memory, no thread, no file handle, no file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.soak import WEIGHTS, Soak, begun, leftovers

ROOT = Path(__file__).resolve().parent.parent
MILLION = 1_000_000
WARM_UP = 500_000
"""Until then caches, rings and logs reach their bounds, and the allocator its shape."""
GROWN_BYTES_PER_OPERATION = 16
"""Less than the smallest object takes that an operation might leave behind."""

pytestmark = pytest.mark.skipif(
    not hasattr(psutil.Process, "num_fds"), reason="handles are counted otherwise here"
)


def test_two_thousand_operations_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("warm", "soak", "scratch"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    warm = Soak(tmp_path / "warm")  # what is made once for all, such as a library's own threads
    warm.run(200, 99)
    warm.close()
    before = begun()

    soak = Soak(tmp_path / "soak")
    for seed in range(4):  # threads come and go
        soak.run(500, seed)
    soak.close()

    assert soak.done.total() == 2_000
    assert set(soak.done) >= {name for name, weight in WEIGHTS.items() if weight >= 2}
    assert begun() == before
    assert leftovers(tmp_path) == []
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.deep
def test_a_million_operations_hold_no_more_memory_than_some(tmp_path: Path) -> None:
    """Takes five minutes on two cores that others use too.

    The allocator is told to have one arena: each keeps what was freed in it, and that is no leak.
    """
    for name in ("soak", "scratch"):
        (tmp_path / name).mkdir()
    environment = {"MALLOC_ARENA_MAX": "1", "TMPDIR": str(tmp_path / "scratch")}
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tests.soak", tmp_path / "soak", str(MILLION), str(WARM_UP)],
        check=True,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | environment,
    )
    told = json.loads(done.stdout)
    assert (told["done"], told["kinds"]) == (MILLION, len(WEIGHTS))
    assert told["after"] == told["before"]
    assert told["grown_bytes"][-1] < GROWN_BYTES_PER_OPERATION * (MILLION - WARM_UP), told
    assert told["leftovers"] == []
    assert list((tmp_path / "scratch").iterdir()) == []
