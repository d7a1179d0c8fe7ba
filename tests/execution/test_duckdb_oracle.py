"""DuckDB as an outside oracle: on columns of one type it must choose and order the same rows.

Where SQL means something else the mapping says so: null is not distinct from null, a comparison
with null is false rather than unknown, nulls sort last whichever the order, ties keep the records'
order, texts compare and are searched by code point. There is no counterpart of `fuzzy`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from blackcore.minimal.query_engine import (
    EngineSettings,
    ExecutionSettings,
    FilterGroup,
    QueryEngine,
    QueryFilter,
    QueryOperator,
    QueryPagination,
    SortField,
    StructuredQuery,
)
from blackcore.minimal.query_engine.query import Condition

ROWS = 2_000
QUESTIONS = 300
WORDS = ["late", "Snow", "gate", "crew", "fine", "Straße", "日本", "🙂", "a_b%", ""]
PATTERNS = ["late", "^S", "e$", "[a-g]{3}", "(late|fine) ", "^$", "\\bcrew\\b", "日本"]
FIELDS = {
    "number": lambda dice: dice.randrange(-20, 20),
    "fraction": lambda dice: dice.randrange(-40, 40) / 8,
    "text": lambda dice: " ".join(dice.choices(WORDS, k=dice.randrange(3))),
    "flag": lambda dice: dice.random() < 0.3,
    "code": lambda dice: dice.choice(["UA", "AA", "DL", "HA", "ua"]),
}
TYPES = {
    "number": "BIGINT",
    "fraction": "DOUBLE",
    "text": "VARCHAR",
    "flag": "BOOLEAN",
    "code": "VARCHAR",
}
# in a process of its own: with pandas in it, DuckDB reports leaks at the end of one
ORACLE = """
import duckdb, json, sys
asked = json.load(sys.stdin)
connection = duckdb.connect()
columns = ", ".join(f"{name} {kind}" for name, kind in asked["types"].items())
connection.execute(f"CREATE TABLE t (id BIGINT, {columns})")
marks = ", ".join("?" * (len(asked["types"]) + 1))
connection.executemany(f"INSERT INTO t VALUES ({marks})", asked["rows"])
answers = [
    [row[0] for row in connection.execute(sql, values).fetchall()]
    for sql, values in asked["questions"]
]
print(json.dumps([answers, duckdb.__version__]))
"""


class Sql(NamedTuple):
    """A piece of SQL, and the values of its question marks."""

    text: str
    values: list[Any]


def filter_sql(asked: QueryFilter) -> Sql:
    path, value = asked.field, asked.value
    if asked.operator in NEGATIONS:
        positive = filter_sql(
            QueryFilter(path, NEGATIONS[asked.operator], value, asked.case_sensitive)
        )
        return Sql(f"NOT ({positive.text})", positive.values)
    if asked.operator is QueryOperator.EQUALS:
        return Sql(f"{path} IS NOT DISTINCT FROM ?", [value])
    if asked.operator is QueryOperator.IS_NULL:
        return Sql(f"{path} IS NULL", [])
    if asked.operator is QueryOperator.IN:
        members = list(value)  # type: ignore[call-overload]  # `in` holds a tuple
        equal = [f"{path} IS NOT DISTINCT FROM ?" for _ in members]
        return Sql(f"({' OR '.join(equal) or 'false'})", members)
    if asked.operator is QueryOperator.BETWEEN:
        return Sql(f"coalesce({path} BETWEEN ? AND ?, false)", list(value))  # type: ignore[call-overload]  # as above
    if asked.operator is QueryOperator.CONTAINS:
        return Sql(f"coalesce(contains({path}, ?), false)", [value])
    if asked.operator is QueryOperator.REGEX:
        flags = "" if asked.case_sensitive else ", 'i'"
        return Sql(f"coalesce(regexp_matches({path}, ?{flags}), false)", [value])
    return Sql(f"coalesce({path} {COMPARISONS[asked.operator]} ?, false)", [value])


NEGATIONS = {
    QueryOperator.NOT_EQUALS: QueryOperator.EQUALS,
    QueryOperator.NOT_IN: QueryOperator.IN,
    QueryOperator.NOT_CONTAINS: QueryOperator.CONTAINS,
    QueryOperator.IS_NOT_NULL: QueryOperator.IS_NULL,
}
COMPARISONS = {
    QueryOperator.GT: ">",
    QueryOperator.GTE: ">=",
    QueryOperator.LT: "<",
    QueryOperator.LTE: "<=",
}


def condition_sql(asked: Condition) -> Sql:
    if isinstance(asked, QueryFilter):
        return filter_sql(asked)
    members = [condition_sql(member) for member in asked.filters]
    empty = "true" if asked.mode == "and" else "false"
    text = f" {asked.mode.upper()} ".join(member.text for member in members) or empty
    values = [value for member in members for value in member.values]
    return Sql(f"{'NOT ' if asked.negate else ''}({text})", values)


def query_sql(query: StructuredQuery) -> Sql:
    where = condition_sql(FilterGroup("and", query.filters))
    keys = [f"{s.field} {s.order.upper()} NULLS LAST" for s in query.sort_fields]
    order = ", ".join([*keys, "id"])
    if query.distinct:
        names = ", ".join(query.select or ())
        # the first of the rows that are equal as returned, in the order asked for
        first = f"row_number() OVER (PARTITION BY {names} ORDER BY {order})"
        inner = f"SELECT *, {first} AS place FROM t WHERE {where.text}"  # noqa: S608 - our own fields
        sql = f"SELECT id FROM ({inner}) WHERE place = 1 ORDER BY {order}"  # noqa: S608 - as above
    else:
        sql = f"SELECT id FROM t WHERE {where.text} ORDER BY {order}"  # noqa: S608 - as above
    return Sql(sql, where.values)


def value_of(path: str, dice: random.Random) -> Any:
    return FIELDS[path](dice)


def some_filter(dice: random.Random) -> QueryFilter:
    path = dice.choice(list(FIELDS))
    operators = list(QueryOperator)
    operators.remove(QueryOperator.FUZZY)
    if TYPES[path] != "VARCHAR":
        for texts_only in ("contains", "not_contains", "regex"):
            operators.remove(QueryOperator(texts_only))
    if path == "flag":  # booleans have an order in SQL, and none here
        operators = [o for o in operators if o not in COMPARISONS and o.value != "between"]
    operator = dice.choice(operators)
    if operator in (QueryOperator.IS_NULL, QueryOperator.IS_NOT_NULL):
        return QueryFilter(path, operator)
    if operator in (QueryOperator.IN, QueryOperator.NOT_IN):
        members = [value_of(path, dice) for _ in range(dice.randrange(4))]
        return QueryFilter(path, operator, members + [None] * (dice.random() < 0.2))
    if operator is QueryOperator.BETWEEN:
        return QueryFilter(path, operator, [value_of(path, dice), value_of(path, dice)])
    if operator is QueryOperator.REGEX:
        return QueryFilter(path, operator, dice.choice(PATTERNS), dice.random() < 0.7)
    if operator in (QueryOperator.EQUALS, QueryOperator.NOT_EQUALS) and dice.random() < 0.1:
        return QueryFilter(path, operator, None)
    return QueryFilter(path, operator, value_of(path, dice))


def some_condition(dice: random.Random, depth: int = 0) -> Condition:
    if depth > 1 or dice.random() < 0.6:
        return some_filter(dice)
    members = [some_condition(dice, depth + 1) for _ in range(dice.randrange(4))]
    return FilterGroup(dice.choice(["and", "or"]), members, dice.random() < 0.3)


def some_query(dice: random.Random) -> StructuredQuery:
    keys = dice.sample(list(FIELDS), dice.randrange(3))
    distinct = dice.random() < 0.25
    return StructuredQuery(
        database="t",
        filters=[some_condition(dice) for _ in range(dice.randrange(1, 4))],
        sort_fields=[SortField(key, dice.choice(["asc", "desc"])) for key in keys],
        pagination=QueryPagination(dice.randrange(1, 4), 50) if dice.random() < 0.3 else None,
        select=dice.sample(list(FIELDS), 2) if distinct else None,
        distinct=distinct,
    )


class Rows:
    """A loader of one database."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def load_database(self, name: str) -> list[dict[str, Any]]:
        return self.rows

    def get_available_databases(self) -> list[str]:
        return ["t"]

    def refresh_cache(self, name: str | None = None) -> None:
        return None


class Asked(NamedTuple):
    """Questions, the records, and DuckDB's positions of the rows of each question."""

    rows: list[dict[str, Any]]
    queries: list[StructuredQuery]
    answers: list[list[int]]


@pytest.fixture(scope="module")
def asked() -> Asked:
    dice = random.Random(11)  # noqa: S311 - seeded data, no secret
    rows = [
        {name: None if dice.random() < 0.1 else make(dice) for name, make in FIELDS.items()}
        for _ in range(ROWS)
    ]
    queries = [some_query(dice) for _ in range(QUESTIONS)]
    question = {
        "types": TYPES,
        "rows": [[position, *row.values()] for position, row in enumerate(rows)],
        "questions": [query_sql(query) for query in queries],
    }
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", ORACLE],
        input=json.dumps(question),
        check=True,
        capture_output=True,
        text=True,
    )
    answers, _version = json.loads(done.stdout)
    return Asked(rows, queries, answers)


@pytest.mark.parametrize(
    ("optimizer", "columns_from_rows"),
    [(None, 0), (None, 10**9), (False, 10**9)],
    ids=["by columns", "by rows", "as written"],
)
def test_duckdb_chooses_and_orders_the_same_rows(
    asked: Asked, optimizer: Any, columns_from_rows: int
) -> None:
    execution = ExecutionSettings(columns_from_rows=columns_from_rows, answer_prefix_rows=1)
    engine = QueryEngine(
        Rows(asked.rows),
        cache=False,
        search=False,
        optimizer=optimizer,
        settings=EngineSettings(execution=execution),
    )
    for query, expected in zip(asked.queries, asked.answers, strict=True):
        found = engine.execute(query)
        page = query.pagination
        wanted = expected if page is None else expected[page.start : page.stop]
        assert found.ids.tolist() == wanted, query
        assert found.total_count == len(expected), query


def test_the_questions_ask_for_everything_that_has_a_counterpart(asked: Asked) -> None:
    def operators(condition: Condition) -> set[QueryOperator]:
        if isinstance(condition, QueryFilter):
            return {condition.operator}
        return {operator for member in condition.filters for operator in operators(member)}

    named = {o for query in asked.queries for c in query.filters for o in operators(c)}
    assert named == set(QueryOperator) - {QueryOperator.FUZZY}
    some = [answer for answer in asked.answers if 0 < len(answer) < ROWS]
    assert len(some) > QUESTIONS / 2
