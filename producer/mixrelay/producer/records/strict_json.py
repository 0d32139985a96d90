"""The exact walk: a plain copy of a record, or the error that names the culprit."""

from __future__ import annotations

import json
import math
import sys
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import orjson

from mixrelay.producer.bounds import Room
from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.foreign_values import UNKNOWN, stood_for
from mixrelay.producer.records.snapshots import as_dict, as_list
from mixrelay.producer.records.values import Default, NotJSONError, simplify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the record inwards."""

Names: TypeAlias = "Mapping[Path, str]"
"""What the caller calls the parts of a record: the path of each argument, and its name."""

MAX_DEPTH = 95
"""Levels inside a record. Ruby's JSON gives up at 100, and a message adds up to three."""

MOST_STEPS = 2 * MAX_DEPTH
"""Of levels and conversions together: an Enum's value, say, may need another one."""

# Of a foreign key no more characters than this are repeated in an error.
_KEY_SHOWN = 60

_NEVER_NAN = frozenset({str, int, bool, NoneType})

_INT64_MIN, _INT64_MAX, _UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1

Held = TypeVar("Held", dict[Any, Any], list[Any])


class Walk:
    """One walk through one record; it keeps what it is inside of, to notice cycles."""

    def __init__(self, names: Names, default: Default | None = None, *, wide: bool = True) -> None:
        """Begin at the record.

        Args:
            names: of the record's parts.
            default: converts what is not known.
            wide: whether an integer over 64 bits becomes what orjson writes as such.
        """
        self._names = names
        self._default = default
        self._wide = wide
        self._inside: set[int] = set()
        self._room = Room()

    def plain(self, value: object, path: Path) -> object:
        """Return a copy that orjson writes as it is.

        Raises:
            InvalidPropertyError: something in it is not JSON.
        """
        kind = type(value)
        if kind is str:
            return self._text(value, path)  # type: ignore[arg-type]
        if kind is int:
            return self._integer(value, path)  # type: ignore[arg-type]
        if kind is float:
            return self._finite(value, path)  # type: ignore[arg-type]
        if value is None or kind is bool:
            return value
        return self._nested(value, path)

    def _nested(self, value: object, path: Path) -> object:
        if id(value) in self._inside:
            raise self._refused(path, "holds itself, which JSON cannot say; leave that part out")
        if len(path) > MAX_DEPTH:
            raise self._refused(path, f"is nested over {MAX_DEPTH} levels deep; send it flatter")
        if len(self._inside) > MOST_STEPS:
            raise self._refused(
                path, f"is no JSON after {MOST_STEPS} conversions, each into something else"
            )
        self._inside.add(id(value))
        try:
            return self._opened(value, path)
        finally:
            self._inside.discard(id(value))

    def _opened(self, value: object, path: Path) -> object:
        if type(value) is dict:
            return {
                self._key(key, path): self.plain(item, (*path, key))
                for key, item in self._held(as_dict, value, path).items()
            }
        if type(value) is list:
            members = self._held(as_list, value, path)
            return [self.plain(item, (*path, index)) for index, item in enumerate(members)]
        return self._simpler(value, path)

    def _held(self, copy: Callable[[Any], Held], value: object, path: Path) -> Held:
        """Return a container's copy, which the record has room for."""
        try:
            copied = copy(value)
            self._room.take(copied)
        except NotJSONError as error:
            raise self._refused(path, str(error)) from None
        return copied

    def _simpler(self, value: object, path: Path) -> object:
        try:
            simpler = simplify(value, self._default)
        except NotJSONError as error:
            raise self._refused(path, str(error)) from error.__cause__
        except Exception as error:
            if is_ending(error):
                raise
            kind = type(value).__name__
            raise self._refused(
                path, f"reading this {kind} failed with {type(error).__name__}: {error}"
            ) from error
        return self.plain(simpler, path)

    def _key(self, key: object, path: Path) -> str:
        if not issubclass(type(key), str):
            key = self._stood_for(key, path)
        if not isinstance(key, str):
            shown = _shown(key)
            kind = type(key).__name__
            raise self._refused(path, f"{shown} is no str but {kind}, and keys are str")
        return self._text(str.__str__(key), (*path, key))

    def _stood_for(self, key: object, path: Path) -> object:
        """Return what a key stands for that is a proxy, as a lazily translated text."""
        try:
            found = stood_for(key)
        except NotJSONError as error:
            raise self._refused(path, f"a key, {error}") from None
        return key if found is UNKNOWN else found

    def _text(self, text: str, path: Path) -> str:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            where = f"at character {error.start}"
            raise self._refused(
                path, f"holds half of a surrogate pair {where}, which is no text; decode it anew"
            ) from None
        return text

    def _integer(self, value: int, path: Path) -> object:
        if _INT64_MIN <= value <= _UINT64_MAX:
            return value
        # orjson writes no larger one, but readers take them; up to where they make Infinity of it.
        if abs(value) > sys.float_info.max:
            raise self._refused(path, "is beyond a float's range; send it as a str")
        if not self._wide:
            return value
        return orjson.Fragment(int.__repr__(value))

    def _finite(self, value: float, path: Path) -> float:
        if not math.isfinite(value):
            word = "NaN" if math.isnan(value) else "Infinity"
            raise self._refused(path, f"{word} is not JSON; send None or leave it out")
        return value

    def _refused(self, path: Path, reason: str) -> InvalidPropertyError:
        return InvalidPropertyError(where(path, self._names), reason)


def _shown(key: object) -> str:
    """Return a key that is no text, for an error."""
    if key is None or isinstance(key, float) or (isinstance(key, int) and abs(key) < _INT64_MAX):
        return repr(key)
    return "a key"


def surely_finite(value: list[Any] | dict[str, Any]) -> bool:
    """Whether the nulls of a list or dict, of exact JSON types throughout, are all None.

    >>> surely_finite({"a": [1.5, None]}), surely_finite({"a": [float("nan")]})
    (True, False)
    """
    items: Iterable[Any] = value.values() if isinstance(value, dict) else value
    for item in items:
        kind = type(item)
        if kind is float:
            if not math.isfinite(item):
                return False
        elif kind not in _NEVER_NAN and not surely_finite(item):
            return False
    return True


def where(path: Path, names: Names) -> str:
    """Return a path as the caller would write it, from the argument it lies in.

    >>> where(("properties", "cart", 2), {("properties",): "properties"})
    'properties["cart"][2]'
    """
    for length in range(len(path), 0, -1):
        name = names.get(path[:length])
        if name is not None:
            return name + "".join(map(_step, path[length:]))
    return str(path[0]) + "".join(map(_step, path[1:]))


def _step(step: str | int) -> str:
    if isinstance(step, str):
        # Escaped, since the text goes to logs; cut, since a key may be a document.
        return f"[{json.dumps(step[:_KEY_SHOWN])}]"
    return f"[{step}]"
