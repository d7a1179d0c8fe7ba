"""Answers that are kept: a cache in memory, its statistics, and the Protocols of any cache.

A key is anything hashable, a value is anything: this folder knows nothing of queries.
"""

from __future__ import annotations

from .base import CachedResult, CacheManager, CacheStatistics, TaggedCacheManager
from .memory_cache import MemoryCache

__all__ = [
    "CacheManager",
    "CacheStatistics",
    "CachedResult",
    "MemoryCache",
    "TaggedCacheManager",
]
