"""From a message to what a request carries: checked, stamped, and addressed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from mixrelay.shared.mixpanel import rules
from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.mixpanel.times import milliseconds, number_in
from mixrelay.shared.tuples import Kind, Message
from mixrelay.worker.base.moment import behind_ms, taken_ms
from mixrelay.worker.deliver.routing import Route, Routes
from mixrelay.worker.deliver.stamps import Stamps, stamp_event, stamped, stamped_event
from mixrelay.worker.opted_out import OptedOutList

TRACK_MARGIN_MS = 3_600_000
"""An event this close to the end of ``/track``'s five days might be past it when it arrives."""

_TRACK_MS = rules.TRACK_SECONDS * 1_000 - TRACK_MARGIN_MS

_NOBODY = rules.Breach(
    "properties.token", "no api_key, service account or token says which project it belongs to"
)


@dataclass(slots=True)
class Ready:
    """A record that may be sent.

    Attributes:
        body: its JSON, one element of a request's list.
        own: whether the destination's credentials are the worker's own.
        profile: the profile or group that an update changes, for comparing; holds its token.
        doubtful: whether sending it twice may count twice.
        reroute: the lane that it belongs to instead; body and destination are that lane's.
    """

    kind: Kind
    body: bytes = field(repr=False)
    destination: Destination
    own: bool
    profile: str | None = field(default=None, repr=False)
    doubtful: bool = False
    reroute: Kind | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that breaks a documented rule; it becomes a dead letter and is not sent."""

    reason: Reason
    field: str
    message: str


class Preparation:
    """What one worker knows that turns messages into records for Mixpanel."""

    def __init__(
        self,
        *,
        queue_id: str,
        base: str,
        token: str | None = None,
        account: Credentials | None = None,
        events: Endpoint = Endpoint.IMPORT,
        opted_out: OptedOutList | None = None,
    ) -> None:
        """Build it once for each worker.

        Args:
            queue_id: the queue's own random id, part of each $insert_id that is made here.
            base: Mixpanel's base address.
            token: MIXPANEL_TOKEN.
            account: the service account, which serves only records of that token.
            events: where events go, ``/import`` or ``/track``.
            opted_out: of whom nothing is sent.
        """
        self.opted_out = opted_out or OptedOutList()
        self._queue_id = queue_id
        self._routes = Routes(base=base, token=token or None, account=account, events=events)

    def prepare(
        self, message: Message, *, number: str, received_ms: int, now_ms: int
    ) -> Ready | Refused:
        """Check, stamp and address a message that is one record.

        Args:
            message: as read from a tuple; a list is split first.
            number: the message's number in its queue.
            received_ms: when the queue received it, milliseconds since the epoch.
            now_ms: the present; a `Moment` where Redis's clock and this host's disagree.
        """
        if message.invalid is not None:
            return Refused(Reason.INVALID, *message.invalid)
        if message.kind is Kind.PROFILE_UPDATE:
            return self._profile_update(message)
        if message.kind is Kind.GROUP_UPDATE:
            return self._group_update(message)
        return self._event(message, number, received_ms, now_ms)

    def _event(
        self, message: Message, number: str, received_ms: int, now_ms: int
    ) -> Ready | Refused:
        record = message.data
        breach = rules.event_breach(record, message.text)
        if breach:
            return _refused(breach)
        properties = record["properties"]
        if record["event"] in rules.IDENTITY_EVENTS:
            return self._identity_event(message, record["event"], properties)
        present_ms = present(received_ms, now_ms)
        latest_ms = latest(received_ms, now_ms)
        time_ms = _time_of(properties, present_ms, latest_ms)
        if time_ms is None:
            return _refused(rules.UNREADABLE_TIME)
        breach = rules.time_breach(time_ms) or rules.distinct_id_breach(_user_of(properties))
        if breach:
            return _refused(breach)
        token = properties.get("token") or None
        route, reroute = self.event_route(message.kind, message.api_key, token, now_ms - time_ms)
        stamps = stamp_event(properties, message.text, self.identity(number), present_ms, latest_ms)
        self._stamp_token(stamps, properties, route)
        if len(properties) + stamps.growth > rules.MAX_COUNT:
            return _refused(rules.too_many_properties(len(properties), stamps.growth))
        return _ready(message.kind, stamped_event(message.text, record, stamps), route, reroute)

    def identity(self, number: str) -> str:
        """Return what makes a message this one, and stays so at every redelivery."""
        return f"{self._queue_id}:{number}"

    def event_route(
        self, kind: Kind, api_key: str | None, token: str | None, age_ms: float
    ) -> tuple[Route | None, Kind | None]:
        """Return an event's way, and the lane that it belongs to where that is another."""
        route = self._routes.to_events(kind, api_key, token)
        if age_ms > _TRACK_MS and route and route.destination.endpoint is Endpoint.TRACK:
            return self._routes.to_import(api_key, token), Kind.IMPORT
        return route, None

    def record_route(self, endpoint: Endpoint, token: str | None) -> Route | None:
        """Return the way to an endpoint that finds the token inside each record, if there."""
        return self._routes.to_records(endpoint, token)

    def _identity_event(
        self, message: Message, name: str, properties: dict[str, Any]
    ) -> Ready | Refused:
        """Send it as it is: a time would let a late replay vanish by its age."""
        breach = rules.identity_breach(name, properties)
        if breach:
            return _refused(breach)
        token = properties.get("token") or None
        if name == "$merge":
            route = self._routes.to_merge(message.api_key, token)
        else:
            route = self.record_route(Endpoint.TRACK, token)
        stamps = Stamps()
        self._stamp_token(stamps, properties, route, always=True)
        return _ready(message.kind, stamped_event(message.text, message.data, stamps), route)

    def _stamp_token(
        self,
        stamps: Stamps,
        properties: dict[str, Any],
        route: Route | None,
        *,
        always: bool = False,
    ) -> None:
        """Give a record the worker's token where Mixpanel looks for one inside it."""
        own = self._routes.token
        inside = always or (route is not None and route.destination.endpoint is Endpoint.TRACK)
        if inside and own and not properties.get("token"):
            stamps.put(properties, "token", orjson.dumps(own).decode())

    def _profile_update(self, message: Message) -> Ready | Refused:
        record = message.data
        breach = rules.profile_breach(record)
        if breach:
            return _refused(breach)
        token = record["$token"]
        route = self.record_route(Endpoint.ENGAGE, token)
        return _ready_update(message, route, f"{token} {record['$distinct_id']}")

    def _group_update(self, message: Message) -> Ready | Refused:
        record = message.data
        breach = rules.group_breach(record)
        if breach:
            return _refused(breach)
        token = record["$token"]
        route = self.record_route(Endpoint.GROUPS, token)
        return _ready_update(
            message, route, f"{token} {record['$group_key']} {record['$group_id']}"
        )


def present(received_ms: int, now_ms: int) -> int:
    """Return what stands in for a time that is missing or ahead, milliseconds since the epoch.

    It is the time of receipt, the same at each redelivery, so that an event sent twice is one.
    Redis's clock may have been ahead when the message came. Mixpanel refuses a time far ahead, and
    puts the present in place of another, each time anew: so it is never later than the moment at
    which the message was first taken.
    """
    return min(received_ms, taken_ms(now_ms))


def latest(received_ms: int, now_ms: int) -> int:
    """Return the latest time that is not ahead, milliseconds since the epoch.

    It is ahead of both clocks, where they disagree: else it may be Redis's that is wrong.
    """
    taken = taken_ms(now_ms)
    bound = received_ms if received_ms - taken <= rules.AHEAD_MS else taken
    return bound + behind_ms(now_ms)


def _time_of(properties: dict[str, Any], present_ms: int, latest_ms: int) -> float | None:
    """Return the time that an event will have, in milliseconds; None where it cannot be read."""
    time = properties.get("time")
    time = properties.get("$time") if time is None else time
    if time is None:
        return present_ms
    time_ms = milliseconds(time)
    return present_ms if time_ms is not None and time_ms > latest_ms else time_ms


def _user_of(properties: dict[str, Any]) -> Any:
    user = properties.get("distinct_id")
    return properties.get("$distinct_id") if user is None else user


def _ready_update(message: Message, route: Route | None, profile: str) -> Ready | Refused:
    record, text = message.data, message.text
    time = record.get("$time")
    if isinstance(time, str):
        text = stamped(text, Stamps(replaced={"$time": number_in(time) or time}))
    ready = _ready(message.kind, text, route)
    if isinstance(ready, Ready):
        ready.profile = profile
        ready.doubtful = not rules.DOUBTFUL_OPERATIONS.isdisjoint(record)
    return ready


def _ready(
    kind: Kind, text: str, route: Route | None, reroute: Kind | None = None
) -> Ready | Refused:
    if route is None:
        return _refused(_NOBODY)
    body = text.encode()
    if len(body) >= rules.MAX_RECORD_BYTES:
        return _refused(rules.too_large(len(body)))
    return Ready(kind, body, route.destination, route.own, reroute=reroute)


def _refused(breach: rules.Breach) -> Refused:
    return Refused(breach.reason, breach.field, breach.rule)
