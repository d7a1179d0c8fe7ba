"""Profiles as JSON that speedscope opens (its file format, types "evented" and "sampled")."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .functions import FunctionKey, FunctionTable
    from .sampling import Stack

SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"
_SMALLEST_SHARE: Final = 1 / 2_000
"""Branches of a call tree that take less of the whole are counted to where they branch off."""
_DEEPEST: Final = 200
_ROUNDING: Final = 1e-9
"""Callers' times that are summed up miss a function's own total by less of it."""


class Speedscope:
    """A file of profiles that share their frames.

    >>> document = Speedscope("a query")
    >>> document.add_stages("stages", {"load": 0.5, "filter": 2.0})
    >>> document.to_dict()["profiles"][0]["endValue"]
    2.5
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._frames: dict[FunctionKey, int] = {}
        self._profiles: list[dict[str, object]] = []

    def __bool__(self) -> bool:
        return bool(self._profiles)

    def add_stages(self, name: str, stages_ms: Mapping[str, float]) -> None:
        """Add stages that ran one after the other, in milliseconds."""
        events: list[dict[str, object]] = []
        at = 0.0
        for stage, milliseconds in stages_ms.items():
            frame = self._frame(("~", 0, stage))
            events.append({"type": "O", "at": at, "frame": frame})
            at += milliseconds
            events.append({"type": "C", "at": at, "frame": frame})
        self._add("evented", name, "milliseconds", at, {"events": events})

    def add_stacks(self, name: str, stacks: Mapping[Stack, float]) -> None:
        """Add sampled stacks, in seconds."""
        self._add_samples(name, stacks.items())

    def add_functions(self, name: str, table: FunctionTable) -> None:
        """Add a call tree made of functions and their callers."""
        self._add_samples(name, _CallTree(table).samples())

    def _add_samples(self, name: str, samples: Iterable[tuple[Stack, float]]) -> None:
        stacks: list[list[int]] = []
        weights: list[float] = []
        for stack, seconds in samples:
            stacks.append([self._frame(function) for function in stack])
            weights.append(seconds)
        body: dict[str, object] = {"samples": stacks, "weights": weights}
        self._add("sampled", name, "seconds", sum(weights), body)

    def _add(self, kind: str, name: str, unit: str, end: float, body: dict[str, object]) -> None:
        head = {"type": kind, "name": name, "unit": unit, "startValue": 0, "endValue": end}
        self._profiles.append({**head, **body})

    def _frame(self, function: FunctionKey) -> int:
        return self._frames.setdefault(function, len(self._frames))

    def to_dict(self) -> dict[str, object]:
        """Return the file as plain values, ready for JSON."""
        return {
            "$schema": SCHEMA,
            "name": self.name,
            "exporter": "blackcore-query-engine",
            "activeProfileIndex": 0,
            "shared": {"frames": [_frame_dict(function) for function in self._frames]},
            "profiles": self._profiles,
        }

    def to_json(self) -> bytes:
        """Return the file's content, whatever names there are in it: half a character too."""
        return json.dumps(self.to_dict(), allow_nan=False).encode()


def _frame_dict(function: FunctionKey) -> dict[str, object]:
    file, line, name = function
    return {"name": name} if file == "~" else {"name": name, "file": file, "line": line}


class _CallTree:
    """Ways through the calls, with the time spent at the end of each.

    cProfile keeps what a function took for each caller, not for each way to that caller. As gprof
    does (Graham, Kessler and McKusick, 1982), each way gets the share of its caller's time. The
    times of all ways add up to those of the outermost functions.
    """

    def __init__(self, table: FunctionTable) -> None:
        self._total = {function: counts.total_seconds for function, counts in table.functions()}
        self._called: defaultdict[FunctionKey, list[tuple[FunctionKey, float]]] = defaultdict(list)
        from_callers: defaultdict[FunctionKey, float] = defaultdict(float)
        for caller, function, counts in table.calls():
            if caller != function and function in self._total:
                self._called[caller].append((function, counts.total_seconds))
                from_callers[function] += counts.total_seconds
        self._roots = {
            function: seconds
            for function, total in self._total.items()
            if (seconds := total - from_callers[function]) > _ROUNDING * total
        }
        self._least_seconds = sum(self._roots.values()) * _SMALLEST_SHARE

    def samples(self) -> Iterator[tuple[Stack, float]]:
        """Yield stacks, the outermost function first, with the seconds spent in the innermost."""
        for root, seconds in self._roots.items():
            yield from self._ways((root,), seconds)

    def _ways(self, way: Stack, seconds: float) -> Iterator[tuple[Stack, float]]:
        function = way[-1]
        left = seconds
        for called, wanted in self._shares(function, seconds):
            if called not in way and wanted >= self._least_seconds and len(way) < _DEEPEST:
                share = min(wanted, left)
                left -= share
                yield from self._ways((*way, called), share)
        if left > 0:
            yield way, left

    def _shares(self, function: FunctionKey, seconds: float) -> Iterator[tuple[FunctionKey, float]]:
        total = self._total[function]
        for called, of_total in self._called[function]:
            yield called, of_total * seconds / total if total else 0.0
