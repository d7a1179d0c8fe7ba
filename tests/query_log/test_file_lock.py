"""A lock that holds between processes and threads, and never locks anybody out for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from blackcore.minimal.query_engine.query_log.file_lock import locked

ROOT = Path(__file__).resolve().parent.parent.parent
KILLED_HOLDER = """
import os, sys
from pathlib import Path
from blackcore.minimal.query_engine.query_log.file_lock import locked
held = locked(Path(sys.argv[1]))
held.__enter__()
os._exit(9)
"""


def test_one_who_does_not_get_it_in_time_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    slept: list[float] = []
    with (
        locked(path),
        pytest.raises(TimeoutError, match=r"a\.lock was locked for 0\.5 s"),
        locked(path, wait_seconds=0.5, clock=lambda: sum(slept), sleep=slept.append),
    ):
        raise AssertionError("two hold it")
    assert 0.5 <= sum(slept) < 0.6


def test_one_who_waits_gets_it_when_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first = locked(path)
    first.__enter__()

    def give_back(_: float) -> None:
        first.__exit__(None, None, None)

    with locked(path, wait_seconds=1, clock=lambda: 0.0, sleep=give_back):
        pass


def test_an_error_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with pytest.raises(KeyError), locked(path):
        raise KeyError
    with locked(path, wait_seconds=0):
        pass


def test_the_lock_of_a_killed_process_locks_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", KILLED_HOLDER, str(path)], check=False, cwd=ROOT
    )
    assert done.returncode == 9
    with locked(path, wait_seconds=0):
        pass
