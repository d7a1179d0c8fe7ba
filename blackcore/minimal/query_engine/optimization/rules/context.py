"""What rules are given, and what tells that one fired."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ...query import Condition, SortField
from ..logic import joined, members_of

if TYPE_CHECKING:
    from ..statistics import TableStatistics


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What a rule may know of the database, all of it proven, none of it estimated.

    Attributes:
        single_valued: dotted paths that pass through a list in no record; a path of one key
            never does.
        texts: paths whose values are strings or null in every record.
        unique: paths whose values differ in every two records, and are null in none.
    """

    single_valued: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    unique: frozenset[str] = frozenset()

    def is_single_valued(self, path: str) -> bool:
        """Return whether a path surely reaches one value per record at most."""
        return "." not in path or path in self.single_valued


def context_of(statistics: TableStatistics) -> RuleContext:
    """Return what the statistics prove; estimates prove nothing."""
    known, columns = statistics.fields, statistics.columns
    flat = {path for path in {*known, *columns} if is_single_valued(path, statistics)}
    texts = {path for path, state in columns.items() if state.kind == "string"}
    texts.update(path for path, each in known.items() if each.is_all_text)
    unique = frozenset(path for path, each in known.items() if each.is_unique)
    return RuleContext(frozenset(flat), frozenset(texts), unique)


def is_single_valued(path: str, statistics: TableStatistics) -> bool:
    """Return whether it is proven that a path reaches one value per record at most."""
    if "." not in path:
        return True
    state = statistics.columns.get(path)
    if state is not None and state.kind not in (None, "list"):
        return True  # only what passes through a list in no record has a flat column
    known = statistics.fields.get(path)
    return known is not None and known.is_exact and not known.through_list


@dataclass(frozen=True, slots=True)
class Ordering:
    """In which order rows are wanted, and how many of them.

    Attributes:
        sort_fields: the first decides, later ones break its ties.
        wanted_rows: the end of the page asked for, or more, so that later pages are there as well;
            None for all rows.
        distinct: whether equal rows are left out afterwards.
        searches: whether the rows come in the order of a search's scores.
        limit: how many rows of the order have to be found; None for all.
    """

    sort_fields: tuple[SortField, ...] = ()
    wanted_rows: int | None = None
    distinct: bool = False
    searches: bool = False
    limit: int | None = None

    def __str__(self) -> str:
        keys = ", ".join(f"{'-' if s.descending else ''}{s.field}" for s in self.sort_fields)
        rows = "all rows" if self.limit is None else f"first {self.limit:,} rows"
        return f"{rows} by {keys}" if keys else f"{rows} as they come"


ConditionRule: TypeAlias = Callable[[Condition, RuleContext], Condition]
"""Given one node of the condition tree, its members rewritten already, returns a node."""
OrderingRule: TypeAlias = Callable[[Ordering, RuleContext], Ordering]
Rule: TypeAlias = ConditionRule | OrderingRule


@dataclass(frozen=True, slots=True)
class RuleFired:
    """A rule that changed something: what stood there, and what stands there now.

    In words, only what differs is told of a group that stays one of its mode.
    """

    name: str
    old: Condition | Ordering
    new: Condition | Ordering

    @property
    def before(self) -> str:
        """What stood there, in words."""
        return str(_differing(self.old, self.new)[0])

    @property
    def after(self) -> str:
        """What stands there now."""
        return str(_differing(self.old, self.new)[1])

    def __str__(self) -> str:
        return f"{self.name}: {self.before} -> {self.after}"


def _differing(
    old: Condition | Ordering, new: Condition | Ordering
) -> tuple[Condition | Ordering, Condition | Ordering]:
    """Return what stands on one side only, where that tells the change."""
    mode = _mode(old) or _mode(new)
    if mode is None or isinstance(old, Ordering) or isinstance(new, Ordering):
        return old, new
    before, after = members_of(old, mode), members_of(new, mode)
    gone = [member for member in before if member not in after]
    come = [member for member in after if member not in before]
    return (joined(mode, gone), joined(mode, come)) if gone and come else (old, new)


def _mode(side: Condition | Ordering) -> Literal["and", "or"] | None:
    if isinstance(side, Ordering) or not side.is_group or side.negate:
        return None
    return side.mode
