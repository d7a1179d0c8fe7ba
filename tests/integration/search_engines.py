"""Search engines of the forms that others write."""

from __future__ import annotations

from typing import Any


class WordEngine:
    """Counts words, record by record; scores take weights."""

    scores_depend_on_corpus = False

    def __init__(self) -> None:
        self.searches = 0

    def calculate_relevance_score(
        self, item: dict[str, Any], query_text: str, field_weights: dict[str, float]
    ) -> float:
        words = query_text.casefold().split()
        score = 0.0
        for name, value in item.items():
            found = str(value).casefold().split()
            score += field_weights.get(name, 1.0) * sum(found.count(word) for word in words)
        return score

    def search(self, query_text: str, data: list[Any], config: Any) -> list[dict[str, Any]]:
        self.searches += 1
        weights = dict(config.field_weights)
        scored = [(self.calculate_relevance_score(row, query_text, weights), row) for row in data]
        return [{"entity": row, "score": score} for score, row in scored if score > 0]


class OldWordEngine:
    """The older form: takes the database's name, returns records, scores without weights."""

    scores_depend_on_corpus = False

    def calculate_relevance_score(self, item: dict[str, Any], query_text: str) -> float:
        return WordEngine().calculate_relevance_score(item, query_text, {})

    def search(self, query_text: str, data: list[Any], database_name: str) -> list[Any]:
        return [row for row in data if self.calculate_relevance_score(row, query_text) > 0]


class RankedEngine(WordEngine):
    """Says nothing about its scores, which depend on how many records there are."""

    scores_depend_on_corpus = True

    def search(self, query_text: str, data: list[Any], config: Any) -> list[dict[str, Any]]:
        best = super().search(query_text, data, config)
        return sorted(best, key=lambda match: -match["score"])[: max(1, len(data) // 3)]
