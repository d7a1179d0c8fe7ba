"""The status that the agents share: what this one has completed, does next, and has measured.

It is a JSON file of the project, `.coordination/status.json`, which other agents write too. It is
replaced as a whole or not at all, under a lock that all writers take (`status.json.lock` beside
it); what is not ours in it stays. The metrics come from the project's results file, which
`make targets` writes: nobody types them in.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import CoordinationError, shown_value
from ..export.atomic_file import AtomicFile
from ..query_log.file_lock import locked
from .measured_targets import METRICS, metrics_of, read_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], datetime]

_log = logging.getLogger(__name__)

Status: TypeAlias = dict[str, Any]
"""A status as its JSON says it: `Any`, for most of it is other agents'."""

AGENT: Final = "agent_c"
STATUS_FILE: Final = Path(".coordination", "status.json")
RESULTS_FILE: Final = Path("benchmarks", "results", "latest.json")
LOCK_WAIT_SECONDS: Final = 10.0

_NEW_AGENT: Final[Status] = {
    "name": "Performance & Export",
    "status": "in_progress",
    "completed_modules": [],
    "current_task": None,
    "metrics": {},
}
_LAST_UPDATE: Final = "last_update"
_MARKS: Final = (".coordination", ".git", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class StatusUpdate:
    """A status as it was written.

    Attributes:
        path: of the file.
        status: its whole content.
        set_aside: where the broken file went that stood there before, None where none was.
    """

    path: Path
    status: Status
    set_aside: Path | None = None


def update_agent_status(
    completed_module: str,
    next_task: str | None,
    *,
    path: str | Path | None = None,
    results_path: str | Path | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> StatusUpdate:
    """Return the status after noting a completed module, the next task and the measured metrics.

    A module is noted once, however often it is said. The metrics that `make targets` measures are
    replaced by what the results file says; one that it does not have is taken away. Everything else
    in the file stays as it is. A file that is no JSON object goes aside to a name of its own
    (`status.broken-1.json`), so does a copy of one whose entry of ours has the wrong shape.

    Safe between threads and processes: each waits for its turn, for at most ten seconds.

    Args:
        completed_module: its name, such as "cache".
        next_task: what comes now; None for nothing.
        path: the status file; by default that of the project which the working directory is in.
        results_path: by default `benchmarks/results/latest.json` of the status file's project.
        clock: says what time it is, with its zone.

    Raises:
        CoordinationError: a module or task that is no text, a file that cannot be read or written,
            a lock that is not given back, or results that are not what `make targets` writes.
    """
    _check_text("completed_module", completed_module)
    if next_task is not None:
        _check_text("next_task", next_task)

    def note(agent: Status) -> None:
        modules = [*agent["completed_modules"], completed_module]
        agent["completed_modules"] = list(dict.fromkeys(modules))
        agent["current_task"] = next_task

    return _write(note, _status_path(path), results_path, clock)


def refresh_metrics(
    *,
    path: str | Path | None = None,
    results_path: str | Path | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> StatusUpdate:
    """Return the status after bringing its metrics to what the results say, and nothing else.

    Arguments and errors are those of `update_agent_status`.
    """
    return _write(lambda _: None, _status_path(path), results_path, clock)


def read_status(path: str | Path | None = None) -> Status:
    """Return the status as the file says it.

    Raises:
        CoordinationError: there is no such file, or it is no JSON object.
    """
    found = _status_path(path)
    try:
        return _parsed(found.read_bytes())
    except FileNotFoundError:
        raise CoordinationError(
            f"there is no status at {found}; `status --update MODULE NEXT` makes one"
        ) from None
    except OSError as error:
        raise CoordinationError(f"status {found} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CoordinationError(
            f"status {found} {error}; the next update sets it aside and begins anew"
        ) from error


def _write(
    change: Callable[[Status], None],
    path: Path,
    results_path: str | Path | None,
    clock: Clock,
) -> StatusUpdate:
    results = path.parent.parent / RESULTS_FILE if results_path is None else Path(results_path)
    metrics = metrics_of(read_figures(results))
    now = _utc_text(clock())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f"{path.name}.lock"), wait_seconds=LOCK_WAIT_SECONDS):
            status, set_aside = _read_or_set_aside(path)
            agent = status[AGENT]
            change(agent)
            kept = {name: value for name, value in agent["metrics"].items() if name not in METRICS}
            agent["metrics"] = {**metrics, **kept}
            status[_LAST_UPDATE] = now
            with AtomicFile(path) as file:
                file.write(_json_bytes(status))
                file.commit()
    except TimeoutError as error:
        raise CoordinationError(
            f"status {path} is being written by somebody else: {error}; try again later"
        ) from error
    except OSError as error:
        raise CoordinationError(f"status {path} cannot be written: {error}") from error
    return StatusUpdate(path, status, set_aside)


def _read_or_set_aside(path: Path) -> tuple[Status, Path | None]:
    """Return the status with a whole entry of ours, and where a broken file went."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {AGENT: _completed({})}, None
    try:
        status = _parsed(content)
        fault = _fault(status.get(AGENT, {}))
    except ValueError as error:
        status, fault = {}, str(error)
    set_aside = None
    if fault is not None:
        set_aside = _copied_aside(path, content)
        _log.warning("status %s %s; it is set aside as %s", path, fault, set_aside)
        status = {name: value for name, value in status.items() if name != AGENT}
    status[AGENT] = _completed(status.get(AGENT, {}))
    return status, set_aside


def _parsed(content: bytes) -> Status:
    try:
        status = json.loads(content)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except ValueError as error:  # not UTF-8 is one too
        raise ValueError(f"is no JSON ({error})") from error
    if not isinstance(status, dict):
        raise ValueError(f"is no JSON object but {shown_value(status, 40)}")  # noqa: TRY004 - of the content
    return status


def _fault(agent: object) -> str | None:
    """Return what is wrong with our entry; keys may be missing, but not be something else."""
    if not isinstance(agent, dict):
        return f"has an {AGENT} that is no object"
    modules = agent.get("completed_modules", [])
    if not isinstance(modules, list) or not all(isinstance(each, str) for each in modules):
        return f"has completed_modules of {AGENT} that are no list of names"
    if not isinstance(agent.get("metrics", {}), dict):
        return f"has metrics of {AGENT} that are no object"
    return None


def _completed(agent: Status) -> Status:
    return {**json.loads(json.dumps(_NEW_AGENT)), **agent}


def _copied_aside(path: Path, content: bytes) -> Path:
    number = 0
    while True:
        number += 1
        aside = path.with_name(f"{path.stem}.broken-{number}{path.suffix}")
        try:
            with aside.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        return aside


def _status_path(path: str | Path | None) -> Path:
    if path is not None:
        return Path(path).absolute()
    here = Path.cwd()
    for mark in _MARKS:
        for folder in (here, *here.parents):
            if (folder / mark).exists():
                return folder / STATUS_FILE
    return here / STATUS_FILE


def _utc_text(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise CoordinationError(f"the clock says {moment}, without a zone; let it say datetime.UTC")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise CoordinationError(f"{name} is {shown_value(value)}; give a text that is not empty")


def _json_bytes(status: Status) -> bytes:
    try:
        text = json.dumps(status, indent=2, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8, but an escape
        text = json.dumps(status, indent=2).encode()
    return text + b"\n"
