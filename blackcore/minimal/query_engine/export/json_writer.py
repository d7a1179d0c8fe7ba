"""JSON text from rows: one array, or one row a line, a slice at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec
import orjson

from ..errors import ExportOptionError, ExportValueError
from .json_values import EXACT, UnserializableError, ValuePolicy, exact_value, first_non_finite
from .pipeline import CAREFUL_ROWS, no_pause

if TYPE_CHECKING:
    from .atomic_file import Block
    from .options import JsonOptions
    from .progress import Tally
    from .sources import Slice

# orjson wraps whatever it meets in a TypeError; msgspec lets each error through
_REFUSALS = (TypeError, ValueError, OverflowError, RecursionError)
T = TypeVar("T", bound=Sized)
ArrayEncoder: TypeAlias = "Callable[[T, int], Block]"
"""From rows, and how many went before them, to their JSON without the brackets around it."""
LinesEncoder: TypeAlias = Callable[[T, int], bytes]
"""From rows, and how many went before them, to their lines."""


def json_array(
    slices: Iterable[T], encode: ArrayEncoder[T], options: JsonOptions, tally: Tally
) -> Iterator[Block]:
    """Yield one JSON array, or the object that wraps it, in pieces of whole rows.

    Raises:
        ExportValueError: a value has no JSON; the message names row, field and type.
        ExportOptionError: an option that arrays do not have.

    >>> from blackcore.minimal.query_engine.export import JsonOptions
    >>> from blackcore.minimal.query_engine.export.progress import Tally
    >>> slices, options = [[{"a": 1}], [{"a": None}]], JsonOptions()
    >>> b"".join(json_array(slices, array_encoder(options), options, Tally()))
    b'[{"a":1},{"a":null}]'
    """
    if options.count_key is not None:
        raise ExportOptionError(
            "JsonOptions.count_key is for lines; an array ends with its bracket"
        )
    frame = _frame(options)
    lead = frame.opening
    for rows in slices:
        piece = encode(rows, tally.rows)
        tally.rows += len(rows)
        tally.bytes += len(lead) + len(piece)
        yield lead
        yield piece
        del piece  # its memory, which the processor has at hand, serves the next one
        lead = frame.between
    end = frame.closing if tally.rows else frame.empty
    end = end % tally.rows if frame.counted else end
    tally.bytes += len(end)
    yield end


@dataclass(frozen=True, slots=True)
class _Frame:
    """The bytes around and between the slices of an array."""

    opening: bytes
    between: bytes
    closing: bytes
    empty: bytes
    counted: bool = False


def _frame(options: JsonOptions) -> _Frame:
    if options.wrap_key is None:
        if options.indent:
            return _Frame(b"[\n", b",\n", b"\n]", b"[]")
        return _Frame(b"[", b",", b"]", b"[]")
    head = _dumps({**options.metadata, options.wrap_key: []}, options)
    if options.indent:
        before = head[: -len(b"]\n}")]
        rest = b',\n  "row_count": %d\n}'
        return _Frame(before + b"\n", b",\n", b"\n  ]" + rest, before + b"]" + rest, counted=True)
    before = head[: -len(b"]}")]
    rest = b'],"row_count":%d}'
    return _Frame(before, b",", rest, before + rest, counted=True)


def _dumps(head: dict[str, object], options: JsonOptions) -> bytes:
    try:
        plain = exact_value(head, _policy(options))
    except UnserializableError as error:
        raise ExportOptionError(f"JsonOptions.metadata: {error.path!r}: {error.reason}") from error
    return orjson.dumps(plain, option=EXACT | (orjson.OPT_INDENT_2 if options.indent else 0))


def _policy(options: JsonOptions) -> ValuePolicy:
    return ValuePolicy(decimals=options.decimals, non_finite=options.non_finite)


def array_encoder(
    options: JsonOptions, pause: Callable[[], None] = no_pause
) -> ArrayEncoder[Slice]:
    """Return a function from rows to their JSON, without the brackets around them.

    It calls ``pause`` now and then where it takes long.
    """
    policy = _policy(options)
    hook = policy.hook()
    flags = EXACT
    flags |= orjson.OPT_SORT_KEYS if options.sort_keys else 0
    flags |= orjson.OPT_INDENT_2 if options.indent else 0
    deeper = options.indent and options.wrap_key is not None

    def encode(rows: Slice, done_rows: int) -> memoryview:
        try:
            text = orjson.dumps(rows, default=hook, option=flags)
        except _REFUSALS:
            text = orjson.dumps(_exact_rows(rows, done_rows, policy, pause), option=flags)
        else:
            if policy.non_finite == "error" and b"null" in text:
                _refuse_non_finite(rows, done_rows)
        if deeper:  # a raw line end is never inside a string
            text = text.replace(b"\n", b"\n  ")
            return memoryview(text)[2 : -len(b"\n  ]")]
        return memoryview(text)[2:-2] if options.indent else memoryview(text)[1:-1]

    return encode


def json_lines(
    slices: Iterable[T], encode: LinesEncoder[T], options: JsonOptions, tally: Tally
) -> Iterator[bytes]:
    r"""Yield one JSON object a line, in pieces of whole lines.

    Raises:
        ExportValueError: a value has no JSON; the message names row, field and type.
        ExportOptionError: an option that lines do not have.

    >>> from blackcore.minimal.query_engine.export import JsonOptions
    >>> from blackcore.minimal.query_engine.export.progress import Tally
    >>> slices, options = [[{"a": 1}, {"b": "x"}]], JsonOptions()
    >>> b"".join(json_lines(slices, lines_encoder(options), options, Tally()))
    b'{"a":1}\n{"b":"x"}\n'
    """
    if options.indent or options.wrap_key is not None:
        name = "indent" if options.indent else "wrap_key"
        raise ExportOptionError(f"JsonOptions.{name} is not for lines: each row is one line")
    for rows in slices:
        piece = encode(rows, tally.rows)
        tally.rows += len(rows)
        tally.bytes += len(piece)
        yield piece
        del piece  # its memory, which the processor has at hand, serves the next one
    if options.count_key is not None:
        end = orjson.dumps({options.count_key: tally.rows}) + b"\n"
        tally.bytes += len(end)
        yield end


def lines_encoder(
    options: JsonOptions, pause: Callable[[], None] = no_pause
) -> LinesEncoder[Slice]:
    """Return a function from rows to their lines; it calls ``pause`` where it takes long."""
    policy = _policy(options)
    flags = EXACT | orjson.OPT_APPEND_NEWLINE | (orjson.OPT_SORT_KEYS if options.sort_keys else 0)
    fast = _fast_lines(options, policy)

    def encode(rows: Slice, done_rows: int) -> bytes:
        try:
            text = fast(rows)
        except _REFUSALS:
            exact = _exact_rows(rows, done_rows, policy, pause)
            return b"".join([orjson.dumps(row, option=flags) for row in exact])
        if policy.non_finite == "error" and b"null" in text:
            _refuse_non_finite(rows, done_rows)
        return text

    return encode


def _fast_lines(options: JsonOptions, policy: ValuePolicy) -> Callable[[Slice], bytes]:
    hook = policy.hook()
    if options.sort_keys or options.decimals == "number":
        # msgspec would sort sets along with the keys, and write a Decimal's NaN as it is
        flags = EXACT | orjson.OPT_APPEND_NEWLINE
        flags |= orjson.OPT_SORT_KEYS if options.sort_keys else 0
        return lambda rows: b"".join([orjson.dumps(row, hook, flags) for row in rows])
    return msgspec.json.Encoder(enc_hook=hook).encode_lines


def _exact_rows(
    rows: Slice, done_rows: int, policy: ValuePolicy, pause: Callable[[], None]
) -> Sequence[object]:
    """Return the rows as orjson takes them.

    Raises:
        ExportValueError: a value has no JSON.
    """
    exact: list[object] = []
    for row in rows:
        if len(exact) % CAREFUL_ROWS == CAREFUL_ROWS - 1:
            pause()
        try:
            exact.append(exact_value(row, policy))
        except UnserializableError as error:
            raise _value_error(done_rows + len(exact) + 1, error.path, error.reason) from error
    return exact


def _refuse_non_finite(rows: Slice, done_rows: int) -> None:
    for number, row in enumerate(rows, done_rows + 1):
        path = first_non_finite(row)
        if path is not None:
            raise _value_error(
                number, path, "NaN and infinity have no JSON; non_finite='null' would write null"
            )


def _value_error(number: int, path: str, reason: str) -> ExportValueError:
    return ExportValueError(f"row {number}, field {path!r}: {reason}", rows_written=number - 1)
