"""What loading a directory of JSON files costs, against decoding its bytes alone.

    python benchmarks/bench_loaders.py [--rounds 7] [--packed FILE.json.gz]

The yardstick is msgspec's decoding of bytes that are in memory already, with the garbage collector
as it normally is. Ours begins with a new loader on the directory and ends with the checked list.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec
import orjson

from blackcore.minimal.query_engine.loaders import JSONDataLoader
from examples.flights import flights_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    Contenders = dict[str, Callable[[], object]]

YARDSTICK = "msgspec, bytes in memory"
OURS = "ours, directory to records"


def contenders(directory: Path, database: str, packed: bytes | None, plain: bytes) -> Contenders:
    """Return the ways to the same records; the yardstick unpacks too where the file is packed."""
    decode = msgspec.json.Decoder().decode

    def unpacked() -> bytes:
        return plain if packed is None else gzip.decompress(packed)

    def without_collector() -> object:
        gc.disable()
        try:
            return decode(unpacked())
        finally:
            gc.enable()

    return {
        YARDSTICK: lambda: decode(unpacked()),
        "the same, collector off": without_collector,
        OURS: lambda: JSONDataLoader(directory).load_database(database),
        "orjson.loads": lambda: orjson.loads(unpacked()),
        "json.loads": lambda: json.loads(unpacked()),
    }


def measure(ways: Contenders, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way, round by round, all of them in each round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            gc.collect()
            began = time.perf_counter()
            rows = way()
            seconds[name].append(time.perf_counter() - began)
            del rows
    return seconds


def assert_equal(ways: Contenders) -> int:
    """Return the number of records, having checked that all ways give the same ones."""
    expected = next(iter(ways.values()))()
    assert isinstance(expected, list)
    for name, way in ways.items():
        assert way() == expected, name
    return len(expected)


def report(title: str, ways: Contenders, rounds: int) -> float:
    """Print one table; return ours against the yardstick, the median of the rounds' ratios."""
    records = assert_equal(ways)
    seconds = measure(ways, rounds)
    print(f"\n{title}: {records:,} records, {rounds} rounds")
    print(f"  {'':28}{'median ms':>10}{'min ms':>9}{'x yardstick':>13}")
    ratios = {}
    for name, times in seconds.items():
        pairs = zip(times, seconds[YARDSTICK], strict=True)
        ratios[name] = statistics.median(mine / base for mine, base in pairs)
        print(
            f"  {name:28}{statistics.median(times) * 1e3:10.0f}{min(times) * 1e3:9.0f}"
            f"{ratios[name]:13.2f}"
        )
    return ratios[OURS]


def report_small_calls(directory: Path, database: str, calls: int) -> None:
    """Print what the calls cost that come with every answer."""
    loader = JSONDataLoader(directory)
    loader.load_database(database)
    path = str(directory / f"{database}.json")
    ways: Contenders = {
        "os.stat alone": lambda: os.stat(path),  # noqa: PTH116 - the floor of what follows
        "database_version": lambda: loader.database_version(database),
        "load_database, kept": lambda: loader.load_database(database),
        "get_available_databases": loader.get_available_databases,
    }
    best: dict[str, float] = dict.fromkeys(ways, float("inf"))
    for _ in range(9):
        for name, way in ways.items():
            began = time.perf_counter()
            for _ in range(calls):
                way()
            best[name] = min(best[name], (time.perf_counter() - began) / calls)
    print("\nEach call, us, best of 9")
    for name, seconds in best.items():
        print(f"  {name:28}{seconds * 1e6:10.1f}")


def write_trips(flights: Path, directory: Path) -> Path:
    """Return a gzipped file of nested records: flights by plane and day.

    The garbage collector has to follow lists and dicts in dicts; flat records it need not.
    """
    grouped: dict[str, list[dict[str, object]]] = {}
    for row in orjson.loads((flights / "flights.json").read_bytes()):
        leg = {"from": row["origin"], "to": row["dest"], "delay": [row["dep_delay"]]}
        grouped.setdefault(f"{row['tailnum']} {row['month']}-{row['day']}", []).append(leg)
    trips = [{"trip": name, "legs": legs} for name, legs in grouped.items()]
    path = directory / "trips.json.gz"
    path.write_bytes(gzip.compress(orjson.dumps(trips), 6))
    return path


def run(flights: Path, packed_file: Path | None, scratch: Path, rounds: int) -> None:
    """Print all tables."""
    plain = (flights / "flights.json").read_bytes()
    title = f"flights.json, {len(plain) / 1e6:.1f} MB"
    ours = report(title, contenders(flights, "flights", None, plain), rounds)
    print(f"  ours / decoding alone: {ours:.2f} (to be at most 1.5)")
    del plain

    source = packed_file or write_trips(flights, scratch)
    folder = scratch / "packed"
    folder.mkdir()
    packed = source.read_bytes()
    (folder / "packed.json.gz").write_bytes(packed)
    plain = gzip.decompress(packed)
    ways = contenders(folder, "packed", packed, plain)
    decode = msgspec.json.Decoder().decode
    ways["msgspec, already unpacked"] = lambda: decode(plain)
    title = (
        f"{source.name}, {len(packed) / 1e6:.1f} MB, unpacked to {len(plain) / 1e6:.1f} each time"
    )
    report(title, ways, rounds)
    report_small_calls(flights, "airlines", calls=100 * rounds)


def main() -> None:
    """Run at full size; `--packed FILE.json.gz` takes another file of nested records."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--packed", type=Path, default=None)
    options = parser.parse_args()
    print(
        f"Python {platform.python_version()}, msgspec {msgspec.__version__}, orjson "
        f"{orjson.__version__}, {os.cpu_count()} cores, {platform.machine()} {platform.system()}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        run(flights_directory(), options.packed, Path(scratch), options.rounds)


def test_loading_gives_the_records_that_every_peer_gives(tmp_path: Path) -> None:
    rows = [
        {"tailnum": f"N{i % 7}", "month": 1, "day": i % 3, "origin": "JFK", "dest": "LAX"}
        | {"dep_delay": None if i % 5 == 0 else i}
        for i in range(200)
    ]
    flights = tmp_path / "flights"
    flights.mkdir()
    for name in ("flights", "airlines"):
        (flights / f"{name}.json").write_bytes(orjson.dumps(rows))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    run(flights, None, scratch, rounds=1)


if __name__ == "__main__":
    main()
