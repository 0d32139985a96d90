r"""What becomes of a call that is a mistake of the caller's: ``Tracker(on_invalid=…)``.

``raise`` raises ``InvalidPropertyError`` at the call, as in development and tests one wants it,
and whatever a value's own methods raise, such as a lazy object whose database is away. In
production an order should not fail for its analytics: ``log`` counts the call, gives the error to
the error handler and returns False. ``dead-letter`` does the same, and queues the record as far as
it can be written, with the error beside it, so that a worker makes a dead letter of it that anyone
can see, edit and replay:

    ["event", "{\"invalid\":{\"field\":…,\"message\":…},\"data\":{…}}"]
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import is_dataclass
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.errors import ConfigurationError, InvalidPropertyError
from mixrelay.shared.reading import trimmed

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.outlet import Outlet
    from mixrelay.producer.dispatch.reporting import OnInvalid


POLICIES = ("raise", "log", "dead-letter")
MAX_DEPTH = 20
MAX_ITEMS = 1_000
MAX_TEXT = 10_000
MAX_BITS = 4_096
"""Of one text, in characters."""
MAX_BYTES = 256 * 1024
"""Of the whole: what is larger is logged alone."""

F = TypeVar("F", bound=Callable[..., Any])


Rebuild: TypeAlias = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Returns a record of a token and a call's arguments by name, unchecked."""


Call: TypeAlias = tuple[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]]
"""A method, whose it is, and its arguments."""


def checked_policy(policy: str, sink: object) -> OnInvalid:
    """Return a policy, read as the environment's words are: trimmed, in any case.

    Raises:
        ConfigurationError: there is none of that name, or the sink is no queue, for dead letters.
    """
    given = policy
    if isinstance(policy, str):
        policy = trimmed(policy).lower()
    if policy not in POLICIES:
        raise ConfigurationError(
            f"on_invalid={given!r}: there is no such policy; choose one of {', '.join(POLICIES)}."
        )
    if policy == "dead-letter" and not hasattr(sink, "guard"):
        raise ConfigurationError(
            'on_invalid="dead-letter" needs the queue, whose workers keep dead letters; with a '
            'sink of your own choose "log" or "raise".'
        )
    return cast("OnInvalid", policy)


def forgiving(kind: str, rebuild: Rebuild) -> Callable[[F], F]:
    """Let ``on_invalid`` decide what a method does with its caller's mistakes.

    For methods of what has an ``_outlet`` and a ``_token``.

    Args:
        kind: the tuple's type that the method makes.
        rebuild: what it would have sent.
    """

    def decorate(method: F) -> F:
        @wraps(method)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, *args, **kwargs)
            except Exception as error:
                outlet: Outlet[Any] = self._outlet
                if outlet.on_invalid == "raise" or is_ending(error):
                    raise
                mistake = _mistake(error, method)
                message = None
                if outlet.on_invalid == "dead-letter":
                    message = _message(mistake, rebuild, self._token, (method, self, args, kwargs))
                return outlet.invalid(mistake, kind, message)

        return cast("F", call)

    return decorate


def _mistake(error: Exception, method: Callable[..., Any]) -> InvalidPropertyError:
    """Return what to tell of a call that failed: a value's own methods may raise anything.

    As a lazy object does whose database is away, or a proxy of Flask's outside of a request.
    """
    if isinstance(error, InvalidPropertyError):
        return error
    trace = error.__traceback__
    if isinstance(error, TypeError) and trace is not None and trace.tb_next is None:
        why = str(error)  # the arguments do not fit the method
    else:
        # Not its text, which may hold anything.
        why = f"one of the values raised {type(error).__name__} as it was read"
    mistake = InvalidPropertyError(f"{method.__name__}()", why)
    mistake.__cause__ = error
    return mistake


def event_of(name: str | None = None) -> Rebuild:
    """Return what rebuilds an event; of that name where the method has one of its own."""

    def rebuild(token: str, given: dict[str, Any]) -> dict[str, Any]:
        if name is not None:
            return {"event": name, "properties": {**given, "token": token}}
        own = given.pop("properties", None)
        event = given.pop("event", "")
        given.pop("api_key", None)
        extra = {key: value for key, value in given.items() if key not in ("distinct_id", "meta")}
        renamed = {_EVENT_NAMES.get(key, key): value for key, value in extra.items()}
        properties = own if isinstance(own, Mapping) else {"properties": own}
        who = given.get("distinct_id")
        return {
            "event": event,
            "properties": {**renamed, **properties, "token": token, "distinct_id": who},
        }

    return rebuild


def update_of(operation: str, *, group: bool = False) -> Rebuild:
    """Return what rebuilds an update of a user, or of a group."""

    def rebuild(token: str, given: dict[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {"$token": token}
        if group:
            record["$group_key"] = given.pop("group_key", None)
            record["$group_id"] = given.pop("group_id", None)
        else:
            record["$distinct_id"] = given.pop("distinct_id", None)
        if not operation:  # the record itself was given
            own = given.get("record")
            return {**record, **own} if isinstance(own, Mapping) else {**record, "record": own}
        special = given.pop("special", {})
        ip = given.pop("ip", None)
        given.pop("ignore_time", None)
        values = given.pop("properties", given)
        beside = {f"${name}": value for name, value in special.items()}
        return {**record, **({} if ip is None else {"$ip": ip}), **beside, operation: values}

    return rebuild


_EVENT_NAMES = {
    "insert_id": "$insert_id",
    "user_id": "$user_id",
    "device_id": "$device_id",
    "timestamp": "time",
}


def _message(error: InvalidPropertyError, rebuild: Rebuild, token: str, call: Call) -> str | None:
    """Return the message of a dead letter; None where the record cannot be written at all."""
    method, caller, args, kwargs = call
    try:
        # Made here and not at each start: no call need ever be a mistake.
        given = dict(inspect.signature(method).bind(caller, *args, **kwargs).arguments)
        del given["self"]
        why = {"field": error.path, "message": error.reason}
        record = rebuild(token, given)
        text = json.dumps({"invalid": _Plain().of(why), "data": _Plain().of(record)})
    except Exception as trouble:  # a value's own repr may raise anything; the call goes on
        if is_ending(trouble):
            raise
        return None
    return text if len(text) <= MAX_BYTES else None


class _TooMuchError(Exception):
    """A message may not hold it all, and what values share is written as often as they name it."""


class _Plain:
    """Writes values as JSON has them, in copies; what JSON does not know as its repr."""

    def __init__(self) -> None:
        self._left = MAX_BYTES

    def of(self, value: Any, depth: int = 0) -> Any:
        """Return a value's copy.

        Raises:
            _TooMuchError: it is more than a message may hold.
        """
        self._left -= 1 if type(value) is not str else 1 + min(len(value), MAX_TEXT)
        if self._left < 0:
            raise _TooMuchError
        if value is None or isinstance(value, bool):
            return value
        if type(value) is int:
            return value if value.bit_length() < 64 else _digits(value)  # noqa: PLR2004 - JSON's
        if type(value) is float and math.isfinite(value):
            return value
        if type(value) is str:
            return value[:MAX_TEXT].encode("utf-8", "replace").decode()
        return self._other(value, depth)

    def _other(self, value: Any, depth: int) -> Any:
        if depth < MAX_DEPTH and isinstance(value, Mapping):
            items = [*islice(value.items(), MAX_ITEMS)]
            return {self.of(_named(name)): self.of(one, depth + 1) for name, one in items}
        if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
            return [self.of(one, depth + 1) for one in [*islice(value, MAX_ITEMS)]]
        kind = type(value)
        if isinstance(value, Collection) or is_dataclass(kind) or hasattr(kind, "__attrs_attrs__"):
            # Its repr holds those of its members, which may be without end.
            return f"<{kind.__name__}>"
        return self.of(repr(value))


def _digits(value: int) -> str:
    """Return a number over 64 bits; Python refuses to write one of thousands of digits."""
    return str(value) if value.bit_length() < MAX_BITS else f"<int of {value.bit_length()} bits>"


def _named(key: Any) -> str:
    return key if type(key) is str else _digits(key) if type(key) is int else str(key)
