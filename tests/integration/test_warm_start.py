"""A process ends, a new one warms, and what was asked before is a hit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_PROCESS = """
import asyncio, random, sys
sys.path.insert(0, sys.argv[1])
from blackcore.minimal.query_engine import (
    CacheWarmer, EngineSettings, JSONDataLoader, MemoryCache, QueryEngine, QueryFilter,
    QueryLogSettings, QueryPagination, SortField, StructuredQuery,
)

loader, cache = JSONDataLoader(sys.argv[2]), MemoryCache(max_size_mb=64)
if sys.argv[3] == "warm":
    print(asyncio.run(CacheWarmer(cache, loader).warm_common_queries()))
settings = EngineSettings(query_log=QueryLogSettings())
engine = QueryEngine(loader, cache=cache, settings=settings)
draw = random.Random(7)
hits = 0
for _ in range(100):
    query = StructuredQuery(
        "flights",
        [
            QueryFilter("carrier", "eq", draw.choice("ABCDEF")),
            QueryFilter("day", "gt", draw.randrange(4)),
        ],
        sort_fields=[SortField("delay", "desc")],
        pagination=QueryPagination(draw.randint(1, 3), 10),
        search=draw.choice([None, "delta", "alpha"]),
    )
    hits += engine.execute(query).from_cache
print(hits)
"""


def test_a_new_process_that_warms_hits_with_all_of_the_first_hundred_questions(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = [
        {
            "carrier": "ABCDEF"[n % 6],
            "day": n % 7,
            "delay": n * 7919 % 101,
            "note": ["alpha", "delta wing", "none"][n % 3],
        }
        for n in range(6_000)
    ]
    (data / "flights.json").write_text(json.dumps(rows))
    root = str(Path(__file__).resolve().parents[2])
    # the log is found in the user's folder for such things: nobody names it
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}

    def hits(start: str) -> int:
        command = [sys.executable, "-c", _PROCESS, root, str(data), start]
        done = subprocess.run(  # noqa: S603 - our own code
            command, capture_output=True, text=True, check=True, env=environment
        )
        return int(done.stdout.split()[-1])

    assert hits("cold") < 90
    assert hits("warm") == 100
