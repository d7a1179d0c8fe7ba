"""What a user of the cache writes, for the type checker: decorated signatures are kept."""

from __future__ import annotations

from typing import assert_type

from blackcore.minimal.query_engine.cache import CacheInfo, MemoryCache, cached

cache = MemoryCache(max_size_mb=16, ttl_seconds=60)


@cached(cache, ttl_seconds=60, tags=["flights"])
def delay(flight: int, *, unit: str = "minutes") -> float:
    return flight * (60.0 if unit == "seconds" else 1.0)


@cached(cache)
async def load(name: str) -> list[str]:
    return [name]


class Reader:
    @cached(cache)
    def read(self, row: int) -> str:
        return str(row)

    @cached(cache)
    async def fetch(self, row: int) -> bytes:
        return bytes(row)


async def use() -> tuple[CacheInfo, CacheInfo]:
    reader = Reader()
    assert_type(delay(2, unit="seconds"), float)
    assert_type(await load("a"), list[str])
    assert_type(reader.read(1), str)
    assert_type(Reader.read(reader, 1), str)
    assert_type(await reader.fetch(row=1), bytes)
    assert_type(cache.get_or_compute("k", lambda: 5), int)
    assert_type(await cache.get_or_compute_async("l", lambda: load("b")), list[str])
    assert_type(delay.cache_clear(), int)
    return reader.read.cache_info(), load.cache_info()


def misuse() -> None:
    """Every line is an error; where one is not, the ignore itself is reported."""
    delay("2")  # type: ignore[arg-type]
    delay(2, "seconds")  # type: ignore[call-arg]
    delay(2).upper()  # type: ignore[attr-defined]
    Reader().read("1")  # type: ignore[arg-type]
    Reader().read()  # type: ignore[call-arg]
    delay.cache_size()  # type: ignore[attr-defined]
