"""What values become in JSON, where the fast encoders do not know them."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import orjson
from pydantic import BaseModel

if TYPE_CHECKING:
    from .options import Decimals, NonFinite

EXACT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
"""What orjson leaves to `plain_value`. Dates and times: it loses a zero of the microseconds of a
time from 10,000 to 99,999 (3.13). Dataclasses: it drops fields that begin with an underscore."""

_DEEPEST = 250
_LARGEST, _SMALLEST = 2**64 - 1, -(2**63)


class UnserializableError(ValueError):
    """A value that JSON cannot hold, and where it stands; the writer adds the row's number."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class ValuePolicy:
    """What is chosen about values that JSON does not have."""

    decimals: Decimals = "string"
    non_finite: NonFinite = "null"

    def hook(self) -> Callable[[object], object]:
        """Return the function that a fast encoder calls for what it does not know."""
        return plain_value if self.decimals == "string" else _plain_with_numbers


def plain_value(value: object) -> object:
    """Return the value as types nearer to JSON's, one level deep.

    Raises:
        TypeError: there is no JSON for it.

    >>> plain_value(b"abc"), plain_value(decimal.Decimal("1.50")), plain_value({3})
    ('YWJj', '1.50', [3])
    """
    if isinstance(value, (datetime.date, datetime.time)):
        return time_text(value)
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (list, tuple, AbstractSet)):
        return list(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (np.generic, np.ndarray)):
        return _plain_numpy(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, datetime.timedelta):
        return msgspec.to_builtins(value)
    return _plain_rest(value)


def _plain_with_numbers(value: object) -> object:
    if isinstance(value, decimal.Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f"))
    return plain_value(value)


def _plain_numpy(value: np.generic | np.ndarray) -> object:
    if value.dtype.kind == "M":  # nanoseconds would come out as an integer
        value = value.astype("datetime64[us]")
    return value.tolist()


def _plain_rest(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    for kind in (str, int, float):  # subclasses that an encoder refuses
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"a {type(value).__name__} has no JSON")


def exact_value(value: object, policy: ValuePolicy) -> object:
    """Return the whole value as orjson writes it without a question.

    Used where a fast encoder refused: it takes keys of any kind and integers of any size, and
    names what it cannot take.

    Raises:
        UnserializableError: a value has no JSON, or is not finite and may not become null.
    """
    return _exact(value, "", policy, 0)


def _exact(value: object, path: str, policy: ValuePolicy, depth: int) -> object:
    kind = type(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        return value if _fits(value) else orjson.Fragment(str(value))
    if kind is str:
        return _exact_text(value)
    if kind is float:
        return _finite(value, path, policy)
    if depth > _DEEPEST:
        raise UnserializableError(path, f"nested deeper than {_DEEPEST} levels, or within itself")
    if isinstance(value, dict):
        return _exact_object(value, path, policy, depth + 1)
    if isinstance(value, (list, tuple)):
        return [
            _exact(member, f"{path}[{index}]", policy, depth + 1)
            for index, member in enumerate(value)
        ]
    if isinstance(value, uuid.UUID):
        return value
    try:
        plain = policy.hook()(value)
    except TypeError as error:
        raise UnserializableError(path, str(error)) from error
    if isinstance(plain, orjson.Fragment):
        return plain
    return _exact(plain, path, policy, depth + 1)


def _fits(value: object) -> bool:
    return isinstance(value, int) and _SMALLEST <= value <= _LARGEST


def _exact_text(value: object) -> object:
    text = str(value)
    return text if is_unicode(text) else orjson.Fragment(json.dumps(text))


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 can hold the text; lone surrogates it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _exact_object(
    value: dict[object, object], path: str, policy: ValuePolicy, depth: int
) -> object:
    made = {
        key_text(key): _exact(member, f"{path}.{key}" if path else str(key), policy, depth)
        for key, member in value.items()
    }
    if len(made) < len(value):
        raise UnserializableError(path, "two keys are the same in JSON, as 1 and '1' are")
    if all(map(is_unicode, made)):
        return made
    members = (
        json.dumps(key).encode() + b":" + orjson.dumps(made[key], option=EXACT) for key in made
    )
    return orjson.Fragment(b"{" + b",".join(members) + b"}")


def key_text(key: object) -> str:
    """Return the key as JSON text would name it.

    >>> key_text(1), key_text(None), key_text(True), key_text((1, 2))
    ('1', 'null', 'true', '(1, 2)')
    """
    if isinstance(key, enum.Enum):
        return key_text(key.value)
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, (bool, float)):
        return json.dumps(key)
    if isinstance(key, (datetime.date, datetime.time)):
        return time_text(key)
    if isinstance(key, bytes):
        return base64.b64encode(key).decode("ascii")
    return str(key)


def time_text(value: datetime.date | datetime.time) -> str:
    """Return a date, time or datetime as RFC 3339 has it; msgspec writes JSON lines so by itself.

    >>> time_text(datetime.time(3, 4, tzinfo=datetime.UTC)), time_text(datetime.date(2020, 1, 2))
    ('03:04:00Z', '2020-01-02')
    """
    return str(msgspec.to_builtins(value))


def _finite(value: object, path: str, policy: ValuePolicy) -> object:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    if policy.non_finite == "null":
        return None
    raise UnserializableError(path, f"{value} has no JSON; non_finite='null' would write null")


def first_non_finite(value: object, path: str = "") -> str | None:
    """Return where the first NaN or infinity stands in a row, None where there is none."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    members: list[tuple[str, object]] = []
    if isinstance(value, dict):
        members = [(f"{path}.{key}" if path else str(key), value[key]) for key in value]
    elif isinstance(value, (list, tuple)):
        members = [(f"{path}[{index}]", member) for index, member in enumerate(value)]
    for where, member in members:
        found = first_non_finite(member, where)
        if found is not None:
            return found
    return None
