"""The records of the optimizer's suite: three years of flights with a note each, and films."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.optimizer_question import Row, Rows
from examples.flights import flights_directory

COPIES = 3


def flights(copies: int = COPIES) -> Rows:
    """Return the flights that left New York, `copies` times, each a record of its own."""
    decode = msgspec.json.Decoder(list[dict[str, Any]]).decode
    content = (flights_directory() / "flights.json").read_bytes()
    return [noted(row) for _ in range(copies) for row in decode(content)]


def noted(row: Row) -> Row:
    """Return a flight with a line of text that hardly another one has."""
    row["note"] = (
        f"{row['carrier']}{row['flight']} {row['origin']}-{row['dest']} "
        f"{row['time_hour'][:10]} {row['tailnum'] or 'unknown'} "
        f"{'cancelled' if row['dep_time'] is None else 'departed'}"
    )
    return row


def made_flights(count: int, seed: int = 3) -> Rows:
    """Return seeded records that look like flights, for runs without the real ones."""
    draw = random.Random(seed)  # noqa: S311 - test data
    carriers = ("UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX", "FL", "AS", "F9", "HA")
    destinations = ("ATL", "LAX", "SFO", "BOS", "HNL", "SJU", "STT", "CLT", "MIA", "LAS", "LEX")
    tails = [f"N{draw.randrange(10_000, 99_999)}" for _ in range(300)]
    tails += [f"N{draw.randrange(900, 999)}D{draw.choice('ENL')}" for _ in range(40)]
    made = []
    for _ in range(count):
        month, day, hour = draw.randint(1, 12), draw.randint(1, 28), draw.randint(5, 23)
        gone = draw.random() > 0.03
        delay = int(draw.expovariate(1 / 40)) - 15
        made.append(
            {
                "year": 2013,
                "month": month,
                "day": day,
                "hour": hour,
                "carrier": draw.choices(carriers, range(28, 0, -2))[0],
                "flight": draw.randrange(1, 2_000),
                "tailnum": draw.choice(tails) if draw.random() > 0.01 else None,
                "origin": draw.choice(("JFK", "LGA", "EWR")),
                "dest": draw.choice(destinations),
                "distance": draw.randrange(80, 4_984),
                "dep_time": hour * 100 if gone else None,
                "dep_delay": delay if gone else None,
                "arr_delay": delay + draw.randrange(-20, 20) if gone else None,
                "air_time": draw.randrange(20, 690) if gone else None,
                "time_hour": f"2013-{month:02}-{day:02}T{hour:02}:00:00Z",
            }
        )
    return [noted(row) for row in made]


def films(path: str | Path | None) -> Rows:
    """Return the films of a gzipped JSON list, made ones for None; thumbnails are objects."""
    if path is None:
        return made_films(36_000)
    rows: Rows = msgspec.json.decode(gzip.decompress(Path(path).read_bytes()))
    return [_with_thumbnail(row) for row in rows]


def _with_thumbnail(row: Row) -> Row:
    names = ("thumbnail", "thumbnail_width", "thumbnail_height")
    kept = {name: value for name, value in row.items() if name not in names}
    if "thumbnail" in row:
        width, height = row["thumbnail_width"], row["thumbnail_height"]
        kept["thumbnail"] = {"url": row["thumbnail"], "width": width, "height": height}
    return kept


def made_films(count: int, seed: int = 5) -> Rows:
    """Return seeded records that look like films, with gaps as the real ones have."""
    draw = random.Random(seed)  # noqa: S311 - test data
    words = ["love", "war", "river", "night", "of", "the", "American", "comedy", "film", "York"]
    words += ["New York City", "detective", "murder", "directed", "by", "Welles", "a", "drama"]
    players = [f"{first} {last}" for first in ("Ann", "Bo", "Cy", "Dee", "Orson")
               for last in ("Reed", "Stone", "Welles", "Young", "Price", "Novak")]  # fmt: skip
    genres = ["Comedy", "Drama", "Western", "Silent", "Crime", "Musical", "Horror", "Noir"]
    made = []
    for number in range(count):
        row: Row = {
            "title": " ".join(draw.choices(words, k=3)).title(),
            "year": 1900 + 123 * number // count,
            "cast": draw.sample(players, draw.randrange(6)),
            "genres": draw.sample(genres, draw.randrange(3)),
        }
        if draw.random() > 0.05:
            row["extract"] = " ".join(draw.choices(words, k=60))
        if draw.random() > 0.15:
            size = {"width": draw.randrange(150, 400), "height": draw.randrange(200, 500)}
            row["thumbnail"] = {"url": f"https://example.org/{number}.jpg", **size}
        made.append(row)
    return made
