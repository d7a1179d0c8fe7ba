"""Limits and defaults: frozen, checked, and documented as the issues promise."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from blackcore.minimal.query_engine.errors import SettingsError
from blackcore.minimal.query_engine.settings import (
    MAX_FILTER_DEPTH,
    CacheSettings,
    EngineSettings,
    ExecutionSettings,
    ExportSettings,
    LoaderSettings,
    SearchSettings,
)


def test_the_defaults_are_those_promised() -> None:
    assert MAX_FILTER_DEPTH == 64
    assert CacheSettings().max_size_mb == 1024
    assert CacheSettings().ttl_seconds == 3600
    assert CacheSettings().policy == "gdsf"
    assert EngineSettings() == EngineSettings(
        cache=CacheSettings(),
        execution=ExecutionSettings(),
        search=SearchSettings(),
        export=ExportSettings(),
    )


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (CacheSettings, "max_size_mb", 0),
        (CacheSettings, "max_size_mb", -1),
        (CacheSettings, "ttl_seconds", 0),
        (CacheSettings, "max_entries", 0),
        (CacheSettings, "policy", "mru"),
        (ExecutionSettings, "pattern_timeout_seconds", 0),
        (ExecutionSettings, "answer_prefix_rows", 0),
        (SearchSettings, "fuzzy_threshold", 1.1),
        (SearchSettings, "fuzzy_threshold", -0.1),
        (SearchSettings, "max_indexed_databases", 0),
        (ExportSettings, "chunk_rows", 0),
        (ExportSettings, "progress_interval_seconds", -0.1),
        (LoaderSettings, "load_threads", 0),
        (LoaderSettings, "block_bytes", -5),
    ],
)
def test_a_limit_that_cannot_be_is_refused_by_name(kind: Any, name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        kind(**{name: value})
    assert f"{kind.__name__}.{name} is {value!r}; it" in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_settings_are_frozen_and_changed_by_a_copy() -> None:
    settings = EngineSettings()
    with pytest.raises(FrozenInstanceError):
        settings.cache = CacheSettings()  # type: ignore[misc]  # what is tested
    changed = replace(settings, cache=replace(settings.cache, max_size_mb=5))
    assert changed.cache.max_size_mb == 5
    with pytest.raises(SettingsError):
        replace(settings.cache, max_size_mb=0)
