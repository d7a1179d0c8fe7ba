"""The file behind the log of slow queries: whole lines, and no more than two files of them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from blackcore.minimal.query_engine.optimization.profiling.bounded_file import BoundedFile


def test_second_to_find_the_file_full_does_not_put_the_new_one_over_the_old(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lines"
    file = BoundedFile(path, bound_bytes=8)
    file.add(b"1234567")
    with path.open("rb") as seen_full_too:
        file.add(b"new")
        file.move_aside(seen_full_too.fileno())
    assert path.read_bytes() == b"new\n"
    assert (tmp_path / "lines.1").read_bytes() == b"1234567\n"


def test_line_beyond_the_bound_moves_nothing_out_of_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    file = BoundedFile(path, bound_bytes=3)
    file.add(b"longer than that")
    assert [each.name for each in tmp_path.iterdir()] == ["lines"]
    assert path.read_bytes() == b"longer than that\n"


def _adds_lines(path: Path, name: int, lines: int) -> None:
    file = BoundedFile(path, bound_bytes=4_000)
    for number in range(lines):
        file.add(b"%d %03d " % (name, number) + b"." * 92)


@pytest.mark.deep
def test_processes_move_a_full_file_once_and_mix_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_adds_lines, args=(path, n, 150)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    old, new = (tmp_path / "lines.1").read_bytes(), path.read_bytes()
    assert {len(line) for line in (old + new).splitlines()} == {98}
    assert 4_000 - 99 < len(old) <= 4_000 + 3 * 99
    assert len(new) <= 4_000 + 3 * 99
