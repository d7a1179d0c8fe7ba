"""One value as the text of one CSV cell."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import orjson

from .json_values import (
    EXACT,
    UnserializableError,
    ValuePolicy,
    exact_value,
    plain_value,
    time_text,
)

if TYPE_CHECKING:
    from .options import CsvOptions

_FORMULA_STARTS = frozenset("=+-@\t\r＝＋－＠")  # noqa: RUF001 - full-width forms run as formulas too
_POLICY = ValuePolicy()


def cell_maker(options: CsvOptions) -> Callable[[object], str | None]:
    """Return the function from a value to the text of its cell, None for null.

    That function raises UnserializableError for a value that has no text.
    """

    def cell(value: object) -> str | None:
        if value is None:
            return None
        kind = type(value)
        if kind is str:
            return _guard(value) if escape else value  # type: ignore[arg-type,return-value]  # a str
        if kind is int or kind is bool:
            return str(value)
        if kind is float:
            return format(value, float_format) if float_format else repr(value)
        return other(value)

    def other(value: object) -> str | None:
        if isinstance(value, enum.Enum):
            return cell(value.value)
        if isinstance(value, (datetime.date, datetime.time)):
            return _time_text(value, options.datetime_format)
        if isinstance(value, (decimal.Decimal, uuid.UUID)):
            return str(value)
        if isinstance(value, (Mapping, list, tuple)):
            return json_text(value)
        try:
            plain = plain_value(value)
        except TypeError as error:
            raise UnserializableError("", str(error)) from error
        return cell(plain)

    escape, float_format = options.escape_formulas, options.float_format
    return cell


def _time_text(value: datetime.date | datetime.time, pattern: str | None) -> str:
    if pattern is not None and isinstance(value, datetime.date):
        return value.strftime(pattern)
    return time_text(value)


def json_text(value: object) -> str:
    """Return a nested value as compact JSON.

    Raises:
        UnserializableError: it holds what JSON cannot.
    """
    return orjson.dumps(exact_value(value, _POLICY), option=EXACT).decode()


def _guard(text: str) -> str:
    """Return the text, with an apostrophe before it if a spreadsheet would run it."""
    if not text or text[0] not in _FORMULA_STARTS or _is_number(text):
        return text
    return f"'{text}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()
