"""Which form a search engine has, read once from its signatures."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SearchError

if TYPE_CHECKING:
    from collections.abc import Callable

_Kind = inspect.Parameter
_POSITIONAL = {_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD}
_DATABASE_NAMES = {"database_name", "database", "db_name", "db"}
_NUMBERS = {int, float, bool, "int", "float", "bool"}
_EXPECTED = "a search engine has a method search(query_text, data, config)"
_DATA_AND_TEXT = 2


@dataclass(frozen=True, slots=True)
class EngineForm:
    """What to call on an engine, and with what."""

    search: Callable[..., object]
    takes_database_name: bool
    """The third argument is the database's name rather than our configuration."""
    third_keyword: str | None
    """The third argument's name, where it is taken by name only."""
    score_one: Callable[..., object] | None
    """`calculate_relevance_score`, where the engine has it."""
    scorer_takes_weights: bool

    @classmethod
    def of(cls, engine: object) -> EngineForm:
        """Return the form of this engine.

        Raises:
            SearchError: for an object that has no fitting method `search`.
        """
        name = type(engine).__name__
        if isinstance(engine, type):
            raise SearchError(f"{engine.__name__} is a class; pass an instance of it")
        search = _method(engine, "search")
        if search is None:
            raise SearchError(f"{name} has no method search; {_EXPECTED}")
        if inspect.iscoroutinefunction(search):
            raise SearchError(f"{name}.search is async; {_EXPECTED} that returns a list at once")
        third = _third_parameter(search, name)
        score_one = _method(engine, "calculate_relevance_score")
        return cls(
            search=search,
            takes_database_name=third is not None and _is_database_name(third),
            third_keyword=third.name if third and third.kind is _Kind.KEYWORD_ONLY else None,
            score_one=score_one,
            scorer_takes_weights=score_one is not None and _takes_third(score_one),
        )


def _method(engine: object, name: str) -> Callable[..., object] | None:
    found = getattr(engine, name, None)
    return found if callable(found) else None


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, and silent about it
        return None


def _third_parameter(search: Callable[..., object], name: str) -> inspect.Parameter | None:
    """Return what follows text and data, None where any argument is taken."""
    parameters = _parameters(search)
    if parameters is None:
        return None
    positional = [each for each in parameters if each.kind in _POSITIONAL]
    if len(positional) > _DATA_AND_TEXT and not _is_number(positional[_DATA_AND_TEXT]):
        return positional[_DATA_AND_TEXT]
    if any(each.kind is _Kind.VAR_POSITIONAL for each in parameters):
        return None
    for each in parameters:
        named = each.name == "config" or _is_database_name(each)
        if len(positional) == _DATA_AND_TEXT and each.kind is _Kind.KEYWORD_ONLY and named:
            return each
    shown = ", ".join(str(each.replace(annotation=_Kind.empty)) for each in parameters)
    raise SearchError(f"{name}.search takes ({shown}); {_EXPECTED}")


def _is_database_name(parameter: inspect.Parameter) -> bool:
    return parameter.name in _DATABASE_NAMES or parameter.annotation in {str, "str"}


def _is_number(parameter: inspect.Parameter) -> bool:
    """Return whether a number is wanted, such as a limit: neither a name nor a configuration."""
    return parameter.annotation in _NUMBERS or type(parameter.default) in {int, float, bool}


def _takes_third(function: Callable[..., object]) -> bool:
    parameters = _parameters(function)
    if parameters is None:
        return True
    kinds = [each.kind for each in parameters]
    positional = sum(kind in _POSITIONAL for kind in kinds)
    return positional > _DATA_AND_TEXT or _Kind.VAR_POSITIONAL in kinds
