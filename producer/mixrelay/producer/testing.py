"""Seeing in a test what code tracks, without Redis and without Mixpanel.

    sink = MemorySink()
    sign_up(Tracker("token", sink=sink), "user-1")
    sink.assert_tracked("Signed Up", distinct_id="user-1", Plan="Premium")

With pytest the fixture ``mixrelay_events`` does it for trackers that exist already; elsewhere
``with capture() as sink:`` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import patch

import orjson

from mixrelay.producer.dispatch.outlet import Outlet
from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.encoding import message_text
from mixrelay.producer.records.values import milliseconds
from mixrelay.shared.mixpanel.rules import OPERATIONS
from mixrelay.shared.tuples import Kind, read, write

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.batch import Messages

Given: TypeAlias = Mapping[str, Any]

# Beside an event's own properties: what every event has, and a failure need not show.
_STAMPS = frozenset({"token", "distinct_id", "time", "$insert_id", "mp_lib", "$lib_version"})
_EVENTS = frozenset({Kind.EVENT, Kind.IMPORT})
_ANYONE: Any = object()
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Event:
    """An event that was tracked or imported, as it would reach Mixpanel.

    Attributes:
        name: what was done.
        distinct_id: who did it.
        properties: all of them, with those that were stamped.
        is_import: whether it came from ``import_event``, or is a ``$merge``.
    """

    name: str
    distinct_id: Any
    properties: dict[str, Any]
    is_import: bool = False

    def __str__(self) -> str:
        """Show it without what every event has."""
        own = {name: value for name, value in self.properties.items() if name not in _STAMPS}
        return f"{self.name!r} of {self.distinct_id!r}: {_cut(own)}"


@dataclass(frozen=True, slots=True)
class Update:
    """An update of a user's or a group's profile; a record with two operations is two.

    Attributes:
        target: a user's ``distinct_id``, or a group's ``(group_key, group_id)``.
        operation: in Mixpanel's words, such as ``$set`` or ``$add``.
        properties: the operation's; for ``$unset`` the names, for ``$delete`` the empty text.
        record: all of it, with ``$time`` and ``$ip``.
    """

    target: Any
    operation: str
    properties: Any
    record: dict[str, Any] = field(repr=False)

    def __str__(self) -> str:
        """Show it on one line."""
        return f"{self.operation} on {self.target!r}: {_cut(self.properties)}"


class MemorySink:
    """A tracker's sink that keeps what it is given; one for each test."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, str]] = []

    def __call__(self, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        """Keep a message and return True."""
        self._messages.append((type, message))
        return True

    def send_all(self, messages: Messages) -> bool:
        """Keep the messages of a batch and return True."""
        self._messages += messages
        return True

    @property
    def messages(self) -> list[tuple[str, str]]:
        """All messages as they would lie in the queue: a type and a JSON text."""
        return list(self._messages)

    @property
    def events(self) -> list[Event]:
        """All events, in order."""
        return [_event(kind, record) for kind, record in self._records() if kind in _EVENTS]

    @property
    def updates(self) -> list[Update]:
        """All updates of users and groups, in order."""
        return [
            Update(_target(record), operation, record[operation], record)
            for kind, record in self._records()
            if kind not in _EVENTS
            for operation in record
            if operation in OPERATIONS
        ]

    def clear(self) -> None:
        """Forget everything."""
        self._messages.clear()

    def assert_tracked(
        self,
        event: str,
        properties: Given | None = None,
        /,
        *,
        distinct_id: Any = _ANYONE,
        **more: Any,
    ) -> Event:
        """Return the first event of that name with at least these properties.

        Args:
            event: its name.
            properties: what it must have, where a name is no keyword; it may have more. Values
                are those that were given to ``track``, or matchers such as ``mock.ANY``.
            distinct_id: whose it must be, if that matters.
            more: further properties.

        Raises:
            AssertionError: there is none; the message shows what was tracked instead.
        """
        __tracebackhide__ = True
        wanted = _wanted({**(properties or {}), **more}, distinct_id)
        named = [one for one in self.events if one.name == event]
        for one in named:
            if not _differences(wanted, one.properties):
                return one
        asked = f"No event {event!r} with {_cut(wanted)} was tracked."
        names = Counter(repr(one.name) for one in self.events if one.name != event)
        raise AssertionError(_told(asked, [(one, one.properties) for one in named], wanted, names))

    def assert_not_tracked(
        self,
        event: str,
        properties: Given | None = None,
        /,
        *,
        distinct_id: Any = _ANYONE,
        **more: Any,
    ) -> None:
        """Check that no event of that name has these properties; arguments as above.

        Raises:
            AssertionError: there is one; the message shows it.
        """
        __tracebackhide__ = True
        wanted = _wanted({**(properties or {}), **more}, distinct_id)
        for one in self.events:
            if one.name == event and not _differences(wanted, one.properties):
                raise AssertionError(f"This was tracked, and should not have been:\n  {one}")

    def assert_updated(
        self,
        target: Any,
        operation: str,
        properties: Given | Sequence[str] | None = None,
        /,
        **more: Any,
    ) -> Update:
        """Return the first update of that profile with at least these properties.

        Args:
            target: a user's ``distinct_id``, or a group's ``(group_key, group_id)``.
            operation: in Mixpanel's words: ``$set``, ``$set_once``, ``$add``, ``$append``,
                ``$union``, ``$remove``, ``$unset``, ``$delete``.
            properties: what it must have, for ``$unset`` the names; it may have more.
            more: further properties.

        Raises:
            AssertionError: there is none; the message shows what was updated instead.
        """
        __tracebackhide__ = True
        whom = _as_tracked(target)
        wanted = _wanted({**_named(properties or {}), **more})
        near = [one for one in self.updates if (whom, operation) == (one.target, one.operation)]
        for one in near:
            if not _differences(wanted, _named(one.properties)):
                return one
        asked = f"No {operation} on {whom!r} with {_cut(wanted)} was made."
        others = Counter(f"{u.operation} on {u.target!r}" for u in self.updates if u not in near)
        pairs = [(one, _named(one.properties)) for one in near]
        raise AssertionError(_told(asked, pairs, wanted, others))

    def __repr__(self) -> str:
        """Show what it holds, for pytest's failures."""
        return f"MemorySink(events={self.events!r}, updates={self.updates!r})"

    def _records(self) -> Iterator[tuple[Kind, dict[str, Any]]]:
        for kind, text in self._messages:
            message = read(write(kind, text))
            for record, _ in message.records():
                yield message.kind, record


NEVER_OFF = property(lambda _: False, lambda outlet, value: vars(outlet).update(is_off=value))


@contextmanager
def capture() -> Iterator[MemorySink]:
    """Keep in memory what this process would queue or send, until the block ends.

    Whatever a tracker or a ``QueueConsumer`` would push to Redis, and what ``Consumer`` and
    ``alias`` would send to Mixpanel at once, is in the ``MemorySink`` instead: also of trackers
    that were made before, and of async ones. A tracker with a sink of its own keeps using it.
    """
    from mixrelay.producer.consumer import Consumer  # noqa: PLC0415
    from mixrelay.producer.push.async_sink import AsyncRedisSink  # noqa: PLC0415 - loads asyncio
    from mixrelay.producer.push.sink import RedisSink  # noqa: PLC0415

    sink = MemorySink()

    def take(_: object, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        return sink(type, message)

    def take_all(_: object, messages: Messages) -> bool:
        return sink.send_all(messages)

    async def take_async(_: object, type: str, message: str) -> bool:  # noqa: A002
        return sink(type, message)

    async def take_all_async(_: object, messages: Messages) -> bool:
        return sink.send_all(messages)

    with ExitStack() as doors:
        doors.enter_context(patch.object(RedisSink, "__call__", take))
        doors.enter_context(patch.object(RedisSink, "send_all", take_all))
        doors.enter_context(patch.object(AsyncRedisSink, "__call__", take_async))
        doors.enter_context(patch.object(AsyncRedisSink, "send_all", take_all_async))
        doors.enter_context(patch.object(Consumer, "send", take))
        # MIXRELAY_DISABLED, which many set for their tests, must not hide what they look at.
        doors.enter_context(patch.object(Outlet, "is_off", NEVER_OFF, create=True))
        yield sink


def _event(kind: Kind, record: dict[str, Any]) -> Event:
    properties = record["properties"]
    is_import = kind is Kind.IMPORT
    return Event(record["event"], properties.get("distinct_id"), properties, is_import)


def _target(record: dict[str, Any]) -> Any:
    if "$group_key" in record:
        return record["$group_key"], record["$group_id"]
    return record["$distinct_id"]


def _wanted(properties: Given, distinct_id: Any = _ANYONE) -> dict[str, Any]:
    whose = {} if distinct_id is _ANYONE else {"distinct_id": distinct_id}
    wanted = {name: _as_tracked(value) for name, value in {**whose, **properties}.items()}
    if isinstance(properties.get("time"), date):
        wanted["time"] = milliseconds(properties["time"])
    return wanted


def _as_tracked(value: Any) -> Any:
    """Return a value as tracking changes it: a datetime is text, a UUID too."""
    if isinstance(value, tuple):
        return tuple(map(_as_tracked, value))
    try:
        return orjson.loads(message_text({"": value}, {}))["data"][""]
    except InvalidPropertyError:
        return value  # a matcher, which compares by itself


def _named(properties: Any) -> dict[str, Any]:
    """Return an operation's properties by name; of ``$unset`` there are only names."""
    if isinstance(properties, Mapping):
        return dict(properties)
    names = [properties] if isinstance(properties, str) and properties else properties
    return dict.fromkeys(names, "named")


def _differences(wanted: Given, found: Given) -> list[str]:
    return [
        f"{name} is {_cut(found[name])}, not {_cut(value)}" if name in found else f"no {name}"
        for name, value in wanted.items()
        if name not in found or value != found[name]
    ]


def _told(
    asked: str, near: list[tuple[Any, dict[str, Any]]], wanted: Given, others: Counter[str]
) -> str:
    lines = [asked]
    for one, found in near:
        lines += [f"  {one}", *(f"    {each}" for each in _differences(wanted, found))]
    listed = ", ".join(f"{name} ×{n}" if n > 1 else name for name, n in others.items())  # noqa: RUF001
    if listed:
        lines.append(f"  Others: {listed}.")
    return "\n".join(lines if near or others else [*lines, "  Nothing was."])


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
