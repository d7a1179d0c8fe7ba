"""The user's file runs; that it types as it reads is for the type checker to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.typing import user_code

if TYPE_CHECKING:
    from pathlib import Path


async def test_what_a_user_writes_runs(tmp_path: Path) -> None:
    engine = user_code.parts()
    assert user_code.rows(user_code.fluent(engine)) == []
    assert user_code.rows(user_code.plain(engine)) == ["Ann"]
    target = tmp_path / "people.csv"
    assert await user_code.awaited(engine, target) == 2
    assert target.read_text().splitlines() == ["name,age", "Ann,41", "Bo,17"]
    assert user_code.noted(tmp_path / ".coordination" / "status.json").set_aside is None
    assert await user_code.exported(engine, tmp_path) == 5
