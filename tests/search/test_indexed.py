"""What both of our engines do alike; each test runs over both."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine.errors import QueryError, SettingsError
from blackcore.minimal.query_engine.search import FullTextSearch, SearchConfig, TantivySearch
from blackcore.minimal.query_engine.search.words import fold, parse, texts


def rows(engine: Any, text: Any, records: Any, **options: Any) -> Any:
    return sorted(engine.search_rows(text, records, SearchConfig(**options)).ids.tolist())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("man", [0, 1, 4]),
        ("MAN orson", [0, 1]),
        ("amelie", [2]),
        ("Ame\u0301lie", [2]),
        ("jean-pierre", [2]),
        ("1949", [0]),
        ('"orson welles"', [0, 1]),
        ('"welles orson"', []),
        ('"welles joseph"', []),
        ("welles joseph", [0]),
        ('"orson welles" 1941', [1]),
        ("true", []),
        ("ma", []),
        ("nowhere", []),
    ],
)
def test_every_word_and_phrase_must_be_found_anywhere_in_the_record(
    engine: Any, films: Any, text: Any, found: Any
) -> None:
    assert rows(engine, text, films) == found


@pytest.mark.parametrize(
    "text",
    ["man OR heat", "man NOT third", "title:man", "man*", "NEAR(man moon)", "^man", "{man} + moon"],
)
def test_a_text_is_data_and_never_a_query_language(engine: Any, films: Any, text: Any) -> None:
    expected = [
        row
        for row, film in enumerate(films)
        if set(fold(text).split()) <= set(fold(" ".join(t for _, t in texts(film))).split())
    ]
    assert rows(engine, text, films) == expected


@pytest.mark.parametrize("text", ["a'b", "1 OR 1=1; DROP TABLE t", 'x\x00"y', "a\ud800b", "🎬 man"])
def test_strange_characters_are_separators_in_texts_and_records(engine: Any, text: Any) -> None:
    records = [{"t": text}, {"t": "other"}]
    assert rows(engine, text, records) == [0]


def test_matches_carry_the_very_record_and_come_best_first(engine: Any, films: Any) -> None:
    matches = engine.search("man", films)
    assert {id(match.entity) for match in matches} == {id(films[row]) for row in (0, 1, 4)}
    scores = [match.score for match in matches]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


def test_equal_scores_keep_the_records_order_and_every_match_is_returned(engine: Any) -> None:
    records = [{"t": "same words"} for _ in range(3_000)]
    found = engine.search_rows("words", records, SearchConfig())
    assert found.ids.tolist() == list(range(3_000))
    assert len(set(found.scores.tolist())) == 1


def test_results_and_scores_can_be_cut(engine: Any, films: Any) -> None:
    everything = engine.search("man", films)
    assert engine.search("man", films, SearchConfig(max_results=2)) == everything[:2]
    least = everything[-1].score
    assert engine.search("man", films, SearchConfig(min_score=least)) == [
        match for match in everything if match.score > least
    ]


def test_weights_lift_a_field_and_zero_takes_it_out(engine: Any) -> None:
    records = [
        {"title": "war", "plot": "peace and more"},
        {"title": "peace", "plot": "war and more"},
    ]
    first = [
        engine.search_rows("war", records, SearchConfig(field_weights=weights)).ids.tolist()
        for weights in ({"title": 9}, {"plot": 9}, {"title": 0}, {"plot": 0.0})
    ]
    assert first == [[0, 1], [1, 0], [1], [0]]


@pytest.mark.parametrize("weight", [1e-30, 1e-7, 0.1 + 0.2, 3, 1e20])
def test_weights_of_any_size_are_taken(engine: Any, weight: Any) -> None:
    records = [{"title": "war"}, {"title": "peace"}, {"title": "love"}]
    assert rows(engine, "war", records, field_weights={"title": weight}) == [0]


def test_a_weight_reaches_nested_fields(engine: Any) -> None:
    records = [{"crew": {"name": "war"}}, {"title": "war"}]
    config = SearchConfig(field_weights={"crew": 5})
    assert engine.search_rows("war", records, config).ids.tolist() == [0, 1]
    assert rows(engine, "war", records, field_weights={"crew.name": 0}) == [1]


def test_case_counts_where_it_is_told(engine: Any) -> None:
    records = [{"t": "US Élan"}, {"t": "us élan"}, {"t": "Us"}]
    assert rows(engine, "us", records) == [0, 1, 2]
    assert rows(engine, "us", records, case_sensitive=True) == [1]
    assert rows(engine, "US", records, case_sensitive=True) == [0]
    assert rows(engine, "Elan", records, case_sensitive=True) == [0]
    assert rows(engine, '"us élan"', records, case_sensitive=True) == [1]


@pytest.mark.parametrize("option", ["highlight_matches", "use_synonyms"])
def test_an_option_that_would_do_nothing_is_refused(engine: Any, films: Any, option: Any) -> None:
    with pytest.raises(SettingsError, match=f"has no {option}; leave it False"):
        engine.search("man", films, SearchConfig(**{option: True}))


def test_an_unknown_mode_is_refused_with_those_there_are(engine: Any, films: Any) -> None:
    with pytest.raises(SettingsError, match=r"no mode 'semantic'; it has: 'exact'"):
        engine.search("man", films, SearchConfig(mode="semantic"))


def test_a_text_without_a_word_is_refused_before_anything_is_built(engine: Any, films: Any) -> None:
    with pytest.raises(QueryError, match="has no word"):
        engine.search("--", films)
    assert "indexes=0 of 8" in repr(engine)


@pytest.mark.parametrize("records", [[], [{}], [{"on": True, "n": None}, {"x": []}]])
def test_records_without_text_match_nothing(engine: Any, records: Any) -> None:
    assert engine.search("man", records) == []
    assert engine.search("man", records, SearchConfig(field_weights={"x": 2})) == []


def test_a_list_is_indexed_once_until_it_is_forgotten(engine: Any, films: Any) -> None:
    builds = []
    type(engine)._build, original = (
        lambda self, *a: builds.append(1) or original(self, *a),
        type(engine)._build,
    )
    try:
        for _ in range(3):
            engine.search("man", films)
        assert len(builds) == 1
        assert "indexes=1 of 8" in repr(engine)
        assert engine.forget(films) is True
        assert engine.forget(films) is False
        engine.search("man", films)
        assert len(builds) == 2
    finally:
        type(engine)._build = original


def test_lists_are_never_taken_for_each_other(engine: Any) -> None:
    # lists that are let go give their id() to the next ones
    for number in range(10):
        assert rows(engine, "word", [{"t": "word"}] * (number % 3 + 1)) == list(
            range(number % 3 + 1)
        )
        assert rows(engine, f"w{number}", [{"t": f"w{number}"}]) == [0]


def test_progress_is_told_from_nothing_to_all(films: Any) -> None:
    for make in (FullTextSearch, TantivySearch):
        told = []
        records = [{"t": "word"} for _ in range(2_500)]
        make(progress=lambda *step, told=told: told.append(step)).search("word", records)
        assert told == [(0, 2500), (1000, 2500), (2000, 2500), (2500, 2500)]


def test_an_index_whose_building_is_interrupted_is_built_again(films: Any) -> None:
    class StopError(Exception):
        pass

    def progress(done: Any, total: Any) -> None:
        if not stopped:
            stopped.append(1)
            raise StopError

    for make in (FullTextSearch, TantivySearch):
        stopped: list[int] = []
        engine = make(progress=progress)
        with pytest.raises(StopError):
            engine.search("man", films)
        assert rows(engine, "man", films) == [0, 1, 4]


def test_many_threads_get_the_same_answers(engine: Any, films: Any) -> None:
    questions = ["man", "orson", "heat", '"orson welles"'] * 20
    alone = type(engine)()
    expected = [rows(alone, question, films) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda question: rows(engine, question, films), questions))
    assert answers == expected


def test_an_index_may_be_let_go_in_another_thread(engine: Any, films: Any) -> None:
    engine.search("man", films)
    thread = threading.Thread(target=engine.forget, args=(films,))
    thread.start()
    thread.join()
    assert rows(engine, "man", films) == [0, 1, 4]


def test_scores_depend_on_the_corpus_as_declared(engine: Any) -> None:
    first = engine.search("war", [{"t": "war"}, {"t": "x"}, {"t": "y"}])[0].score
    second = engine.search("war", [{"t": "war"}, {"t": "war"}, {"t": "y"}])[0].score
    assert engine.scores_depend_on_corpus is True
    assert first != second


def test_scores_are_the_same_every_time(films: Any) -> None:
    for make in (FullTextSearch, TantivySearch):
        first, second = (make().search_rows("man orson", films, SearchConfig()) for _ in range(2))
        assert first.ids.tolist() == second.ids.tolist()
        assert first.scores.tolist() == second.scores.tolist()


def test_one_record_by_itself_has_a_score_exactly_where_it_matches(engine: Any, films: Any) -> None:
    score = engine.calculate_relevance_score
    assert [score(film, "orson man") > 0 for film in films] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert score(films[0], "man", {"title": 4}) > score(films[0], "man") > 0
    assert score(films[0], "man", {"title": 0}) == 0
    with pytest.raises(QueryError, match="has no word"):
        score(films[0], "")


def test_a_thousand_words_are_searched_and_long_words_too(engine: Any) -> None:
    text = " ".join(f"w{number}" for number in range(1_000))
    records = [{"t": text}, {"t": text[:-5]}, {"t": "x" * 20_000}]
    assert rows(engine, text, records) == [0]
    assert rows(engine, "x" * 20_000, records) == [2]


words = st.sampled_from(
    ["a", "B", "é", "The", "the", "end", "x-y", "東京", "12", "\x00", "\ud800", '"']
)
values = st.recursive(
    st.lists(words, max_size=5).map(" ".join) | st.sampled_from([None, True, 12, 2.5, math.nan]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["p", "q", "p.q"]), inner, max_size=2)
    ),
    max_leaves=6,
)
databases = st.lists(st.dictionaries(st.sampled_from(["s", "t", "s.p"]), values), max_size=6)


def plainly_found(text: Any, records: Any) -> Any:
    """Return the rows by looking at every value of every record."""

    def holds(record: Any, phrase: Any) -> Any:
        wanted = f" {' '.join(phrase.words)} "
        return any(wanted in f" {' '.join(fold(value).split())} " for _, value in texts(record))

    phrases = parse(text)
    return [row for row, record in enumerate(records) if all(holds(record, p) for p in phrases)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(databases, st.lists(words, min_size=1, max_size=4).map(" ".join))
def test_both_engines_find_what_a_plain_look_at_every_value_finds(records: Any, text: Any) -> None:
    try:
        expected = plainly_found(text, records)
    except QueryError:
        return
    assert rows(FullTextSearch(), text, records) == expected
    assert rows(TantivySearch(), text, records) == expected
