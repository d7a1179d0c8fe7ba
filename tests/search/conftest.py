from __future__ import annotations

import copy
from typing import Any

import pytest

from blackcore.minimal.query_engine.search import FullTextSearch, TantivySearch

FILMS = [
    {"title": "The Third Man", "year": 1949, "cast": ["Orson Welles", "Joseph Cotten"]},
    {"title": "Citizen Kane", "year": 1941, "cast": ["Orson Welles"], "plot": "A man, rich."},
    {"title": "Amélie", "year": 2001, "crew": {"director": {"name": "Jean-Pierre Jeunet"}}},
    {"title": "Heat", "year": 1995, "cast": ["Al Pacino", "Robert De Niro"], "seen": True},
    {"title": "Man on the Moon", "year": None, "cast": []},
    {},
]


@pytest.fixture
def films() -> Any:
    return copy.deepcopy(FILMS)


@pytest.fixture(params=[FullTextSearch, TantivySearch], ids=["fts5", "tantivy"])
def engine(request: Any) -> Any:
    return request.param()
