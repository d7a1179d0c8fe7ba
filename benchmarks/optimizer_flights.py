"""The suite's questions about flights: points, ranges, lists, groups, pages, and nearly all rows.

Conditions stand in the order in which somebody might write them, not in the best one.
"""

from __future__ import annotations

import polars as pl

from benchmarks.optimizer_question import Question, Rows, nulls_last
from blackcore.minimal.query_engine import field

col = pl.col
ISLANDS = ["HNL", "SJU", "STT", "BQN", "PSE"]
LARGE = ["UA", "B6", "EV", "DL", "AA", "MQ", "US"]


def top(
    lazy: pl.LazyFrame, count: int, by: list[str], falling: list[bool], skip: int = 0
) -> pl.LazyFrame:
    """Return the first rows of an order that ties do not leave open, of a Polars lazy frame."""
    ordered = lazy.sort([*by, "row_id"], descending=[*falling, False], nulls_last=True)
    return ordered.slice(skip, count)


def _one_flight(rows: Rows) -> Rows:
    rows = [r for r in rows if r["month"] == 1]
    rows = [r for r in rows if r["day"] == 1]
    return [r for r in rows if r["flight"] == 1545]


def _one_plane(rows: Rows) -> Rows:
    return [r for r in rows if r["tailnum"] == "N14228"]


def _one_note(rows: Rows) -> Rows:
    rows = [r for r in rows if r["distance"] > 500]
    return [r for r in rows if r["note"] == "UA1545 EWR-IAH 2013-01-01 N14228 departed"]


def _middle_distance(rows: Rows) -> Rows:
    rows = [r for r in rows if 500 <= r["distance"] <= 1100]
    return [r for r in rows if r["dep_delay"] is not None and r["dep_delay"] > 240]


def _very_late(rows: Rows) -> Rows:
    return [r for r in rows if r["dep_delay"] is not None and r["dep_delay"] > 300]


def _summer_evenings(rows: Rows) -> Rows:
    rows = [r for r in rows if 6 <= r["month"] <= 8]
    rows = [r for r in rows if r["hour"] >= 20]
    rows = [r for r in rows if r["air_time"] is not None and r["air_time"] > 300]
    return [r for r in rows if r["arr_delay"] is not None and r["arr_delay"] > 60]


def _winter_islands(rows: Rows) -> Rows:
    rows = [r for r in rows if r["month"] in (1, 2, 12)]
    rows = [r for r in rows if r["dest"] in ("HNL", "SJU", "STT", "BQN", "PSE")]
    return sorted(rows, key=lambda r: r["time_hour"])[:50]


def _small_carriers(rows: Rows) -> Rows:
    rows = [r for r in rows if r["carrier"] not in ("UA", "B6", "EV", "DL", "AA", "MQ", "US")]
    rows = [r for r in rows if r["origin"] != "LGA"]
    return [r for r in rows if r["hour"] >= 21]


def _cancelled(rows: Rows) -> Rows:
    rows = [r for r in rows if r["origin"] != "JFK"]
    rows = [r for r in rows if 6 <= r["month"] <= 8]
    return [r for r in rows if r["dep_time"] is None]


def _far_or_late(rows: Rows) -> Rows:
    return [
        r
        for r in rows
        if r["distance"] > 4900 or (r["dep_delay"] is not None and r["dep_delay"] > 900)
    ]


def _two_routes(rows: Rows) -> Rows:
    rows = [
        r
        for r in rows
        if (r["origin"] == "JFK" and r["dest"] == "LAX")
        or (r["origin"] == "EWR" and r["dest"] == "SFO")
    ]
    return [r for r in rows if r["dep_delay"] is not None and r["dep_delay"] > 240]


def _neither(rows: Rows) -> Rows:
    rows = [r for r in rows if not (r["carrier"] in ("UA", "B6", "EV") or r["distance"] < 2000)]
    return [r for r in rows if r["arr_delay"] is not None and r["arr_delay"] > 200]


def _latest(rows: Rows) -> Rows:
    return sorted(rows, key=lambda r: (nulls_last(r, "dep_delay", -1), r["time_hour"]))[:100]


def _longest(rows: Rows) -> Rows:
    rows = [r for r in rows if r["air_time"] is not None]
    return sorted(rows, key=lambda r: (-r["air_time"], r["carrier"]))[:20]


def _seventh_page(rows: Rows) -> Rows:
    rows = [r for r in rows if r["distance"] > 1000]
    rows = [r for r in rows if r["dest"] == "LAX"]
    return sorted(rows, key=lambda r: nulls_last(r, "arr_delay", -1))[600:700]


def _third_page(rows: Rows) -> Rows:
    return [r for r in rows if r["carrier"] == "UA"][200:300]


def _nearly_all(rows: Rows) -> Rows:
    rows = [r for r in rows if r["distance"] > 100]
    rows = [r for r in rows if r["month"] >= 1]
    rows = [r for r in rows if r["dest"] != "LEX"]
    return sorted(rows, key=lambda r: nulls_last(r, "dep_delay", -1))[:100]


def _late_half(rows: Rows) -> Rows:
    return [r for r in rows if r["month"] >= 7]


def _routes(rows: Rows) -> Rows:
    rows = [r for r in rows if r["distance"] > 500]
    rows = [r for r in rows if r["carrier"] == "HA"]
    seen = {(r["origin"], r["dest"], r["flight"]): None for r in rows}
    return [{"origin": o, "dest": d, "flight": f} for o, d, f in seen]


QUESTIONS = (
    Question(
        title="point: a flight on a day",
        by_hand=_one_flight,
        ask=lambda q: q.where(field("month") == 1, field("day") == 1, field("flight") == 1545),
        sql="WHERE month = 1 AND day = 1 AND flight = 1545",
        lazy=lambda f: f.filter(col("month") == 1, col("day") == 1, col("flight") == 1545),
        frame=lambda f: f[(f.month == 1) & (f.day == 1) & (f.flight == 1545)],
    ),
    Question(
        title="point: a plane",
        by_hand=_one_plane,
        ask=lambda q: q.where(field("tailnum") == "N14228"),
        sql="WHERE tailnum = 'N14228'",
        lazy=lambda f: f.filter(col("tailnum") == "N14228"),
        frame=lambda f: f[f.tailnum == "N14228"],
        orders=False,
    ),
    Question(
        title="point: a text that few have",
        by_hand=_one_note,
        ask=lambda q: q.where(
            field("distance") > 500, field("note") == "UA1545 EWR-IAH 2013-01-01 N14228 departed"
        ),
        sql="WHERE distance > 500 AND note = 'UA1545 EWR-IAH 2013-01-01 N14228 departed'",
        lazy=lambda f: f.filter(
            col("distance") > 500, col("note") == "UA1545 EWR-IAH 2013-01-01 N14228 departed"
        ),
    ),
    Question(
        title="range: middle distance, late",
        by_hand=_middle_distance,
        ask=lambda q: q.where(field("distance").between(500, 1100), field("dep_delay") > 240),
        sql="WHERE distance BETWEEN 500 AND 1100 AND dep_delay > 240",
        lazy=lambda f: f.filter(col("distance").is_between(500, 1100), col("dep_delay") > 240),
        frame=lambda f: f[f.distance.between(500, 1100) & (f.dep_delay > 240)],
    ),
    Question(
        title="range: very late",
        by_hand=_very_late,
        ask=lambda q: q.where(field("dep_delay") > 300),
        sql="WHERE dep_delay > 300",
        lazy=lambda f: f.filter(col("dep_delay") > 300),
        frame=lambda f: f[f.dep_delay > 300],
        orders=False,
    ),
    Question(
        title="range: four of them",
        by_hand=_summer_evenings,
        ask=lambda q: q.where(
            field("month").between(6, 8),
            field("hour") >= 20,
            field("air_time") > 300,
            field("arr_delay") > 60,
        ),
        sql="WHERE month BETWEEN 6 AND 8 AND hour >= 20 AND air_time > 300 AND arr_delay > 60",
        lazy=lambda f: f.filter(
            col("month").is_between(6, 8),
            col("hour") >= 20,
            col("air_time") > 300,
            col("arr_delay") > 60,
        ),
        frame=lambda f: f[
            f.month.between(6, 8) & (f.hour >= 20) & (f.air_time > 300) & (f.arr_delay > 60)
        ],
    ),
    Question(
        title="in: islands in winter, by time",
        by_hand=_winter_islands,
        ask=lambda q: (
            q.where(field("month").is_in([1, 2, 12]), field("dest").is_in(ISLANDS))
            .sort("time_hour")
            .page(1, size=50)
        ),
        sql="WHERE month IN (1, 2, 12) AND dest IN ('HNL', 'SJU', 'STT', 'BQN', 'PSE') "
        "ORDER BY time_hour, row_id LIMIT 50",
        lazy=lambda f: top(
            f.filter(col("month").is_in([1, 2, 12]), col("dest").is_in(ISLANDS)),
            50,
            ["time_hour"],
            [False],
        ),
        frame=lambda f: (
            f[f.month.isin([1, 2, 12]) & f.dest.isin(ISLANDS)]
            .sort_values("time_hour", kind="stable")
            .head(50)
        ),
    ),
    Question(
        title="not in: small carriers, late evening",
        by_hand=_small_carriers,
        ask=lambda q: q.where(
            ~field("carrier").is_in(LARGE), field("origin") != "LGA", field("hour") >= 21
        ),
        sql="WHERE carrier NOT IN ('UA', 'B6', 'EV', 'DL', 'AA', 'MQ', 'US') "
        "AND origin <> 'LGA' AND hour >= 21",
        lazy=lambda f: f.filter(
            ~col("carrier").is_in(LARGE), col("origin") != "LGA", col("hour") >= 21
        ),
        frame=lambda f: f[~f.carrier.isin(LARGE) & (f.origin != "LGA") & (f.hour >= 21)],
    ),
    Question(
        title="null: cancelled in summer, not from JFK",
        by_hand=_cancelled,
        ask=lambda q: q.where(
            field("origin") != "JFK", field("month").between(6, 8), field("dep_time").is_null()
        ),
        sql="WHERE origin <> 'JFK' AND month BETWEEN 6 AND 8 AND dep_time IS NULL",
        lazy=lambda f: f.filter(
            col("origin") != "JFK", col("month").is_between(6, 8), col("dep_time").is_null()
        ),
        frame=lambda f: f[(f.origin != "JFK") & f.month.between(6, 8) & f.dep_time.isna()],
    ),
    Question(
        title="or: very far or very late",
        by_hand=_far_or_late,
        ask=lambda q: q.where((field("distance") > 4900) | (field("dep_delay") > 900)),
        sql="WHERE distance > 4900 OR dep_delay > 900",
        lazy=lambda f: f.filter((col("distance") > 4900) | (col("dep_delay") > 900)),
        frame=lambda f: f[(f.distance > 4900) | (f.dep_delay > 900)],
        orders=False,
    ),
    Question(
        title="or: two routes, late",
        by_hand=_two_routes,
        ask=lambda q: q.where(
            ((field("origin") == "JFK") & (field("dest") == "LAX"))
            | ((field("origin") == "EWR") & (field("dest") == "SFO")),
            field("dep_delay") > 240,
        ),
        sql="WHERE ((origin = 'JFK' AND dest = 'LAX') OR (origin = 'EWR' AND dest = 'SFO')) "
        "AND dep_delay > 240",
        lazy=lambda f: f.filter(
            ((col("origin") == "JFK") & (col("dest") == "LAX"))
            | ((col("origin") == "EWR") & (col("dest") == "SFO")),
            col("dep_delay") > 240,
        ),
    ),
    Question(
        title="not or: neither large nor near, late",
        by_hand=_neither,
        ask=lambda q: q.where(
            ~(field("carrier").is_in(["UA", "B6", "EV"]) | (field("distance") < 2000)),
            field("arr_delay") > 200,
        ),
        sql="WHERE NOT (carrier IN ('UA', 'B6', 'EV') OR distance < 2000) AND arr_delay > 200",
        lazy=lambda f: f.filter(
            ~(col("carrier").is_in(["UA", "B6", "EV"]) | (col("distance") < 2000)),
            col("arr_delay") > 200,
        ),
    ),
    Question(
        title="sorted: all, latest first, then by time",
        by_hand=_latest,
        ask=lambda q: q.sort("-dep_delay", "time_hour").page(1, size=100),
        sql="ORDER BY dep_delay DESC NULLS LAST, time_hour, row_id LIMIT 100",
        lazy=lambda f: top(f, 100, ["dep_delay", "time_hour"], [True, False]),
        orders=False,
    ),
    Question(
        title="sorted: longest in the air, then by carrier",
        by_hand=_longest,
        ask=lambda q: (
            q.where(field("air_time").is_not_null()).sort("-air_time", "carrier").page(1, size=20)
        ),
        sql="WHERE air_time IS NOT NULL ORDER BY air_time DESC, carrier, row_id LIMIT 20",
        lazy=lambda f: top(
            f.filter(col("air_time").is_not_null()), 20, ["air_time", "carrier"], [True, False]
        ),
        orders=False,
    ),
    Question(
        title="paged: the seventh page of a sort",
        by_hand=_seventh_page,
        ask=lambda q: (
            q.where(field("distance") > 1000, field("dest") == "LAX")
            .sort("-arr_delay")
            .page(7, size=100)
        ),
        sql="WHERE distance > 1000 AND dest = 'LAX' "
        "ORDER BY arr_delay DESC NULLS LAST, row_id LIMIT 100 OFFSET 600",
        lazy=lambda f: top(
            f.filter(col("distance") > 1000, col("dest") == "LAX"), 100, ["arr_delay"], [True], 600
        ),
    ),
    Question(
        title="paged: the third page as the records come",
        by_hand=_third_page,
        ask=lambda q: q.where(field("carrier") == "UA").page(3, size=100),
        sql="WHERE carrier = 'UA' LIMIT 100 OFFSET 200",
        lazy=lambda f: f.filter(col("carrier") == "UA").slice(200, 100),
        orders=False,
    ),
    Question(
        title="unselective: nearly everything, latest first",
        by_hand=_nearly_all,
        ask=lambda q: (
            q.where(field("distance") > 100, field("month") >= 1, field("dest") != "LEX")
            .sort("-dep_delay")
            .page(1, size=100)
        ),
        sql="WHERE distance > 100 AND month >= 1 AND dest <> 'LEX' "
        "ORDER BY dep_delay DESC NULLS LAST, row_id LIMIT 100",
        lazy=lambda f: top(
            f.filter(col("distance") > 100, col("month") >= 1, col("dest") != "LEX"),
            100,
            ["dep_delay"],
            [True],
        ),
        orders=False,
    ),
    Question(
        title="unselective: half of all rows, all returned",
        by_hand=_late_half,
        ask=lambda q: q.where(field("month") >= 7),
        sql="WHERE month >= 7",
        lazy=lambda f: f.filter(col("month") >= 7),
        orders=False,
    ),
    Question(
        title="distinct: routes of a carrier",
        by_hand=_routes,
        ask=lambda q: (
            q.where(field("distance") > 500, field("carrier") == "HA")
            .select("origin", "dest", "flight")
            .distinct()
        ),
        sql="WHERE distance > 500 AND carrier = 'HA' "
        "GROUP BY origin, dest, flight ORDER BY min(row_id)",
        columns="origin, dest, flight",
        lazy=lambda f: (
            f.filter(col("distance") > 500, col("carrier") == "HA")
            .select("origin", "dest", "flight")
            .unique(maintain_order=True)
        ),
    ),
)
