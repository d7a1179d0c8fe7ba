"""The example tells its story to the end."""

from __future__ import annotations

import re

import pytest

from examples.profile_a_slow_query import main


@pytest.mark.deep
def test_example_finds_the_slow_query_and_shows_a_gain(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    story = capsys.readouterr().out
    assert "tailnum regex '^N(?!0)" in story
    assert "bottleneck: filter took" in story
    assert re.search(r"4\. .* ms became .* ms: [\d.]+ times faster", story)
