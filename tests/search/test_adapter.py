from __future__ import annotations

import copy
import decimal
import fractions
import math
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.errors import QueryError, SearchError, SettingsError
from blackcore.minimal.query_engine.search import (
    FullTextSearch,
    ScoredRows,
    SearchConfig,
    SearchMatch,
    TantivySearch,
    wire_search,
)
from blackcore.minimal.query_engine.settings import SearchSettings

RECORDS = [{"n": 0, "t": "a b"}, {"n": 1, "t": "b"}, {"n": 2, "t": "a"}]


class Answering:
    """Answers with what it was made with, and notes what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = []

    def search(self, query_text: Any, data: Any, config: Any) -> Any:
        self.asked.append((query_text, data, config))
        return self.answer(data) if callable(self.answer) else self.answer


class Older:
    """The older form: the database's name, bare records, a score without weights."""

    def search(self, query_text: Any, data: Any, database_name: Any) -> Any:
        self.database = database_name
        return [record for record in data if query_text in record["t"].split()]

    def calculate_relevance_score(self, item: Any, query_text: Any) -> Any:
        return 1 / len(item["t"])


class OlderWeighing(Older):
    def calculate_relevance_score(self, item: Any, query_text: Any, field_weights: Any) -> Any:
        return field_weights.get("n", 1.0) * item["n"]


def asked(engine: Any, records: Any = RECORDS, **options: Any) -> Any:
    return wire_search(engine).matches("a", records, "letters", **options)


def pairs(rows: Any) -> Any:
    return list(zip(rows.ids.tolist(), rows.scores.tolist(), strict=True))


@pytest.mark.parametrize("keep", [True, False])
def test_an_engine_that_sorts_or_empties_its_list_changes_nothing_but_that(keep: bool) -> None:
    class Careless:
        def __init__(self) -> None:
            self.given: list[Any] = []

        def search(self, query_text: str, data: list[Any], config: SearchConfig) -> list[Any]:
            self.given.append(data)
            data.sort(key=lambda record: record["t"])
            found = [SearchMatch(data[0], 2.0), SearchMatch(data[-1], 1.0)]
            if query_text == "empty":
                data.clear()
            return found

    records = [{"t": "c"}, {"t": "a"}, {"t": "b"}]
    engine = Careless()
    bound = wire_search(engine)
    for text in ("sort", "empty", "sort"):
        found = bound.matches(text, records, "letters", keep=keep)
        assert pairs(found) == [(1, 2.0), (0, 1.0)]
        assert records == [{"t": "c"}, {"t": "a"}, {"t": "b"}]
    assert (engine.given[0] is engine.given[1]) == keep


def test_an_engine_is_told_the_text_the_records_and_a_config_that_cuts_nothing_off() -> None:
    engine = Answering([])
    bound = wire_search(engine, settings=SearchSettings(mode="semantic", fuzzy_threshold=0.7))
    bound.matches("text", RECORDS, "letters", weights={"t": 2}, min_score=0.5)
    ((text, data, config),) = engine.asked
    assert text == "text"
    assert data == RECORDS
    assert all(given is record for given, record in zip(data, RECORDS, strict=True))
    assert config == SearchConfig(
        mode="semantic", fuzzy_threshold=0.7, max_results=3, min_score=0.5, field_weights={"t": 2}
    )


@pytest.mark.parametrize(
    "form",
    [
        SearchMatch,
        lambda entity, score: SimpleNamespace(entity=entity, score=score, more=1),
        lambda entity, score: {"entity": entity, "score": score, "why": "so"},
    ],
    ids=["match", "object", "mapping"],
)
@pytest.mark.parametrize("give", [lambda record: record, copy.deepcopy], ids=["same", "copy"])
def test_scored_results_of_every_form_become_rows_best_first(form: Any, give: Any) -> None:
    engine = Answering(lambda data: [form(give(data[2]), 1.5), form(give(data[0]), 2)])
    rows = asked(engine)
    assert pairs(rows) == [(0, 2.0), (2, 1.5)]
    assert rows.ids.dtype == np.uint32
    assert rows.scores.dtype == np.float64


def test_bare_records_score_one_without_a_scorer() -> None:
    assert pairs(asked(Answering(lambda data: [data[2], dict(data[1])]))) == [(1, 1.0), (2, 1.0)]


def test_a_tuple_of_results_is_as_good_as_a_list() -> None:
    assert pairs(asked(Answering(lambda data: (data[2],)))) == [(2, 1.0)]


def test_the_older_form_gets_the_name_and_its_records_are_scored_one_by_one() -> None:
    engine = Older()
    bound = wire_search(engine)
    assert bound.takes_database_name
    assert pairs(bound.matches("a", RECORDS, "letters")) == [(2, 1.0), (0, 1 / 3)]
    assert engine.database == "letters"


def test_weights_reach_a_scorer_that_takes_them() -> None:
    assert pairs(asked(OlderWeighing(), weights={"n": 3})) == [(2, 6.0)]
    assert pairs(asked(OlderWeighing())) == [(2, 2.0)]


def test_weights_replace_scores_that_the_older_form_gave_without_them() -> None:
    class Scoring(OlderWeighing):
        def search(self, query_text: Any, data: Any, database_name: Any) -> Any:
            return [SearchMatch(data[2], 9.0)]

    assert pairs(asked(Scoring())) == [(2, 9.0)]
    assert pairs(asked(Scoring(), weights={"n": 3})) == [(2, 6.0)]


def test_weights_that_an_engine_cannot_take_are_refused() -> None:
    with pytest.raises(SearchError, match="Older, asked for 'a' in 'letters', takes no field weig"):
        asked(Older(), weights={"t": 2})


def test_an_engine_of_the_newer_form_scores_bare_records_with_weights() -> None:
    class Newer(OlderWeighing):
        def search(self, query_text: Any, data: Any, config: Any) -> Any:
            return list(data)

    assert pairs(asked(Newer(), weights={"n": 2.0})) == [(2, 4.0), (1, 2.0)]


def signatures() -> Any:
    def by_name(query_text: Any, data: Any, database_name: Any) -> Any:
        return []

    def short_name(query: Any, rows: Any, db: Any) -> Any:
        return []

    def annotated(query_text: Any, data: Any, where: str) -> Any:
        return []

    def keyword_name(query_text: Any, data: Any, *, database: Any = None) -> Any:
        return []

    def config(query_text: Any, data: Any, config: Any) -> Any:
        return []

    def other_word(query_text: Any, data: Any, options: dict | None = None) -> Any:
        return []

    def keyword_config(query_text: Any, data: Any, *, limit: Any = 3, config: Any) -> Any:
        return []

    def anything(*arguments: Any) -> Any:
        return []

    def positional(query_text: Any, data: Any, config: Any, /, extra: Any = 1) -> Any:
        return []

    return [
        (by_name, True),
        (short_name, True),
        (annotated, True),
        (keyword_name, True),
        (config, False),
        (other_word, False),
        (keyword_config, False),
        (anything, False),
        (positional, False),
    ]


@pytest.mark.parametrize(
    ("search", "takes_name"), signatures(), ids=[each.__name__ for each, _ in signatures()]
)
def test_the_third_argument_is_read_from_the_signature(search: Any, takes_name: Any) -> None:
    bound = wire_search(SimpleNamespace(search=search))
    assert bound.takes_database_name is takes_name
    assert ("database_name" in repr(bound)) is takes_name
    assert len(bound.matches("a", RECORDS, "letters")) == 0


def test_the_signature_is_read_once_when_wired() -> None:
    engine = Answering([])
    bound = wire_search(engine)
    engine.search = Mock(side_effect=AssertionError("decided when wired"))
    assert len(bound.matches("a", RECORDS, "letters")) == 0


def test_an_engine_without_a_readable_signature_gets_the_config() -> None:
    class Wordless:
        __signature__ = "none"

        def __call__(self, query_text: Any, data: Any, config: Any) -> Any:
            assert isinstance(config, SearchConfig)
            return [data[0]]

    engine = SimpleNamespace(search=Wordless(), calculate_relevance_score=print)
    engine.calculate_relevance_score = Wordless2()
    assert pairs(asked(engine)) == [(0, 7.0)]


class Wordless2:
    __signature__ = "none"

    def __call__(self, item: Any, query_text: Any, field_weights: Any) -> Any:
        assert field_weights == {}
        return 7


def test_a_scorer_of_any_arguments_gets_the_weights() -> None:
    engine = Answering(lambda data: [data[0]])
    engine.calculate_relevance_score = lambda *given: len(given)
    assert pairs(asked(engine)) == [(0, 3.0)]


def test_a_stand_in_that_answers_to_every_name_can_be_wired() -> None:
    engine = Mock()
    engine.search.return_value = [SearchMatch(RECORDS[1], 1.0)]
    assert pairs(asked(engine)) == [(1, 1.0)]


def takes_text(text: str) -> Any:
    return []


def takes_two(text: str, data: Any) -> Any:
    return []


def takes_limit(text: str, data: Any, *, limit: Any) -> Any:
    return []


def takes_count(text: str, data: Any, count: int) -> Any:
    return []


def takes_ten(text, data, ten=10):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - without annotations
    return []


class AsyncEngine:
    async def search(self, query_text: Any, data: Any, config: Any) -> Any:
        return []


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (object(), r"object has no method search; .* search\(query_text, data, config\)"),
        (SimpleNamespace(search=3), "has no method search"),
        (Older, "Older is a class; pass an instance of it"),
        (AsyncEngine(), "AsyncEngine.search is async"),
        (SimpleNamespace(search=takes_text), r"search takes \(text\)"),
        (SimpleNamespace(search=takes_two), r"search takes \(text, data\)"),
        (SimpleNamespace(search=takes_limit), r"takes \(text, data, limit\)"),
        (SimpleNamespace(search=takes_count), r"takes \(text, data, count\)"),
        (SimpleNamespace(search=takes_ten), r"takes \(text, data, ten=10\)"),
        (None, "NoneType has no method search"),
    ],
)
def test_what_is_no_engine_is_refused_when_wired(engine: Any, said: Any) -> None:
    with pytest.raises(SearchError, match=said):
        wire_search(engine)


def test_a_record_with_fields_of_these_names_is_a_bare_record() -> None:
    records = [{"entity": "Acme", "score": 9}, {"entity": {"x": 1}, "score": 5}]
    assert pairs(asked(Answering(list), records)) == [(0, 1.0), (1, 1.0)]
    copies = Answering(lambda data: [dict(data[0])])
    assert pairs(asked(copies, records)) == [(0, 1.0)]


def test_a_record_returned_twice_is_kept_once_with_its_best_score() -> None:
    def twice(data: Any) -> Any:
        return [SearchMatch(data[1], 1.0), SearchMatch(data[1], 3.0), SearchMatch(data[1], 2.0)]

    assert pairs(asked(Answering(twice))) == [(1, 3.0)]


@pytest.mark.parametrize("score", [0, -1.0, 0.0, math.nan, -math.inf])
def test_a_score_of_zero_or_below_or_nan_is_no_match(score: Any) -> None:
    engine = Answering(lambda data: [SearchMatch(data[0], score), SearchMatch(data[1], 0.1)])
    assert pairs(asked(engine)) == [(1, 0.1)]


def test_only_scores_above_the_minimum_match() -> None:
    engine = Answering(lambda data: [SearchMatch(each, each["n"] / 2) for each in data])
    assert pairs(asked(engine, min_score=0.5)) == [(2, 1.0)]


@pytest.mark.parametrize("score", [np.float32(2.0), np.int64(2), fractions.Fraction(2), 2, 2.0])
def test_any_real_number_is_a_score(score: Any) -> None:
    assert pairs(asked(Answering(lambda data: [SearchMatch(data[0], score)]))) == [(0, 2.0)]


@pytest.mark.parametrize("score", [None, "2", True, 1j, [2], decimal.Decimal(2), 10**400])
def test_a_score_that_is_no_number_is_an_error_that_names_it(score: Any) -> None:
    with pytest.raises(SearchError, match=r"gave the score .*; a number is expected"):
        asked(Answering(lambda data: [SearchMatch(data[0], score)]))


@pytest.mark.parametrize("answer", [None, 3, "abc", {"entity": 1}, {1}, iter([])])
def test_an_answer_that_is_no_list_is_an_error(answer: Any) -> None:
    with pytest.raises(
        SearchError, match=r"Answering, asked for 'a' in 'letters', returned .*list"
    ):
        asked(Answering(answer))


def test_a_coroutine_is_an_error_and_leaves_no_warning_behind() -> None:
    async def later(query_text: Any, data: Any, config: Any) -> Any:
        return []

    def later_without_saying(*given: Any) -> Any:
        return later(*given)

    with pytest.raises(SearchError, match=r"returned <coroutine .*; a list of results is expected"):
        asked(SimpleNamespace(search=later_without_saying))


@pytest.mark.parametrize(
    "entity", [{"n": 9}, {"n": True, "t": "b"}, "b", 1, None, {"entity": {"n": 9}, "score": 1.0}]
)
def test_an_entity_that_is_no_record_is_an_error_that_names_it(entity: Any) -> None:
    with pytest.raises(SearchError, match="which is no record of it"):
        asked(Answering([entity]))


def test_a_huge_entity_is_named_shortly() -> None:
    with pytest.raises(SearchError) as caught:
        asked(Answering([{f"field{n}": "x" * 10_000 for n in range(100)}]))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("fault", [ValueError("no index"), RecursionError(), KeyError("x")])
def test_what_an_engine_raises_is_the_cause(fault: Any) -> None:
    def fail(data: Any) -> None:
        raise fault

    with pytest.raises(SearchError, match=f"'letters', raised {type(fault).__name__}") as caught:
        asked(Answering(fail))
    assert caught.value.__cause__ is fault


def test_what_a_scorer_raises_is_the_cause() -> None:
    class Failing(Older):
        def calculate_relevance_score(self, item: Any, query_text: Any) -> None:
            raise ZeroDivisionError

    with pytest.raises(SearchError, match="raised ZeroDivisionError") as caught:
        asked(Failing())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_our_own_errors_pass_unchanged() -> None:
    for engine in (FullTextSearch(), TantivySearch()):
        with pytest.raises(QueryError, match="has no word"):
            wire_search(engine).matches("?", RECORDS, "letters")
    with pytest.raises(SettingsError, match=r"field_weights\['t'\] is -1"):
        asked(FullTextSearch(), weights={"t": -1})


def test_a_foreign_engine_is_not_asked_about_no_records() -> None:
    engine = Answering(lambda _: pytest.fail("asked"))
    assert len(asked(engine, [])) == 0
    assert len(asked(FullTextSearch(), [])) == 0


@pytest.mark.parametrize("make", [FullTextSearch, TantivySearch])
def test_our_engines_answer_with_rows_at_once(make: Any) -> None:
    engine = make()
    bound = wire_search(engine)
    rows = bound.matches("a", RECORDS, "letters")
    assert sorted(rows.ids.tolist()) == [0, 2]
    assert [match.score for match in engine.search("a", RECORDS)] == rows.scores.tolist()
    assert bound.forget(RECORDS) is True
    assert bound.forget(RECORDS) is False


def test_settings_reach_our_engines() -> None:
    bound = wire_search(FullTextSearch(), settings=SearchSettings(case_sensitive=True))
    assert bound.matches("A", RECORDS, "letters").ids.tolist() == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [([], "ScoredRows are expected"), (ScoredRows.ranked(np.array([3]), np.ones(1)), "row 3 of 3")],
)
def test_rows_that_cannot_be_are_an_error(answer: Any, said: Any) -> None:
    class Rows(Answering):
        def search_rows(self, query_text: Any, data: Any, config: Any) -> Any:
            return self.answer

        def forget(self, data: Any) -> Any:
            return False

    with pytest.raises(SearchError, match=said):
        asked(Rows(answer))


def test_only_a_plain_false_lets_survivors_be_searched() -> None:
    engine = Answering([])
    assert wire_search(engine).scores_depend_on_corpus is True
    assert wire_search(FullTextSearch()).scores_depend_on_corpus is True
    assert wire_search(Mock()).scores_depend_on_corpus is True
    engine.scores_depend_on_corpus = False
    assert wire_search(engine).scores_depend_on_corpus is False


def test_nothing_is_kept_of_a_list_that_is_not_asked_again() -> None:
    for engine in (Answering(lambda data: [data[0]]), FullTextSearch()):
        bound = wire_search(engine)
        assert pairs(bound.matches("a", RECORDS, "letters", keep=False))
        assert bound.forget(RECORDS) is False
        assert pairs(bound.matches("a", RECORDS, "letters"))
        assert bound.forget(RECORDS) is True


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"fuzzy_threshold is 1\.5"):
        SearchSettings(fuzzy_threshold=1.5)
    with pytest.raises(SettingsError, match="max_indexed_databases is 0"):
        SearchSettings(max_indexed_databases=0)


@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.floats(-1, 3), st.booleans()), max_size=10),
)
def test_rows_are_the_best_scores_above_zero_by_identity(records: Any, plan: Any) -> None:
    plan = [(row, score) for row, score, _ in plan if row < len(records)]
    engine = Answering(lambda data: [SearchMatch(data[row], score) for row, score in plan])
    expected = {row: max(s for r, s in plan if r == row) for row, _ in plan}
    ranked = sorted(expected.items(), key=lambda pair: (-pair[1], pair[0]))
    assert pairs(asked(engine, records)) == [pair for pair in ranked if pair[1] > 0]
