"""What a run took place on: kind of machine, versions, commit and date. No names, no paths."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
LIBRARIES = (
    "polars", "numpy", "orjson", "msgspec", "pydantic", "cachetools", "cachebox", "moka-py",
    "theine", "duckdb", "pandas", "pyarrow",
)  # fmt: skip


def machine() -> str:
    """Return the kind of machine: system, processor, cores, memory."""
    memory_gb = psutil.virtual_memory().total / 1024**3
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory_gb:.0f} GB"


def versions() -> dict[str, str]:
    """Return the versions of Python and of all libraries that take part."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def now() -> str:
    """Return the time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def commit() -> str:
    """Return the commit of this folder, "-dirty" after it where the code differs from it."""
    head = git("rev-parse", "--short=12", "HEAD")
    if head is None:
        return "unknown"
    changed = git("status", "--porcelain", "--", "blackcore", "benchmarks/*.py", "examples")
    return f"{head.strip()}-dirty" if changed else head.strip()


def git(*words: str) -> str | None:
    """Return what git says, None where it cannot."""
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            ["git", *words],  # noqa: S607 - the git that is on the path
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
