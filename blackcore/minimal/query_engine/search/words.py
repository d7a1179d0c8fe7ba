"""What a word is: one answer for the texts that are indexed and for the text that is asked.

A word is a run of letters, digits and the marks that belong to them; everything else, the
underscore too, separates. Words are compared in Unicode's compatibility form, case folded unless
case matters, without diacritics (U+0300 to U+036F): "Amelie" finds "Amélie". Scripts that put no
spaces between words (Chinese, Japanese, Thai) give one word per run: ask with mode "prefix" there.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import normalize

import regex

from ..errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_QUERY_WORDS = 1_000
"""A search text with more different words is refused: some other text has been pasted."""

_NON_ASCII = re.compile("[^\x00-\x7f]+")
_IGNORED = re.compile("[\u0300-\u036f\u00ad\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
_SEPARATORS = regex.compile(r"[^\p{L}\p{N}\p{Mn}\p{Mc}]+")
_CACHED_RUN_CHARACTERS = 8
_KEEP_CASE = bytes(c if c > 127 or chr(c).isalnum() else 32 for c in range(256))  # noqa: PLR2004 # the last of ASCII
_LOWER_CASE = _KEEP_CASE.lower()


def _fold_run(run: str, case_sensitive: bool) -> str:
    text = _IGNORED.sub("", normalize("NFKD", run))
    if not case_sensitive:
        text = text.casefold()
    return _SEPARATORS.sub(" ", normalize("NFKC", text))


# European text has a handful of different runs; Chinese text never repeats one
_fold_short_run = lru_cache(maxsize=4096)(_fold_run)


def fold(text: str, *, case_sensitive: bool = False) -> str:
    """Return the words of a text in the form in which they are compared, spaces between them.

    >>> fold("L'Été: spider-man_2").split()
    ['l', 'ete', 'spider', 'man', '2']
    """
    if not text.isascii():
        fold_run = _keep_case_of_run if case_sensitive else _lower_case_of_run
        text = _NON_ASCII.sub(fold_run, text)
    return text.encode().translate(_KEEP_CASE if case_sensitive else _LOWER_CASE).decode()


def _lower_case_of_run(match: re.Match[str]) -> str:
    return _fold_any_run(match.group(), False)


def _keep_case_of_run(match: re.Match[str]) -> str:
    return _fold_any_run(match.group(), True)


def _fold_any_run(run: str, case_sensitive: bool) -> str:
    fold_run = _fold_short_run if len(run) <= _CACHED_RUN_CHARACTERS else _fold_run
    return fold_run(run, case_sensitive)


class Phrase(NamedTuple):
    """Words that must stand side by side in one value; mostly a single one."""

    words: tuple[str, ...]
    quoted: bool


def parse(query_text: str, *, case_sensitive: bool = False) -> tuple[Phrase, ...]:
    """Return what must be found: each word, and each phrase in double quotes, once.

    Nothing but a pair of double quotes has a meaning of its own.

    Raises:
        QueryError: for a text without a word, or with more than `MAX_QUERY_WORDS`.

    >>> parse('war OR "the end"')
    (Phrase(words=('war',), quoted=False), Phrase(words=('or',), quoted=False), \
Phrase(words=('the', 'end'), quoted=True))
    """
    if not isinstance(query_text, str):
        raise QueryError(f"search text is {query_text!r}; it must be a string")
    phrases: dict[Phrase, None] = {}
    parts = query_text.split('"')
    if len(parts) % 2 == 0:  # a quote without its partner only separates
        parts[-2:] = [f"{parts[-2]} {parts[-1]}"]
    for position, part in enumerate(parts):
        words = fold(part, case_sensitive=case_sensitive).split()
        if position % 2:
            phrases.update({Phrase(tuple(words), quoted=True): None} if words else {})
        else:
            phrases.update((Phrase((word,), quoted=False), None) for word in words)
    if not phrases:
        raise QueryError(
            f"search text {_shortened(query_text)} has no word; give at least one letter or digit"
        )
    count = sum(len(phrase.words) for phrase in phrases)
    if count > MAX_QUERY_WORDS:
        raise QueryError(
            f"search text {_shortened(query_text)} has {count} words; "
            f"{MAX_QUERY_WORDS} are allowed: search for the words that tell most"
        )
    return tuple(phrases)


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")  # noqa: PLR2004 # what a line holds


def texts(record: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the dotted path and the text of every string and finite number, nested ones too.

    Lists add nothing to the path. Booleans and nulls are not text.

    >>> list(texts({"title": "Heat", "cast": [{"name": "Al", "age": 55}], "seen": True}))
    [('title', 'Heat'), ('cast.name', 'Al'), ('cast.age', '55')]
    """
    stack: list[tuple[str, object]] = list(record.items())
    stack.reverse()
    while stack:  # not recursive: records may nest deeper than Python's stack
        path, value = stack.pop()
        kind = type(value)
        if isinstance(value, str):
            yield str(path), value
        elif kind is int or kind is float:
            if text := _number_text(value):  # type: ignore[arg-type] # a number by its type
                yield str(path), text
        elif isinstance(value, dict):
            stack.extend((f"{path}.{key}", inner) for key, inner in reversed(value.items()))
        elif isinstance(value, list | tuple):
            stack.extend((path, inner) for inner in reversed(value))


def _number_text(value: float) -> str:
    try:
        return str(value) if isinstance(value, int) or math.isfinite(value) else ""
    except ValueError:  # an int of more digits than Python writes; nobody types it into a search
        return ""


def relevance(
    item: dict[str, object], phrases: Iterable[Phrase], weights: dict[str, float]
) -> float:
    """Return the score of one record by itself, 0.0 where a phrase is missing.

    It is BM25's term frequency part (k1 = 1.2), summed over the phrases: without other records
    there are no rare words and no average length.
    """
    values = [(path, f" {' '.join(fold(text).split())} ") for path, text in texts(item)]
    score = 0.0
    for phrase in phrases:
        wanted = f" {' '.join(phrase.words)} "
        found = [(path, _occurrences(wanted, value)) for path, value in values]
        if not any(count for _, count in found):
            return 0.0
        frequency = sum(count * weight_of(path, weights) for path, count in found)
        score += frequency * 2.2 / (frequency + 1.2)
    return score


def _occurrences(wanted: str, value: str) -> int:
    # the space after one occurrence is the space before the next, so str.count would miss some
    count, position = 0, value.find(wanted)
    while position >= 0:
        count, position = count + 1, value.find(wanted, position + 1)
    return count


def weight_of(path: str, weights: dict[str, float]) -> float:
    """Return the weight of the longest given path that is this one or leads to it, else 1.0.

    >>> weight_of("cast.name", {"cast": 2.0, "title": 3.0})
    2.0
    """
    while path not in weights:
        path, dot, _ = path.rpartition(".")
        if not dot:
            return 1.0
    return weights[path]
