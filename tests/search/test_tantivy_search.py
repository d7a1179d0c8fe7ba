from __future__ import annotations

import sys
from typing import Any

import pytest

from blackcore.minimal.query_engine.errors import MissingExtraError, SettingsError
from blackcore.minimal.query_engine.search import SearchConfig, TantivySearch, tantivy_search
from blackcore.minimal.query_engine.search.indexed import Variant


def test_a_missing_tantivy_is_said_at_once_with_the_extra_that_brings_it(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "tantivy", None)
    with pytest.raises(MissingExtraError, match=r'pip install "blackcore-query-engine\[search\]"'):
        TantivySearch()


@pytest.mark.parametrize("options", [{"mode": "fuzzy"}, {"mode": "prefix"}, {"use_stemming": True}])
def test_what_only_the_other_engine_has_is_refused(films: Any, options: Any) -> None:
    with pytest.raises(SettingsError, match="TantivySearch has no"):
        TantivySearch().search("man", films, SearchConfig(**options))


def test_rows_are_right_over_several_segments(monkeypatch: Any) -> None:
    # the smallest memory that a writer takes, so that it writes many segments
    monkeypatch.setattr(tantivy_search, "_WRITER_BYTES", 15_000_000)
    records = [
        {"t": " ".join(f"w{number * 31 + place}" for place in range(40)), "n": f"row{number}"}
        for number in range(8_000)
    ]
    engine = TantivySearch()
    index = engine._build(records, Variant(case_sensitive=False, use_stemming=False))
    assert len(index._row_of) > 1
    assert sorted(row for rows in index._row_of for row in rows.tolist()) == list(range(8_000))
    for row in (0, 3_333, 7_999):
        found = engine.search_rows(f"row{row}", records, SearchConfig())
        assert found.ids.tolist() == [row]
