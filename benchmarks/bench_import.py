"""What an import costs, beside importing what it stands on.

python benchmarks/bench_import.py [--rounds 15]

Each import has a fresh process; rounds interleave them, and the least processor time of each counts
(which other work on the machine disturbs less than the clock), without that of an empty process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EMPTY = "pass"
IMPORTS = {
    "an empty process": EMPTY,
    "polars and pydantic": "import polars, pydantic",
    "polars and pydantic's models": "import polars; from pydantic import BaseModel",
    "all that we depend on": (
        "import polars, numpy, orjson, msgspec, psutil, regex, rapidfuzz.process, asyncio, sqlite3;"
        "from pydantic import BaseModel"
    ),
    "import blackcore.minimal.query_engine": "import blackcore.minimal.query_engine",
    "from it import QueryEngine, field": (
        "from blackcore.minimal.query_engine import QueryEngine, field"
    ),
    "from it import everything": "from blackcore.minimal.query_engine import *",
}
BASES = ("polars and pydantic", "polars and pydantic's models")
JUDGED = "import blackcore.minimal.query_engine"
TARGET = 1.5


def processor_seconds(code: str) -> float:
    """Return what a fresh Python takes to run some code and to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)  # noqa: S603 - our own code
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def least_seconds(imports: dict[str, str], rounds: int) -> dict[str, float]:
    """Return the least seconds of each import, of some rounds, beyond those of an empty process."""
    least = dict.fromkeys(imports, float("inf"))
    for _ in range(rounds):
        for name, code in imports.items():
            least[name] = min(least[name], processor_seconds(code))
    empty = least["an empty process"]
    return {name: seconds - empty for name, seconds in least.items()}


def report(imports: dict[str, str], rounds: int) -> None:
    """Print a line for each import."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("polars", "pydantic", "numpy"))
    print(f"Python {sys.version.split()[0]}, {versions}\n{'':42}{'ms':>8}{'x of':>10}{'x of':>10}")
    seconds = least_seconds(imports, rounds)
    bases = [seconds[name] for name in BASES]
    for name, each in seconds.items():
        ratios = "".join(f"{each / max(base, 1e-9):10.2f}" for base in bases)
        print(f"{name:42}{each * 1e3:8.0f}{ratios}")
    ratio = seconds[JUDGED] / max(bases[0], 1e-9)
    verdict = "met" if ratio <= TARGET else "MISSED"
    print(f"{JUDGED}: {ratio:.2f} of polars and pydantic (at most {TARGET}: {verdict})")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    report(IMPORTS, parser.parse_args().rounds)


def test_import_bench_runs_small() -> None:
    report({name: IMPORTS[name] for name in ("an empty process", *BASES, JUDGED)}, 1)


if __name__ == "__main__":
    main()
