"""What Mixpanel will do without an error to the records of a batch: found, counted, exemplified."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mixrelay.shared.mixpanel import unasked
from mixrelay.shared.mixpanel.unasked import Finding
from mixrelay.shared.queue import Example, Lane, Member, Noticed, NoticeKind, Number
from mixrelay.shared.tuples import Kind, Message
from mixrelay.worker.deliver.bulk_decode import Alike

log = logging.getLogger(__name__)

EVENTS = frozenset({Kind.EVENT, Kind.IMPORT})

Found = tuple[Number, Finding]
"""The number of a message, and what was found in it."""


def is_ignored(message: Message) -> bool:
    """Whether it is an event that Mixpanel drops (`$ignore`)."""
    return message.kind in EVENTS and unasked.is_ignored(message.data)


class Look(NamedTuple):
    """What a first look at messages that were read together shows.

    Attributes:
        ignored: one of them may be an event that Mixpanel drops.
        changed: something may be found in one of them.
    """

    ignored: bool
    changed: bool


def look(read: Alike) -> Look:
    """Look at messages that were read together: of most this is all that it takes."""
    changed = unasked.may_one_be_cut(read.texts)
    if read.frame.kind not in EVENTS:
        return Look(ignored=False, changed=changed or any(map(unasked.may_be_changed, read.texts)))
    try:
        named = unasked.names_of_note([record["properties"] for record in read.records])
    except (KeyError, TypeError):
        # Properties that are none: whoever judges each by itself says so.
        return Look(ignored=True, changed=True)
    return Look(ignored=named and has_ignored(read), changed=changed or named)


def has_ignored(read: Alike) -> bool:
    """Whether one of some messages may be an event that Mixpanel drops; True where it is none."""
    try:
        return any("$ignore" in record["properties"] for record in read.records)
    except (KeyError, TypeError):
        return True


def findings(message: Message, number: Number) -> tuple[Found, ...]:
    """What Mixpanel will do to a message that may be sent."""
    if not unasked.may_be_changed(message.text):
        return ()
    of = unasked.event_findings if message.kind in EVENTS else unasked.update_findings
    return tuple((number, one) for one in of(message.data))


def findings_together(read: Alike, members: Sequence[Member]) -> tuple[Found, ...]:
    """The same for messages that were checked as one."""
    return tuple(
        found
        for member, message in zip(members, read.messages(), strict=True)
        for found in findings(message, member.number)
    )


def counted(
    found: Iterable[Found], *, leave_out: frozenset[Number] = frozenset()
) -> dict[str, Noticed]:
    """How often each kind was found, and the first example of it.

    Args:
        found: the findings of a batch.
        leave_out: messages that were refused.
    """
    noticed: dict[str, Noticed] = {}
    for number, one in found:
        if number in leave_out:
            continue
        before = noticed.get(one.kind)
        example = before.example if before else Example(one.name, one.field, one.detail, number)
        noticed[one.kind] = Noticed(1 + (before.count if before else 0), example)
    return noticed


def unconfirmed(count: int, expected: int, endpoint: str, number: Number) -> dict[str, Noticed]:
    """The notice that an answer confirms fewer records than it should; empty where it does not."""
    if not count:
        return {}
    detail = f"{expected - count} of {expected} records confirmed"
    example = Example(f"/{endpoint}", "num_records_imported", detail, number)
    return {NoticeKind.UNCONFIRMED: Noticed(count, example)}


def by_project_secret(count: int, number: Number) -> dict[str, Noticed]:
    """The notice that records went by a credential that Mixpanel retires."""
    detail = "a Project Secret, which Mixpanel retires on 2027-03-03"
    return {NoticeKind.PROJECT_SECRET: Noticed(count, Example("", "api_key", detail, number))}


def log_ignored(count: int, lane: Lane) -> None:
    """Says that events are not sent."""
    if count:
        log.info(
            "ignored: %d events of %s have $ignore and are not sent: Mixpanel drops them",
            count,
            lane,
            extra={"records": count},
        )


def log_unconfirmed(count: int, sent: int, destination: str) -> None:
    """Says that Mixpanel counts less than it was sent."""
    log.warning(
        "unconfirmed: Mixpanel confirms %d of %d records sent to %s; the others count as delivered "
        "and unconfirmed",
        sent - count,
        sent,
        destination,
        extra={"records": count, "destination": destination},
    )
