"""The suite's questions about texts: parts, patterns, likeness, and what is nested in films."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from rapidfuzz import fuzz, process

from benchmarks.optimizer_flights import top
from benchmarks.optimizer_question import Question, Rows, nulls_last
from blackcore.minimal.query_engine import field

col = pl.col
NOTE = "HA51 JFK-HNL 2013-02-14 N380HA departed"


def ratio_of(texts: pl.Series, text: str) -> pl.Series:
    """Return how alike each text is to one, 0 to 100, as Polars and DuckDB are given it."""
    held = ["" if each is None else each for each in texts.to_list()]
    ratios = process.cdist([text], held, scorer=fuzz.ratio, dtype=np.float64)[0]
    return pl.Series(ratios).set(texts.is_null(), None)


def like(name: str, text: str, threshold: float) -> pl.Expr:
    """Return the Polars expression for a text that is alike."""
    ratios = col(name).map_batches(lambda s: ratio_of(s, text), return_dtype=pl.Float64)
    return ratios / 100 >= threshold


def _late_to_la(rows: Rows) -> Rows:
    rows = [r for r in rows if "LA" in r["dest"]]
    rows = [r for r in rows if r["distance"] > 1000]
    rows = [r for r in rows if r["carrier"] == "AA"]
    return sorted(rows, key=lambda r: nulls_last(r, "dep_delay", -1))[:100]


def _part_of_note(rows: Rows) -> Rows:
    rows = [r for r in rows if "N14228" in r["note"]]
    return [r for r in rows if r["dep_delay"] is not None and r["dep_delay"] > 120]


def _any_case(rows: Rows) -> Rows:
    rows = [r for r in rows if "-07-04t1" in r["time_hour"].casefold()]
    return [r for r in rows if r["dep_delay"] is not None and r["dep_delay"] > 60]


def _regex_tail(rows: Rows) -> Rows:
    rows = [r for r in rows if r["tailnum"] is not None and re.search("^N9.+D[EN]$", r["tailnum"])]
    return [r for r in rows if r["carrier"] == "DL"]


def _regex_note(rows: Rows) -> Rows:
    rows = [r for r in rows if re.search(r"^(UA|DL)\d{3} .*-0[78]-1\d", r["note"])]
    return [r for r in rows if r["dep_delay"] is not None and r["dep_delay"] > 300]


def _look_around(rows: Rows) -> Rows:
    rows = [r for r in rows if re.search(r"(?<!JFK-)HNL", r["note"])]
    rows = [r for r in rows if r["carrier"] in ("UA", "HA")]
    return [r for r in rows if r["month"] == 2]


def _fuzzy_tail(rows: Rows) -> Rows:
    rows = [
        r
        for r in rows
        if r["tailnum"] is not None and fuzz.ratio("N14228", r["tailnum"]) / 100 >= 0.8
    ]
    rows = [r for r in rows if r["origin"] == "EWR"]
    return [r for r in rows if r["distance"] > 2000]


def _fuzzy_note(rows: Rows) -> Rows:
    rows = [r for r in rows if fuzz.ratio(NOTE, r["note"]) / 100 >= 0.9]
    rows = [r for r in rows if r["month"] in (1, 2, 3)]
    return [r for r in rows if r["carrier"] == "HA"]


def _dear_or(rows: Rows) -> Rows:
    rows = [r for r in rows if re.search(r"N9\d\dDE", r["note"]) or r["distance"] > 4000]
    return [r for r in rows if r["arr_delay"] is not None and r["arr_delay"] > 180]


def _player(rows: Rows) -> Rows:
    rows = [r for r in rows if "Orson Welles" in r["cast"]]
    return [r for r in rows if r["year"] < 1960]


def _comedies(rows: Rows) -> Rows:
    rows = [r for r in rows if "new york" in r.get("extract", "").casefold()]
    rows = [r for r in rows if "Comedy" in r["genres"]]
    return [r for r in rows if 1950 <= r["year"] <= 1959]


def _wide_thumbnails(rows: Rows) -> Rows:
    rows = [r for r in rows if "detective" in r.get("extract", "")]
    rows = [r for r in rows if "thumbnail" in r and r["thumbnail"]["width"] > 300]
    return sorted(rows, key=lambda r: -r["year"])[:20]


QUESTIONS = (
    Question(
        title="text: AA to *LA*, far, latest first",
        by_hand=_late_to_la,
        ask=lambda q: (
            q.where(
                field("dest").contains("LA"), field("distance") > 1000, field("carrier") == "AA"
            )
            .sort("-dep_delay")
            .page(1, size=100)
        ),
        sql="WHERE contains(dest, 'LA') AND distance > 1000 AND carrier = 'AA' "
        "ORDER BY dep_delay DESC NULLS LAST, row_id LIMIT 100",
        lazy=lambda f: top(
            f.filter(
                col("dest").str.contains("LA", literal=True),
                col("distance") > 1000,
                col("carrier") == "AA",
            ),
            100,
            ["dep_delay"],
            [True],
        ),
        frame=lambda f: (
            f[f.dest.str.contains("LA", regex=False) & (f.distance > 1000) & (f.carrier == "AA")]
            .sort_values("dep_delay", ascending=False, kind="stable")
            .head(100)
        ),
    ),
    Question(
        title="text: a part of the note, late",
        by_hand=_part_of_note,
        ask=lambda q: q.where(field("note").contains("N14228"), field("dep_delay") > 120),
        sql="WHERE contains(note, 'N14228') AND dep_delay > 120",
        lazy=lambda f: f.filter(
            col("note").str.contains("N14228", literal=True), col("dep_delay") > 120
        ),
        frame=lambda f: f[f.note.str.contains("N14228", regex=False) & (f.dep_delay > 120)],
    ),
    Question(
        title="text: in any case, late",
        by_hand=_any_case,
        ask=lambda q: q.where(
            field("time_hour").contains("-07-04t1", case_sensitive=False), field("dep_delay") > 60
        ),
        sql="WHERE contains(lower(time_hour), '-07-04t1') AND dep_delay > 60",
        lazy=lambda f: f.filter(
            col("time_hour").str.to_lowercase().str.contains("-07-04t1", literal=True),
            col("dep_delay") > 60,
        ),
    ),
    Question(
        title="regex: tail number, then carrier",
        by_hand=_regex_tail,
        ask=lambda q: q.where(field("tailnum").regex("^N9.+D[EN]$"), field("carrier") == "DL"),
        sql="WHERE regexp_matches(tailnum, '^N9.+D[EN]$') AND carrier = 'DL'",
        lazy=lambda f: f.filter(col("tailnum").str.contains("^N9.+D[EN]$"), col("carrier") == "DL"),
    ),
    Question(
        title="regex: note, then a delay",
        by_hand=_regex_note,
        ask=lambda q: q.where(
            field("note").regex(r"^(UA|DL)\d{3} .*-0[78]-1\d"), field("dep_delay") > 300
        ),
        sql=r"WHERE regexp_matches(note, '^(UA|DL)\d{3} .*-0[78]-1\d') AND dep_delay > 300",
        lazy=lambda f: f.filter(
            col("note").str.contains(r"^(UA|DL)\d{3} .*-0[78]-1\d"), col("dep_delay") > 300
        ),
    ),
    Question(
        title="regex: look-around, then two cheap",
        by_hand=_look_around,
        ask=lambda q: q.where(
            field("note").regex(r"(?<!JFK-)HNL"),
            field("carrier").is_in(["UA", "HA"]),
            field("month") == 2,
        ),
        sql=None,
        lazy=None,
    ),
    Question(
        title="fuzzy: tail number, then two cheap",
        by_hand=_fuzzy_tail,
        ask=lambda q: q.where(
            field("tailnum").fuzzy("N14228"), field("origin") == "EWR", field("distance") > 2000
        ),
        sql="WHERE ratio(tailnum, 'N14228') / 100 >= 0.8 AND origin = 'EWR' AND distance > 2000",
        lazy=lambda f: f.filter(
            like("tailnum", "N14228", 0.8), col("origin") == "EWR", col("distance") > 2000
        ),
    ),
    Question(
        title="fuzzy: note, then two cheap",
        by_hand=_fuzzy_note,
        ask=lambda q: q.where(
            field("note").fuzzy(NOTE, 0.9),
            field("month").is_in([1, 2, 3]),
            field("carrier") == "HA",
        ),
        sql=f"WHERE ratio(note, '{NOTE}') / 100 >= 0.9 AND month IN (1, 2, 3) AND carrier = 'HA'",
        lazy=lambda f: f.filter(
            like("note", NOTE, 0.9), col("month").is_in([1, 2, 3]), col("carrier") == "HA"
        ),
    ),
    Question(
        title="or: a dear pattern or far, late",
        by_hand=_dear_or,
        ask=lambda q: q.where(
            field("note").regex(r"N9\d\dDE") | (field("distance") > 4000), field("arr_delay") > 180
        ),
        sql=r"WHERE (regexp_matches(note, 'N9\d\dDE') OR distance > 4000) AND arr_delay > 180",
        lazy=lambda f: f.filter(
            col("note").str.contains(r"N9\d\dDE") | (col("distance") > 4000),
            col("arr_delay") > 180,
        ),
    ),
    Question(
        title="nested: a player, before a year",
        by_hand=_player,
        ask=lambda q: q.where(field("cast").contains("Orson Welles"), field("year") < 1960),
        sql="WHERE list_contains(\"cast\", 'Orson Welles') AND year < 1960",
        lazy=lambda f: f.filter(col("cast").list.contains("Orson Welles"), col("year") < 1960),
        database="films",
    ),
    Question(
        title="nested: comedies of the fifties in New York",
        by_hand=_comedies,
        ask=lambda q: q.where(
            field("extract").contains("new york", case_sensitive=False),
            field("genres").contains("Comedy"),
            field("year").between(1950, 1959),
        ),
        sql="WHERE contains(lower(extract), 'new york') AND list_contains(genres, 'Comedy') "
        "AND year BETWEEN 1950 AND 1959",
        lazy=lambda f: f.filter(
            col("extract").str.to_lowercase().str.contains("new york", literal=True),
            col("genres").list.contains("Comedy"),
            col("year").is_between(1950, 1959),
        ),
        database="films",
    ),
    Question(
        title="nested: detectives, wide thumbnails, newest first",
        by_hand=_wide_thumbnails,
        ask=lambda q: (
            q.where(field("extract").contains("detective"), field("thumbnail.width") > 300)
            .sort("-year")
            .page(1, size=20)
        ),
        sql="WHERE contains(extract, 'detective') AND thumbnail.width > 300 "
        "ORDER BY year DESC, row_id LIMIT 20",
        lazy=lambda f: top(
            f.filter(
                col("extract").str.contains("detective", literal=True),
                col("thumbnail").struct.field("width") > 300,
            ),
            20,
            ["year"],
            [True],
        ),
        database="films",
    ),
)
