"""The formats there are, by name and by suffix, and the text of each from slices of rows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from ..errors import ExportOptionError, did_you_mean
from .compression import SUFFIXES as COMPRESSION_SUFFIXES
from .csv_writer import csv_text
from .json_writer import array_encoder, json_array, json_lines, lines_encoder
from .options import CsvOptions, JsonOptions
from .pipeline import paused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..settings import ExportSettings
    from .atomic_file import Block
    from .progress import Tally
    from .sources import ColumnParts, Slice

Format: TypeAlias = Literal["csv", "tsv", "json", "jsonl"]
TextOptions: TypeAlias = CsvOptions | JsonOptions

SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


def format_of(target: object, given: str | None) -> Format:
    """Return the format that was given, else the one that the target's suffix names.

    >>> format_of("late.CSV.gz", None), format_of("rows.txt", "jsonl")
    ('csv', 'jsonl')

    Raises:
        ExportOptionError: there is no such format, or the suffix names none.
    """
    if given is not None:
        for name in get_args(Format):
            if name == given:
                return SUFFIXES[f".{name}"]
        raise ExportOptionError(
            f"unknown format {given!r}; {did_you_mean(given, SUFFIXES.values())}"
        )
    if not isinstance(target, (str, os.PathLike)):
        raise ExportOptionError("an open file has no suffix; say format='csv', 'json' or 'jsonl'")
    path = Path(target)
    if path.suffix.lower() in COMPRESSION_SUFFIXES:
        path = path.with_suffix("")
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise ExportOptionError(
            f"no format is known by the suffix of {os.fspath(target)!r}; end the name in "
            f"{', '.join(SUFFIXES)} (and .gz or .zst), or say format='csv'"
        )
    return found


def options_for(chosen: Format, given: TextOptions | None) -> TextOptions:
    """Return the options for the format: those given, else its defaults.

    Raises:
        ExportOptionError: the options are of another family.
    """
    family = CsvOptions if chosen in {"csv", "tsv"} else JsonOptions
    options = family() if given is None else given
    if not isinstance(options, family):
        raise ExportOptionError(
            f"options are {type(options).__name__}, and {chosen} is written; give {family.__name__}"
        )
    if chosen == "tsv" and isinstance(options, CsvOptions) and options.delimiter == ",":
        return replace(options, delimiter="\t")
    return options


def text_of(
    slices: Iterable[Slice],
    chosen: Format,
    options: TextOptions,
    tally: Tally,
    settings: ExportSettings,
    pause: Callable[[], None],
    *,
    columns: tuple[str, ...] | None = None,
) -> Iterator[Block]:
    """Yield the text of all rows in pieces of whole rows, counted by the tally.

    There is a ``pause`` before each slice, and within those that take long.

    Raises:
        ExportValueError: a row that the format cannot hold.
    """
    slices = paused(slices, pause)
    if isinstance(options, CsvOptions):
        return csv_text(slices, options, tally, settings, columns=columns, pause=pause)
    if chosen == "jsonl":
        return json_lines(slices, lines_encoder(options, pause), options, tally)
    return json_array(slices, array_encoder(options, pause), options, tally)


def text_of_columns(
    columns: ColumnParts,
    chosen: Format,
    options: TextOptions,
    tally: Tally,
    settings: ExportSettings,
    pause: Callable[[], None],
) -> Iterator[Block]:
    """Yield the text of all rows of a table in pieces of whole rows, counted by the tally.

    Raises:
        ExportValueError: a value that the format cannot hold.
    """
    from .frames import columns_csv, columns_json_array, columns_json_lines

    if isinstance(options, CsvOptions):
        return columns_csv(columns, options, tally, settings, pause)
    write = columns_json_lines if chosen == "jsonl" else columns_json_array
    return write(columns, options, tally, settings, pause)
