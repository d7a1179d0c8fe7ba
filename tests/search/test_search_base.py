from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

from blackcore.minimal.query_engine.errors import SettingsError
from blackcore.minimal.query_engine.search import (
    FullTextSearch,
    RowSearchEngine,
    ScoredRows,
    SearchConfig,
    SearchMatch,
    TantivySearch,
    TextSearchEngine,
)


def test_a_config_cuts_nothing_off_unless_told() -> None:
    config = SearchConfig()
    assert config.max_results == sys.maxsize
    assert config.min_score == 0.0
    assert config.mode == "exact"
    assert config.field_weights == {}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"mode": ""}, "mode is ''"),
        ({"mode": 3}, "mode is 3"),
        ({"max_results": 0}, "max_results is 0"),
        ({"max_results": True}, "max_results is True"),
        ({"max_results": 2.5}, "max_results is 2.5"),
        ({"min_score": -0.1}, "min_score is -0.1"),
        ({"min_score": math.nan}, "min_score is nan"),
        ({"min_score": None}, "min_score is None"),
        ({"fuzzy_threshold": 1.01}, "fuzzy_threshold is 1.01"),
        ({"fuzzy_threshold": "0.8"}, "fuzzy_threshold is '0.8'"),
        ({"case_sensitive": 1}, "case_sensitive is 1"),
        ({"use_synonyms": None}, "use_synonyms is None"),
        ({"field_weights": ["title"]}, r"field_weights is \['title'\]"),
        ({"field_weights": {1: 2.0}}, "1 is not a field name"),
        ({"field_weights": {"title": -1}}, r"field_weights\['title'\] is -1"),
        ({"field_weights": {"title": math.inf}}, r"field_weights\['title'\] is inf"),
        ({"field_weights": {"title": True}}, r"field_weights\['title'\] is True"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(options: Any, named: Any) -> None:
    with pytest.raises(SettingsError, match=named):
        SearchConfig(**options)


def test_field_weights_are_a_plain_dict_of_their_own() -> None:
    given = {"title": 2}
    config = SearchConfig(field_weights=given)
    given["title"] = 9
    assert config.field_weights == {"title": 2.0}
    assert type(config.field_weights) is dict


def test_equal_configs_are_equal_and_hash_alike() -> None:
    first, second = (SearchConfig(field_weights={"a": 1}) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != SearchConfig(field_weights={"a": 2})


def test_a_config_shows_only_what_differs() -> None:
    assert repr(SearchConfig()) == "SearchConfig()"
    assert repr(SearchConfig(min_score=1.5)) == "SearchConfig(min_score=1.5)"


def test_rows_are_ranked_by_score_then_position_and_need_a_score_above_the_minimum() -> None:
    ids = np.array([9, 4, 7, 1, 2, 3])
    scores = np.array([1.0, 2.0, 1.0, 0.5, np.nan, -1.0])
    assert ScoredRows.ranked(ids, scores).ids.tolist() == [4, 7, 9, 1]
    assert ScoredRows.ranked(ids, scores, min_score=0.5).ids.tolist() == [4, 7, 9]
    assert ScoredRows.ranked(ids, scores, max_results=2).scores.tolist() == [2.0, 1.0]


def test_scored_rows_have_their_types_and_cannot_be_written() -> None:
    rows = ScoredRows.ranked(np.array([3]), np.array([1.5], np.float32))
    assert rows.ids.dtype == np.uint32
    assert rows.scores.dtype == np.float64
    assert len(rows) == 1
    with pytest.raises(ValueError, match="read-only"):
        rows.ids[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        rows.scores[0] = 1


def test_scored_rows_show_how_many_they_are_and_the_best() -> None:
    none = ScoredRows.ranked(np.array([], np.int64), np.array([]))
    many = ScoredRows.ranked(np.arange(5), np.ones(5))
    assert repr(none) == "ScoredRows(0 rows)"
    assert repr(many) == "ScoredRows(5 rows: 0 (1.0), 1 (1.0), 2 (1.0), ...)"


def test_protocols_are_checked_at_run_time() -> None:
    class Foreign:
        def search(self, query_text: Any, data: Any, config: Any) -> Any:
            return []

    for own in (FullTextSearch(), TantivySearch()):
        assert isinstance(own, TextSearchEngine)
        assert isinstance(own, RowSearchEngine)
    assert isinstance(Foreign(), TextSearchEngine)
    assert not isinstance(Foreign(), RowSearchEngine)
    assert not isinstance(object(), TextSearchEngine)


def test_a_match_is_a_value() -> None:
    assert SearchMatch({"a": 1}, 2.0) == SearchMatch({"a": 1}, 2.0)
