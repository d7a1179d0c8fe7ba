"""Answers that are kept: a cache in memory, its statistics, and the Protocols of any cache.

A key is anything hashable, a value is anything: this folder knows nothing of queries.
"""

from __future__ import annotations

from .base import CachedResult, CacheManager, CacheStatistics, EvictionCause, TaggedCacheManager
from .decorator import CachedFunction, CacheInfo, cached
from .memory_cache import MemoryCache
from .sizing import SelfWeighing, weigh

__all__ = [
    "CacheInfo",
    "CacheManager",
    "CacheStatistics",
    "CachedFunction",
    "CachedResult",
    "EvictionCause",
    "MemoryCache",
    "SelfWeighing",
    "TaggedCacheManager",
    "cached",
    "weigh",
]
