"""The example tells its story to the end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from examples.profile_a_slow_query import main


def check_story(story: str) -> None:
    log, before, after, end = re.split(r"^\d\. ", story, flags=re.MULTILINE)[1:]
    assert "tailnum regex '^N(?!0)" in log
    assert re.search(r"in the log, \d times", log)
    assert "bottleneck: filter took" in before
    assert "The hottest function is" in before
    assert "tailnum regex '^N[1-9]" in after
    [(slow, fast, factor)] = re.findall(r"(\S+) ms became (\S+) ms: (\S+) times faster", end)
    assert float(slow) > 0
    assert float(fast) >= 0
    assert float(factor) > 0


def test_example_finds_the_slow_query_and_asks_better(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flights = [
        {
            "carrier": "HA" if n % 9 == 0 else "AA",
            "month": n % 12 + 1,
            "dest": ("LAX", "BOS")[n % 2],
            "dep_delay": n % 100,
            "tailnum": f"N{n}{'AA' if n % 3 else 'UA'}",
            "distance": n % 3000,
        }
        for n in range(8_000)
    ]
    (tmp_path / "flights.json").write_text(json.dumps(flights))
    main(tmp_path)
    check_story(capsys.readouterr().out)


@pytest.mark.deep
def test_example_tells_its_story_of_all_flights(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    check_story(capsys.readouterr().out)
