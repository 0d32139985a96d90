"""What a tracker is made with: each mistake is an error at once, with what to write instead."""

from __future__ import annotations

import inspect
import os
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.dispatch.reporting import ErrorHandler
from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.options import QueueSettings
from mixrelay.shared.options import is_empty, load, named_as, options, perhaps
from mixrelay.shared.reading import shown_value, trimmed
from mixrelay.shared.variables import API_HOST, DISABLED, QUEUE, REDIS_URL, REGION, TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixrelay.shared.connection import Given
    from mixrelay.shared.options import Option

SETTINGS: dict[str, Option] = {
    told.name: told
    for told in (TOKEN, REDIS_URL, QUEUE, REGION, API_HOST, DISABLED, *options(QueueSettings))
}
"""What a tracker can be told that the environment can tell it too."""

OTHERS = ("on_invalid", "redis")
"""What only an application can tell it."""

HOOKS = ("sink", "error_handler", "before_send", "default")
"""What is called; a text is the path to import it by."""


def read_token(token: str | None, *, is_off: bool) -> str:
    """Return the project token; the empty text where tracking is off and there is none.

    Raises:
        ConfigurationError: there is none, or it cannot be one.
    """
    found: str = TOKEN.take(token)
    if not found and not is_off:
        raise ConfigurationError(
            "There is no project token: give Tracker one, or set MIXPANEL_TOKEN."
        )
    return found


def given_client(redis: Any, redis_url: str | None) -> Given | None:
    """Return the application's own client; None where an address says where the queue is.

    Raises:
        ConfigurationError: there are both, or it is no client.
    """
    if redis is None:
        return None
    if redis_url is not None and not is_empty(redis_url):
        raise ConfigurationError("Give either redis= or redis_url=: both say where the queue is.")
    from mixrelay.shared.connection import Given  # noqa: PLC0415 - loads redis-py, as Pushing does

    return Given.of(own_client(redis))


def own_client(redis: Any, name: str = "redis") -> Any:
    """Return the client that is given, that a dotted path names, or that a function of it makes.

    Args:
        redis: a client or pool, a function without arguments that returns one, or a path to either.
        name: how the user wrote the argument.

    Raises:
        ConfigurationError: the path leads nowhere, or the function failed.
    """
    if isinstance(redis, str) and "://" in redis:
        # Not the address itself, which may hold a password.
        raise ConfigurationError(
            f"{name} is an address; give a client, or the address as {_beside(name)}."
        )
    client = resolved(redis, name)
    if isinstance(client, type):
        raise ConfigurationError(
            f"{name} is the class {client.__name__}; make one of it: {client.__name__}(…)."
        )
    if not inspect.isroutine(client):
        return client
    try:
        return client()
    except Exception as error:
        if is_ending(error):
            raise
        raise ConfigurationError(
            f"{name} is a function that made no client ({type(error).__name__}); it is called "
            "without arguments."
        ) from error


def _beside(name: str) -> str:
    """The setting of the address, beside that of the client: ``MIXRELAY["REDIS_URL"]``."""
    return name.replace("redis", "redis_url").replace("REDIS", "REDIS_URL")


def read_queue(
    redis_url: str | None,
    queue: str | None,
    options: Mapping[str, Any],
    given: Given | None = None,
) -> tuple[str, str, QueueSettings]:
    """Return where a sink pushes, onto which list, and how.

    Args:
        redis_url: the address, where there is no client.
        queue: the list's name.
        options: of the queue. For fakeredis there is no spool, unless one of them says where.
        given: the application's own client.

    Raises:
        ConfigurationError: a setting cannot work; the message names what the user wrote.
        TypeError: an option is unknown.
    """
    check_names(options)
    folder = options.get("spool_dir")
    if folder is True:
        raise ConfigurationError("spool_dir=True names no folder: give its path, or leave it out.")
    if given is not None and given.is_fake and (folder is None or is_empty(folder)):
        options = {**options, "spool_dir": "off"}
    settings = load(QueueSettings, os.environ, options)
    url = given.url if given is not None else _read_address(redis_url)
    return url, QUEUE.take(queue), settings


def _read_address(redis_url: str | None) -> str:
    url = REDIS_URL.choose(os.environ, redis_url)
    try:
        _check_address(url.value)
    except ConfigurationError as error:
        raise named_as(error, {REDIS_URL.variable: url.origin}) from None
    found: str = url.value
    return found


@lru_cache(maxsize=8)
def _check_address(url: str) -> None:
    """Raise ConfigurationError where no client can be made; once for trackers made often."""
    from mixrelay.shared.connection import connect  # noqa: PLC0415 - loads redis-py

    connect(url).close()


def check_names(given: Mapping[str, Any]) -> None:
    """Raise TypeError for an option that there is not, with the one that was meant."""
    known = {told.name for told in options(QueueSettings)}
    for name in given.keys() - known:
        hint = perhaps(name, {*SETTINGS, *HOOKS, *OTHERS})
        raise TypeError(f"unexpected keyword argument {name!r}{hint}")


def check_sink(sink: Any, beside: Mapping[str, Any], name: str = "sink") -> Any:
    """Return a sink that can be called with a type and a message; None where there is none.

    Args:
        sink: what was given.
        beside: the queue's settings that were given with it.
        name: how the user wrote it.

    Raises:
        ConfigurationError: it cannot be called so, or the others would do nothing.
    """
    if sink is None:
        return None
    sink = _resolved_sink(sink, name)
    given = [one for one, value in beside.items() if value is not None]
    if given == ["redis"]:
        raise ConfigurationError(
            "redis= is for a tracker that has no other sink; give it to the sink."
        )
    if given:
        raise ConfigurationError(
            f"The queue's options ({', '.join(given)}) are for a tracker that has no other "
            "sink; give them to the sink."
        )
    return sink


def _resolved_sink(sink: Any, name: str) -> Any:
    if isinstance(sink, str) and "://" in sink:
        raise ConfigurationError(
            f"{name} is an address; write redis_url=… to push to the queue there."
        )
    sink = resolved(sink, name)
    if isinstance(sink, type):
        raise ConfigurationError(
            f"{name} is the class {sink.__name__}; make one of it: {sink.__name__}(…)."
        )
    if not callable(sink) and hasattr(sink, "execute_command"):
        raise ConfigurationError(
            f"{name} is a client of Redis; write redis=… with it, or redis_url=… with its address."
        )
    if not callable(sink) and callable(getattr(sink, "send", None)):
        kind = type(sink).__name__
        raise ConfigurationError(f"{name} is a {kind}; write its method: sink={kind}(…).send.")
    _check_callable(sink, name, ("type", "message"))
    return sink


def check_handler(handler: Any, name: str = "error_handler") -> Any:
    """Return an error handler that can be called with an exception; None where there is none."""
    return _checked_hook(handler, name, ("error",))


def check_before_send(hook: Any, name: str = "before_send") -> Any:
    """Return a hook that can be called with a type and a record; None where there is none."""
    return _checked_hook(hook, name, ("type", "record"))


def check_default(hook: Any, name: str = "default") -> Any:
    """Return a converter that can be called with a value; None where there is none."""
    return _checked_hook(hook, name, ("value",))


def check_function(hook: Any, name: str, *takes: str) -> Any:
    """Return a function, or what a dotted path names, that can be called with these arguments.

    Raises:
        ConfigurationError: it cannot, or its result would have to be awaited.
    """
    return _checked_hook(hook, name, takes)


def _checked_hook(hook: Any, name: str, takes: tuple[str, ...]) -> Any:
    if hook is None:
        return None
    hook = resolved(hook, name)
    if isinstance(hook, type) and name == "error_handler":
        raise ConfigurationError(
            f"{name} is the class {hook.__name__}; make one of it: {hook.__name__}()."
        )
    called = getattr(hook, "__call__", None)  # noqa: B004 - of an object with an async __call__
    # What an ErrorHandler's own __call__ calls.
    handled = getattr(hook, "handle", None) if isinstance(hook, ErrorHandler) else None
    if any(map(inspect.iscoroutinefunction, (hook, called, handled))):
        raise ConfigurationError(
            f"{name} is a coroutine function, and nothing would await it; write it with def."
        )
    _check_callable(hook, name, takes)
    return hook


def _check_callable(hook: Any, name: str, takes: tuple[str, ...]) -> None:
    wanted = f"set it to a function that is called as {name}({', '.join(takes)})"
    if not callable(hook):
        raise ConfigurationError(f"{name} is {_shown(hook)}; {wanted}.")
    try:
        signature = inspect.signature(hook)
    except (TypeError, ValueError):
        return  # of one that is written in C nothing is known
    try:
        signature.bind(*takes)
    except TypeError:
        raise ConfigurationError(f"{name} takes {signature}; {wanted}.") from None


def resolved(hook: Any, name: str) -> Any:
    """Return what a dotted path names, as ``shop.tracking.redact``; anything else as it is.

    Raises:
        ConfigurationError: the path leads nowhere.
    """
    if not isinstance(hook, str):
        return hook
    path = trimmed(hook)
    module, _, attribute = path.replace(":", ".").rpartition(".")
    if not module:
        raise ConfigurationError(
            f"{name} is {shown_value(hook)}; set it to a function, or to its path: module.function."
        )
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{name} is {shown_value(hook)}, which cannot be imported: {error}."
        ) from error


def _shown(value: Any) -> str:
    """A value as an error repeats it: of an object only its kind, since it may hold a secret."""
    if isinstance(value, int | float | list | dict | tuple | set):
        return shown_value(value)
    return f"a {type(value).__name__}"


def where_it_sends(sink: Any) -> str:
    """A sink in a tracker's repr: where the queue is, or which function; no password."""
    if type(sink).__module__.startswith("mixrelay."):
        return repr(sink)
    named = getattr(sink, "__qualname__", None)
    return named if isinstance(named, str) else type(sink).__qualname__


def masked_token(token: str) -> str:
    """A token as a repr may show it."""
    return f"{token[:4]}…{token[-2:]}" if len(token) > 12 else "…"  # noqa: PLR2004 - half of it
