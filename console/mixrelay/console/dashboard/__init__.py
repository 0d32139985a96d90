"""The operator's page: what waits, what is paused, what died, and what to do about it.

`create_app` makes it for Starlette, FastAPI and other ASGI applications, `create_wsgi_app` for
Flask, Django and other WSGI ones.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixrelay.console.dashboard.app import create_app
    from mixrelay.console.dashboard.options import DashboardSettings
    from mixrelay.console.dashboard.wsgi import create_wsgi_app

__all__ = ["DashboardSettings", "create_app", "create_wsgi_app"]

_HOMES = {"DashboardSettings": "options", "create_app": "app", "create_wsgi_app": "wsgi"}


def __getattr__(name: str) -> Any:
    """Loads the page when it is asked for: every command of mixrelay passes through here."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
