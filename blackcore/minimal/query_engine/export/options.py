"""What can be chosen about the text that is written: one frozen value per family of formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from ..errors import ExportOptionError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

Quoting: TypeAlias = Literal["minimal", "all", "strings"]
LateColumns: TypeAlias = Literal["error", "ignore", "gather"]
EncodingErrors: TypeAlias = Literal["strict", "replace", "backslashreplace"]
NonFinite: TypeAlias = Literal["null", "error"]
Decimals: TypeAlias = Literal["string", "number"]


def require_choice(owner: str, name: str, value: object, choice: object) -> None:
    """Raise ExportOptionError unless the value is one that the Literal allows."""
    allowed = get_args(choice)
    if value in allowed:
        return
    hint = did_you_mean(value, allowed) if isinstance(value, str) else f"choose from {allowed}"
    raise ExportOptionError(f"{owner}.{name} is {value!r}; {hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How CSV is written. The defaults write the bytes that Python's csv.writer would.

    Cells: None and missing keys are ``null_text``; dates, times and datetimes are RFC 3339 text;
    bytes are base64; dicts, lists, sets, dataclasses and models are JSON text; an Enum is its
    value.
    """

    fieldnames: tuple[str, ...] | None = None
    """The columns, in order; other keys are left out. None finds them by looking ahead."""
    rename: Mapping[str, str] = field(default_factory=dict)
    """Column titles that differ from their field's name."""
    header: bool = True
    delimiter: str = ","
    quote: str = '"'
    quoting: Quoting = "minimal"
    """``strings`` quotes every string and nothing else, which tells "" from null."""
    line_end: str = "\r\n"
    null_text: str = ""
    bom: bool = False
    """Begin with a byte order mark, by which Excel knows UTF-8."""
    float_format: str | None = None
    """As for the built-in format(): ``.2f``."""
    datetime_format: str | None = None
    """As for strftime, applied to dates and datetimes."""
    flatten: str | None = None
    """Nested dicts become columns, their names joined by this text."""
    late_columns: LateColumns = "error"
    """What to do with a key first seen after the columns were settled: refuse the row, leave the
    key out and count it, or read the source twice (where it can be)."""
    escape_formulas: bool = False
    """Put an apostrophe before strings that a spreadsheet would run as a formula."""
    encoding_errors: EncodingErrors = "strict"
    """What to do with lone surrogates, which UTF-8 cannot hold."""
    last_line: str | None = None
    """A line to end with, in which ``{rows}`` is the number of rows: a cut file lacks it."""

    def __post_init__(self) -> None:
        """Refuse combinations that would not read back."""
        require_choice("CsvOptions", "quoting", self.quoting, Quoting)
        require_choice("CsvOptions", "late_columns", self.late_columns, LateColumns)
        require_choice("CsvOptions", "encoding_errors", self.encoding_errors, EncodingErrors)
        if self.fieldnames is not None:
            object.__setattr__(self, "fieldnames", _field_names(self.fieldnames))
        if self.line_end not in {"\n", "\r\n"}:
            raise ExportOptionError(
                f"CsvOptions.line_end is {self.line_end!r}; it may be '\\n' or '\\r\\n'"
            )
        _require_separator("delimiter", self.delimiter)
        _require_separator("quote", self.quote)
        if self.quote == self.delimiter:
            raise ExportOptionError(
                f"CsvOptions.quote and .delimiter are both {self.quote!r}; they must differ"
            )
        if self.flatten == "":
            raise ExportOptionError("CsvOptions.flatten is ''; give a separator such as '.'")
        _require_float_format(self.float_format)


def _field_names(names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, (tuple, list)):
        raise ExportOptionError(
            f"CsvOptions.fieldnames is {names!r}; give a tuple of field names, or None"
        )
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise ExportOptionError(
                f"CsvOptions.fieldnames[{index}] is {name!r}, a {type(name).__name__}; "
                "names are strings"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ExportOptionError(f"CsvOptions.fieldnames names {twice!r} twice; name each once")
    return tuple(names)


def _require_separator(name: str, value: str) -> None:
    # alphanumerics would be taken for content; \r and \n end lines; NUL ends C strings
    if len(value) != 1 or not value.isascii() or value.isalnum() or value in "\r\n\0 .-+":
        raise ExportOptionError(
            f"CsvOptions.{name} is {value!r}; it must be one ASCII character that is neither a "
            "letter, a digit, a space, a line end, nor part of a number"
        )


def _require_float_format(float_format: str | None) -> None:
    if float_format is None:
        return
    try:
        format(0.5, float_format)
    except ValueError as error:
        raise ExportOptionError(
            f"CsvOptions.float_format is {float_format!r}: {error}; "
            "give what format() takes, such as '.2f'"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonOptions:
    """How JSON is written, as one array or one row a line.

    Values: dates, times and datetimes are RFC 3339 text; bytes are base64; sets and tuples are
    arrays; UUIDs are text; an Enum is its value; dataclasses, models and other mappings are
    objects; numpy scalars and arrays are numbers and arrays; keys that are not strings become
    strings. Integers keep all their digits.

    Two keys of one text, as 1 and "1", are refused in arrays. Lines are written without looking at
    each key: there both stand in the object, and True as a key is "1", not "true".
    """

    indent: bool = False
    """Two spaces a level. Not for lines."""
    sort_keys: bool = False
    non_finite: NonFinite = "null"
    """What becomes of NaN and the infinities, which JSON does not have."""
    decimals: Decimals = "string"
    wrap_key: str | None = None
    """Write ``{..., "<wrap_key>": [...], "row_count": n}``. Not for lines."""
    metadata: Mapping[str, object] = field(default_factory=dict)
    """What stands before the rows in the wrapping object. Needs ``wrap_key``."""
    count_key: str | None = None
    """For lines: end with the line ``{"<count_key>": n}``, which a cut file lacks."""

    def __post_init__(self) -> None:
        """Refuse combinations that mean nothing."""
        require_choice("JsonOptions", "non_finite", self.non_finite, NonFinite)
        require_choice("JsonOptions", "decimals", self.decimals, Decimals)
        if self.metadata and self.wrap_key is None:
            raise ExportOptionError(
                "JsonOptions.metadata needs a wrap_key: the name of the rows beside it"
            )
        taken = {*self.metadata, "row_count"}
        if self.wrap_key in taken:
            raise ExportOptionError(
                f"JsonOptions.wrap_key is {self.wrap_key!r}, which is taken; "
                "choose a name that metadata does not have, nor 'row_count'"
            )
