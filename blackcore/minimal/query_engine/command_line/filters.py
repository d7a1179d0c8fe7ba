"""Filters, field lists and values as they are written on a command line."""

from __future__ import annotations

import json
import re
from typing import NoReturn

from ..query import QueryFilter, QueryOperator
from ..query.operators import TEXT_OPERATORS


class FilterSyntaxError(ValueError):
    """Text on the command line that cannot be read; the parser makes a usage error of it."""


SYMBOLS = {
    "==": QueryOperator.EQUALS,
    "=": QueryOperator.EQUALS,
    "!=": QueryOperator.NOT_EQUALS,
    "<": QueryOperator.LT,
    "<=": QueryOperator.LTE,
    ">": QueryOperator.GT,
    ">=": QueryOperator.GTE,
    "~": QueryOperator.REGEX,
}
_ALLOWED = f"one of {' '.join(SYMBOLS)} {' '.join(QueryOperator)}"
_WITHOUT_VALUE = frozenset({QueryOperator.IS_NULL, QueryOperator.IS_NOT_NULL})
_WITH_LIST = frozenset({QueryOperator.IN, QueryOperator.NOT_IN, QueryOperator.BETWEEN})
# the first operator from the left ends the field, which does not begin with one; symbols are taken
# as long as they go on, so that "=~" is refused rather than read as "=" before a value "~..."
_FILTER = re.compile(
    r'(?P<field>"(?:[^"\\]|\\.)+"|[^=!<>~\s].*?)'
    rf"(?:\s*(?P<symbol>[=!<>~]+)|\s+(?P<word>{'|'.join(QueryOperator)})(?!\S))"
    r"\s*(?P<value>.*)",
    re.DOTALL,
)


def parse_filter(text: str, *, case_sensitive: bool = True) -> QueryFilter:
    """Return the filter that a text such as `distance > 1000` stands for.

    Raises:
        FilterSyntaxError: no operator can be found in it, or no value after one that takes one.
        InvalidFilterError: the operator cannot take the value.

    >>> parse_filter("distance >= 1000"), parse_filter("dest in LAX,SFO")
    (QueryFilter(field='distance', operator=<QueryOperator.GTE: 'gte'>, value=1000, \
case_sensitive=True), QueryFilter(field='dest', operator=<QueryOperator.IN: 'in'>, \
value=('LAX', 'SFO'), case_sensitive=True))
    """
    match = _FILTER.fullmatch(text.strip())
    if match is None:
        raise FilterSyntaxError(
            f"{text!r} is no filter; write 'field operator value' in quotes, "
            f"with an operator that is {_ALLOWED}"
        )
    operator = _operator(match["symbol"] or match["word"], text)
    value = _operand(operator, match["value"], text)
    return QueryFilter(_field(match["field"]), operator, value, case_sensitive)


def _operator(written: str, text: str) -> QueryOperator:
    if written in SYMBOLS:
        return SYMBOLS[written]
    try:
        return QueryOperator(written)
    except ValueError:
        raise FilterSyntaxError(
            f"unknown operator {written!r} in {text!r}; it is {_ALLOWED} (put a space before a "
            "value that begins with such a sign)"
        ) from None


def _field(text: str) -> str:
    """Return the field: as it stands, or what a JSON string says."""
    value = json_value(text) if text.startswith('"') else text
    return value if isinstance(value, str) else text


def _operand(operator: QueryOperator, text: str, whole: str) -> object:
    if operator in _WITHOUT_VALUE:
        return json_value(text) if text else None  # a value is refused by the model
    if not text:
        raise FilterSyntaxError(f'{whole!r} has no value; the empty text is written ""')
    if operator in _WITH_LIST:
        return _listed(text, whole)
    if operator in TEXT_OPERATORS:
        return _text_operand(operator, text)
    return json_value(text)


def _text_operand(operator: QueryOperator, text: str) -> object:
    """Return the text as it stands, so that the pattern [12] is no list and a fuzzy 747 no number.

    A JSON string is its text, and fuzzy takes a JSON object with a threshold.
    """
    value = json_value(text)
    takes_objects = operator is QueryOperator.FUZZY
    return value if isinstance(value, dict if takes_objects else str) or text[0] == '"' else text


def _listed(text: str, whole: str) -> list[object]:
    """Return a JSON list, or values between commas, each JSON or text."""
    for attempt in (text, f"[{text}]"):
        value = json_value(attempt)
        if isinstance(value, list):
            return value
    parts = [part.strip() for part in text.split(",")]
    if "" in parts:
        raise FilterSyntaxError(
            f'{whole!r} has an empty value between commas; the empty text is written ""'
        )
    return [json_value(part) for part in parts]


def json_value(text: str) -> object:
    """Return what a text says as JSON, else the text itself.

    >>> [json_value(text) for text in ("1000", '"1000"', "null", "01", "NaN", "2013-01-01")]
    [1000, '1000', None, '01', 'NaN', '2013-01-01']

    Raises:
        FilterSyntaxError: lists or objects nested beyond any use.
    """
    try:
        value: object = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise FilterSyntaxError("a value has too many lists or objects in each other") from None
    except ValueError:
        return text
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are no JSON, and may well be texts


def parse_names(text: str) -> list[str]:
    """Return the fields in a text: `a,b`, or a JSON list where a name holds a comma.

    >>> parse_names("carrier, dest"), parse_names('["Last, first"]')
    (['carrier', 'dest'], ['Last, first'])

    Raises:
        FilterSyntaxError: a name is empty.
    """
    value = json_value(text) if text.lstrip().startswith("[") else None
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        names = value
    else:
        names = [name.strip() for name in text.split(",")]
    if not names or "" in names:
        raise FilterSyntaxError(f"{text!r} holds an empty name; write fields as a,b")
    return names
