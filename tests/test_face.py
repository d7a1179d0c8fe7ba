"""The face of the package: these names and no others, each loaded when it is asked for."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import blackcore.minimal.query_engine as face

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("tantivy", "memory_profiler", "pandas", "pyarrow", "tqdm", "zstandard", "IPython")
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
    "TableStatistics",
    "TaggedCacheManager",
    "TantivySearch",
    "TextSearchEngine",
    "UnknownDatabaseError",
    "UnknownFieldError",
    "VersionedDataLoader",
    "WarmingSettings",
    "cached",
    "calibrate",
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


def test_type_checkers_are_shown_what_is_found_when_it_runs() -> None:
    tree = ast.parse(Path(face.__file__).read_text(encoding="utf-8"))
    shown: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            shown.setdefault(node.module or "", set()).update(each.name for each in node.names)
    assert shown == {home: set(names) for home, names in face._HOMES.items()}
    assert sorted(name for names in shown.values() for name in names) == NAMES


def test_a_name_that_is_not_there_is_told_as_python_tells_it() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nobody'"):
        face.Nobody  # noqa: B018 - looking is what fails
    with pytest.raises(ImportError, match="cannot import name 'Nobody'"):
        exec("from blackcore.minimal.query_engine import Nobody")  # noqa: S102 - a literal of ours


def test_all_names_are_listed_before_they_are_loaded() -> None:
    assert set(NAMES) <= set(dir(face))


def in_a_fresh_python(code: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_folders_are_there_without_an_import_of_their_own() -> None:
    code = "import blackcore.minimal.query_engine as e; print(e.cache.MemoryCache.__name__)"
    assert in_a_fresh_python(code) == "MemoryCache"


def test_the_face_alone_loads_no_part() -> None:
    code = (
        "import sys, blackcore.minimal.query_engine\n"
        "print([m for m in sys.modules if m.startswith('blackcore.minimal.query_engine.')])\n"
        "print([m for m in ('numpy', 'polars', 'pydantic') if m in sys.modules])"
    )
    assert in_a_fresh_python(code) == "[]\n[]"


def test_no_extra_is_imported_before_it_is_used() -> None:
    code = (
        "import sys; from blackcore.minimal.query_engine import *\n"
        f"print([m for m in {EXTRAS!r} if m in sys.modules])"
    )
    assert in_a_fresh_python(code) == "[]"
