"""Find the slow query in the log, see where its time goes, ask better, and compare.

python examples/profile_a_slow_query.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from blackcore.minimal.query_engine import JSONDataLoader, QueryEngine, field
from blackcore.minimal.query_engine.optimization.profiler import QueryProfiler
from blackcore.minimal.query_engine.optimization.profiling import SlowQuery, SlowQueryLog
from blackcore.minimal.query_engine.settings import SlowQueryLogSettings
from examples.flights import flights_directory


def a_day_of_questions(engine: QueryEngine, log: SlowQueryLog) -> None:
    """Ask what somebody might ask, with the log looking on."""
    flights = engine.query("flights")
    questions = [
        flights.where(field("carrier") == "HA").sort("-dep_delay").page(1, 20),
        flights.where(field("month") == 6, field("dest") == "LAX").page(1, 20),
        # look-around runs value by value, over every flight there is
        flights.where(field("tailnum").regex(r"^N(?!0)\d+AA$"), field("distance") > 0),
    ]
    for question in questions:
        question.run()  # the first answer also reads the file and builds columns
    stop = engine.add_observer(log)
    for question in questions * 5:
        question.run()
    stop()


def slowest(entries: list[SlowQuery]) -> list[SlowQuery]:
    """Return the entries of the question that is slow most often, and then slowest."""
    asked: dict[str, list[SlowQuery]] = {}
    for entry in entries:
        asked.setdefault(entry.fingerprint, []).append(entry)
    return max(asked.values(), key=lambda them: (len(them), median(e.elapsed_ms for e in them)))


def main(directory: Path | None = None) -> None:
    """Tell the story in four steps, of the flights in a directory or of all from New York."""
    # without a cache each run computes, so that what is compared is the work
    engine = QueryEngine(JSONDataLoader(directory or flights_directory()), cache=False)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "slow.jsonl"
        a_day_of_questions(engine, SlowQueryLog(path, SlowQueryLogSettings(threshold_ms=1)))
        times = slowest(SlowQueryLog.read(path))
    slow = times[-1]
    print(f"1. The question that is slowest in the log, {len(times)} times\n{slow}\n")
    if slow.query is None:
        raise SystemExit("the log does not give the query back")

    profiler = QueryProfiler()
    before = profiler.profile_query(engine, slow.query, repeat=5)
    print(f"2. Where its time goes\n{before}\n")
    hottest = before.execution.hottest(1)[0]
    print(f"The hottest function is {hottest.name} ({hottest.place}).\n")

    # the same flights: the pattern's look-ahead says "no 0 after the N", which a class says too
    better = engine.query("flights").where(
        field("tailnum").regex(r"^N[1-9]\d*AA$"), field("distance") > 0
    )
    if better.run().data != engine.execute(slow.query).data:
        raise SystemExit("the two questions have different answers")
    after = profiler.profile_query(engine, better, repeat=5)
    print(f"3. The same question without look-around\n{after}\n")
    gain = before.median_ms / after.median_ms
    print(f"4. {before.median_ms:.1f} ms became {after.median_ms:.1f} ms: {gain:.1f} times faster")


if __name__ == "__main__":
    main()
