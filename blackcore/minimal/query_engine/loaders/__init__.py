"""Where records come from: what a loader offers, and our own for a directory of JSON files.

Anything with the three methods of `DataLoader` serves; `checked_records` guards the calls to it.
`JSONDataLoader` is what serves where nobody passes one.
"""

from .base import DataLoader, VersionedDataLoader, checked_records
from .json_loader import JSONDataLoader, LoadResult
from .progress import LoadProgress

__all__ = [
    "DataLoader",
    "JSONDataLoader",
    "LoadProgress",
    "LoadResult",
    "VersionedDataLoader",
    "checked_records",
]
