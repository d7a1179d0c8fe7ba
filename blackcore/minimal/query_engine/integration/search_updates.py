"""What an update of records does to the cached searches of their database."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import QueryEngineError
from ..loaders.base import VersionedDataLoader
from ..query_log import in_background
from .carry_over import CarryOver, Verdict
from .row_changes import row_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data import Answer, Records
    from ..engine import QueryEngine
    from ..loaders.base import Record
    from ..settings import SearchAwareSettings
    from .kept_answers import KeptAnswers
    from .search_keeping import VictimsOfThread
    from .search_reach import SearchReach
    from .tracked_searches import Base, TrackedSearch, TrackedSearches

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidationReport:
    """What an update of records did to the cached searches of their database.

    Attributes:
        changed_rows: rows that are not what they were.
        considered: cached searches that were looked at.
        kept: of these, still right, and kept as they were.
        reranked: of these, kept with their rows in the order of new scores.
        reached: of these, dropped because they find a changed record.
        unproven: of these, dropped because nobody can say that they are still right.
        rewarmed: of the dropped, answered anew.
        elapsed_seconds: with loading, comparing and re-warming.
    """

    changed_rows: int = 0
    considered: int = 0
    kept: int = 0
    reranked: int = 0
    reached: int = 0
    unproven: int = 0
    rewarmed: int = 0
    elapsed_seconds: float = 0.0


class SearchUpdate:
    """One update of one database of an engine.

    Args:
        engine: whose loader has the new records.
        reach: knows the engine's search engine.
        tracked: the searches.
        kept: their answers in the cache.
        thread: told that what leaves the cache leaves by our own doing.
        settings: bounds of re-warming.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        engine: QueryEngine,
        reach: SearchReach,
        tracked: TrackedSearches,
        kept: KeptAnswers,
        *,
        thread: VictimsOfThread,
        settings: SearchAwareSettings,
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._reach = reach
        self._tracked = tracked
        self._kept = kept
        self._thread = thread
        self._settings = settings
        self._clock = clock

    def run(self, base: Base, given: list[Record]) -> InvalidationReport:
        """Load the database anew, keep what is still right, and answer the rest anew.

        Args:
            base: the version that the cached searches were answered from.
            given: records that are said to be changed, added or removed.

        Raises:
            LoaderError: the database cannot be loaded anew; its old answers are dropped.
        """
        start = self._clock()
        answers = self._answers_of(base)
        current = self._reloaded(base)
        changes = row_changes(base.records.rows, current.rows, given)
        self._reach.forget(base.records.rows)  # changed in place, they are another index
        # the given ones count even where the rows do not show it
        reaching = [*changes.before, *changes.after, *given]
        carry = CarryOver(self._reach, changes, reaching, current)
        dropped: list[TrackedSearch] = []
        verdicts: Counter[str] = Counter()
        for search, answer in answers:
            verdict = self._carry(carry, search, answer)
            verdicts[verdict] += 1
            if verdict in {"reached", "unproven"}:
                dropped.append(search)
        self._reach.forget(reaching)
        return InvalidationReport(
            changed_rows=changes.changed_rows,
            considered=len(answers),
            rewarmed=self._rewarm(dropped),
            elapsed_seconds=self._clock() - start,
            **verdicts,
        )

    def _answers_of(self, base: Base) -> list[tuple[TrackedSearch, Answer]]:
        found = {}
        for search in self._tracked.of_version(base.records):
            answer = self._kept.peek(search.key)
            if answer is not None:
                found[search.query.fingerprint] = (search, answer)
        return list({**base.let_go, **found}.values())

    def _reloaded(self, base: Base) -> Records:
        database, engine = base.records.name, self._engine
        is_versioned = isinstance(engine.loader, VersionedDataLoader)
        if not is_versioned or engine.records(database).version == base.records.version:
            engine.refresh(database)
        current = engine.records(database)
        self._tracked.rebase(current)
        return current

    def _carry(self, carry: CarryOver, search: TrackedSearch, answer: Answer) -> Verdict:
        version = carry.records.version
        try:
            carried = carry.carried(search.query, answer)
            key = self._engine.answer_key(search.query)
        except QueryEngineError:
            _log.warning("the answer to %r is dropped", search.query.search, exc_info=True)
            return "unproven"
        if carried.answer is None:
            return carried.verdict
        ttl = search.expires_at - self._clock()
        if ttl <= 0 or f"@{version}" not in key:
            return "unproven"
        carried.answer.ids.flags.writeable = False  # it is handed to every later caller
        if self._kept.peek(key) is not None:
            return carried.verdict  # somebody asked meanwhile
        tracked = self._tracked.track(
            search.query,
            key=key,
            version=version,
            cost_seconds=search.cost_seconds,
            weight_bytes=search.weight_bytes,
            ttl=ttl,
        )
        with self._thread.acting():
            factor = self._tracked.factor(tracked)
            is_kept = self._kept.keep(tracked, carried.answer, cost_factor=factor)
        return carried.verdict if is_kept else "unproven"

    def _rewarm(self, dropped: list[TrackedSearch]) -> int:
        engine = self._engine
        end = self._clock() + self._settings.rewarm_seconds
        wanted = sorted(dropped, key=self._tracked.interest, reverse=True)
        rewarmed = 0
        for search in wanted[: self._settings.max_rewarmed]:
            if self._clock() >= end:
                break
            try:
                with in_background(), self._thread.acting():
                    engine.execute(search.query)
                    key = engine.answer_key(search.query)
                    version = engine.records(search.query.database).version
            except QueryEngineError:
                _log.warning("re-warming %r failed", search.query.search, exc_info=True)
                continue
            rewarmed += 1
            self._tracked.track(
                search.query,
                key=key,
                version=version,
                cost_seconds=search.cost_seconds,
                weight_bytes=search.weight_bytes,
                ttl=self._kept.ttl_of(key),
            )
        return rewarmed
