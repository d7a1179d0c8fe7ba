"""Who answers the optimizer's suite: our engine, as written, by hand, and the peers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from rapidfuzz import fuzz, process

from benchmarks.optimizer_question import Question, Rows
from blackcore.minimal.query_engine import EngineSettings, ExecutionSettings, QueryEngine
from blackcore.minimal.query_engine.optimization import (
    CostBasedOptimizer,
    ExecutionPlan,
    FilterStage,
    OptimizedQuery,
    QueryCost,
    Way,
)
from blackcore.minimal.query_engine.optimization.rules import RULE_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blackcore.minimal.query_engine import StructuredQuery
    from blackcore.minimal.query_engine.optimization import QueryOptimizer, QueryStatistics

    Databases = Mapping[str, Rows]


class RowsInMemory:
    """A loader over rows that are there already."""

    def __init__(self, databases: Databases) -> None:
        self.databases = dict(databases)

    def load_database(self, name: str) -> Rows:
        """Return the rows of a database."""
        return self.databases[name]

    def get_available_databases(self) -> list[str]:
        """Return the names."""
        return list(self.databases)

    def refresh_cache(self, name: str | None = None) -> None:
        """Forget nothing: the rows are all there is."""


class AsWritten:
    """Plans each query as it stands: each filter over its whole column, then a sort of all.

    No rule, no order, no choice among ways, no top-k: what our executor does by itself.
    """

    def optimize_query(self, query: StructuredQuery, statistics: QueryStatistics) -> OptimizedQuery:
        """Return the plan of the query as written."""
        cost = QueryCost(0.0, statistics.row_count)
        plan = ExecutionPlan(
            database=query.database,
            row_count=statistics.row_count,
            filter_stages=tuple(FilterStage(c, Way.COLUMN, 1.0, cost) for c in query.filters),
            sort_fields=query.sort_fields,
            select=query.select,
            distinct=query.distinct,
        )
        return OptimizedQuery(query, plan)


_PATIENT = EngineSettings(execution=ExecutionSettings(pattern_timeout_seconds=60.0))
"""As written, a look-around pattern meets every value: on a busy machine that takes seconds."""


class Engine:
    """Our engine without a cache of answers, under some optimizer."""

    def __init__(
        self,
        name: str,
        databases: Databases,
        optimizer: QueryOptimizer | Literal[False] | None = None,
        columns_max_bytes: int | None = None,
    ) -> None:
        self.name = name
        settings = _PATIENT
        if columns_max_bytes is not None:
            limits = replace(settings.execution, columns_max_bytes=columns_max_bytes)
            settings = replace(settings, execution=limits)
        self.engine = QueryEngine(
            RowsInMemory(databases),
            search=False,
            cache=False,
            optimizer=optimizer,
            settings=settings,
        )

    def can(self, question: Question) -> bool:
        """Return whether it can be asked that: always."""
        del question
        return True

    def answer(self, question: Question) -> Rows:
        """Return the rows."""
        return self.engine.execute(question.ask(self.engine.query(question.database))).data

    def forget(self) -> None:
        """Drop columns, statistics and whatever else was derived from the records."""
        self.engine.refresh()


class ByHand:
    """One comprehension a filter, then `sorted`."""

    name = "by hand"

    def __init__(self, databases: Databases) -> None:
        self.databases = databases

    def can(self, question: Question) -> bool:
        """Return whether it can be asked that: always."""
        del question
        return True

    def answer(self, question: Question) -> Rows:
        """Return the rows."""
        return question.by_hand(self.databases[question.database])


class Polars:
    """A lazy frame over frames made beforehand; all cores, its own defaults."""

    name = "Polars lazy"

    def __init__(self, frames: Mapping[str, pl.DataFrame]) -> None:
        self.frames = frames

    def can(self, question: Question) -> bool:
        """Return whether it can be asked that."""
        return question.lazy is not None

    def answer(self, question: Question) -> Rows:
        """Return the rows as dicts."""
        assert question.lazy is not None
        frame = question.lazy(self.frames[question.database].lazy()).collect()
        return frame.drop("row_id", strict=False).to_dicts()


class DuckDB:
    """A table of its own a database; all cores, its own defaults."""

    name = "DuckDB"

    def __init__(self, frames: Mapping[str, pl.DataFrame]) -> None:
        import duckdb

        self.connection = duckdb.connect()
        for name, frame in frames.items():
            self.connection.register("frame", frame.to_arrow())
            made = f"CREATE TABLE {name} AS SELECT * FROM frame"  # noqa: S608 - our own names
            self.connection.execute(made)
            self.connection.unregister("frame")
        self.connection.create_function(
            "ratio", _ratios, ["VARCHAR", "VARCHAR"], "DOUBLE", type="arrow"
        )

    def can(self, question: Question) -> bool:
        """Return whether it can be asked that."""
        return question.sql is not None

    def answer(self, question: Question) -> Rows:
        """Return the rows as dicts."""
        found = self.connection.execute(
            f"SELECT {question.columns} FROM {question.database} {question.sql}"  # noqa: S608 - our own words
        )
        names = [each[0] for each in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _ratios(texts: pa.Array, wanted: pa.Array) -> pa.Array:
    """Return how alike texts are to the first one wanted, 0 to 100."""
    held = texts.to_pylist()
    scored = process.cdist(
        [wanted[0].as_py()], [each or "" for each in held], scorer=fuzz.ratio, dtype=np.float64
    )[0]
    return pa.array(scored, mask=np.array([each is None for each in held]))


class Pandas:
    """Frames made beforehand, boolean masks."""

    name = "pandas"

    def __init__(self, frames: Mapping[str, pl.DataFrame]) -> None:
        self.frames = {"flights": frames["flights"].drop("row_id").to_pandas()}

    def can(self, question: Question) -> bool:
        """Return whether it can be asked that."""
        return question.frame is not None

    def answer(self, question: Question) -> Rows:
        """Return the rows as dicts."""
        assert question.frame is not None
        return question.frame(self.frames["flights"]).to_dict("records")


def frames_of(databases: Databases) -> dict[str, pl.DataFrame]:
    """Return each database as a Polars frame with a column that numbers the rows."""
    return {
        name: pl.DataFrame(rows, infer_schema_length=None).with_row_index("row_id")
        for name, rows in databases.items()
    }


def ours(databases: Databases) -> Engine:
    """Return our engine as it comes."""
    return Engine("ours", databases)


def unoptimized(databases: Databases) -> Engine:
    """Return our engine with `optimizer=False`: as written, row by row, then a sort of all."""
    return Engine("no optimizer", databases, optimizer=False)


def as_written(databases: Databases) -> Engine:
    """Return our executor with rules, order and choice of ways off."""
    return Engine("as written", databases, AsWritten())


def order_kept(databases: Databases) -> Engine:
    """Return our engine with rules and order off; each stage still goes its cheapest way."""
    kept = CostBasedOptimizer(keep_order=True, switched_off=RULE_NAMES)
    return Engine("order kept", databases, kept)
