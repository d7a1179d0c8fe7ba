"""The cache that settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .memory_cache import MemoryCache
from .tuning import SelfTuningCache

if TYPE_CHECKING:
    from ..settings import CacheSettings


def cache_from(settings: CacheSettings) -> MemoryCache:
    """Return a new cache with these bounds, policy and, where asked for, self-tuning.

    >>> from blackcore.minimal.query_engine.settings import CacheSettings
    >>> cache_from(CacheSettings(max_size_mb=2)).max_bytes
    2097152
    """
    if settings.auto_tune:
        return SelfTuningCache(settings)
    return MemoryCache(
        settings.max_size_mb,
        settings.ttl_seconds,
        max_entries=settings.max_entries,
        policy=settings.policy,
    )
