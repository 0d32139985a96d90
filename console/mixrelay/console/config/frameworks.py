"""The settings that a producer gets from its framework: Django's module, Flask's application."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import CommandError

DJANGO = 'MIXRELAY["{upper}"]'
FLASK = "MIXRELAY_{upper}"


def of_django(module: str) -> dict[str, Any]:
    """Return `MIXRELAY` of a module of settings, by the names of a tracker's arguments.

    Raises:
        CommandError: the module cannot be imported.
    """
    found: dict[str, Any] = getattr(_imported(module, import_module), "MIXRELAY", {})
    return {name.lower(): value for name, value in found.items()}


def of_flask(path: str) -> dict[str, Any]:
    """Return what an application's configuration says, `shop:app` or a factory, `shop:create_app`.

    Raises:
        CommandError: there is none.
    """
    module, _, name = path.partition(":")
    app = _imported(path, lambda _: getattr(import_module(module), name or "app"))
    if not hasattr(app, "config") and callable(app):
        app = app()
    found: dict[str, Any] = app.config.get_namespace("MIXRELAY_")
    return found


def _imported(path: str, load: Callable[[str], Any]) -> Any:
    # As `python -m` does: a project's own modules lie where one stands.
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds texts
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        return load(path)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandError(
            f"{path!r} cannot be imported: {error}.",
            "Run it where the application runs, with the application's Python.",
            code=ExitCode.USAGE,
        ) from error
