"""Which functions ran, how often and how long: cProfile, made to nest and to give way.

One tool at a time may watch the calls of a thread (of the process, from Python 3.12 on). Whoever
measures inside of another measurement of ours shares its cProfile, and gets the difference between
what it had counted before and after. Where the tool is not ours, nothing is recorded, and the
recorder says why. A profiler that starts meanwhile takes the place of ours before 3.12, and keeps
it; from 3.12 on Python refuses it, and the error tells how to measure what starts one.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

RECORDS_ALL_THREADS: Final = hasattr(sys, "monitoring")
"""From Python 3.12 on cProfile books the calls of every thread as if one thread had made them."""

FunctionKey: TypeAlias = tuple[str, int, str]
"""File, first line and name, as pstats writes them; ("~", 0, name) for what is written in C."""

_FOLDER: Final = Path(__file__).parent
_OUR_FILES: Final = frozenset(str(_FOLDER / name) for name in ("functions.py", "measurement.py"))
_OUR_EXITS: Final = frozenset((str(_FOLDER / "stepping.py"), str(_FOLDER.parent / "profiler.py")))


class Counts(NamedTuple):
    """Calls, those of them inside a call of the same function, and seconds own and in all."""

    calls: int
    recursive_calls: int
    own_seconds: float
    total_seconds: float


_NONE: Final = Counts(0, 0, 0.0, 0.0)


class FunctionTable:
    """What functions took, alone and by caller.

    Attributes:
        edges: counts by (caller, function); the caller is None for a function's own line.
    """

    def __init__(self) -> None:
        self.edges: dict[tuple[FunctionKey | None, FunctionKey], Counts] = {}

    @classmethod
    def of(cls, profile: cProfile.Profile) -> FunctionTable:
        """Return what a profile counted so far, also while it is counting."""
        table = cls()
        for entry in profile.getstats():
            function = _key_of(entry.code)
            table._add(None, function, _counts_of(entry))
            for called in entry.calls or ():
                table._add(function, _key_of(called.code), _counts_of(called))
        return table

    def add(self, after: FunctionTable, before: FunctionTable) -> None:
        """Add what was counted between two looks at one profile."""
        for (caller, function), counts in after.edges.items():
            earlier = before.edges.get((caller, function), _NONE)
            if counts.calls > earlier.calls:
                self._add(caller, function, _minus(counts, earlier))

    def _add(self, caller: FunctionKey | None, function: FunctionKey, counts: Counts) -> None:
        known = self.edges.get((caller, function))
        self.edges[caller, function] = counts if known is None else _plus(known, counts)

    def functions(self) -> Iterator[tuple[FunctionKey, Counts]]:
        """Yield every function that was measured, with its counts from all callers together."""
        own_lines: dict[FunctionKey, Counts] = {}
        of_machinery: dict[FunctionKey, Counts] = {}
        for (caller, function), counts in self.edges.items():
            if is_machinery(function):
                continue
            if caller is None:
                own_lines[function] = counts
            elif is_machinery(caller):
                of_machinery[function] = _plus(of_machinery.get(function, _NONE), counts)
        for function, counts in own_lines.items():
            rest = _minus(counts, of_machinery.get(function, _NONE))
            if rest.calls > 0:
                yield function, rest

    def calls(self) -> Iterator[tuple[FunctionKey, FunctionKey, Counts]]:
        """Yield who called whom, where both were measured."""
        for (caller, function), counts in self.edges.items():
            if not (caller is None or is_machinery(caller) or is_machinery(function)):
                yield caller, function, counts

    def __bool__(self) -> bool:
        return bool(self.edges)

    def stats(self) -> pstats.Stats:
        """Return the table as pstats.Stats sorted by cumulative time, without this machinery."""
        lines: dict[FunctionKey, tuple[int, int, float, float, dict[FunctionKey, object]]] = {
            function: (calls - recursive, calls, own, total, {})
            for function, (calls, recursive, own, total) in self.functions()
        }
        for caller, function, (calls, recursive, own, total) in self.calls():
            if function in lines:
                lines[function][4][caller] = (calls, calls - recursive, own, total)
        stats = (
            pstats.Stats(cast("cProfile.Profile", _Recorded(lines))) if lines else pstats.Stats()
        )
        return stats.sort_stats(pstats.SortKey.CUMULATIVE)


@dataclass(slots=True)
class _Recorded:
    """What pstats.Stats wants of a profile: `create_stats`, after which there is `stats`."""

    stats: object

    def create_stats(self) -> None:
        """Nothing is left to do."""


class _Entry(NamedTuple):
    """A line of `getstats`, as far as it is used here."""

    code: CodeType | str
    callcount: int
    reccallcount: int
    inlinetime: float
    totaltime: float


def _key_of(code: CodeType | str) -> FunctionKey:
    return cProfile.label(code)


def _counts_of(entry: object) -> Counts:
    line = cast("_Entry", entry)
    return Counts(line.callcount, line.reccallcount, line.inlinetime, line.totaltime)


def _plus(a: Counts, b: Counts) -> Counts:
    return Counts(a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3])


def _minus(a: Counts, b: Counts) -> Counts:
    return Counts(a[0] - b[0], a[1] - b[1], max(a[2] - b[2], 0.0), max(a[3] - b[3], 0.0))


def is_machinery(function: FunctionKey) -> bool:
    """Return whether a function is the profiler at work rather than what it measures."""
    file, _, name = function
    return (
        file in _OUR_FILES
        or "_lsprof.Profiler" in name
        or (name == "__exit__" and file in _OUR_EXITS)
    )


class _Tool:
    """A cProfile at work in this thread, and how many of us look at it."""

    def __init__(self) -> None:
        self.profile = cProfile.Profile()
        self.users = 0


class _OfThread(threading.local):
    tool: _Tool | None = None


_of_thread = _OfThread()


class FunctionRecorder:
    """Records the functions that run between `start` and `stop`, as often as these are called.

    To be used in one thread.

    Attributes:
        table: what was recorded.
        refused: why nothing, or not everything, could be recorded; None where all was.
    """

    def __init__(self) -> None:
        self.table = FunctionTable()
        self.refused: str | None = None
        self._tool: _Tool | None = None
        self._before = FunctionTable()

    def start(self) -> None:
        """Record from now on."""
        tool = _of_thread.tool
        if tool is None:
            tool = _Tool()
            self._before = FunctionTable()
            if not self._enabled(tool.profile):
                return
            _of_thread.tool = tool
        else:
            self._before = FunctionTable.of(tool.profile)
        tool.users += 1
        self._tool = tool

    def stop(self) -> None:
        """Record no longer."""
        tool, self._tool = self._tool, None
        if tool is None:
            return
        tool.users -= 1
        at_work = tool.profile if RECORDS_ALL_THREADS else cast("object", sys.getprofile())
        if at_work is not tool.profile:
            self.refused = _INTERRUPTED
        if tool.users == 0:
            _end(tool.profile, at_work)
            if _of_thread.tool is tool:
                _of_thread.tool = None
        self.table.add(FunctionTable.of(tool.profile), self._before)

    def explain(self, error: BaseException) -> None:
        """Have Python's refusal of a second profiler say that the first is this one."""
        is_refusal = isinstance(error, ValueError) and str(error) in _REFUSALS_OF_PYTHON
        if is_refusal and _ALREADY_HERE not in getattr(error, "__notes__", ()):
            error.add_note(_ALREADY_HERE)

    def _enabled(self, profile: cProfile.Profile) -> bool:
        if not RECORDS_ALL_THREADS and sys.getprofile() is not None:
            self.refused = _refusal(type(sys.getprofile()).__name__)
            return False
        try:
            profile.enable()
        except ValueError as error:  # Python 3.12 and later say so themselves
            self.refused = _refusal(str(error))
            return False
        return True


_REFUSALS_OF_PYTHON: Final = (
    "Another profiling tool is already active",
    "tool 2 is already in use",
)
_ALREADY_HERE: Final = (
    "QueryProfiler records functions here, and Python runs one profiler at a time; measure what "
    "starts a profiler of its own with QueryProfiler(functions=False)"
)
_INTERRUPTED: Final = (
    "functions were recorded in part: a profiler that was started meanwhile took the place of this "
    "one, and Python runs one at a time"
)


def _end(profile: cProfile.Profile, at_work: object) -> None:
    """End a profile; a profiler that has taken its place goes on."""
    if at_work is None or at_work is profile:
        profile.disable()
        return
    # disable() takes off whatever profiler its thread has, so it is called in one that has none
    thread = threading.Thread(target=profile.disable, daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no thread is to be had
        profile.disable()
    else:
        thread.join()


def _refusal(who: str) -> str:
    return (
        "functions were not recorded, only time and memory: another profiler is at work "
        f"({who}), and Python runs one at a time; end it first to see the functions"
    )
