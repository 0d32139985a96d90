"""The plain case: records that break no rule and go one way, checked and written together.

Nothing is decided here but that each of some records is sure to be sent, by one route, and what
its text will be. As soon as one might be refused, rerouted, or lack more than what is added here,
`plain` returns None: `sorting` asks of the halves, and `Preparation.prepare` judges what is left.
What passes here is a part of what passes there, and gets the same bytes
(tests/unit/worker/test_plain.py compares them):

- a check of all values at once by `set`, `min` and `max` holds exactly if it holds of each;
- names, tokens and ids must be texts, times positive numbers, so that none compares
  equal to another of a different type;
- what is added stands where `stamps` puts it, at the end of the properties.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress
from operator import le
from typing import TYPE_CHECKING, Any, NamedTuple

from mixrelay.shared.mixpanel import rules
from mixrelay.shared.mixpanel.endpoints import Endpoint
from mixrelay.shared.mixpanel.times import in_milliseconds, span
from mixrelay.shared.queue import Member
from mixrelay.shared.queue.messages.members import receipts
from mixrelay.shared.tuples import Kind
from mixrelay.worker.base.moment import taken_ms
from mixrelay.worker.deliver.bulk_decode import Alike
from mixrelay.worker.deliver.routing import Route
from mixrelay.worker.deliver.stamps import insert_id_of

if TYPE_CHECKING:
    from mixrelay.worker.deliver.prepare import Preparation

Objects = Sequence[dict[str, Any]]

_IDENTIFIERS = {
    Kind.PROFILE_UPDATE: (Endpoint.ENGAGE, ("$distinct_id",)),
    Kind.GROUP_UPDATE: (Endpoint.GROUPS, ("$group_key", "$group_id")),
}
_MOST_ADDED = 2
_TEXT_OR_INTEGER = frozenset({str, int})


class Plain(NamedTuple):
    """Records that go one way.

    Attributes:
        body: their JSON, with commas between.
        doubtful: how many of them may count twice where they are sent twice.
    """

    body: bytes
    route: Route
    doubtful: int = 0


def plain(
    read: Alike, members: Sequence[Member], preparation: Preparation, now_ms: int
) -> Plain | None:
    """Check and write records; None where one of them needs a closer look.

    Args:
        read: the records.
        members: what they were read from.
        preparation: what would judge each of them.
        now_ms: the time by Redis's clock.
    """
    try:
        if read.frame.kind in _IDENTIFIERS:
            doubtful = sum([1 for one in read.records if "$add" in one or "$append" in one])
            return _as_one(_update_route(read, preparation), ",".join(read.texts), doubtful)
        properties = [record["properties"] for record in read.records]
        route = _event_route(read, properties, members, preparation, now_ms)
        ends = _event_ends(properties, members, preparation) if route else None
        return _as_one(route, _written(read, ends) if ends else None)
    except (KeyError, TypeError):
        # A member is missing, or a list or an object stands where a text is expected.
        return None


def _as_one(route: Route | None, text: str | None, doubtful: int = 0) -> Plain | None:
    if route is None or text is None:
        return None
    body = text.encode()
    # What all are together, none is alone.
    return Plain(body, route, doubtful) if len(body) < rules.MAX_RECORD_BYTES else None


def _event_route(
    read: Alike,
    properties: Objects,
    members: Sequence[Member],
    preparation: Preparation,
    now_ms: int,
) -> Route | None:
    """The way that all events go where none of them breaks a rule."""
    names = {record["event"] for record in read.records}
    token = _the_one_text(one["token"] for one in properties)
    times = [one["time"] for one in properties]
    ends = _ends(times)
    if not (
        token
        and ends
        and ends[0] >= rules.EARLIEST_MS
        and _are_past(times, ends[1], members, now_ms)
        and _are_texts(names)
        and rules.IDENTITY_EVENTS.isdisjoint(names)
        and set(map(type, properties)) == {dict}
        and _are_users([one["distinct_id"] for one in properties])
        and max(map(len, properties)) <= rules.MAX_COUNT - _MOST_ADDED
        and _nest_well(read, properties)
    ):
        return None
    frame, age_ms = read.frame, now_ms - ends[0]
    route, reroute = preparation.event_route(frame.kind, frame.api_key, token, age_ms)
    return None if reroute is not None else route


def _ends(times: Sequence[Any]) -> tuple[float, float] | None:
    """The first and the last of times in milliseconds; None where one of them is unusual."""
    if (ends := span(times)) is not None:
        return ends
    each = in_milliseconds(times)
    return (min(each), max(each)) if each else None


def _are_past(times: Sequence[float], last: float, members: Sequence[Member], now_ms: int) -> bool:
    """Whether no event lies ahead of its receipt, nor that of the present."""
    received = receipts(members)
    if max(received) - taken_ms(now_ms) > rules.AHEAD_MS:
        return False
    if last <= min(received):
        return True
    return all(map(le, in_milliseconds(times) or (), received))


def _are_users(users: Sequence[Any]) -> bool:
    types = set(map(type, users))
    if types == {str}:
        return rules.PLACEHOLDERS.isdisjoint(users)
    return types <= _TEXT_OR_INTEGER and rules.PLACEHOLDERS.isdisjoint(map(str, users))


def _event_ends(
    properties: Objects, members: Sequence[Member], preparation: Preparation
) -> list[str] | None:
    """What each event lacks, as it is added to its properties; None where it is more."""
    ends = [',"ip":0'] * len(properties)
    given = [one["ip"] for one in properties if "ip" in one]
    if given:
        if None in given or "" in given:
            return None
        ends = ["" if "ip" in one else ',"ip":0' for one in properties]
    ids = [one["$insert_id"] for one in properties if "$insert_id" in one]
    if ids and not rules.are_insert_ids(ids):
        return None
    if len(ids) == len(properties):
        return ends
    return [
        end
        if "$insert_id" in one
        else f',"$insert_id":"{insert_id_of(preparation.identity(member.number))}"{end}'
        for one, member, end in zip(properties, members, ends, strict=True)
    ]


def _update_route(read: Alike, preparation: Preparation) -> Route | None:
    """The way that all updates go where none breaks a rule."""
    records = read.records
    endpoint, identifiers = _IDENTIFIERS[read.frame.kind]
    token = _the_one_text(record["$token"] for record in records)
    times = [record["$time"] for record in records if "$time" in record]
    if not (
        token
        and all(_are_identifiers([record[name] for record in records]) for name in identifiers)
        and (endpoint is Endpoint.GROUPS or _are_users([one["$distinct_id"] for one in records]))
        and not any(map(rules.OPERATIONS.isdisjoint, records))
        and (not times or span(times) or in_milliseconds(times))
    ):
        return None
    return preparation.record_route(endpoint, token)


def _written(read: Alike, ends: list[str]) -> str | None:
    """The records' texts, with what is added at the end of properties."""
    if not any(ends):
        return ",".join(read.texts)
    # A text ends in two braces; of two members, "event" being a text, the last is properties.
    if set(map(len, read.records)) != {2}:
        return None
    pairs = zip(read.texts, ends, strict=True)
    return ",".join([f"{text[:-2]}{end}}}}}" for text, end in pairs])


def _nest_well(read: Alike, properties: Objects) -> bool:
    doubtful = compress(properties, map(rules.may_nest_much, read.texts))
    return all(rules.nesting_breach(one) is None for one in doubtful)


def _the_one_text(values: Iterable[Any]) -> str | None:
    """The text that all values are; None where they are not one."""
    found = set(values)
    return found.pop() if len(found) == 1 and _are_texts(found) else None


def _are_texts(values: set[Any]) -> bool:
    return set(map(type, values)) == {str} and "" not in values


def _are_identifiers(values: Sequence[Any]) -> bool:
    return _TEXT_OR_INTEGER.issuperset(map(type, values)) and "" not in values
