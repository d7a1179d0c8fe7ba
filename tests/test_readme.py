"""The README's Python runs as it stands, and prints what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from blackcore.minimal.query_engine.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
OUR_PROGRAM = ["python", "-m", "blackcore.minimal.query_engine"]


def test_the_code_of_the_readme_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    printed = ""
    blocks = list(BLOCK.finditer(README.read_text(encoding="utf-8")))
    assert {block["language"] for block in blocks} == {"python", "text", "sh"}
    for block in blocks:
        if block["language"] == "python":
            exec(compile(block["code"], str(README), "exec"), scope)  # noqa: S102 - our own README
            printed = capsys.readouterr().out
        elif block["language"] == "text":
            assert printed == block["code"]
        else:
            for line in block["code"].splitlines():
                run_in_a_shell(line)
            capsys.readouterr()
    assert (tmp_path / "late.csv").read_text(encoding="utf-8").startswith("carrier,dest")
    scope["loader"].connection.close()  # a script ends with it; here Python 3.13 misses this


def run_in_a_shell(line: str) -> None:
    """Do what a line says, or see that it can be done where it takes minutes."""
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(f"\n{target}:" in makefile for target in words[1:])
    elif words[:3] == OUR_PROGRAM:
        assert main(words[3:]) == 0
    else:
        assert words == ["pip", "install", "."]  # `make package` installs it
