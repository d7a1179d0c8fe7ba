"""What the parts of a query share: frozen, strict about names, with errors of ours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import QueryDepthError, QueryEngineError, QueryError, shown_value
from ..settings import MAX_FILTER_DEPTH
from .kept_property import kept_property

if TYPE_CHECKING:
    from collections.abc import Callable

FieldPath: TypeAlias = Annotated[str, Field(min_length=1)]
Model = TypeVar("Model", bound="QueryModel")


class QueryModel(BaseModel):
    """What the parts of a query share: frozen, strict about names, and with errors of ours."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(kept_property,))

    def __init__(self, *positional: object, **values: object) -> None:
        if positional:
            plain = None if values else _plain_checks.get(type(self))
            if plain is not None and (checked := plain.check(*positional)) is not None:
                _fill(self, checked, plain.given[len(positional)])
                return
            values = _by_name(type(self), positional, values)
        try:
            self.__pydantic_validator__.validate_python(values, self_instance=self)
        except ValidationError as error:
            raise _ours(error) from error

    @classmethod
    def model_validate(cls, obj: object, **options: object) -> Self:
        """Return the model for a mapping or an instance.

        Raises:
            QueryError: something in it cannot be; the message names what.
        """
        try:
            return super().model_validate(obj, **options)  # type: ignore[arg-type]  # as above
        except ValidationError as error:
            raise _ours(error) from error

    @classmethod
    def model_validate_json(cls, json_data: str | bytes, **options: object) -> Self:  # type: ignore[override]  # pydantic's keywords pass through
        """Return the model for JSON text; raises as `model_validate` does."""
        try:
            return super().model_validate_json(json_data, **options)  # type: ignore[arg-type]  # as above
        except ValidationError as error:
            raise _ours(error) from error

    def model_copy(self, *, update: Mapping[str, object] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed; unlike pydantic's, the changes are validated."""
        del deep  # every part is frozen: a shallow copy shares nothing that can change
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**kept, **(update or {})})


class _Plain(NamedTuple):
    """How a model is checked without pydantic."""

    check: Callable[..., dict[str, object] | None]
    given: tuple[set[str], ...]
    """The names of so many fields; frozen models share the set, since they never add to it."""


_plain_checks: dict[type[QueryModel], _Plain] = {}
_set_attribute = object.__setattr__


def _fill(model: QueryModel, values: dict[str, object], given: set[str]) -> None:
    """Fill a model as pydantic's `model_construct` does; a frozen one refuses its own way."""
    _set_attribute(model, "__dict__", values)
    _set_attribute(model, "__pydantic_fields_set__", given)
    _set_attribute(model, "__pydantic_extra__", None)
    _set_attribute(model, "__pydantic_private__", None)


def made_of(model: type[Model], values: dict[str, object]) -> Model:
    """Return a model of values for all its fields that are known to be as it holds them."""
    made = model.__new__(model)
    _fill(made, values, _plain_checks[model].given[-1])
    return made


def checked_plainly(
    model: type[QueryModel], check: Callable[..., dict[str, object] | None]
) -> None:
    """Have what is given to a model by position checked by a function before pydantic is asked.

    Most filters are plain enough for a few comparisons of types to tell that pydantic would take
    them as they are, in half its time. The function takes the fields in their order, any number of
    them, and returns the values of all fields as the model will hold them; None to leave the matter
    to pydantic. Of a model's subclasses, which may check more, it is not asked.
    """
    names = _field_names(model)
    given = tuple(set(names[:count]) for count in range(len(names) + 1))
    _plain_checks[model] = _Plain(check, given)


def _by_name(
    model: type[QueryModel], positional: tuple[object, ...], values: dict[str, object]
) -> dict[str, object]:
    """Return the values with those given by position under the names of the fields."""
    names = _field_names(model)
    if len(positional) > len(names):
        raise QueryError(
            f"{model.__name__} takes {len(names)} values ({', '.join(names)}), "
            f"{len(positional)} were given"
        )
    named = dict(zip(names, positional, strict=False))
    if values and not named.keys().isdisjoint(values):
        twice = sorted(named.keys() & values.keys())
        raise QueryError(f"{model.__name__} was given {', '.join(twice)} twice")
    named.update(values)
    return named


@lru_cache(maxsize=64)
def _field_names(model: type[QueryModel]) -> tuple[str, ...]:
    return tuple(model.model_fields)


def _ours(error: ValidationError) -> QueryEngineError:
    """Return the error of ours inside pydantic's, or one that says the same in a line."""
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, QueryEngineError):
        return cause
    where = ".".join(str(part) for part in first["loc"]) or error.title
    given = "missing" if first["type"] == "missing" else shown_value(first["input"])
    return QueryError(f"{error.title}: {where} is {given}; {first['msg']}")


def too_deep() -> QueryDepthError:
    """Return the error for filters that are nested too deep."""
    return QueryDepthError(
        f"filters are nested deeper than {MAX_FILTER_DEPTH}; flatten groups of the same mode"
    )
