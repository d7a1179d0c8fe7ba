"""The commands list, query and export. Each returns its exit code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar

from ..data import QueryResult
from ..engine import QueryEngine
from ..errors import ExportValueError, LoaderError
from ..export import CsvOptions, StreamingExporter
from ..export.formats import format_of
from ..loaders import JSONDataLoader
from ..query import FilterGroup, QueryOperator
from .output import (
    ProgressLine,
    note,
    say,
    seconds_text,
    show_table,
    size_text,
    write_rows,
)
from .status import status
from .tables import Column, columns_of, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..export.formats import Format
    from ..export.streaming_exporter import FileArguments
    from ..optimization import Explanation
    from ..query import Condition, Query
    from .arguments import Arguments

    Question = Query[QueryResult, Explanation]

T = TypeVar("T")

DEFAULT_ROWS = 50
_FOR_EQUALITY = (QueryOperator.EQUALS, QueryOperator.CONTAINS)


def run(arguments: Arguments) -> int:
    """Do what was said; return the exit code, 0 or 1.

    Raises:
        QueryEngineError: it cannot be done.
        BrokenPipeError: whoever read the output has gone.
    """
    commands = {"list": list_databases, "query": query, "export": export, "status": status}
    return commands[arguments.command](arguments)


@dataclass(frozen=True, slots=True)
class Entry:
    """What there is to say of a database: all but its name may be unknown.

    Attributes:
        records: how many there are.
        bytes: the size of its file.
        seconds: what loading it took.
        fault: why it cannot be loaded.
    """

    database: str
    records: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    fault: str | None = None


def list_databases(arguments: Arguments) -> int:
    """Show the databases of a directory; 1 where one of them cannot be loaded."""
    with ProgressLine() as line:
        loader = JSONDataLoader(arguments.directory, on_progress=line.loading)
        entries = [_entry(loader, name, line) for name in loader.get_available_databases()]
    failed = [entry for entry in entries if entry.fault is not None]
    if arguments.format == "table":
        show_table(_entry_columns(entries))
        for entry in failed:
            note(f"cannot load {entry.database!r}: {entry.fault}")
    else:
        write_rows(list(map(asdict, entries)), arguments.format, StreamingExporter())
    return int(bool(failed))


def _entry(loader: JSONDataLoader, name: str, line: ProgressLine) -> Entry:
    """Return what there is to say of a database, whose records are forgotten again."""
    fault = records = None
    try:
        records = len(loader.load_database(name))
        loader.refresh_cache(name)
    except LoaderError as error:
        fault = str(error)
    load = line.load_of(name)
    if load is None:  # nothing of it could be read, or there was nothing in it
        return Entry(name, records, fault=fault)
    return Entry(
        name, records, load.total_bytes, load.elapsed_seconds if load.done else None, fault
    )


def _entry_columns(entries: list[Entry]) -> list[Column]:
    return [
        Column("database", [escaped(e.database) for e in entries]),
        Column("records", [_or("failed", e.records, "{:,}".format) for e in entries], right=True),
        Column("size", [_or("", e.bytes, size_text) for e in entries], right=True),
        Column("load time", [_or("", e.seconds, seconds_text) for e in entries], right=True),
    ]


def _or(otherwise: str, value: T | None, text: Callable[[T], str]) -> str:
    return otherwise if value is None else text(value)


def query(arguments: Arguments) -> int:
    """Show the rows that a question asks for, or the plan for it."""
    with ProgressLine() as line:
        engine = _engine(arguments, line)
        question = _question(engine, arguments)
        if arguments.explain or arguments.analyze:
            shown: QueryResult | Explanation = question.explain(analyze=arguments.analyze)
        else:
            shown = question.run()
    # only now, when the line of progress is gone
    if not isinstance(shown, QueryResult):
        say(str(shown) if arguments.format == "table" else shown.to_json())
    elif arguments.format == "table":
        _show_page(shown, arguments)
    else:
        write_rows(shown.data, arguments.format, engine.exporter, shown.select)
    return 0


def export(arguments: Arguments) -> int:
    """Write the rows that a question asks for to a file."""
    chosen = format_of(arguments.path, None)  # a wrong suffix is told before anything is loaded
    with ProgressLine() as line:
        engine = _engine(arguments, line)
        result = _question(engine, arguments).run()
        written: FileArguments = {
            "total_rows": len(result),
            "on_progress": line.exporting,
            "on_exists": "error" if arguments.no_overwrite else "replace",
        }
        _write_file(engine.exporter, result, arguments.path, chosen, written)
    done = line.exported
    if done is not None:  # pragma: no branch - the last report always comes
        say(
            f"wrote {done.rows:,} rows to {arguments.path} in "
            f"{seconds_text(done.elapsed_seconds)} ({done.rows_per_second:,.0f} rows/s)"
        )
    return 0


def _write_file(
    exporter: StreamingExporter,
    result: QueryResult,
    path: str,
    chosen: Format,
    written: FileArguments,
) -> None:
    if chosen not in {"csv", "tsv"}:
        exporter.export(result.chunks(), path, chosen, **written)
        return
    try:
        options = CsvOptions(fieldnames=result.select)
        exporter.export(result.chunks(), path, chosen, options=options, **written)
    except ExportValueError:
        # perhaps a late field: looking for all of them first takes half as long again, so it is
        # done only now; any other fault is raised again
        options = CsvOptions(fieldnames=result.select, late_columns="gather")
        exporter.export(result.data, path, chosen, options=options, **written)


def _engine(arguments: Arguments, line: ProgressLine) -> QueryEngine:
    # one question is asked: nothing will be answered from a cache
    return QueryEngine(JSONDataLoader(arguments.directory, on_progress=line.loading), cache=False)


def _question(engine: QueryEngine, arguments: Arguments) -> Question:
    question = engine.query(arguments.database).where(*_conditions(arguments))
    if arguments.search is not None:
        question = question.search(arguments.search)
    if arguments.sort:
        question = question.sort(*arguments.sort)
    if arguments.select:
        question = question.select(*arguments.select)
    if arguments.distinct:
        question = question.distinct()
    is_table = arguments.command == "query" and arguments.format == "table"
    if is_table or arguments.page is not None or arguments.limit is not None:
        question = question.page(arguments.page or 1, arguments.limit or DEFAULT_ROWS)
    return question


def _conditions(arguments: Arguments) -> Iterable[Condition]:
    if arguments.any and arguments.conditions:  # an empty group of alternatives holds for no row
        return [FilterGroup("or", arguments.conditions)]
    return arguments.conditions


def _show_page(result: QueryResult, arguments: Arguments) -> None:
    hidden = show_table(columns_of(result.data)) if len(result) else 0
    fields = f"; {hidden} more fields, --select chooses" if hidden else ""
    loaded = seconds_text(result.stages.get("load", 0.0) / 1e3)
    taken = seconds_text(result.execution_time_ms / 1e3)
    note(
        f"{len(result):,} of {result.total_count:,} rows in {taken}, "
        f"{loaded} of it loading{_more(result)}{fields}"
    )
    mistaken = _maybe_text(arguments) if not result.total_count else None
    if mistaken is not None:
        note(f"{mistaken} was read as JSON; for the text write '\"{mistaken}\"'")


def _more(result: QueryResult) -> str:
    shown_up_to = (result.page - 1) * (result.page_size or 0) + len(result)
    if not 0 < shown_up_to < result.total_count:
        return ""
    return f"; --page {result.page + 1} or a greater --limit shows more"


def _maybe_text(arguments: Arguments) -> object:
    """Return a number that was looked for, when it may have been meant as a text."""
    looked_for = (c.value for c in arguments.conditions if c.operator in _FOR_EQUALITY)
    return next((value for value in looked_for if type(value) in (int, float)), None)
