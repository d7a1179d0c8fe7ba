"""Rows as the loader gave them, columns derived from them on demand, and chosen rows."""

from .columns import BoolColumn, Column, FieldTypes, NumberColumn, Row, RowIds, StringColumn
from .records import Records
from .result import Answer, QueryResult

__all__ = [
    "Answer",
    "BoolColumn",
    "Column",
    "FieldTypes",
    "NumberColumn",
    "QueryResult",
    "Records",
    "Row",
    "RowIds",
    "StringColumn",
]
