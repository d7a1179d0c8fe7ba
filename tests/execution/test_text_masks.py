"""What distinct strings answer is answered for the rows that have them, whichever way is short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.execution import text_masks
from blackcore.minimal.query_engine.execution.text_masks import _picked

CODES = np.array([*range(-1, 60), *range(59, -2, -1)], dtype=np.int16)


@st.composite
def answers(draw: st.DrawFn) -> list[bool]:
    """Return answers in runs, as those of texts with a prefix in common are."""
    runs = draw(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), min_size=1, max_size=9))
    told = [answer for answer, count in runs for _ in range(count)]
    return ([*told, *([False] * 60)])[:60]


@given(answers(), st.booleans())
def test_each_code_has_the_answer_of_its_text(told: list[bool], of_null: bool) -> None:
    every = np.array([*told, of_null])
    assert _picked(every, CODES).tolist() == [every[code] for code in CODES]


def test_a_few_runs_of_codes_are_compared_by_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    in_runs = text_masks._in_runs
    monkeypatch.setattr(
        text_masks, "_in_runs", lambda *parts: (asked.append(parts[1:]), in_runs(*parts))[1]
    )
    every = np.zeros(61, dtype=np.bool_)
    every[5:20] = every[30:45] = True
    assert _picked(every, CODES).sum() == 60
    assert asked == [([5, 30], [19, 44])]
    every[::2] = True
    every[60] = False
    assert _picked(every, CODES).sum() == 2 * every.sum()
    assert len(asked) == 1
