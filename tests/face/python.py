"""The names that applications import, with the arguments that each takes."""

import enum
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

MODULES = (
    "mixrelay",
    "mixrelay.producer",
    "mixrelay.producer.integrations.asgi",
    "mixrelay.producer.integrations.django",
    "mixrelay.producer.integrations.fastapi",
    "mixrelay.producer.integrations.flask",
    "mixrelay.producer.integrations.starlette",
    "mixrelay.producer.integrations.wsgi",
    "mixrelay.producer.lookup",
    "mixrelay.producer.official",
    "mixrelay.producer.reserved",
    "mixrelay.producer.testing",
    "mixrelay.worker",
    "mixrelay.console.dashboard",
    "mixrelay.console.testing",
    "mixrelay.sandbox",
)
"""What the documentation imports from; all else may change with any version."""
_PLAIN = (bool, int, float, str, bytes, type(None))
_LONGEST_DEFAULT = 60


def lines() -> Iterator[str]:
    """Each name of each public module, in order; annotations are held by the typing tests."""
    described: set[int] = set()
    for path in MODULES:
        module = importlib.import_module(path)
        for name in sorted(_names(module)):
            value = getattr(module, name)
            yield f"{path}.{name}{_kind(value)}"
            if inspect.isclass(value) and id(value) not in described:
                described.add(id(value))
                yield from (f"    {line}" for line in _members(value))


def _names(module: ModuleType) -> list[str]:
    if listed := getattr(module, "__all__", None):
        return list(listed)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        bases = [base.__name__ for base in value.__bases__ if base is not object]
        return f": class({', '.join(bases)})" if bases else ": class"
    return _signature(value) if inspect.isroutine(value) else ": value"


def _members(cls: type) -> Iterator[str]:
    if issubclass(cls, enum.Enum):
        for member in cls:
            yield f"{member.name} = {member.value!r}"
        return
    if "__init__" in _of_ours(cls) or hasattr(cls, "__dataclass_fields__"):
        yield f"__init__{_signature(cls)}"
    for name in sorted({*_of_ours(cls), *_fields(cls)}):
        if name.startswith("_"):
            continue
        found = inspect.getattr_static(cls, name, None)
        if isinstance(found, staticmethod | classmethod):
            yield f"{name}{_signature(getattr(cls, name))}: {type(found).__name__}"
        elif inspect.isfunction(found):
            word = "async " if inspect.iscoroutinefunction(found) else ""
            yield f"{word}{name}{_signature(found)}"
        else:
            yield f"{name}: attribute"


def _of_ours(cls: type) -> dict[str, Any]:
    """What the class and its own ancestors define; what others' classes give is theirs."""
    ours = [one for one in cls.__mro__ if one.__module__.startswith("mixrelay.")]
    return {name: value for one in reversed(ours) for name, value in vars(one).items()}


def _fields(cls: type) -> set[str]:
    annotated = (vars(one).get("__annotations__", {}) for one in cls.__mro__)
    annotated_later = getattr(cls, "__dataclass_fields__", {})
    return {*annotated_later, *(name for one in annotated for name in one)}


def _signature(function: Any) -> str:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "(…)"
    parameters = [_parameter(one) for one in signature.parameters.values() if one.name != "self"]
    plain = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return str(plain)


def _parameter(parameter: inspect.Parameter) -> inspect.Parameter:
    bare = parameter.replace(annotation=inspect.Parameter.empty)
    default = parameter.default
    if default is inspect.Parameter.empty or (
        type(default) in _PLAIN and len(repr(default)) < _LONGEST_DEFAULT
    ):
        return bare
    return bare.replace(default=_Written(default))


class _Written:
    """A default whose repr may hold an address or a version's own words: its type says enough."""

    def __init__(self, default: Any) -> None:
        self._default = default

    def __repr__(self) -> str:
        if isinstance(self._default, enum.Enum):
            return f"{type(self._default).__name__}.{self._default.name}"
        return f"<{type(self._default).__name__}>"
