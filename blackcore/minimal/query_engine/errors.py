"""Every error this package raises, as one tree.

    QueryEngineError
    ├── SettingsError (ValueError)              a limit or option that cannot be
    ├── MissingExtraError (ImportError)         an optional part that is not installed
    ├── QueryError (ValueError)                 a question that cannot be asked
    │   ├── InvalidFilterError                  an operator with a value it cannot take
    │   │   └── InvalidPatternError             a regular expression that does not compile
    │   ├── QueryDepthError                     filters nested too deep
    │   ├── UnknownFieldError (LookupError)     a field that no record has
    │   └── PatternTimeoutError (TimeoutError)  a look-around pattern that ran out of time
    ├── LoaderError                             records that could not be had
    │   ├── UnknownDatabaseError (LookupError)  a database that the loader does not have
    │   │   └── AmbiguousDatabaseError          a name that several files of a directory claim
    │   ├── DataDirectoryError (OSError)        a directory that is missing, empty or unreadable
    │   ├── DatabaseFormatError (ValueError)    a file that is not a list of JSON objects
    │   ├── DatabaseReadError (OSError)         a file that cannot be read, or never stands still
    │   └── LoaderContractError (TypeError)     a loader that raised, or returned something else
    ├── SearchError (RuntimeError)              a search engine that raised, or returned rubbish
    ├── OptimizerError (RuntimeError)           an optimizer that raised, or returned something else
    ├── CacheError                              a cache used wrongly
    │   ├── CacheKeyError (TypeError)           a key that cannot be a key
    │   ├── CacheWeightError (ValueError)       a value that cannot be weighed
    │   └── SingleFlightError (RuntimeError)    computations that would wait for each other for ever
    ├── ProfileError (ValueError)               what cannot be profiled, or was not recorded
    ├── CoordinationError (OSError)             a shared status that cannot be read or written
    ├── QueryLogError (OSError)                 a query log that cannot be read or written
    └── ExportError                             a file or stream that could not be written
        ├── ExportPathError (OSError)           a target that cannot be written
        ├── ExportOptionError (ValueError)      an option or combination that cannot be
        └── ExportValueError (ValueError)       a row that the format cannot hold

Each message names what was given, what is allowed and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process

if TYPE_CHECKING:
    from collections.abc import Iterable


_SHOWN_NAMES = 12


class QueryEngineError(Exception):
    """Root of every error raised by this package."""

    def __str__(self) -> str:
        """Return the message as written (KeyError and OSError would quote or number it)."""
        return str(self.args[0]) if self.args else type(self).__name__

    def __reduce__(self) -> tuple[object, ...]:
        """Return how to copy or unpickle it: by its message, whatever its `__init__` takes."""
        return (_rebuilt, (type(self), self.args), self.__dict__)


class SettingsError(QueryEngineError, ValueError):
    """A limit or an option has a value it cannot have."""


class MissingExtraError(QueryEngineError, ImportError):
    """An optional part is not installed; the message says which extra brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f'{feature} needs an optional part: pip install "blackcore-query-engine[{extra}]"'
        )
        self.extra = extra


class QueryError(QueryEngineError, ValueError):
    """A question that cannot be asked."""


class InvalidFilterError(QueryError):
    """A filter whose operator cannot take its value."""


class InvalidPatternError(InvalidFilterError):
    """A regular expression that does not compile.

    Attributes:
        pattern: the expression as given.
        position: zero-based character offset of the fault, None where the engine names none.
    """

    def __init__(self, pattern: str, reason: str, position: int | None) -> None:
        where = "" if position is None else f" at position {position}"
        super().__init__(
            f"invalid regular expression {pattern!r}{where}: {reason}; "
            "the dialect is that of Rust's regex crate, with look-around and back-references"
        )
        self.pattern = pattern
        self.position = position


class QueryDepthError(QueryError):
    """Filters are nested deeper than the allowed depth."""


class UnknownFieldError(QueryError, LookupError):
    """A field that no record of the database has."""

    def __init__(self, field: str, database: str, known: Iterable[str]) -> None:
        hint = did_you_mean(field, known)
        super().__init__(f"unknown field {field!r} in database {database!r}; {hint}")
        self.field = field
        self.database = database


class PatternTimeoutError(QueryError, TimeoutError):
    """A look-around or back-reference pattern used up its time on one batch of values."""


class LoaderError(QueryEngineError):
    """Records that could not be had."""


class UnknownDatabaseError(LoaderError, LookupError):
    """A database that the loader does not have."""

    def __init__(self, database: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown database {database!r}; {did_you_mean(database, known)}")
        self.database = database


class AmbiguousDatabaseError(UnknownDatabaseError):
    """A database name that several files of a directory claim, so that it stands for none."""

    def __init__(self, database: str, candidates: Iterable[str]) -> None:
        names = tuple(candidates)
        super().__init__(database, names)
        use = " or ".join(repr(name) for name in names)
        self.args = (f"database name {database!r} is claimed by several files; use {use}",)


class DataDirectoryError(LoaderError, OSError):
    """A data directory that is missing, empty, not a directory, or unreadable."""


class DatabaseFormatError(LoaderError, ValueError):
    """A file that does not hold a list of JSON objects.

    Attributes:
        byte_offset: zero-based place of the fault in the (uncompressed) file, None where unknown.
        line: one-based line of the fault in a file of JSON lines, None elsewhere.
    """

    def __init__(
        self, message: str, *, byte_offset: int | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.byte_offset = byte_offset
        self.line = line


class DatabaseReadError(LoaderError, OSError):
    """A database's file that cannot be read, or that changes again each time it is read."""


class LoaderContractError(LoaderError, TypeError):
    """A loader that raised, or returned something other than a list of dicts."""


class SearchError(QueryEngineError, RuntimeError):
    """A search engine that raised, or returned something that is not a list of matches."""


class OptimizerError(QueryEngineError, RuntimeError):
    """An optimizer that raised, or returned something that is not an optimized query."""


class CacheError(QueryEngineError):
    """A cache used wrongly."""


class CacheKeyError(CacheError, TypeError):
    """A key that cannot be a key (it is not hashable)."""


class CacheWeightError(CacheError, ValueError):
    """A value that cannot be weighed, or a weight that cannot be."""


class SingleFlightError(CacheError, RuntimeError):
    """Computations that would wait for each other, or for themselves, for ever."""


class ProfileError(QueryEngineError, ValueError):
    """Something that cannot be profiled, or a part that the profile was made without."""


class QueryLogError(QueryEngineError, OSError):
    """A query log that is a directory, cannot be written, or is of a version not known here."""


class CoordinationError(QueryEngineError, OSError):
    """A shared status, or results for it, that cannot be read or written, or told what to say."""


class ExportError(QueryEngineError):
    """A file or stream that could not be written.

    Attributes:
        rows_written: rows formatted before the fault, 0 where none were.
    """

    def __init__(self, message: str, *, rows_written: int = 0) -> None:
        super().__init__(message)
        self.rows_written = rows_written


class ExportPathError(ExportError, OSError):
    """A target that cannot be written."""


class ExportOptionError(ExportError, ValueError):
    """An export option, or a combination of them, that cannot be."""


class ExportValueError(ExportError, ValueError):
    """A row that the format cannot hold; the message names row, field and type."""


def _rebuilt(kind: type[QueryEngineError], arguments: tuple[object, ...]) -> QueryEngineError:
    error = kind.__new__(kind)
    error.args = arguments
    return error


def shown_value(value: object, limit: int = 80) -> str:
    """Return a value as it is written in messages, cut where it is long.

    >>> shown_value("a" * 100, limit=12)
    "'aaaaaaa ..."
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        text = f"<{type(value).__name__} with a number too long to show>"
    return text if len(text) <= limit else f"{text[: limit - 4]} ..."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the remedy for a name that is not known: the nearest known one, or what there is.

    >>> did_you_mean("carier", ["carrier", "dest"])
    "did you mean 'carrier'?"
    >>> did_you_mean("zzz", ["carrier", "dest"])
    "there are: 'carrier', 'dest'"
    """
    names = sorted(set(known))
    best = process.extractOne(
        name, names, scorer=fuzz.ratio, processor=str.casefold, score_cutoff=60
    )
    if best is not None:
        return f"did you mean {best[0]!r}?"
    if not names:
        return "there are none"
    shown = ", ".join(repr(candidate) for candidate in names[:_SHOWN_NAMES])
    return f"there are: {shown}{', ...' if len(names) > _SHOWN_NAMES else ''}"
