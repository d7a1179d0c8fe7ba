"""Regular expressions: Rust's dialect, in linear time; look-around under a deadline."""

from __future__ import annotations

import re
from itertools import count

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine import InvalidPatternError, PatternTimeoutError
from blackcore.minimal.query_engine.errors import QueryError
from blackcore.minimal.query_engine.query.patterns import (
    compile_pattern,
    scalar_text,
    text_series,
)
from tests.strategies import ROUGH_TEXTS


def found(pattern: str, *texts: str, case_sensitive: bool = True) -> list[bool]:
    compiled = compile_pattern(pattern, case_sensitive=case_sensitive)
    return compiled.search_each(texts).tolist()


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        ("", "", True),
        ("^$", "", True),
        ("^$", "\n", False),
        ("a$", "a\n", False),  # Rust's dialect: $ is the very end
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        (r"\d", "٣", True),  # Unicode digits
        (r"\w", "é", True),
        (r"^\pL+$", "日本", True),
        (r"\z", "a", True),
        ("[[:alpha:]]", "1", False),
        ("[a-z&&[^b]]", "b", False),
        ("^.$", "🙂", True),
    ],
)
def test_the_dialect_is_rusts(pattern: str, text: str, expected: bool) -> None:
    assert compile_pattern(pattern).linear
    assert found(pattern, text) == [expected]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("(?=ab)a", "ab", True),
        ("(?!ab)a", "ab", False),
        ("(?<=a)b", "ab", True),
        ("(?<!a)b", "ab", False),
        (r"(a)\1", "aa", True),
        (r"(a)\1", "ab", False),
        (r"(a)(?=b)b\1", "aba", True),
    ],
)
def test_look_around_and_back_references_run_on_the_other_engine(
    pattern: str, text: str, expected: bool
) -> None:
    assert not compile_pattern(pattern).linear
    assert found(pattern, text) == [expected]


@pytest.mark.parametrize("pattern", ["strasse", "(?=s)strasse"])
def test_without_case_the_flag_i_decides_on_both_engines(pattern: str) -> None:
    assert found(pattern, "STRASSE", "straße", case_sensitive=False) == [True, False]
    assert found(pattern, "STRASSE") == [False]


def test_no_texts_have_no_answers() -> None:
    assert found("a") == []
    assert found("(?=a)") == []


@pytest.mark.parametrize(
    ("pattern", "position"),
    [("a(b", 1), ("é(b", 1), ("[z-a]", 1), ("a{2,1}", 1), ("*a", 0), (r"\q", 0), ("(?<=a)(", 7)],
)
def test_a_bad_pattern_is_refused_with_its_position(pattern: str, position: int) -> None:
    with pytest.raises(InvalidPatternError) as caught:
        compile_pattern(pattern)
    assert caught.value.position == position
    assert caught.value.pattern == pattern
    assert f"at position {position}" in str(caught.value)
    assert repr(pattern) in str(caught.value)
    assert "Rust's regex crate" in str(caught.value)


def test_a_pattern_too_large_is_refused_and_not_compiled_at_the_answer() -> None:
    with pytest.raises(InvalidPatternError, match="size limit"):
        compile_pattern("(a{1000}){1000}{1000}")


def test_a_lone_surrogate_cannot_be_a_pattern() -> None:
    with pytest.raises(InvalidPatternError, match="surrogate"):
        compile_pattern("a\ud800")


def test_an_exploding_pattern_ends_at_once_in_linear_time() -> None:
    assert found("^(a+)+$", "a" * 5_000 + "b") == [False]


def test_a_slow_look_around_is_stopped_with_the_remedy() -> None:
    slow = compile_pattern(r"(?=a)^(a|aa)+$\1")
    with pytest.raises(PatternTimeoutError, match=r"more than 0\.05 s over 1 values; put cheaper"):
        slow.search_each(["a" * 60 + "b"], timeout_seconds=0.05)


def test_the_time_is_that_of_all_texts_together() -> None:
    ticks = count()
    compiled = compile_pattern("(?=a)a")
    texts = ["a"] * 5
    with pytest.raises(PatternTimeoutError, match="over 5 values") as caught:
        compiled.search_each(texts, timeout_seconds=3, clock=lambda: float(next(ticks)))
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, QueryError)
    assert compiled.search_each(texts, timeout_seconds=3, clock=lambda: 0.0).all()


@given(ROUGH_TEXTS)
def test_a_scalar_text_is_utf8_and_differs_in_lone_surrogates_alone(text: str) -> None:
    safe = scalar_text(text)
    safe.encode()
    assert safe == re.sub("[\ud800-\udfff]", "\ufffd", text)


def test_a_pair_of_surrogates_is_the_character_it_stands_for() -> None:
    assert scalar_text("\ud83d\ude42") == "🙂"


@given(st.lists(ROUGH_TEXTS, max_size=4))
def test_a_series_holds_one_string_per_text(texts: list[str]) -> None:
    series = text_series(texts)
    assert series.dtype == pl.String
    assert series.to_list() == [scalar_text(text) for text in texts]


def test_a_lone_surrogate_is_seen_as_the_replacement_character_on_both_engines() -> None:
    assert found("^\ufffd$", "\ud800") == [True]
    assert found("(?=.)^\ufffd$", "\ud800") == [True]


def test_a_compiled_pattern_is_kept() -> None:
    assert compile_pattern("kept") is compile_pattern("kept")
    assert compile_pattern("kept") != compile_pattern("kept", case_sensitive=False)


def test_the_text_that_polars_runs_carries_the_flag() -> None:
    assert compile_pattern("a").rust_text == "a"
    assert compile_pattern("a", case_sensitive=False).rust_text == "(?i)a"
