from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.errors import QueryError
from blackcore.minimal.query_engine.search.words import (
    MAX_QUERY_WORDS,
    Phrase,
    fold,
    parse,
    relevance,
    texts,
    weight_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Spider-Man_2!", ["spider", "man", "2"]),
        ("Amélie Ame\u0301lie", ["amelie", "amelie"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("İstanbul ﬁlm", ["istanbul", "film"]),
        ("“quoted”—dash…", ["quoted", "dash"]),
        ("東京都 に", ["東京都", "に"]),
        ("हिन्दी", ["हिन्दी"]),
        ("co\u00adop z\u200dw", ["coop", "zw"]),
        ("1️⃣ ❤️ 🎬x", ["1", "x"]),
        ("a\x00b", ["a", "b"]),
        ("a\ud800b", ["a", "b"]),
        ("\ue000\ue041", []),
        ("½", ["1", "2"]),
        ("", []),
    ],
)
def test_words_are_runs_of_letters_digits_and_their_marks_folded(text: Any, words: Any) -> None:
    assert fold(text).split() == words


def test_case_is_kept_where_it_matters_and_diacritics_never() -> None:
    assert fold("Éa US us", case_sensitive=True).split() == ["Ea", "US", "us"]


def test_long_and_short_runs_fold_alike() -> None:
    assert fold("éàü" * 10) == fold("éàü") * 10


@given(st.text(st.characters(codec=None), max_size=40))
def test_folding_is_stable_and_leaves_only_words_and_spaces(text: Any) -> None:
    folded = fold(text)
    assert fold(folded).split() == folded.split()
    assert '"' not in folded
    folded.encode()


def test_words_and_quoted_phrases_are_parsed_once_each() -> None:
    assert parse('war "the END" war "the end" end') == (
        Phrase(("war",), quoted=False),
        Phrase(("the", "end"), quoted=True),
        Phrase(("end",), quoted=False),
    )


def test_a_quote_without_a_partner_only_separates() -> None:
    assert [phrase.words for phrase in parse('5 "a b" c"d')] == [
        ("5",),
        ("a", "b"),
        ("c",),
        ("d",),
    ]
    assert [phrase.words for phrase in parse('the "end')] == [("the",), ("end",)]
    assert [phrase.words for phrase in parse('"" x')] == [("x",)]


@pytest.mark.parametrize("text", ["", "  ", '"', '""', "-- !?", "🎬", "\x00"])
def test_a_text_without_a_word_is_refused(text: Any) -> None:
    with pytest.raises(QueryError, match="has no word; give at least one letter or digit"):
        parse(text)


@pytest.mark.parametrize("text", [None, 3, ["war"], b"war"])
def test_a_text_that_is_no_string_is_refused(text: Any) -> None:
    with pytest.raises(QueryError, match="must be a string"):
        parse(text)


def test_a_text_of_too_many_words_is_refused_shortly() -> None:
    assert len(parse(" ".join(map(str, range(MAX_QUERY_WORDS))))) == MAX_QUERY_WORDS
    with pytest.raises(QueryError, match="1001 words; 1000 are allowed") as caught:
        parse(" ".join(map(str, range(MAX_QUERY_WORDS + 1))))
    assert len(str(caught.value)) < 200


def test_strings_and_finite_numbers_are_text_and_nothing_else() -> None:
    record = {
        "s": "x",
        "i": -3,
        "f": 2.5,
        "nan": math.nan,
        "inf": math.inf,
        "b": True,
        "n": None,
        "deep": {"a": [{"b": ["y", ["z"]]}], "t": ("w",)},
    }
    assert list(texts(record)) == [
        ("s", "x"),
        ("i", "-3"),
        ("f", "2.5"),
        ("deep.a.b", "y"),
        ("deep.a.b", "z"),
        ("deep.t", "w"),
    ]


def test_a_record_deeper_than_the_stack_and_an_endless_number_are_no_trouble() -> None:
    deep: dict[str, object] = {"x": "bottom"}
    for _ in range(3_000):
        deep = {"x": deep}
    assert [text for _, text in texts(deep)] == ["bottom"]
    assert list(texts({"huge": 1 << 20_000})) == []


def test_the_longest_given_path_decides_a_weight() -> None:
    weights = {"cast": 2.0, "cast.name": 3.0}
    assert [weight_of(path, weights) for path in ("cast.name.first", "cast.age", "castle")] == [
        3.0,
        2.0,
        1.0,
    ]


def test_relevance_of_one_record_grows_with_frequency_and_weight_and_needs_every_phrase() -> None:
    item = {"title": "war war war", "plot": "the war, the end"}
    once = relevance({"plot": "war"}, parse("war"), {})
    assert once == 1.0
    assert relevance(item, parse("war"), {}) == pytest.approx(4 * 2.2 / 5.2)
    assert relevance(item, parse("war"), {"title": 2.0}) > relevance(item, parse("war"), {})
    assert relevance(item, parse("war peace"), {}) == 0.0
    assert relevance(item, parse('"the end"'), {}) == 1.0
    assert relevance(item, parse('"war the"'), {"title": 0, "plot": 1}) == 1.0
    assert relevance(item, parse('"war end"'), {}) == 0.0
