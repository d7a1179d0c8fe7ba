"""What is asked: the query model, what its operators mean, the fluent builder, fingerprints."""

from .builder import FieldExpression, Query, Runner, describe, field
from .conditions import Condition, FilterGroup, QueryFilter, condition_fields
from .evaluator import evaluate, matches, projected
from .model import QueryPagination, QuerySearch, SortField, StructuredQuery
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
