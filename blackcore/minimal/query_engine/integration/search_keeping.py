"""Which answers to searches stay in the cache: those that are wanted most."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from ..cache.sizing import weigh_entry
from ..data import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..cache import EvictionCause
    from ..data import AnsweredQuery
    from ..engine import QueryEngine
    from ..settings import SearchAwareSettings
    from .kept_answers import KeptAnswers, RoomLeft
    from .tracked_searches import TrackedSearch, TrackedSearches


class SearchKeeping:
    """Learns from each search that an engine answered, and corrects what its cache did.

    A cache's policy sees keys, and lets go of whom it knows least. When the newcomer that it made
    room for is a search, and so is who had to leave, that one comes back if it is wanted more than
    some other answer, which goes in its place: the least wanted of a few drawn by chance, as
    sampling comes near the order of all at a cost that does not grow with them (Psounis and
    Prabhakar, "A randomized Web-cache replacement scheme", INFOCOM 2001). Wanted is counted for
    the room an answer takes, and under GDSF for the seconds it cost.

    Thread-safe.

    Args:
        tracked: the searches.
        kept: their answers in the cache.
        settings: bounds.
        clock: seconds that never go back.
        count: told what was done, by name.
    """

    def __init__(
        self,
        tracked: TrackedSearches,
        kept: KeptAnswers,
        settings: SearchAwareSettings,
        *,
        clock: Callable[[], float],
        count: Callable[..., None],
    ) -> None:
        self.thread: Final = VictimsOfThread()
        self._tracked = tracked
        self._kept = kept
        self._settings = settings
        self._clock = clock
        self._count = count

    def learn(self, event: AnsweredQuery, engine: QueryEngine) -> None:
        """Learn from one answer to a search, and see to it that what is wanted more is kept."""
        victims = self.thread.take_victims()
        query = event.query
        key = engine.answer_key(query)
        if f"@{event.version}" not in key:
            return  # a newer version came in between
        if self._tracked.needs_base(query.database, event.version):
            records = engine.records(query.database)
            if records.version == event.version:
                self._tracked.note_version(records)
        known = self._tracked.by_key(key)
        if known is None or not event.from_cache:
            known = self._track(event, key)
        self._tracked.asked(known)
        if event.from_cache:
            self._prolong(known)
            return
        with self.thread.acting():
            self._settle(known, victims)

    def _track(self, event: AnsweredQuery, key: str) -> TrackedSearch:
        query = event.query
        answer = self._kept.peek(key)
        return self._tracked.track(
            query,
            key=key,
            version=event.version,
            cost_seconds=self._cost_of(event),
            weight_bytes=0 if answer is None else weigh_entry(key, answer),
            ttl=self._kept.ttl_of(key),
        )

    def _cost_of(self, event: AnsweredQuery) -> float:
        """Return the least seconds that computing it took, which are what it takes undisturbed."""
        known = self._tracked.cost_of(event.query, event.version)
        if event.from_cache:
            return known or 0.0
        seconds = event.elapsed_ns / 1e9
        return seconds if known is None else min(known, seconds)

    def note_left(self, key: Hashable, value: object, cause: EvictionCause) -> None:
        """Note what leaves the cache."""
        search = self._tracked.by_key(key)
        if search is None or cause == "replaced" or not isinstance(value, Answer):
            return
        self._tracked.left(search.key)
        if cause == "capacity":
            self.thread.note_victim(search, value)
        elif cause == "invalidated":
            self._tracked.let_go(key, value)

    def _settle(self, newcomer: TrackedSearch, victims: list[tuple[TrackedSearch, Answer]]) -> None:
        """Have the least wanted leave for the newcomer; give it the time its interest calls for."""
        if victims and self._kept.memory is not None:
            self._exchange(newcomer, victims)
        factor = self._tracked.factor(newcomer)
        answer = self._kept.peek(newcomer.key) if factor != 1.0 else None
        if answer is not None:
            until = newcomer.kept_at + newcomer.ttl_seconds * factor
            self._kept.keep(self._tracked.prolonged(newcomer, until), answer, cost_factor=factor)

    def _prolong(self, search: TrackedSearch) -> None:
        """Give an answer whose time is half over the time that the interest in it now calls for."""
        if self._clock() < (search.kept_at + search.expires_at) / 2:
            return
        factor = self._tracked.factor(search)
        until = search.kept_at + search.ttl_seconds * factor
        if until <= search.expires_at:
            return
        answer = self._kept.peek(search.key)
        if answer is not None:
            with self.thread.acting():
                self._kept.keep(self._tracked.prolonged(search, until), answer, cost_factor=factor)

    def _exchange(
        self, newcomer: TrackedSearch, victims: list[tuple[TrackedSearch, Answer]]
    ) -> None:
        """Bring back who is wanted more than others, which go."""
        now = self._clock()
        room = self._kept.room()
        candidates = self._candidates(newcomer, room)
        returning = [
            (self._worth(search), search, answer)
            for search, answer in victims
            if search.expires_at > now and self._is_current(search)
        ]
        for worth, search, answer in sorted(returning, key=lambda each: -each[0]):
            lacking = room.taken_by(search) - room.left
            leaving: list[TrackedSearch] = []
            while lacking > 0 and candidates:
                others_worth, other = candidates.pop()
                worth -= others_worth  # noqa: PLW2901 - what coming back is still worth
                leaving.append(other)
                lacking -= room.taken_by(other)
            if lacking > 0 or worth <= 0:
                return  # there is nobody whose place it should take
            room.left += sum(map(room.taken_by, leaving)) - room.taken_by(search)
            factor = self._tracked.factor(search)
            self._kept.exchange(leaving, search, answer, cost_factor=factor)
            self._tracked.came(search.key)
            self._count(brought_back=1, turned_away=newcomer in leaving)

    def _candidates(
        self, newcomer: TrackedSearch, room: RoomLeft
    ) -> list[tuple[float, TrackedSearch]]:
        """Return some kept searches with what they are worth, the least for its room last."""
        drawn = self._tracked.draw_kept(self._settings.compared_searches)
        found = [
            (self._worth(search), search)
            for search in {each.key: each for each in (newcomer, *drawn)}.values()
            if self._kept.memory is not None and search.key in self._kept.memory
        ]
        return sorted(found, key=lambda each: -each[0] / room.taken_by(each[1]))

    def _worth(self, search: TrackedSearch) -> float:
        """Return the hits to be expected; where the policy looks at costs, the seconds saved."""
        interest = self._tracked.interest(search)
        return interest * search.cost_seconds if self._kept.weighs_cost else interest

    def _is_current(self, search: TrackedSearch) -> bool:
        return not self._tracked.needs_base(search.query.database, search.version)


class VictimsOfThread(threading.local):
    """Who had to leave the cache for what this thread has just kept."""

    def __init__(self) -> None:
        self._victims: list[tuple[TrackedSearch, Answer]] = []
        self._acting = 0

    def acting(self) -> VictimsOfThread:
        """Pass over who leaves inside: what is kept there is our own doing."""
        return self

    def __enter__(self) -> None:
        self._acting += 1

    def __exit__(self, *error: object) -> None:
        self._acting -= 1

    def note_victim(self, search: TrackedSearch, answer: Answer) -> None:
        """Remember who had to leave."""
        if not self._acting:
            self._victims.append((search, answer))

    def take_victims(self) -> list[tuple[TrackedSearch, Answer]]:
        """Return who had to leave since the last time."""
        victims = self._victims
        if victims:
            self._victims = []
        return victims
