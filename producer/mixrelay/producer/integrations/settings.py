"""A tracker by a framework's settings."""

from __future__ import annotations

import inspect
from typing import Any

from mixrelay.producer.construction.checks import HOOKS, SETTINGS, own_client, resolved
from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.tracker import Tracker
from mixrelay.shared.options import is_empty, named_as

_ARGUMENTS = frozenset(inspect.signature(Tracker.__init__).parameters) - {"self", "options"}
_KNOWN = _ARGUMENTS | SETTINGS.keys() | set(HOOKS)


def tracker_from(settings: dict[str, Any], form: str) -> Tracker[Any]:
    """Return a tracker with these arguments.

    They are read as variables of the environment are: trimmed, words for on and off, and what is
    empty is not set. A text for a hook or for the client of Redis is the path to import it by.

    Args:
        settings: arguments of ``Tracker`` by name.
        form: how a setting is written, for an error: ``MIXRELAY_{}``.

    Raises:
        ConfigurationError: ``Tracker`` has no such argument, or one cannot work.
    """
    unknown = sorted(settings.keys() - _KNOWN)
    if unknown:
        names = ", ".join(form.format(name.upper()) for name in unknown)
        known = ", ".join(name.upper() for name in sorted(_KNOWN | {"trusted_proxies", "context"}))
        raise ConfigurationError(f"{names}: there is no such setting. There are {known}.")
    written = {name: form.format(name.upper()) for name in settings}
    arguments = {
        name: _read(name, value, written[name])
        for name, value in settings.items()
        if value is not None and not is_empty(value)
    }
    try:
        return Tracker(**arguments)
    except ConfigurationError as error:
        written.pop("redis", None)  # the word is in the texts for other reasons too
        raise named_as(error, written) from None


def _read(name: str, value: Any, written: str) -> Any:
    if name in SETTINGS:
        return SETTINGS[name].read(value, written)
    if name == "redis":
        return _client(value, written)
    is_path = name in HOOKS and "://" not in str(value)
    return resolved(value, written) if is_path else value


def _client(value: Any, written: str) -> Any:
    from mixrelay.shared.connection import Given  # noqa: PLC0415 - loads redis-py, as Tracker does

    client = own_client(value, written)
    Given.of(client, name=written)
    return client
