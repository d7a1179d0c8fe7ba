"""Rows as the loader gave them, columns derived from them on demand, and chosen rows."""

from .built_columns import ResultColumns
from .column_budget import ColumnBudget, ColumnMemory
from .column_store import AnyColumn, ColumnStore
from .columns import BoolColumn, Column, FieldTypes, NumberColumn, Row, RowIds, StringColumn
from .list_columns import ListColumn
from .observer import AnsweredQuery, QueryObserver
from .records import Records
from .result import Answer, QueryResult
from .stages import StageActual

__all__ = [
    "Answer",
    "AnsweredQuery",
    "AnyColumn",
    "BoolColumn",
    "Column",
    "ColumnBudget",
    "ColumnMemory",
    "ColumnStore",
    "FieldTypes",
    "ListColumn",
    "NumberColumn",
    "QueryObserver",
    "QueryResult",
    "Records",
    "ResultColumns",
    "Row",
    "RowIds",
    "StageActual",
    "StringColumn",
]
