"""Seeded flights, large enough that estimates can be near or far."""

from __future__ import annotations

import random
from typing import Any

import pytest

from blackcore.minimal.query_engine.data import Records

CARRIERS = ("UA", "AA", "DL", "HA")
ROWS = 6_000


def flight(n: int, dice: random.Random) -> dict[str, Any]:
    return {
        "id": n,
        "carrier": dice.choices(CARRIERS, (50, 30, 19, 1))[0],
        "distance": dice.randrange(100, 3_000),
        "delay": None if dice.random() < 0.1 else round(dice.gauss(0, 30), 1),
        "note": " ".join(dice.choices(("late", "snow", "gate", "crew", "fine"), k=4)),
        "tailnum": f"N{dice.randrange(100, 400)}{dice.choice('ABC')}",
        "diverted": dice.random() < 0.2,
        "mixed": dice.choice([1, "x", None, [1]]),
        "crew": [{"name": dice.choice(("Ann", "Bo", "Cy"))} for _ in range(dice.randrange(3))],
    }


@pytest.fixture(scope="session")
def rows() -> list[dict[str, Any]]:
    dice = random.Random(7)  # noqa: S311 - seeded data, no secret
    return [flight(n, dice) for n in range(ROWS)]


@pytest.fixture
def flights(rows: list[dict[str, Any]]) -> Records:
    """A version of its own for each test: columns and statistics come and go with it."""
    return Records("flights", rows)
