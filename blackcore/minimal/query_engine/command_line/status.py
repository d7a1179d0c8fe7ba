"""The status command: what the agents have done, do, and have measured."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from ..integration import read_status, update_agent_status
from ..query.values import json_text
from .output import note, say, show_table
from .tables import columns_of, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..integration.coordination import Status
    from .arguments import Arguments

    Row = dict[str, object]


def status(arguments: Arguments) -> int:
    """Show the status that the agents share, after noting what was done, if anything was.

    Raises:
        CoordinationError: it cannot be read or written.
    """
    if arguments.update is None:
        shown = read_status(arguments.file)
    else:
        module, next_task = arguments.update
        update = update_agent_status(
            module, next_task or None, path=arguments.file, results_path=arguments.results
        )
        shown = update.status
        if update.set_aside is not None:
            note(f"what stood there could not be read, and is kept as {update.set_aside}")
    if arguments.format == "json":
        say(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        _show(shown)
    return 0


def _show(status: Status) -> None:
    for key, agent in status.items():
        if isinstance(agent, dict):
            _show_agent(key, agent)
    metrics = list(_metrics(status))
    if metrics:
        show_table(columns_of(metrics))
    else:
        note("nothing is measured yet; `make targets` measures")
    if "last_update" in status:
        note(f"last update {_text(status['last_update'])}")


def _show_agent(key: str, agent: Status) -> None:
    say(" ".join(filter(None, (f"{key}:", _text(agent.get("name")), _in_brackets(agent)))))
    for title, name in (("completed", "completed_modules"), ("current task", "current_task")):
        value = agent.get(name)
        text = ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)
        lines = wrap(text, _TEXT_COLUMNS) or ["-"]
        for number, line in enumerate(lines):
            say(f"  {'' if number else title:14}{line}")
    say("")


def _in_brackets(agent: Status) -> str:
    status = _text(agent.get("status"))
    return f"({status})" if status else ""


def _text(value: object) -> str:
    """Return a value of somebody's JSON in one line."""
    if value is None:
        return ""
    return escaped(value if isinstance(value, str) else json_text(value))


def _metrics(status: Status) -> Iterator[Row]:
    """Yield a row for each metric, whoever's it is."""
    for key, agent in status.items():
        metrics = agent.get("metrics") if isinstance(agent, dict) else None
        for metric, figures in metrics.items() if isinstance(metrics, dict) else ():
            told = dict(figures) if isinstance(figures, dict) else {"": figures}
            met = told.pop("target_met", None)
            measured = ", ".join(f"{name} {_number(each)}".strip() for name, each in told.items())
            target = _VERDICTS.get(met) if isinstance(met, bool) else None
            yield {"agent": key, "metric": metric, "target": target, "measured": measured}


def _number(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:,.12g}" if is_number else _text(value)


_VERDICTS: Final = {True: "met", False: "missed"}
_TEXT_COLUMNS: Final = 84
