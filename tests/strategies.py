"""Records and questions to try everything with: awkward values, and questions that hit them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from blackcore.minimal.query_engine import (
    FilterGroup,
    QueryFilter,
    QueryOperator,
    QueryPagination,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.data import Records

_EVERYDAY_CASES = settings.get_profile("default").max_examples


def cases(everyday: int, deep: int) -> settings:
    """Return how many cases a property is tried on in `make test`, and in `make test-deep`."""
    is_deep = settings.default is not None and settings.default.max_examples > _EVERYDAY_CASES
    return settings(max_examples=deep if is_deep else everyday)


AGREEMENT = cases(200, 10_000)
"""For what must answer like the plain evaluator whatever it is asked."""


class ManyRecords(Records):
    """Records that are passed over as those of a large database are."""

    keeps_cells = False


BIG = 2**53
INTEGERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from(
        [BIG - 1, BIG, BIG + 1, -BIG - 1, 2**63 - 1, -(2**63), 2**63, 10**30, -(10**400)]
    ),
)
SMALL_INTEGERS = st.one_of(st.integers(-3, 3), st.sampled_from([2**63 - 1, -(2**63), BIG + 1]))
FLOATS = st.one_of(
    st.sampled_from(
        [0.0, -0.0, 1.0, 1.5, -2.5, 3.0, float(BIG), float("inf"), float("-inf"), 1e300]
    ),
    st.just(float("nan")),
)
TEXTS = st.one_of(
    st.text(alphabet="abAB", max_size=3),
    st.sampled_from(
        [
            "",
            "ß",
            "SS",
            "ss",
            "ſ",
            "K",
            "k",
            "\u212a",
            "İ",
            "ﬁ",
            "fi",
            "é",
            "e\u0301",
            "日本",
            "🙂",
            "a.b",
            "\x00",
            "a\nb",
        ]
    ),
    st.sampled_from(
        ["2013-01-01", "2013-01-01T00:00:00", "2013-01-01T01:00:00+01:00", "20130101", "2013-02-30"]
    ),
)
ROUGH_TEXTS = st.one_of(TEXTS, st.sampled_from(["\ud800", "a\udfffb"]))
DATES = st.sampled_from(
    [
        date(2013, 1, 1),
        date(2013, 1, 2),
        datetime(2013, 1, 1),
        datetime(2013, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS, FLOATS, ROUGH_TEXTS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["x", "y", "a"]), inner, max_size=2),
    ),
    max_leaves=4,
)

# what one field holds over all records: mostly one type, as in real databases
FIELD_KINDS = {
    "integers": SMALL_INTEGERS,
    "all integers": INTEGERS,
    "floats": FLOATS,
    "numbers": st.one_of(st.integers(-3, 3), FLOATS),
    "rough numbers": st.one_of(INTEGERS, FLOATS),
    "texts": TEXTS,
    "rough texts": ROUGH_TEXTS,
    "plain texts": st.text(alphabet="abAB", max_size=2),
    "booleans": st.booleans(),
    "scalars": SCALARS,
    "anything": ANYTHING,
    "dates": st.one_of(DATES, TEXTS),
    "objects": st.dictionaries(st.sampled_from(["x", "y"]), SCALARS, max_size=2),
    "plain objects": st.fixed_dictionaries({"x": st.integers(-3, 3)}),
    "lists of objects": st.lists(
        st.dictionaries(st.sampled_from(["x", "y"]), SCALARS, max_size=2), max_size=3
    ),
    "lists": st.lists(SCALARS, max_size=3),
}
NAMES = ("a", "b", "c", "a.x")
PATHS = ("a", "b", "c", "a.x", "b.x", "b.y", "c.x")


@st.composite
def databases(draw: st.DrawFn, max_rows: int = 12) -> list[dict[str, Any]]:
    """Return records whose fields hold mostly values of one kind, some null and some missing."""
    kinds = {name: FIELD_KINDS[draw(st.sampled_from(sorted(FIELD_KINDS)))] for name in NAMES}
    gaps = draw(st.sampled_from(["none", "null", "missing"]))
    rows = []
    for _ in range(draw(st.integers(0, max_rows))):
        row: dict[str, Any] = {}
        for name, values in kinds.items():
            gap = gaps != "none" and draw(st.integers(0, 3)) == 0
            if name == "a.x" and draw(st.integers(0, 3)) < 3:
                continue
            if gap and gaps == "missing":
                continue
            row[name] = None if gap else draw(values)
        rows.append(row)
    return rows


PATTERNS = st.sampled_from(
    ["a", "^a", "b$", "", "[ab]{2}", "(?i)A", "\\w", ".", "(?=a)", "(a)\\1", "s|K", "^$"]
)
OPERANDS = st.one_of(SCALARS, DATES, st.lists(SCALARS, max_size=2))


@st.composite
def filters(draw: st.DrawFn, rows: list[dict[str, Any]]) -> QueryFilter:
    """Return a filter of any operator whose value is often one that the records hold."""
    path = draw(st.sampled_from(PATHS))
    held = [row[path] for row in rows if path in row]
    return draw(filters_on(path, st.one_of(OPERANDS, st.sampled_from(held)) if held else OPERANDS))


@st.composite
def filters_on(draw: st.DrawFn, path: str, values: st.SearchStrategy[Any]) -> QueryFilter:
    """Return a filter of any operator on one field, with a value of those given."""
    operator = draw(st.sampled_from(list(QueryOperator)))
    case_sensitive = draw(st.booleans())
    if operator in (QueryOperator.IS_NULL, QueryOperator.IS_NOT_NULL):
        value: object = None
    elif operator in (QueryOperator.IN, QueryOperator.NOT_IN):
        value = draw(st.lists(values, max_size=3))
    elif operator is QueryOperator.BETWEEN:
        bounds = values.filter(lambda v: v is not None and v == v)  # noqa: PLR0124 - NaN
        value = draw(st.tuples(bounds, bounds))
    elif operator is QueryOperator.REGEX:
        value = draw(PATTERNS)
    elif operator is QueryOperator.FUZZY:
        threshold = draw(st.sampled_from([0, 0.5, 0.8, 1]))
        value = {"text": draw(ROUGH_TEXTS), "threshold": threshold}
    else:
        value = draw(values)
    return QueryFilter(path, operator, value, case_sensitive)


def conditions(rows: list[dict[str, Any]]) -> st.SearchStrategy[QueryFilter | FilterGroup]:
    """Return filters, and groups of them nested a few levels deep."""
    return st.recursive(
        filters(rows),
        lambda inner: st.builds(
            FilterGroup,
            mode=st.sampled_from(["and", "or"]),
            filters=st.lists(inner, max_size=3),
            negate=st.booleans(),
        ),
        max_leaves=4,
    )


def beside(cell: object) -> list[object]:
    """Return a value and its neighbours, where comparisons turn."""
    if isinstance(cell, dict):
        return [cell, *(value for item in cell.values() for value in beside(item))]
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return [cell]
    if abs(cell) > 2**1000 or cell != cell:  # noqa: PLR0124 - NaN
        return [cell]
    return [cell, cell + 0.5, cell - 0.5, cell + 1, cell - 1, float(cell)]


@st.composite
def one_field(draw: st.DrawFn, kind: str) -> tuple[list[dict[str, Any]], QueryFilter]:
    """Return records of one field, all of one kind, and a filter on it that is likely to bite."""
    values = FIELD_KINDS[kind]
    cells = draw(st.lists(values, min_size=1, max_size=8))
    if draw(st.booleans()):
        cells.insert(draw(st.integers(0, len(cells))), None)
    path = "a.x" if "objects" in kind else "a"
    near = st.sampled_from([value for cell in cells for value in beside(cell)]) | values
    condition = draw(filters_on(path, near | near | OPERANDS))
    return [{"a": cell} for cell in cells], condition


@st.composite
def queries(draw: st.DrawFn, rows: list[dict[str, Any]]) -> StructuredQuery:
    """Return a question of any shape to a database called `db`."""
    paths = st.sampled_from(PATHS)
    sort_fields = st.lists(
        st.builds(SortField, field=paths, order=st.sampled_from(["asc", "desc"])), max_size=3
    )
    pages = st.builds(QueryPagination, page=st.integers(1, 3), size=st.integers(1, 5))
    return StructuredQuery(
        database="db",
        filters=draw(st.lists(conditions(rows), max_size=3)),
        sort_fields=draw(sort_fields),
        pagination=draw(st.none() | pages),
        select=draw(st.none() | st.lists(paths, min_size=1, max_size=3, unique=True)),
        distinct=draw(st.booleans()),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[dict[str, Any]], StructuredQuery]:
    """Return a database and a question to it."""
    rows = draw(databases())
    return rows, draw(queries(rows))
