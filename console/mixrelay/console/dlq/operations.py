"""What `mixrelay dlq fix` does to a record: set, delete, rename, truncate.

They work on the record's text: what they do not touch stays as it was written, a number of
seventy bits or `1.0e-07` too.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mixrelay.console.dlq.paths import Path, halves, unescaped
from mixrelay.console.dlq.shortening import shortened
from mixrelay.shared.jsontext import members
from mixrelay.shared.reading import count, shown_value


class UnfitError(Exception):
    """An operation cannot be carried out on a record; its text says why."""


Fields = dict[str, str]
"""An object of JSON: names and the texts of their values."""


@dataclass(frozen=True, slots=True)
class Operation(ABC):
    """One change of a record."""

    path: Path

    @abstractmethod
    def apply(self, text: str) -> str:
        """The record's text after it; the same text where it has nothing to change.

        Raises:
            UnfitError: it would lose something.
        """

    @property
    @abstractmethod
    def words(self) -> str:
        """For the audit; without a value, which may be a secret."""

    @property
    def touched(self) -> Sequence[Path]:
        return (self.path,)

    def touches(self, before: str, after: str) -> Sequence[Path]:  # noqa: ARG002 - a program looks
        """The places that it changed, of a record before and after it."""
        return self.touched


@dataclass(frozen=True, slots=True)
class Set(Operation):
    value: str

    def apply(self, text: str) -> str:
        def put(fields: Fields) -> Fields:
            return fields | {self.path.name: self.value}

        return _changed(text, self.path.names[:-1], put, makes=True)

    @property
    def words(self) -> str:
        return f"set {self.path}"


@dataclass(frozen=True, slots=True)
class Delete(Operation):
    def apply(self, text: str) -> str:
        def drop(fields: Fields) -> Fields:
            return {name: value for name, value in fields.items() if name != self.path.name}

        return _changed(text, self.path.names[:-1], drop)

    @property
    def words(self) -> str:
        return f"delete {self.path}"


@dataclass(frozen=True, slots=True)
class Rename(Operation):
    new: Path

    def apply(self, text: str) -> str:
        value = _found(text, self.path.names)
        if value is None:
            return text
        if _found(text, self.new.names) is not None:
            raise UnfitError(f"{self.new} is there already, and renaming {self.path} would lose it")
        if self.new == self.path.sibling(self.new.name):
            return _changed(text, self.path.names[:-1], self._renamed)
        return Set(self.new, value).apply(Delete(self.path).apply(text))

    def _renamed(self, fields: Fields) -> Fields:
        """With its value in its place."""
        old, new = self.path.name, self.new.name
        return {new if name == old else name: value for name, value in fields.items()}

    @property
    def words(self) -> str:
        return f"rename {self.path} to {self.new}"

    @property
    def touched(self) -> Sequence[Path]:
        return (self.path, self.new)


@dataclass(frozen=True, slots=True)
class Truncate(Operation):
    most: int | None

    def apply(self, text: str) -> str:
        def cut(fields: Fields) -> Fields:
            name = self.path.name
            if name not in fields:
                return fields
            return fields | {name: shortened(fields[name], self.most)}

        return _changed(text, self.path.names[:-1], cut)

    @property
    def words(self) -> str:
        return f"truncate {self.path}" + ("" if self.most is None else f" to {self.most}")


def _changed(
    text: str, way: Sequence[str], change: Callable[[Fields], Fields], *, makes: bool = False
) -> str:
    """The text with the object at the end of the way changed; objects that lack are made."""
    if not text.startswith("{"):
        return text
    fields = _fields(text)
    if way:
        inner = fields.get(way[0], "{}" if makes else None)
        if inner is None:
            return text
        after = fields | {way[0]: _changed(inner, way[1:], change, makes=makes)}
        if makes and not inner.startswith("{"):
            raise UnfitError(f"{way[0]} is no object, so nothing can be set in it")
    else:
        after = change(fields)
    return text if after == fields and list(after) == list(fields) else _text(after)


def _found(text: str, way: Sequence[str]) -> str | None:
    """The text of the value at the end of the way."""
    for name in way:
        value = _fields(text).get(name) if text.startswith("{") else None
        if value is None:
            return None
        text = value
    return text


def _fields(text: str) -> Fields:
    # Of a doubled key the last counts.
    return {one.key: text[one.start : one.end] for one in members(text)}


def _text(fields: Fields) -> str:
    inner = (f"{json.dumps(name, ensure_ascii=False)}:{value}" for name, value in fields.items())
    return f"{{{','.join(inner)}}}"


def read_set(text: str) -> Set:
    """Read `PATH=JSON`.

    Raises:
        ValueError: it is none.
    """
    before, value = halves(text)
    if value is None:
        raise ValueError(f"{shown_value(text)} sets nothing: write PATH=JSON.")
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        example = json.dumps(value[:_SHOWN], ensure_ascii=False)
        raise ValueError(
            f"{shown_value(value)} is no JSON: a text stands in double quotes, "
            f"{before}={example}, and the shell needs single ones around the whole."
        ) from None
    return Set(Path.parse(before), value.strip())


def read_delete(text: str) -> Delete:
    return Delete(Path.parse(text))


def read_rename(text: str) -> Rename:
    """Read `OLD=NEW`: a path, and another one or a name beside it.

    Raises:
        ValueError: it is none.
    """
    before, behind = halves(text)
    if not behind:
        raise ValueError(f"{shown_value(text)} renames nothing: write OLD=NEW.")
    path = Path.parse(before)
    is_path = len(path.names) > 1 and "." in behind.replace("\\.", "")
    new = Path.parse(behind) if is_path else path.sibling(unescaped(behind.strip()))
    if new.names[: len(path.names)] == path.names:
        raise ValueError(f"{shown_value(text)} renames a value to itself, or to within itself.")
    return Rename(path, new)


def read_truncate(text: str) -> Truncate:
    """Read `PATH` or `PATH=N`.

    Raises:
        ValueError: it is none.
    """
    before, behind = halves(text)
    most = None if behind is None else count(behind.strip())
    if behind is not None and most is None:
        raise ValueError(f"{shown_value(behind)} is no number of characters or elements.")
    return Truncate(Path.parse(before), most)


READERS: dict[str, Callable[[str], Operation]] = {
    "set": read_set,
    "delete": read_delete,
    "rename": read_rename,
    "truncate": read_truncate,
}
"""By the name of the option."""
_SHOWN = 40


def changed_names(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names whose values differ, or which one of both lacks."""
    names = dict.fromkeys((*before, *after))
    return [
        name
        for name in names
        if name not in before or name not in after or not same_value(before[name], after[name])
    ]


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; 1, 1.0 and true are three."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def same(one: str, other: str) -> bool:
    """Whether two texts of JSON say the same; 1, 1.0 and true are three values."""
    try:
        return one == other or _canonical(one) == _canonical(other)
    except RecursionError:
        return False


def _canonical(text: str) -> str:
    parsed: Any = json.loads(text)
    return json.dumps(parsed, sort_keys=True)
