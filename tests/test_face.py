"""The face of the package: these names and no others, each importable."""

from __future__ import annotations

import importlib

import pytest

import blackcore.minimal.query_engine as face

NAMES = [
    "AmbiguousDatabaseError",
    "AnsweredQuery",
    "CacheError",
    "CacheInfo",
    "CacheKeyError",
    "CacheManager",
    "CacheSettings",
    "CacheStatistics",
    "CacheTuningSettings",
    "CacheWarmer",
    "CacheWeightError",
    "CachedResult",
    "CoordinationError",
    "CostBasedOptimizer",
    "CsvOptions",
    "DataDirectoryError",
    "DataLoader",
    "DatabaseFormatError",
    "DatabaseReadError",
    "EngineSettings",
    "ExecutionPlan",
    "ExecutionProfile",
    "ExecutionSettings",
    "Explanation",
    "ExportError",
    "ExportOptionError",
    "ExportPathError",
    "ExportProgress",
    "ExportSettings",
    "ExportValueError",
    "FilterGroup",
    "FullTextSearch",
    "InvalidFilterError",
    "InvalidPatternError",
    "JSONDataLoader",
    "JsonOptions",
    "LoadProgress",
    "LoaderContractError",
    "LoaderError",
    "LoaderSettings",
    "MemoryCache",
    "MissingExtraError",
    "OptimizedQuery",
    "OptimizerError",
    "PatternTimeoutError",
    "ProfileError",
    "ProfilerSettings",
    "QueryCost",
    "QueryDepthError",
    "QueryEngine",
    "QueryEngineError",
    "QueryError",
    "QueryFilter",
    "QueryLog",
    "QueryLogError",
    "QueryLogSettings",
    "QueryObserver",
    "QueryOperator",
    "QueryOptimizer",
    "QueryPagination",
    "QueryPerformanceProfile",
    "QueryProfiler",
    "QueryResult",
    "QuerySearch",
    "QueryStatistics",
    "SearchAwareCacheOptimizer",
    "SearchAwareSettings",
    "SearchConfig",
    "SearchError",
    "SearchMatch",
    "SearchSettings",
    "SelfWeighing",
    "SettingsError",
    "SingleFlightError",
    "SlowQuery",
    "SlowQueryLog",
    "SlowQueryLogSettings",
    "SortField",
    "StatusUpdate",
    "StreamingExporter",
    "StructuredQuery",
    "TaggedCacheManager",
    "TantivySearch",
    "TextSearchEngine",
    "UnknownDatabaseError",
    "UnknownFieldError",
    "VersionedDataLoader",
    "WarmingSettings",
    "cached",
    "field",
    "update_agent_status",
]
PROMISED = """
    QueryEngine StructuredQuery QueryFilter FilterGroup SortField QueryPagination QueryOperator
    field QueryResult MemoryCache CacheManager CacheStatistics DataLoader JSONDataLoader
    TextSearchEngine SearchConfig CostBasedOptimizer QueryOptimizer StreamingExporter
    QueryEngineError update_agent_status
"""
MODULES = {
    "cache.memory_cache": "MemoryCache",
    "cache.base": "CacheManager",
    "optimization.query_optimizer": "CostBasedOptimizer",
    "export.streaming_exporter": "StreamingExporter",
    "integration.coordination": "update_agent_status",
    "loaders": "DataLoader",
    "search": "TextSearchEngine",
}


def test_the_face_has_these_names() -> None:
    assert face.__all__ == NAMES


def test_the_names_are_sorted_and_each_there_once() -> None:
    assert sorted(set(face.__all__)) == face.__all__


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_imported(name: str) -> None:
    assert getattr(face, name) is not None


def test_what_was_promised_is_there() -> None:
    assert set(PROMISED.split()) <= set(face.__all__)


def test_star_imports_bring_just_these() -> None:
    into: dict[str, object] = {}
    exec("from blackcore.minimal.query_engine import *", into)  # noqa: S102 - a literal of ours
    assert sorted(name for name in into if name != "__builtins__") == NAMES


@pytest.mark.parametrize(("module", "name"), MODULES.items())
def test_modules_that_others_import_from_are_where_they_look(module: str, name: str) -> None:
    found = importlib.import_module(f"blackcore.minimal.query_engine.{module}")
    assert getattr(found, name) is getattr(face, name)


@pytest.mark.parametrize(
    "folder",
    ["cache", "data", "export", "integration", "loaders", "optimization", "query", "search"],
)
def test_every_folder_says_what_it_gives(folder: str) -> None:
    module = importlib.import_module(f"blackcore.minimal.query_engine.{folder}")
    assert module.__doc__
    assert all(hasattr(module, name) for name in module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
