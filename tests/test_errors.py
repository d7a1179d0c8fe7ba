"""The tree of errors: one root, the builtin each caller expects, and messages with a remedy."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest

from blackcore.minimal.query_engine import errors
from blackcore.minimal.query_engine.errors import (
    AmbiguousDatabaseError,
    DatabaseFormatError,
    ExportError,
    InvalidPatternError,
    MissingExtraError,
    QueryEngineError,
    UnknownDatabaseError,
    UnknownFieldError,
    did_you_mean,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CLASSES = {
    name: each
    for name, each in vars(errors).items()
    if inspect.isclass(each) and issubclass(each, Exception)
}


def drawn() -> Iterator[tuple[str, int, str | None]]:
    """Yield name, depth and builtin of every class in the tree at the top of the module."""
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([│ ├└─]*)(\w+Error)(?: \((\w+)\))?", line)
        if found:
            yield found.group(2), len(found.group(1)) // 4, found.group(3)


def test_every_class_is_drawn_once_and_nothing_else() -> None:
    names = [name for name, _, _ in drawn()]
    assert sorted(names) == sorted(CLASSES)


def test_the_drawing_tells_each_parent_and_builtin() -> None:
    path: list[str] = []
    for name, depth, builtin in drawn():
        path[depth:] = [name]
        each = CLASSES[name]
        if depth:
            assert CLASSES[path[depth - 1]] in each.__bases__, name
        if builtin is not None:
            assert builtin in {base.__name__ for base in each.__mro__}, name


@pytest.mark.parametrize("each", CLASSES.values(), ids=CLASSES)
def test_every_class_is_of_the_tree_and_says_what_it_is(each: type[Exception]) -> None:
    assert issubclass(each, QueryEngineError)
    assert each.__doc__


def test_a_message_is_shown_as_written() -> None:
    class OursError(QueryEngineError, KeyError):
        """A KeyError of ours."""

    assert str(OursError("no 'x' here")) == "no 'x' here"
    assert str(errors.DatabaseReadError("cannot read")) == "cannot read"
    assert str(QueryEngineError()) == "QueryEngineError"


def test_errors_carry_what_a_program_wants_to_know() -> None:
    pattern = InvalidPatternError("a(", "unclosed group", 1)
    assert (pattern.pattern, pattern.position) == ("a(", 1)
    assert "at position" not in str(InvalidPatternError("a(", "unclosed group", None))
    unknown = UnknownFieldError("carier", "flights", ["carrier", "dest"])
    assert str(unknown) == "unknown field 'carier' in database 'flights'; did you mean 'carrier'?"
    assert (unknown.field, unknown.database) == ("carier", "flights")
    missing = UnknownDatabaseError("flihgts", ["flights"])
    assert str(missing) == "unknown database 'flihgts'; did you mean 'flights'?"
    assert missing.database == "flihgts"
    ambiguous = AmbiguousDatabaseError("a", ["a.json", "a.jsonl"])
    assert str(ambiguous) == (
        "database name 'a' is claimed by several files; use 'a.json' or 'a.jsonl'"
    )
    extra = MissingExtraError("to_pandas()", "pandas")
    assert extra.extra == "pandas"
    assert 'pip install "blackcore-query-engine[pandas]"' in str(extra)
    fault = DatabaseFormatError("bad", byte_offset=5, line=2)
    assert (fault.byte_offset, fault.line) == (5, 2)
    assert ExportError("bad", rows_written=7).rows_written == 7
    assert ExportError("bad").rows_written == 0


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("carier", ["carrier", "dest"], "did you mean 'carrier'?"),
        ("dep_dealy", ["dep_delay", "arr_delay"], "did you mean 'dep_delay'?"),
        ("zzz", ["b", "a", "a"], "there are: 'a', 'b'"),
        ("zzz", [], "there are none"),
        ("zzz", [f"n{i:02}" for i in range(30)], ", 'n11', ..."),
        ("", ["a"], "there are: 'a'"),
        ("\ud800", ["a"], "there are: 'a'"),
    ],
)
def test_the_remedy_is_the_nearest_name_or_those_there_are(
    name: str, known: list[str], hint: str
) -> None:
    assert did_you_mean(name, known).endswith(hint)
