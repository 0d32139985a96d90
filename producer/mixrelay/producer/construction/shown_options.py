"""Shows the queue's options in ``help()``, one by one, where a call takes them as ``**options``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from mixrelay.producer.options import QueueOptions, QueueSettings
from mixrelay.shared.options import options

F = TypeVar("F", bound=Callable[..., Any])


def with_options_shown(method: F) -> F:
    """Put each option into a method's signature and docstring, from the one table of them."""
    known = options(QueueSettings)
    shown = inspect.signature(method)
    parameters = [
        one for one in shown.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    parameters += [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=one.default,
            annotation=QueueOptions.__annotations__.get(one.name, inspect.Parameter.empty),
        )
        for one in known
    ]
    method.__signature__ = shown.replace(parameters=parameters)  # type: ignore[attr-defined]
    lines = [
        f"    {one.name}: {one.help} Else ``{one.variable}``, else {_default(one.default)}"
        f"{f' {one.unit}' if one.unit else ''}."
        for one in known
    ]
    told = inspect.cleandoc(method.__doc__ or "")
    method.__doc__ = f"{told}\n\nOptions of the queue:\n" + "\n".join(lines) + "\n"
    return method


def _default(value: object) -> str:
    return "what is said there" if value == "" else str(value)
