from __future__ import annotations

import gc
import sqlite3
import weakref
from typing import Any

import pytest

from blackcore.minimal.query_engine.errors import SearchError, SettingsError
from blackcore.minimal.query_engine.search import FullTextSearch, SearchConfig, full_text


def rows(text: Any, records: Any, **options: Any) -> Any:
    found = FullTextSearch().search_rows(text, records, SearchConfig(**options))
    return sorted(found.ids.tolist())


def test_prefix_mode_lets_unquoted_words_go_on(films: Any) -> None:
    assert rows("ma", films, mode="prefix") == [0, 1, 4]
    assert rows("ors we", films, mode="prefix") == [0, 1]
    assert rows('"ma"', films, mode="prefix") == []
    assert rows("194", films, mode="prefix") == [0, 1]


def test_prefix_mode_reaches_into_scripts_without_spaces() -> None:
    assert rows("東京", [{"t": "東京都"}, {"t": "京都"}], mode="prefix") == [0]


def test_prefix_mode_may_mind_the_case() -> None:
    records = [{"t": "Manners"}, {"t": "manners"}]
    assert rows("Man", records, mode="prefix", case_sensitive=True) == [0]


def test_fuzzy_mode_finds_words_that_are_alike_enough() -> None:
    records = [{"t": "spielberg film"}, {"t": "spielburg film"}, {"t": "iceberg film"}]
    assert rows("spielberg", records, mode="fuzzy") == [0, 1]
    assert rows("spielberg", records, mode="fuzzy", fuzzy_threshold=1.0) == [0]
    assert rows("spielberg", records, mode="fuzzy", fuzzy_threshold=0.5) == [0, 1, 2]
    assert rows('"spielberg"', records, mode="fuzzy") == [0]
    assert rows("spielbrg fim", records, mode="fuzzy") == [0, 1]
    assert rows("spielberg tram", records, mode="fuzzy") == []


def test_at_fuzzy_threshold_zero_any_word_will_do_beside_one_that_is_alike() -> None:
    records = [{"t": ["a", "b"]}, {}, {"t": "c"}]
    assert rows("zzz a", records, mode="fuzzy", fuzzy_threshold=0) == [0]
    assert rows("zzz", records, mode="fuzzy", fuzzy_threshold=0) == []


def test_a_less_alike_word_scores_less_however_rare_it_is() -> None:
    records = [{"t": f"actor n{number}"} for number in range(40)]
    records += [{"t": "actress n40"}, {"t": "factor n41"}, {"t": "other n42"}] * 15
    matches = FullTextSearch().search(
        "actor", records, SearchConfig(mode="fuzzy", fuzzy_threshold=0.6)
    )
    found = [match.entity["t"].split()[0] for match in matches]
    assert set(found[:40]) == {"actor"}
    assert {"factor", "actress"} == set(found[40:])
    rare = [{"t": "actor"}] * 3 + [{"t": "acter"}] + [{"t": "x"}] * 20
    best = FullTextSearch().search("actor", rare, SearchConfig(mode="fuzzy"))
    assert [match.entity["t"] for match in best] == ["actor"] * 3 + ["acter"]


def test_fuzzy_mode_obeys_weights() -> None:
    records = [{"title": "kane", "plot": "x"}, {"title": "y", "plot": "kan"}]
    assert rows("kane", records, mode="fuzzy", field_weights={"plot": 0}) == [0]


def test_stemming_finds_other_forms_of_an_english_word() -> None:
    records = [{"t": "running films"}, {"t": "a film runs"}, {"t": "ruin"}]
    assert rows("film run", records) == []
    assert rows("film run", records, use_stemming=True) == [0, 1]
    assert rows('"film running"', records, use_stemming=True) == [1]


@pytest.mark.parametrize(
    "options",
    [
        {"case_sensitive": True, "use_stemming": True},
        {"case_sensitive": True, "mode": "fuzzy"},
        {"use_stemming": True, "mode": "fuzzy"},
        {"use_stemming": True, "mode": "prefix"},
    ],
)
def test_options_that_contradict_each_other_are_refused(films: Any, options: Any) -> None:
    with pytest.raises(
        SettingsError, match=r"case_sensitive goes neither|use_stemming is of whole"
    ):
        FullTextSearch().search("man", films, SearchConfig(**options))


def test_each_way_to_compare_words_has_its_own_index_of_the_same_list(films: Any) -> None:
    engine = FullTextSearch()
    options = [{}, {"case_sensitive": True}, {"use_stemming": True}, {"mode": "fuzzy"}] * 2
    found = [engine.search_rows("man", films, SearchConfig(**each)).ids.size for each in options]
    assert found == [3, 1, 3, 3] * 2
    assert repr(engine) == "FullTextSearch(indexes=1 of 8)"


def test_the_least_recently_searched_list_is_dropped_and_its_connection_closed(films: Any) -> None:
    engine = FullTextSearch(max_indexes=1)
    engine.search("man", films)
    (kept,) = engine._indexes._kept.values()
    (index,) = kept.built.values()
    connection, gone = index._connection, weakref.ref(index)
    del kept, index
    engine.search("man", list(films))
    gc.collect()
    assert gone() is None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_texts_are_not_stored_beside_the_index() -> None:
    index = full_text.FtsIndex(full_text.Layout.of([{"t": "word"}]), iter([[0, "word"]]), 1)
    assert index._connection.execute("SELECT c0 FROM t").fetchall() == [(None,)]


def test_a_sqlite_without_fts5_is_named_with_the_ways_out(films: Any, monkeypatch: Any) -> None:
    class WithoutFts5(sqlite3.Connection):
        def execute(self, statement: Any, *parameters: Any) -> Any:
            return super().execute(statement.replace("fts5(", "fts5_missing("), *parameters)

    real = sqlite3.connect
    monkeypatch.setattr(
        full_text.sqlite3, "connect", lambda *a, **k: real(*a, factory=WithoutFts5, **k)
    )
    with pytest.raises(
        SearchError, match=r"no such module: fts5_missing.*pass search=Tantivy"
    ) as e:
        FullTextSearch().search("man", films)
    assert isinstance(e.value.__cause__, sqlite3.OperationalError)
