"""What a value weighs in memory: exact where that is cheap, sampled where it is not.

Strings, bytes and the buffers of numpy, Polars and Arrow are weighed exactly. Of a long list, dict
or tuple a few members, spread evenly, are weighed and stand for the others; what those members
share, such as the field names of rows, is counted once. The deeper something lies the fewer of its
like are looked at, so that weighing a hundred rows or a million takes the same: a thirtieth, at
most, of a walk through all of a hundred rows of 8 fields.
"""

from __future__ import annotations

import sys
from gc import get_referents
from itertools import islice
from math import ceil
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from ..errors import CacheWeightError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable

BOOKKEEPING_BYTES: Final = 160
"""What keeping one entry costs beside its key and value: its place in the order, its terms."""

_ALLOCATION_BYTES: Final = 16
_VISITS: Final = 64
_SAMPLE: Final = 5
_DECAY: Final = 4
"""What is inside a member is visited at a quarter as many places."""
_MAX_KNOWN_TYPES: Final = 1_000

_getsizeof = sys.getsizeof


@runtime_checkable
class SelfWeighing(Protocol):
    """An object that says its own size."""

    def cache_weight_bytes(self) -> int:
        """Return the bytes this object holds, itself included."""


def weigh(value: object) -> int:
    """Return the bytes that a value holds in memory, in whole allocation units of 16.

    An object with a method `cache_weight_bytes()` is asked.

    Raises:
        CacheWeightError: the value, or something in it, refuses to say how large it is.

    >>> weigh(b"x" * 1000)
    1040
    >>> weigh(["a"]) < weigh(["a", "b", ["c"]])
    True
    """
    try:
        weight = _weigh(value, set(), _VISITS)
        return -(-ceil(weight) // _ALLOCATION_BYTES) * _ALLOCATION_BYTES
    except CacheWeightError:
        raise
    except Exception as error:
        raise CacheWeightError(
            f"a value of type {type(value).__name__!r} cannot be weighed ({error!r}); give it a "
            "method cache_weight_bytes() -> int, or the cache a sizer="
        ) from error


def weigh_entry(key: Hashable, value: object) -> int:
    """Return what keeping a value under a key costs: both, and the bookkeeping."""
    weight = BOOKKEEPING_BYTES
    if type(key) in _FLAT:
        weight += (key.__sizeof__() + _ALLOCATION_BYTES - 1) & -_ALLOCATION_BYTES
    else:
        weight += weigh(key)
    if type(value) in _FLAT:
        return weight + ((value.__sizeof__() + _ALLOCATION_BYTES - 1) & -_ALLOCATION_BYTES)
    return weight + weigh(value)


def checked_weight(weight: object, what: str) -> int:
    """Return a weight that somebody else worked out, as whole bytes.

    Raises:
        CacheWeightError: it is not a number from 0 up.
    """
    if isinstance(weight, (int, float)) and 0 <= weight < float("inf"):
        return ceil(weight)
    raise CacheWeightError(f"{what} said {weight!r}; a weight is a number of bytes from 0 up")


def _weigh(value: object, seen: set[int], visits: int) -> float:
    """Return the bytes of what is reached from `value` and not in `seen`, estimated."""
    kind = type(value)
    identity = id(value)
    if identity in seen:
        return 0
    seen.add(identity)
    if kind in _FLAT:
        return value.__sizeof__()
    if visits <= 0:
        return _getsizeof(value)
    if kind is dict:
        return _weigh_dict(value, seen, visits)  # type: ignore[arg-type]  # kind is dict
    if kind in _SEQUENCES:
        return _getsizeof(value) + _weigh_members(value, seen, visits)  # type: ignore[arg-type]
    weigher = _WEIGHERS.get(kind)
    if weigher is None:
        if (
            len(_WEIGHERS) >= _MAX_KNOWN_TYPES
        ):  # classes made on the fly must not live here for ever
            _WEIGHERS.clear()
        weigher = _WEIGHERS[kind] = _find_weigher(kind)
    return weigher(value, seen, visits)


def _weigh_dict(value: dict[object, object], seen: set[int], visits: int) -> float:
    weight = float(_getsizeof(value))
    if len(value) > _VISITS:
        half = visits // 2
        return (
            weight
            + _weigh_members(value.keys(), seen, half)
            + _weigh_members(value.values(), seen, half)
        )
    # A row, most often: its keys are seen already, its values flat.
    share = visits // _DECAY
    for key, member in value.items():
        if id(key) not in seen:
            weight += _weigh(key, seen, share)
        identity = id(member)
        if identity not in seen:
            if type(member) in _FLAT:
                seen.add(identity)
                weight += member.__sizeof__()
            else:
                weight += _weigh(member, seen, share)
    return weight


def _weigh_members(members: Collection[object], seen: set[int], visits: int) -> float:
    """Return the estimated bytes of all members, from the first and some spread over the rest.

    The first of a sample pays for what all share; the later half says what one more member adds.
    """
    count = len(members)
    share = visits // _DECAY
    if count <= _SAMPLE or (count <= visits and all(type(each) in _FLAT for each in members)):
        return sum(_weigh(each, seen, share) for each in members)
    first = next(iter(members))
    width = len(first) if type(first) is dict else 1
    taken = max(2, min(_SAMPLE, visits // (width + 1)))
    weights = [_weigh(each, seen, share) for each in _spread(members, taken)]
    later = weights[taken // 2 :]
    return sum(weights) + (count - taken) * sum(later) / len(later)


def _spread(members: Collection[object], taken: int) -> Iterable[object]:
    step = len(members) // taken
    if isinstance(members, (list, tuple)):
        return members[: step * taken : step]
    # No index: the first ones, for walking further would cost what the sample saves.
    return islice(members, taken)


def _find_weigher(kind: type) -> Callable[[object, set[int], int], float]:
    """Return how values of a type are weighed, by what the type or one it derives from is."""
    if hasattr(kind, "cache_weight_bytes"):
        return _weigh_by_itself
    for base in kind.__mro__:
        library = base.__module__.partition(".")[0]
        weigher = _BUFFERS.get((library, base.__name__))
        if weigher is not None:
            return weigher
    if issubclass(kind, (type, ModuleType, *_SHARED_KINDS)):
        return _weigh_nothing
    if issubclass(kind, (set, frozenset)):
        return lambda value, seen, visits: (
            _getsizeof(value) + _weigh_members(value, seen, visits)  # type: ignore[arg-type]
        )
    return _weigh_object


def _weigh_object(value: object, seen: set[int], visits: int) -> float:
    # The collector's own view: attributes in slots, in a dict, or (3.11) in neither.
    weight = float(_getsizeof(value))
    if visits > 0:
        referents = [each for each in get_referents(value) if not isinstance(each, type)]
        weight += _weigh_members(referents, seen, visits - 1)
    return weight


def _weigh_nothing(value: object, seen: set[int], visits: int) -> float:  # noqa: ARG001 - a weigher
    return 0


def _weigh_by_itself(value: object, seen: set[int], visits: int) -> float:  # noqa: ARG001 - a weigher
    said = value.cache_weight_bytes()  # type: ignore[attr-defined]  # looked for on its type
    return checked_weight(said, f"{type(value).__name__}.cache_weight_bytes()")


def _weigh_array(value: object, seen: set[int], visits: int) -> float:
    weight = float(_getsizeof(value))
    base = value.base  # type: ignore[attr-defined]  # numpy has it
    if base is not None and id(base) not in seen:
        # A view keeps all of its base alive, whatever kind of buffer that is.
        weight += max(_weigh(base, seen, 0), value.nbytes)  # type: ignore[attr-defined]
    if value.dtype.hasobject:  # type: ignore[attr-defined]
        weight += _weigh_members(value.ravel().tolist(), seen, visits)  # type: ignore[attr-defined]
    return weight


def _weigh_estimated(value: object, seen: set[int], visits: int) -> float:  # noqa: ARG001 - a weigher
    return float(value.estimated_size())  # type: ignore[attr-defined]  # Polars has it


def _weigh_nbytes(value: object, seen: set[int], visits: int) -> float:  # noqa: ARG001 - a weigher
    return float(max(_getsizeof(value), value.nbytes))  # type: ignore[attr-defined]


# Nothing that the garbage collector would have to track: their `__sizeof__()` is what
# `sys.getsizeof` says, in a sixth of the time.
_FLAT: Final = frozenset(
    {str, bytes, bytearray, int, float, bool, complex, type(None), type(...), range}
)
_SEQUENCES: Final = frozenset({list, tuple})
_SHARED_KINDS: Final = (FunctionType, BuiltinFunctionType, MethodType, CodeType)
_BUFFERS: Final[dict[tuple[str, str], Callable[[object, set[int], int], float]]] = {
    ("numpy", "ndarray"): _weigh_array,
    ("polars", "DataFrame"): _weigh_estimated,
    ("polars", "Series"): _weigh_estimated,
    ("pyarrow", "Table"): _weigh_nbytes,
    ("pyarrow", "RecordBatch"): _weigh_nbytes,
    ("pyarrow", "Array"): _weigh_nbytes,
    ("pyarrow", "ChunkedArray"): _weigh_nbytes,
    ("pyarrow", "Buffer"): lambda value, _seen, _visits: float(value.size),  # type: ignore[attr-defined]
    ("builtins", "memoryview"): _weigh_nbytes,
    ("array", "array"): lambda value, _seen, _visits: _getsizeof(value),
}
_WEIGHERS: Final[dict[type, Callable[[object, set[int], int], float]]] = {}
