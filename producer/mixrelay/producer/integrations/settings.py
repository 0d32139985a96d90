"""A tracker by a framework's settings."""

from __future__ import annotations

import inspect
from typing import Any

from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.options import QueueOptions
from mixrelay.producer.tracker import Tracker

_ARGUMENTS = frozenset(inspect.signature(Tracker.__init__).parameters) - {"self", "options"}
_KNOWN = _ARGUMENTS | QueueOptions.__annotations__.keys()


def tracker_from(settings: dict[str, Any], form: str) -> Tracker[Any]:
    """Return a tracker with these arguments.

    Args:
        settings: arguments of ``Tracker`` by name.
        form: how a setting is written, for an error: ``MIXRELAY_{}``.

    Raises:
        ConfigurationError: ``Tracker`` has no such argument, or one cannot work.
    """
    unknown = sorted(settings.keys() - _KNOWN)
    if unknown:
        names = ", ".join(form.format(name.upper()) for name in unknown)
        known = ", ".join(name.upper() for name in sorted(_KNOWN | {"trusted_proxies"}))
        raise ConfigurationError(f"{names}: there is no such setting. There are {known}.")
    return Tracker(**settings)
