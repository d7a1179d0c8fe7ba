"""What can be said on the command line, and its help."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .filters import FilterSyntaxError, parse_filter, parse_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..query import QueryFilter
    from .output import RowFormat

PROGRAM = "blackcore-query"
FORMATS = ("table", "json", "jsonl", "csv")

_DESCRIPTION = """\
Ask questions of a directory of JSON files: one database a file, *.json (an array of objects),
*.jsonl or *.ndjson (an object a line), each also with .gz.

The same program runs as: python -m blackcore.minimal.query_engine
"""

_EXAMPLES = """\
examples:
  blackcore-query list data/
  blackcore-query query data/ flights 'carrier == AA' 'distance > 1000' --sort -dep_delay --limit 5
  blackcore-query query data/ flights 'dest in LAX,SFO' --select carrier,dest --distinct
  blackcore-query query data/ flights 'tailnum ~ ^N1' 'dep_delay > 300' --explain --analyze
  blackcore-query query data/ airports --search international --format jsonl | head
  blackcore-query export data/ flights late.csv 'dep_delay > 60' --sort -dep_delay

exit codes:
  0  done, also when a reader such as head takes only the first lines
  1  it could not be done; standard error says why, in a line
  2  the arguments cannot be read
  130  interrupted
"""

_FILTERS = """\
filters:
  Each is one argument, 'field operator value', in single quotes; all must hold (--any: one).
    ==  eq (also =)   >   gt    contains      in       between      regex (also ~)
    !=  ne            >=  gte   not_contains  not_in   is_null      fuzzy
    <   lt            <=  lte                          is_not_null
  field     a dotted path such as address.city. The first operator from the left ends it: put a
            name that holds an operator, as in '"born in" == Oslo', in double quotes.
  value     JSON where it is JSON (1000, true, null, "text", [1,2]), else the text itself. A
            number is never equal to a text: 'zip == 10001' asks for the number and
            'zip == "10001"' for the text, and so with contains. 01 and 2013-01-01 are no JSON,
            and so texts.
  in, not_in, between
            a JSON list, or values with commas between them: 'month in 6,7', 'month between 6,8'.
            A text that holds a comma goes into a list: 'name in ["Oslo, Norway"]'.
  is_null, is_not_null
            no value: 'dep_delay is_null'. Missing fields are null.
  regex, fuzzy
            the text as it stands, even where it looks like JSON: 'code ~ [12]'; a JSON string is
            its text. Patterns are those of Rust's regex crate, found anywhere. fuzzy holds from a
            likeness of 0.8, or as {"text": "Boeing", "threshold": 0.9} says.
"""

_LIST_NOTE = """\
Each file is read whole, one after the other. One that cannot be is listed without records, its
fault goes to standard error, and the exit code is 1.
"""

_QUERY_NOTE = """\
output:
  Tables show the first 50 rows unless --limit or --page say otherwise; the other formats all rows.
  On a terminal tables are cut to its width, and control characters in the data are shown, as
  \\u001b; into a pipe JSON and CSV go as they are, as UTF-8. The count of rows goes to standard
  error.

examples:
  blackcore-query query data/ flights 'carrier == AA' 'distance > 1000' --sort -dep_delay --limit 5
  blackcore-query query data/ flights 'origin == JFK' 'dest == LAX' --any --page 2 --limit 20
  blackcore-query query data/ planes 'manufacturer contains boeing' --ignore-case --format csv
  blackcore-query query data/ flights 'dep_delay between 60,90' --explain --analyze
"""

_EXPORT_NOTE = """\
The suffix of PATH says the format: .csv .tsv .json .jsonl .ndjson, each also with .gz (or .zst).
The file takes its name when it is complete; until then one that was there before stays.

examples:
  blackcore-query export data/ flights late.csv 'dep_delay > 60' --sort -dep_delay
  blackcore-query export data/ flights all.jsonl.gz --no-overwrite
"""


_STATUS_NOTE = """\
The status is a JSON file that several agents write: .coordination/status.json of the project that
the working directory is in. Our metrics in it are read from what `make targets` measured.

examples:
  blackcore-query status
  blackcore-query status --update cache export
"""


class Arguments(argparse.Namespace):
    """What was said, typed. A command has only the attributes that its parser knows."""

    command: str
    directory: str
    format: RowFormat
    database: str
    path: str
    filters: list[str]
    conditions: list[QueryFilter]
    sort: list[str]
    select: list[str]
    distinct: bool
    search: str | None
    page: int | None
    limit: int | None
    explain: bool
    analyze: bool
    any: bool
    ignore_case: bool
    no_overwrite: bool
    file: str | None
    results: str | None
    update: list[str] | None


def parse_arguments(words: Sequence[str]) -> Arguments:
    """Return what the words say; ends the process with code 2 where they cannot be read.

    Raises:
        QueryError: a filter's operator cannot take its value.
        SystemExit: 0 after --help, 2 after a usage error.
    """
    parser, commands = _parsers()
    # argparse fills `filters` at the first group of positional words and takes no second one after
    # an option, so that those come back as left over
    arguments, left_over = parser.parse_known_args(_joined_sort(words), namespace=Arguments())
    command = commands[arguments.command]
    options, filters = _told_apart(left_over)
    asks = arguments.command in {"query", "export"}
    if options or (filters and not asks):
        command.error(f"unrecognized arguments: {' '.join(options or filters)}")
    if asks:
        arguments.filters += filters
        try:
            _read_texts(arguments)
        except FilterSyntaxError as error:
            command.error(str(error))
    return arguments


def _joined_sort(words: Sequence[str]) -> list[str]:
    """Return the words with `--sort -field` as one, or argparse takes -field for an option."""
    joined: list[str] = []
    for word in words:
        is_descending = word.startswith("-") and not word.startswith("--") and len(word) > 1
        if joined and joined[-1] == "--sort" and is_descending and "--" not in joined:
            joined[-1] = f"--sort={word}"
        else:
            joined.append(word)
    return joined


def _told_apart(left_over: list[str]) -> tuple[list[str], list[str]]:
    """Return the words that look like options, and the others with all that follow a `--`."""
    end = left_over.index("--") if "--" in left_over else len(left_over)
    options = [word for word in left_over[:end] if word.startswith("-") and " " not in word]
    filters = [word for word in left_over[:end] if word not in options]
    return options, filters + left_over[end + 1 :]


def _read_texts(arguments: Arguments) -> None:
    """Put fields and conditions in the place of their texts."""
    case_sensitive = not arguments.ignore_case
    arguments.sort = [name for text in arguments.sort for name in parse_names(text)]
    arguments.select = [name for text in arguments.select for name in parse_names(text)]
    arguments.conditions = [
        parse_filter(text, case_sensitive=case_sensitive) for text in arguments.filters
    ]


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=_DESCRIPTION, epilog=_EXAMPLES)
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    listing = commands.add_parser(
        "list",
        help="the databases of a directory, with records, size and time to load",
        description="List the databases of a directory.",
        epilog=_LIST_NOTE,
    )
    asking = commands.add_parser(
        "query",
        help="the rows that a question asks for, or how they are found",
        description="Show the rows of a database that a question asks for.",
        epilog=f"{_FILTERS}\n{_QUERY_NOTE}",
    )
    exporting = commands.add_parser(
        "export",
        help="the same rows, to a file",
        description="Write the rows of a database that a question asks for to a file.",
        epilog=f"{_EXPORT_NOTE}\n{_FILTERS}",
    )
    telling = commands.add_parser(
        "status",
        help="what is done, what is next, and what was measured",
        description="Show, or bring up to date, the status that the agents share.",
        epilog=_STATUS_NOTE,
    )
    for each in (parser, listing, asking, exporting, telling):
        each.formatter_class = argparse.RawDescriptionHelpFormatter
        each.allow_abbrev = False
    for command in (listing, asking, exporting):
        command.add_argument("directory", metavar="DIRECTORY", help="where the JSON files are")
    _add_format(listing)
    _add_question(asking)
    _add_format(asking)
    asking.add_argument("--explain", action="store_true", help="show the plan instead of rows")
    asking.add_argument(
        "--analyze", action="store_true", help="run the plan and show what each step really did"
    )
    _add_question(exporting, path=True)
    exporting.add_argument("--no-overwrite", action="store_true", help="refuse a PATH that exists")
    _add_status(telling)
    return parser, {"list": listing, "query": asking, "export": exporting, "status": telling}


def _add_status(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--update",
        metavar=("MODULE", "NEXT"),
        nargs=2,
        help="note a completed module and the next task ('' for none), and measured metrics",
    )
    add("--file", metavar="PATH", help="the status file, if it is another")
    add("--results", metavar="PATH", help="what was measured, if it is not beside the status")
    add(
        "--format",
        choices=("table", "json"),
        default="table",
        help="how it is shown (default: table)",
    )


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=FORMATS, default="table", help="how rows are written (default: table)"
    )


def _add_question(parser: argparse.ArgumentParser, *, path: bool = False) -> None:
    parser.add_argument("database", metavar="DATABASE", help="its name, as list shows it")
    if path:
        parser.add_argument("path", metavar="PATH", help="the file to write")
    add = parser.add_argument
    add(
        "filters", metavar="FILTER", nargs="*", default=[], help="'field operator value', see below"
    )
    add(
        "--sort",
        metavar="FIELDS",
        action="append",
        default=[],
        help="a,-b: by a, then b descending",
    )
    add("--select", metavar="FIELDS", action="append", default=[], help="a,b: only these fields")
    add("--distinct", action="store_true", help="each row once, as it is shown")
    add("--search", metavar="TEXT", help="full-text search; without --sort the best matches first")
    add("--page", metavar="N", type=_from_one, help="the Nth page, from 1, of --limit rows (50)")
    add("--limit", metavar="N", type=_from_one, help="at most so many rows, or rows a page")
    add("--any", action="store_true", help="rows for which any filter holds, rather than all")
    add("--ignore-case", action="store_true", help="filters compare texts without regard to case")


def _from_one(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return number
