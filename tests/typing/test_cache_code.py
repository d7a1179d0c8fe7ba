"""The user's file runs; that it types as it reads is for the type checker to say."""

from __future__ import annotations

from tests.typing import cache_code


async def test_what_a_user_of_the_cache_writes_runs() -> None:
    read, loaded = await cache_code.use()
    assert (read.hits, read.misses) == (1, 1)
    assert (loaded.hits, loaded.misses) == (0, 2)
