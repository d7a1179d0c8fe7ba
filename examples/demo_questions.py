"""The demo's questions: each by hand, one comprehension per filter, and as the engine is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz

from blackcore.minimal.query_engine import QueryEngine, QueryResult, field
from blackcore.minimal.query_engine.optimization import Explanation
from blackcore.minimal.query_engine.query import Query

Row = dict[str, Any]  # whatever the JSON held; the comprehensions below know their fields
Database = list[Row]
Asked = Query[QueryResult, Explanation]


@dataclass(frozen=True, slots=True)
class Question:
    """A question in words, by hand over the rows, and put to the engine."""

    title: str
    by_hand: Callable[[Database], Database]
    ask: Callable[[Asked], Asked]
    database: str = "flights"


def _late_to_la(rows: Database) -> Database:
    rows = [r for r in rows if r["carrier"] == "AA"]
    rows = [r for r in rows if r["distance"] > 1000]
    rows = [r for r in rows if "LA" in r["dest"]]
    rows = sorted(rows, key=_delay_falling)
    return rows[:100]


def _delay_falling(row: Row) -> tuple[bool, float]:
    delay = row["dep_delay"]
    return (delay is None, 0 if delay is None else -delay)


def _one_flight(rows: Database) -> Database:
    rows = [r for r in rows if r["flight"] == 1545]
    rows = [r for r in rows if r["month"] == 1]
    return [r for r in rows if r["day"] == 1]


def _regex_first(rows: Database) -> Database:
    rows = [r for r in rows if r["tailnum"] is not None and re.search("^N9.+D[EN]$", r["tailnum"])]
    return [r for r in rows if r["carrier"] == "DL"]


def _fuzzy_first(rows: Database) -> Database:
    rows = [
        r
        for r in rows
        if r["tailnum"] is not None and fuzz.ratio("N14228", r["tailnum"]) / 100 >= 0.8
    ]
    rows = [r for r in rows if r["origin"] == "EWR"]
    return [r for r in rows if r["distance"] > 2000]


def _folded_text(rows: Database) -> Database:
    rows = [r for r in rows if "-07-04t1" in r["time_hour"].casefold()]
    return [r for r in rows if r["dep_delay"] is not None and r["dep_delay"] > 60]


def _winter_islands(rows: Database) -> Database:
    rows = [r for r in rows if r["dest"] in ("HNL", "SJU", "STT", "BQN", "PSE")]
    rows = [r for r in rows if r["month"] in (1, 2, 12)]
    return sorted(rows, key=lambda r: r["time_hour"])[:50]


def _cancelled(rows: Database) -> Database:
    rows = [r for r in rows if r["dep_time"] is None]
    rows = [r for r in rows if 6 <= r["month"] <= 8]
    return [r for r in rows if r["origin"] != "JFK"]


def _long_or_late(rows: Database) -> Database:
    return [
        r
        for r in rows
        if (r["distance"] > 4900) or (r["dep_delay"] is not None and r["dep_delay"] > 900)
    ]


def _unselective(rows: Database) -> Database:
    rows = [r for r in rows if r["distance"] > 100]
    rows = [r for r in rows if r["month"] >= 1]
    rows = [r for r in rows if r["dest"] != "LEX"]
    return sorted(rows, key=_delay_falling)[:100]


def _slowest(rows: Database) -> Database:
    rows = [r for r in rows if r["air_time"] is not None]
    return sorted(rows, key=lambda r: (-r["air_time"], r["carrier"]))[:20]


def _not_these(rows: Database) -> Database:
    rows = [r for r in rows if r["carrier"] not in ("UA", "B6", "EV", "DL", "AA", "MQ", "US")]
    return [r for r in rows if not (r["origin"] == "LGA" or r["hour"] < 19)]


def _routes(rows: Database) -> Database:
    rows = [r for r in rows if r["carrier"] == "HA"]
    seen = {(r["origin"], r["dest"], r["flight"]): None for r in rows}
    return [{"origin": o, "dest": d, "flight": f} for o, d, f in seen]


def _high_regional(rows: Database) -> Database:
    rows = [
        r
        for r in rows
        if any("regional" in re.findall(r"\w+", v.casefold()) for v in r.values() if type(v) is str)
    ]
    rows = [r for r in rows if r["alt"] > 500]
    return sorted(rows, key=lambda r: -r["alt"])[:50]


QUESTIONS = (
    Question(
        "AA to *LA*, over 1,000 miles, latest first",
        _late_to_la,
        lambda q: (
            q.where(
                field("carrier") == "AA", field("distance") > 1000, field("dest").contains("LA")
            )
            .sort("-dep_delay")
            .page(1, size=100)
        ),
    ),
    Question(
        "one flight on one day",
        _one_flight,
        lambda q: q.where(field("flight") == 1545, field("month") == 1, field("day") == 1),
    ),
    Question(
        "tail number by pattern, then carrier",
        _regex_first,
        lambda q: q.where(field("tailnum").regex("^N9.+D[EN]$"), field("carrier") == "DL"),
    ),
    Question(
        "tail number misspelt, then two cheap filters",
        _fuzzy_first,
        lambda q: q.where(
            field("tailnum").fuzzy("N14228"), field("origin") == "EWR", field("distance") > 2000
        ),
    ),
    Question(
        "text in any case, then a delay",
        _folded_text,
        lambda q: q.where(
            field("time_hour").contains("-07-04t1", case_sensitive=False), field("dep_delay") > 60
        ),
    ),
    Question(
        "islands in winter, by time",
        _winter_islands,
        lambda q: (
            q.where(
                field("dest").is_in(["HNL", "SJU", "STT", "BQN", "PSE"]),
                field("month").is_in([1, 2, 12]),
            )
            .sort("time_hour")
            .page(1, size=50)
        ),
    ),
    Question(
        "cancelled in summer, not from JFK",
        _cancelled,
        lambda q: q.where(
            field("dep_time").is_null(), field("month").between(6, 8), field("origin") != "JFK"
        ),
    ),
    Question(
        "very far or very late",
        _long_or_late,
        lambda q: q.where((field("distance") > 4900) | (field("dep_delay") > 900)),
    ),
    Question(
        "nearly everything, latest first",
        _unselective,
        lambda q: (
            q.where(field("distance") > 100, field("month") >= 1, field("dest") != "LEX")
            .sort("-dep_delay")
            .page(1, size=100)
        ),
    ),
    Question(
        "longest in the air, then by carrier",
        _slowest,
        lambda q: (
            q.where(field("air_time").is_not_null()).sort("-air_time", "carrier").page(1, size=20)
        ),
    ),
    Question(
        "small carriers, evenings, not from LGA",
        _not_these,
        lambda q: q.where(
            ~field("carrier").is_in(["UA", "B6", "EV", "DL", "AA", "MQ", "US"]),
            ~((field("origin") == "LGA") | (field("hour") < 19)),
        ),
    ),
    Question(
        "regional airports by text search, highest first",
        _high_regional,
        lambda q: q.search("regional").where(field("alt") > 500).sort("-alt").page(1, size=50),
        database="airports",
    ),
    Question(
        "routes of one carrier, each once",
        _routes,
        lambda q: q.where(field("carrier") == "HA").select("origin", "dest", "flight").distinct(),
    ),
)


def asked(engine: QueryEngine, question: Question) -> Asked:
    """Return the question as the engine is asked it."""
    return question.ask(engine.query(question.database))
