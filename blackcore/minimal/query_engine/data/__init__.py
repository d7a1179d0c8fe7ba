"""Rows as the loader gave them, columns derived from them on demand, and chosen rows."""

from .built_columns import ResultColumns
from .columns import BoolColumn, Column, FieldTypes, NumberColumn, Row, RowIds, StringColumn
from .observer import AnsweredQuery, QueryObserver
from .records import Records
from .result import Answer, QueryResult
from .stages import StageActual

__all__ = [
    "Answer",
    "AnsweredQuery",
    "BoolColumn",
    "Column",
    "FieldTypes",
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
