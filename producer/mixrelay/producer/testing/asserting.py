"""What a test claims of the events and updates that it kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mixrelay.producer.testing.comparing import (
    ANYONE,
    Given,
    cut,
    differences,
    named,
    target_as_tracked,
    told,
    wanted,
)
from mixrelay.producer.testing.reading import Reading
from mixrelay.producer.testing.seen import Event, Update


class Asserting(Reading):
    """Claims; each raises an AssertionError that shows what there was instead."""

    def assert_tracked(
        self,
        event: str,
        properties: Given | None = None,
        /,
        *,
        distinct_id: Any = ANYONE,
        times: int | None = None,
        **more: Any,
    ) -> Event:
        """Return the first event of that name with at least these properties.

        Args:
            event: its name.
            properties: what it must have, where a name is no keyword; it may have more. Values
                are those that were given to ``track``, or matchers such as ``mock.ANY``.
            distinct_id: whose it must be, if that matters.
            times: how many there must be, no more and no fewer; else one or more.
            more: further properties.

        Raises:
            AssertionError: there is none, or another number; the message shows what was tracked.
            ValueError: ``times`` is less than 1; ``assert_not_tracked`` says so.
        """
        __tracebackhide__ = True
        sought = wanted({**(properties or {}), **more}, distinct_id)
        named_so = [one for one in self.events if one.name == event]
        found = [one for one in named_so if not differences(sought, one.properties)]
        if _are(found, times):
            return found[0]
        asked = f"No event {event!r} with {cut(sought)} was tracked."
        if found:
            asked = f"{_number(event, sought, found)}, not {times}."
        others = Counter(repr(one.name) for one in self.events if one.name != event)
        near = [(one, one.properties) for one in named_so]
        raise AssertionError(told(asked, near, sought, others))

    def assert_not_tracked(
        self,
        event: str,
        properties: Given | None = None,
        /,
        *,
        distinct_id: Any = ANYONE,
        **more: Any,
    ) -> None:
        """Check that no event of that name has these properties; arguments as above.

        Raises:
            AssertionError: there is one; the message shows it.
        """
        __tracebackhide__ = True
        sought = wanted({**(properties or {}), **more}, distinct_id)
        for one in self.events:
            if one.name == event and not differences(sought, one.properties):
                raise AssertionError(f"This was tracked, and should not have been:\n  {one}")

    def assert_in_order(
        self, *events: str | tuple[str, Given], distinct_id: Any = ANYONE
    ) -> list[Event]:
        """Return events that were tracked in this order; others may lie between them.

        Args:
            events: their names, or names with properties: ``("Paid", {"Plan": "Basic"})``.
            distinct_id: whose all of them must be, if that matters.

        Raises:
            AssertionError: one was not tracked, or not after the one before it.
        """
        __tracebackhide__ = True
        left, found = iter(self.events), list[Event]()
        for step in events:
            name, properties = (step, {}) if isinstance(step, str) else step
            sought = wanted(properties, distinct_id)
            one = next(
                (e for e in left if e.name == name and not differences(sought, e.properties)), None
            )
            if one is None:
                after = f" after {found[-1].name!r}" if found else ""
                listed = "".join(f"\n  {each}" for each in self.events) or "\n  Nothing."
                raise AssertionError(
                    f"No event {name!r} with {cut(sought)} was tracked{after}. In order:{listed}"
                )
            found.append(one)
        return found

    def assert_updated(
        self,
        target: Any,
        operation: str,
        properties: Given | Sequence[str] | None = None,
        /,
        *,
        times: int | None = None,
        **more: Any,
    ) -> Update:
        """Return the first update of that profile with at least these properties.

        Args:
            target: a user's ``distinct_id``, or a group's ``(group_key, group_id)``.
            operation: in Mixpanel's words: ``$set``, ``$set_once``, ``$add``, ``$append``,
                ``$union``, ``$remove``, ``$unset``, ``$delete``.
            properties: what it must have, for ``$unset`` the names; it may have more.
            times: how many there must be, no more and no fewer; else one or more.
            more: further properties.

        Raises:
            AssertionError: there is none, or another number; the message shows what was updated.
            ValueError: ``times`` is less than 1.
        """
        __tracebackhide__ = True
        whom = target_as_tracked(target)
        sought = wanted({**named(properties or {}), **more})
        near = [one for one in self.updates if (whom, operation) == (one.target, one.operation)]
        found = [one for one in near if not differences(sought, named(one.properties))]
        if _are(found, times):
            return found[0]
        what = f"{operation} on {whom!r}"
        asked = f"No {what} with {cut(sought)} was made."
        if found:
            asked = f"{_number(what, sought, found)}, not {times}."
        others = Counter(f"{u.operation} on {u.target!r}" for u in self.updates if u not in near)
        pairs = [(one, named(one.properties)) for one in near]
        raise AssertionError(told(asked, pairs, sought, others))


def _are(found: Sequence[object], times: int | None) -> bool:
    """Whether there are as many as a test says."""
    if times is not None and times < 1:
        raise ValueError(f"times={times}: for none at all there is assert_not_tracked.")
    return bool(found) if times is None else len(found) == times


def _number(what: str, sought: Given, found: Sequence[object]) -> str:
    shown = f"{what!r}" if not what.startswith("$") else what
    return (
        f"{shown} with {cut(sought)} is there {len(found)} times"
        if len(found) != 1
        else (f"{shown} with {cut(sought)} is there once")
    )
