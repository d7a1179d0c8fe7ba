"""Statistics as plain JSON values, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Final, cast, get_args

import numpy as np

from ..errors import OptimizerError, shown_value
from ..query.values import Kind
from ..settings import MAX_FILTER_DEPTH
from .statistics import ColumnKind, ColumnState, FieldStatistics, Histogram, TableStatistics

_PLAIN: frozenset[type] = frozenset({type(None), bool, int, str})
_FORMAT = 1
_TAG = "$"
_READERS: Final[dict[str, Callable[[str], object]]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "decimal": Decimal,
    "float": float,
    "int": lambda text: int(text, 16),
}
_MAX_WRITTEN_INTEGER = 2**63


def table_to_dict(table: TableStatistics) -> dict[str, object]:
    """Return the statistics of a database as plain values."""
    return {
        "format": _FORMAT,
        "database": table.database,
        "row_count": table.row_count,
        "fields": {path: field_to_dict(known) for path, known in table.fields.items()},
        "columns": {
            path: {"kind": state.kind, "has_codes": state.has_codes}
            for path, state in table.columns.items()
        },
        "row_passes": dict(table.row_passes),
    }


def field_to_dict(known: FieldStatistics) -> dict[str, object]:
    """Return the statistics of a field as plain values."""
    made = {each.name: getattr(known, each.name) for each in fields(known)}
    return made | {
        "most_common": [[_written(value), part] for value, part in known.most_common],
        "numbers": _histogram_to_dict(known.numbers),
        "strings": _histogram_to_dict(known.strings),
        "minimum": _written(known.minimum),
        "maximum": _written(known.maximum),
        "kinds": sorted(kind.name.lower() for kind in known.kinds),
        "texts": [[text, part] for text, part in known.texts],
        "sample": [_written(value) for value in known.sample],
    }


def _histogram_to_dict(histogram: Histogram | None) -> dict[str, object] | None:
    if histogram is None:
        return None
    return {"bounds": list(map(_written, histogram.bounds)), "fraction": histogram.fraction}


def table_to_json(table: TableStatistics) -> str:
    """Return the statistics as JSON text."""
    return json.dumps(table_to_dict(table))


def table_from_json(text: str | bytes) -> TableStatistics:
    """Return the statistics in JSON text."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise OptimizerError(f"statistics are not JSON: {error}") from error
    return table_from_dict(values)


def table_from_dict(values: Mapping[str, object]) -> TableStatistics:
    """Return the statistics of a database from plain values."""
    given = values.get("format") if isinstance(values, dict) else values
    if given != _FORMAT:
        raise OptimizerError(
            f"statistics of format {shown_value(given)} cannot be read; "
            f"format {_FORMAT} can, as `to_dict` writes it"
        )
    try:
        return TableStatistics(
            str(values["database"]),
            _count(values["row_count"]),
            {path: _field(v) for path, v in cast("_Objects", values["fields"]).items()},
            {path: _column(v) for path, v in cast("_Objects", values["columns"]).items()},
            {p: _count(n) for p, n in cast("Mapping[str, object]", values["row_passes"]).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise OptimizerError(
            f"statistics cannot be read: {type(error).__name__}: {error}; "
            "give what `to_dict` wrote, unchanged"
        ) from error


_Objects = Mapping[str, Mapping[str, object]]


def _column(values: Mapping[str, object]) -> ColumnState:
    kind = values["kind"]
    if kind is not None and kind not in get_args(ColumnKind):
        raise ValueError(f"a column of kind {shown_value(kind)}")
    return ColumnState(cast("ColumnKind | None", kind), bool(values["has_codes"]))


def _field(values: Mapping[str, object]) -> FieldStatistics:
    return FieldStatistics(
        field=str(values["field"]),
        row_count=_count(values["row_count"]),
        sampled_rows=_count(values["sampled_rows"]),
        null_fraction=_fraction(values["null_fraction"]),
        missing_fraction=_fraction(values["missing_fraction"]),
        distinct_count=float(cast("float", values["distinct_count"])),
        most_common=tuple(
            (_read(value), _fraction(part)) for value, part in cast("_Pairs", values["most_common"])
        ),
        numbers=_histogram(values["numbers"]),
        strings=_histogram(values["strings"]),
        minimum=cast("float | str | None", _read(values["minimum"])),
        maximum=cast("float | str | None", _read(values["maximum"])),
        kinds=frozenset(Kind[name.upper()] for name in cast("Sequence[str]", values["kinds"])),
        average_length=float(cast("float", values["average_length"])),
        through_list=bool(values["through_list"]),
        is_unique=bool(values["is_unique"]),
        texts=tuple((str(text), _fraction(part)) for text, part in cast("_Pairs", values["texts"])),
        sample=tuple(map(_read, cast("Sequence[object]", values["sample"]))),
    )


_Pairs = Sequence[tuple[object, object]]


def _histogram(values: object) -> Histogram | None:
    if values is None:
        return None
    made = cast("Mapping[str, object]", values)
    bounds = tuple(map(_read, cast("Sequence[object]", made["bounds"])))
    if not bounds:
        raise ValueError("a histogram without bounds")
    return Histogram(cast("tuple[float, ...]", bounds), _fraction(made["fraction"]))


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{shown_value(value)} is not a number of rows")
    return value


def _fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1.0001:  # noqa: PLR2004 - sums of fractions round
        raise ValueError(f"{shown_value(value)} is not a fraction from 0 to 1")
    return float(value)


def _written(value: object, depth: int = 0) -> object:
    """Return a value as JSON holds it; what it does not know as an object with the tag `$`.

    What is nested too deep is left out: it is a sample, and nobody filters by it.
    """
    if depth > MAX_FILTER_DEPTH:
        return None
    if type(value) is int and abs(value) >= _MAX_WRITTEN_INTEGER:
        return {_TAG: "int", "value": f"{value:x}"}
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        finite = value - value == 0
        return float(value) if finite else {_TAG: "float", "value": str(value)}
    if isinstance(value, datetime):
        return {_TAG: "datetime", "value": value.isoformat()}
    if isinstance(value, date):
        return {_TAG: "date", "value": value.isoformat()}
    if isinstance(value, Decimal):
        return {_TAG: "decimal", "value": str(value)}
    if isinstance(value, list | tuple):
        members = [_written(member, depth + 1) for member in value]
        return members if isinstance(value, list) else {_TAG: "tuple", "value": members}
    if isinstance(value, Mapping):
        items = {str(key): _written(item, depth + 1) for key, item in value.items()}
        return {_TAG: "object", "value": items} if _TAG in items else items
    return _written(value.item(), depth) if isinstance(value, np.generic) else str(value)


def _read(value: object) -> object:
    if isinstance(value, list):
        return list(map(_read, value))
    if not isinstance(value, Mapping):
        return value
    tag, inner = value.get(_TAG), value.get("value")
    if tag is None:
        return {key: _read(item) for key, item in value.items()}
    if tag == "tuple":
        return tuple(map(_read, cast("list[object]", inner)))
    if tag == "object":
        return {key: _read(item) for key, item in cast("Mapping[str, object]", inner).items()}
    return _READERS[str(tag)](str(inner))
