"""What is asked: the query model, what its operators mean, the fluent builder, fingerprints."""

from .builder import FieldExpression, Query, Runner, describe, field
from .evaluator import evaluate, matches, projected
from .model import (
    Condition,
    FilterGroup,
    QueryFilter,
    QueryPagination,
    QuerySearch,
    SortField,
    StructuredQuery,
    condition_fields,
)
from .operators import QueryOperator, holds

__all__ = [
    "Condition",
    "FieldExpression",
    "FilterGroup",
    "Query",
    "QueryFilter",
    "QueryOperator",
    "QueryPagination",
    "QuerySearch",
    "Runner",
    "SortField",
    "StructuredQuery",
    "condition_fields",
    "describe",
    "evaluate",
    "field",
    "holds",
    "matches",
    "projected",
]
