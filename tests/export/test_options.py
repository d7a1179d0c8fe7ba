from __future__ import annotations

from typing import Any

import pytest

from blackcore.minimal.query_engine.errors import ExportOptionError, SettingsError
from blackcore.minimal.query_engine.export import CsvOptions, JsonOptions, TargetOptions
from blackcore.minimal.query_engine.settings import ExportSettings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ""}, "one ASCII character"),
        ({"delimiter": ",,"}, "one ASCII character"),
        ({"delimiter": "a"}, "one ASCII character"),
        ({"delimiter": "\n"}, "one ASCII character"),
        ({"delimiter": "é"}, "one ASCII character"),
        ({"quote": "1"}, "CsvOptions.quote is '1'"),
        ({"quote": ","}, "both ',' *; they must differ|must differ"),
        ({"quoting": "minimum"}, "did you mean 'minimal'"),
        ({"quoting": 3}, "choose from"),
        ({"line_end": "\r"}, "may be"),
        ({"late_columns": "drop"}, "'error', 'gather', 'ignore'"),
        ({"encoding_errors": "x"}, "encoding_errors is 'x'"),
        ({"flatten": ""}, "give a separator"),
        ({"float_format": "%.2f"}, "such as '.2f'"),
        ({"fieldnames": "abc"}, "give a tuple of field names"),
        ({"fieldnames": ("a", 1)}, r"fieldnames\[1\] is 1, a int"),
        ({"fieldnames": ("a", "b", "a")}, "names 'a' twice"),
    ],
)
def test_csv_options_that_cannot_be_are_refused(options: Any, message: Any) -> None:
    with pytest.raises(ExportOptionError, match=message):
        CsvOptions(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"non_finite": "nul"}, "did you mean 'null'"),
        ({"decimals": "float"}, "'number', 'string'"),
        ({"metadata": {"a": 1}}, "needs a wrap_key"),
        ({"wrap_key": "row_count"}, "which is taken"),
        ({"wrap_key": "a", "metadata": {"a": 1}}, "which is taken"),
    ],
)
def test_json_options_that_cannot_be_are_refused(options: Any, message: Any) -> None:
    with pytest.raises(ExportOptionError, match=message):
        JsonOptions(**options)


@pytest.mark.parametrize("options", [{"on_exists": "append"}, {"compression": "gz"}])
def test_target_options_that_cannot_be_are_refused(options: Any) -> None:
    with pytest.raises(ExportOptionError, match="TargetOptions"):
        TargetOptions(**options)


@pytest.mark.parametrize(
    "options",
    [{"chunk_rows": 0}, {"slice_rows": -1}, {"block_bytes": 0}, {"progress_interval_seconds": -1}],
)
def test_settings_that_cannot_be_are_refused(options: Any) -> None:
    with pytest.raises(SettingsError, match=next(iter(options))):
        ExportSettings(**options)


def test_list_of_field_names_becomes_a_tuple() -> None:
    assert CsvOptions(fieldnames=["a", "b"]).fieldnames == ("a", "b")
