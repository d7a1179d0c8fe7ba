"""The command line: its arguments, filters written as text, tables, and the four commands.

`__main__` calls `parse_arguments` and `run`, and turns what they raise into exit codes.
"""

from .arguments import Arguments, parse_arguments
from .commands import run

__all__ = ["Arguments", "parse_arguments", "run"]
