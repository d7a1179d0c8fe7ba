"""A loader whose databases are lists in memory, and a clock that only moves when told to."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from blackcore.minimal.query_engine import UnknownDatabaseError


class Clock:
    """Seconds that stand still until they are moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class ListLoader:
    """Hands out a new list of new dicts at each load, as a loader of files does."""

    def __init__(self, **databases: list[dict[str, Any]]) -> None:
        self.databases = databases
        self.loads: list[str] = []

    def load_database(self, name: str) -> list[dict[str, object]]:
        self.loads.append(name)
        if name not in self.databases:
            raise UnknownDatabaseError(name, self.databases)
        return copy.deepcopy(self.databases[name])

    def get_available_databases(self) -> list[str]:
        return sorted(self.databases)

    def refresh_cache(self, name: str | None = None) -> None: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_loader() -> type[ListLoader]:
    return ListLoader
