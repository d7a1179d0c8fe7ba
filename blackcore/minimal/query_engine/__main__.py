"""The command line: `python -m blackcore.minimal.query_engine`, installed as `blackcore-query`.

Lists, queries and exports the JSON databases of a directory, and shows the project's status;
`--help` says the rest.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from .command_line import parse_arguments, run
from .command_line.output import note
from .errors import QueryEngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED = 1
INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Return the exit code after doing what the words say (those of the process by default).

    0: done, also when the reader of the output has seen enough; 1: it could not be done, and
    standard error says why in a line; 130: interrupted.

    Raises:
        SystemExit: 0 after --help, 2 where the words cannot be read.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # what the locale cannot write is shown, rather than ending a table in the middle
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run(parse_arguments(sys.argv[1:] if words is None else words))
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return 0
    except KeyboardInterrupt:
        note("interrupted")
        return INTERRUPTED
    except QueryEngineError as error:
        return _failed(str(error))
    except OSError as error:
        _drop_output()
        return _failed(f"the output takes no more: {error.strerror or error}")
    return code


def _failed(message: str) -> int:
    note(f"blackcore-query: {message}")
    return FAILED


def _drop_output() -> None:
    """Send what is still buffered nowhere: Python writes it when it ends, and would fail again."""
    try:
        output = sys.stdout.fileno()
    except (OSError, ValueError):  # not a file of the system's, so nothing is left to fail
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, output)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
