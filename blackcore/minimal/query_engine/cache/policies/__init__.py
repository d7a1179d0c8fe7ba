"""Who has to go when there is no room: LRU, S3-FIFO and GDSF behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import EvictionPolicy
from .gdsf import GdsfPolicy
from .lru import LruPolicy
from .s3fifo import S3FifoPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICIES: Mapping[str, type[EvictionPolicy[Any]]] = {  # each keeps entries of its own kind
    "gdsf": GdsfPolicy,
    "lru": LruPolicy,
    "s3fifo": S3FifoPolicy,
}

__all__ = ["POLICIES", "EvictionPolicy", "GdsfPolicy", "LruPolicy", "S3FifoPolicy"]
