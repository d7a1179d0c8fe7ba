from __future__ import annotations

import pytest

from blackcore.minimal.query_engine.errors import SettingsError
from blackcore.minimal.query_engine.search import FullTextSearch, SearchConfig
from blackcore.minimal.query_engine.search.layout import MAX_COLUMNS, Layout


def test_each_path_with_text_has_a_column_in_order_of_appearance() -> None:
    records = [{"b": "x", "on": True}, {"a": {"c": ["y"], "d": 1}, "b": "z"}]
    layout = Layout.of(records)
    assert layout.columns == ("b", "a.c", "a.d")
    assert list(layout.documents(records, case_sensitive=False)) == [
        [["x"], None, None],
        [["z"], ["y"], ["1"]],
    ]


def test_a_weight_holds_for_what_is_below_its_path_and_an_unknown_one_for_nothing() -> None:
    layout = Layout.of([{"a": {"b": "x", "c": "y"}, "ab": "z"}])
    assert layout.weights({"a": 2.0, "a.c": 5.0, "gone": 3.0}) == [2.0, 5.0, 1.0]


def test_too_many_paths_fall_back_to_a_column_per_field() -> None:
    records = [{"views": {f"2020-{day}": f"n{day}"}, "a.b": "dots"} for day in range(MAX_COLUMNS)]
    layout = Layout.of(records)
    assert layout.columns == ("views", "a.b")
    assert next(layout.documents(records, case_sensitive=False)) == [["n0"], ["dots"]]
    assert layout.weights({"views": 2.0, "a.b": 3.0}) == [2.0, 3.0]
    with pytest.raises(SettingsError, match=r"field_weights\['views.2020-1'\] cannot be had"):
        layout.weights({"views.2020-1": 2.0})


def test_too_many_fields_share_the_last_column_the_rarest_ones() -> None:
    records = [{f"f{place}": f"w{place}", "title": "common"} for place in range(MAX_COLUMNS + 20)]
    layout = Layout.of(records)
    assert len(layout.columns) == MAX_COLUMNS
    assert layout.columns[0] == "title"
    assert layout.weights({"title": 4.0})[0] == 4.0
    for shared in (f"f{MAX_COLUMNS + 19}", "(others)"):
        with pytest.raises(SettingsError, match="weighted by themselves, such as 'title', 'f0'"):
            layout.weights({shared: 2.0})
    last = FullTextSearch().search_rows(f"w{MAX_COLUMNS + 19}", records, SearchConfig())
    assert last.ids.tolist() == [MAX_COLUMNS + 19]
