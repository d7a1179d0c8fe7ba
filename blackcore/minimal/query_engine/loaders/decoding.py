"""JSON text to records, exactly as Python's json reads it, at msgspec's speed.

msgspec agrees with json on everything it accepts (ints of any size, nearest floats, the last of
duplicate keys); what it refuses and json reads (NaN, Infinity, 1e400, lone surrogates) is read by
json. One thing of json's is left out on purpose: a file is UTF-8, so UTF-16 and surrogates written
as bytes are faults.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, cast

import msgspec

from ..errors import DatabaseFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .base import Record

_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_decoder = msgspec.json.Decoder()  # untyped; keeps no state between calls, so threads share it

_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_JSON_TYPES = {str: "a string", int: "a number", float: "a number", bool: "a boolean"}


class FaultyJSONError(ValueError):
    """Text that neither decoder reads: why, and at which byte of it (None where unknown)."""

    def __init__(self, reason: str, offset: int | None) -> None:
        super().__init__(reason)
        self.offset = offset


def decode_value(data: bytes | memoryview) -> object:
    r"""Return what Python's json makes of UTF-8 text.

    Raises:
        FaultyJSONError: it makes nothing of it.

    >>> decode_value(b'[12345678901234567890123, 1e400, "\\ud800"]')
    [12345678901234567890123, inf, '\ud800']
    """
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decode_as_json(data)


def _decode_as_json(data: bytes | memoryview) -> object:
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError as error:
        wrong = error.object[error.start]
        raise FaultyJSONError(f"byte 0x{wrong:02x} is not valid UTF-8", error.start) from None
    try:
        return cast("object", json.loads(text))
    except json.JSONDecodeError as error:
        raise FaultyJSONError(*_reason(text, error)) from None
    except RecursionError:
        raise FaultyJSONError(*_deepest(bytes(data))) from None
    except ValueError as error:  # an int longer than sys.get_int_max_str_digits()
        limit = sys.get_int_max_str_digits()
        long = rb'"(?:[^"\\]|\\.)*+"|(?P<int>\d{%d})' % (limit + 1)  # digits in strings are no int
        found = (each for each in re.finditer(long, data, re.DOTALL) if each["int"])
        at = next(found, None)
        raise FaultyJSONError(str(error), at and at.start()) from None


def _reason(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """Return what is wrong in words of the file, and the byte where it is."""
    position = len(text[: error.pos].encode())
    if not text.strip():
        return "it is empty", 0
    if error.msg.startswith("Unterminated string"):
        return "the file ends inside the string that begins here", position
    if not text[error.pos :].strip():
        return f"the file ends too early: {error.msg[0].lower()}{error.msg[1:]}", position
    return error.msg[0].lower() + error.msg[1:], position


def _deepest(data: bytes) -> tuple[str, int]:
    """Return that the text is nested too deep, and the byte where it is deepest."""
    depth = deepest = offset = 0
    for token in _NESTING.finditer(data):
        kind = token[0]
        if kind in b"[{":
            depth += 1
            if depth > deepest:
                deepest, offset = depth, token.start()
        elif kind in b"]}":
            depth -= 1
    return f"values are nested {deepest} deep, more than Python can decode", offset


def json_type(value: object) -> str:
    """Return what JSON calls the type of a value, with its article.

    >>> json_type(None), json_type([1]), json_type(True)
    ('null', 'an array', 'a boolean')
    """
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "an object"
    return _JSON_TYPES.get(type(value), "null")


def decode_array(data: bytes, file: str) -> list[Record]:
    """Return the records of a file that holds an array of objects, or an object around one.

    Args:
        data: the whole content, uncompressed.
        file: how messages call the file.

    Raises:
        DatabaseFormatError: it holds something else.
    """
    bom_bytes = len(_BOM) if data.startswith(_BOM) else 0
    try:
        value = decode_value(memoryview(data)[bom_bytes:] if bom_bytes else data)
    except FaultyJSONError as fault:
        offset = None if fault.offset is None else fault.offset + bom_bytes
        raise DatabaseFormatError(
            _array_fault(file, str(fault), offset, data[:2]), byte_offset=offset
        ) from None
    rows = _unwrapped(value, file)
    if set(map(type, rows)) - {dict}:
        index = next(i for i, row in enumerate(rows) if type(row) is not dict)
        raise DatabaseFormatError(
            f"{file}: record {index} is {json_type(rows[index])}; every record must be an object"
        )
    return cast("list[Record]", rows)


def _array_fault(file: str, reason: str, offset: int | None, head: bytes) -> str:
    where = "" if offset is None else f" at byte {offset}"
    hint = "expected a JSON array of objects, or an object with one key that holds one"
    if head in _UTF16_BOMS:
        hint = "the file looks like UTF-16; save it as UTF-8"
    elif reason == "extra data":
        hint += "; if each line is an object of its own, name the file .jsonl"
    return f"{file}{where}: {reason}; {hint}"


def _unwrapped(value: object, file: str) -> list[object]:
    expected = "expected an array of objects, or an object with one key that holds one"
    if isinstance(value, dict):
        if len(value) != 1:
            raise DatabaseFormatError(f"{file}: it is an object with {len(value)} keys; {expected}")
        key, inner = next(iter(value.items()))
        if not isinstance(inner, list):
            raise DatabaseFormatError(
                f"{file}: its key {key!r} holds {json_type(inner)}; {expected}"
            )
        return inner
    if not isinstance(value, list):
        raise DatabaseFormatError(f"{file}: it is {json_type(value)}; {expected}")
    return value


def decode_lines(
    blocks: Iterable[bytes], file: str, on_records: Callable[[int], None]
) -> list[Record]:
    """Return the records of a file with one JSON object a line; blank lines are skipped.

    An empty file is a database without records: that is how JSON lines write one.

    Args:
        blocks: the content, uncompressed; decoded as it comes, so that it is never held whole.
        file: how messages call the file.
        on_records: told the number of records so far, after each block.

    Raises:
        DatabaseFormatError: a line holds something else; the message says which.
    """
    rows: list[Record] = []
    line, offset = 1, 0
    for lines in _whole_lines(blocks):
        start = len(_BOM) if offset == 0 and lines.startswith(_BOM) else 0
        text = lines[start:] if start else lines
        rows += _fast_lines(text) or _slow_lines(text, file, line, offset + start)
        on_records(len(rows))
        line += lines.count(b"\n")
        offset += len(lines)
    return rows


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks again, each cut at its last end of line."""
    begun: list[bytes] = []
    for block in blocks:
        cut = block.rfind(b"\n") + 1
        if cut:
            yield b"".join([*begun, block[:cut]])
            begun.clear()
        begun.append(block[cut:])
    if last := b"".join(begun):
        yield last


def _fast_lines(text: bytes) -> list[Record] | None:
    """Return the rows of lines in the form most files have, None for any other.

    msgspec only wants whitespace between values. That each line is one whole object is sure if
    every end of line stands between `}` and `{`, which follow each other nowhere inside a value,
    and there are as many objects as lines.
    """
    breaks = text.count(b"\n", 0, -1)
    if text.count(b"}\n{") + text.count(b"}\r\n{") != breaks:
        return None
    try:
        rows = _decoder.decode_lines(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return rows if len(rows) == breaks + 1 and set(map(type, rows)) == {dict} else None


def _slow_lines(text: bytes, file: str, first_line: int, offset: int) -> list[Record]:
    """Return the rows of lines one by one, with the place of the first fault."""
    rows: list[Record] = []
    for line, content in enumerate(text.split(b"\n"), first_line):
        if content.strip(b" \t\r"):
            rows.append(_line_record(content, file, line, offset))
        offset += len(content) + 1
    return rows


def _line_record(content: bytes, file: str, line: int, offset: int) -> Record:
    try:
        row = decode_value(content)
    except FaultyJSONError as fault:
        place = offset + (fault.offset or 0)
        reason = str(fault).replace("the file ends", "the line ends")
        raise DatabaseFormatError(
            f"{file}, line {line} (byte {place}): {reason}; expected one JSON object a line",
            byte_offset=place,
            line=line,
        ) from None
    if not isinstance(row, dict):
        raise DatabaseFormatError(
            f"{file}, line {line} (byte {offset}): it is {json_type(row)}; "
            "expected one JSON object a line",
            byte_offset=offset,
            line=line,
        )
    return row
