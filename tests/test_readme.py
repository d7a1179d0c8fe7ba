"""The README's Python runs as it stands, and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"^```(?P<language>python|text)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_code_of_the_readme_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    printed = ""
    blocks = list(BLOCK.finditer(README.read_text(encoding="utf-8")))
    assert any(block["language"] == "text" for block in blocks)
    for block in blocks:
        if block["language"] == "python":
            exec(compile(block["code"], str(README), "exec"), scope)  # noqa: S102 - our own README
            printed = capsys.readouterr().out
        else:
            assert printed == block["code"]
    assert (tmp_path / "late.csv").read_text(encoding="utf-8").startswith("carrier,dest")
