"""What a search would find among some records, by any engine, faults and all."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from blackcore.minimal.query_engine import FullTextSearch, QuerySearch, SearchError
from blackcore.minimal.query_engine.integration.search_reach import SearchReach

ROWS: list[dict[str, Any]] = [{"t": "war"}, {"t": "peace"}]


class Plain:
    """A foreign engine that finds, and does not score one record alone."""

    def search(self, query_text: str, data: list[Any], config: object) -> list[Any]:
        return [row for row in data if query_text in row["t"]]


class Scoring(Plain):
    def calculate_relevance_score(self, item: Any, query_text: str, field_weights: Any) -> Any:
        return item["score"] if "score" in item else float(query_text in item["t"])


def test_an_engine_of_ours_is_asked_for_the_records_alone() -> None:
    reach = SearchReach(FullTextSearch())
    assert reach.reaches_any(QuerySearch("war"), ROWS, "films")
    assert not reach.reaches_any(QuerySearch("love"), ROWS, "films")


def test_a_foreign_engine_is_asked_for_the_score_of_each() -> None:
    reach = SearchReach(Scoring())
    assert reach.reaches_any(QuerySearch("war"), ROWS, "films")
    assert not reach.reaches_any(QuerySearch("love"), ROWS, "films")


def test_no_records_are_reached_by_nothing() -> None:
    assert not SearchReach(Plain()).reaches_any(QuerySearch("war"), [], "films")


def test_an_engine_that_cannot_say_may_reach_anything() -> None:
    assert SearchReach(Plain()).reaches_any(QuerySearch("love"), ROWS, "films")


def test_an_engine_that_fails_may_reach_anything_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert SearchReach(Scoring()).reaches_any(QuerySearch("war"), [{"u": 1}], "films")
    assert "cannot say what 'war' reaches" in caplog.text


@pytest.mark.parametrize("row", [{"u": "no t"}, {"score": "high"}])
def test_a_score_that_cannot_be_had_is_an_error_that_names_the_engine(row: dict[str, Any]) -> None:
    with pytest.raises(SearchError, match=r"Scoring.calculate_relevance_score failed on 'war'"):
        SearchReach(Scoring()).relevance(row, "war", None)


def test_an_engine_that_has_no_scores_is_told_what_it_lacks() -> None:
    with pytest.raises(SearchError, match="Plain has no method calculate_relevance_score"):
        SearchReach(Plain()).relevance(ROWS[0], "war", None)
