"""From a message to what a request carries: checked, stamped, and addressed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mixrelay.shared.mixpanel import rules
from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint
from mixrelay.shared.mixpanel.times import milliseconds, number_in
from mixrelay.shared.tuples import Kind, Message
from mixrelay.worker.routes import Route, Routes
from mixrelay.worker.stamps import Stamps, stamp_event, stamped, stamped_event

if TYPE_CHECKING:
    from mixrelay.shared.mixpanel.reasons import Reason

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
    ) -> None:
        """Build it once for each worker.

        Args:
            queue_id: the queue's own random id, part of each $insert_id that is made here.
            base: Mixpanel's base address.
            token: MIXPANEL_TOKEN.
            account: the service account, which serves only records of that token.
        """
        self._queue_id = queue_id
        self._routes = Routes(base=base, token=token or None, account=account)

    def prepare(
        self, message: Message, *, number: str, received_ms: int, now_ms: int
    ) -> Ready | Refused:
        """Check, stamp and address a message that is one record.

        Args:
            message: as read from a tuple; a list is split first.
            number: the message's number in its queue.
            received_ms: when the queue received it, milliseconds since the epoch.
            now_ms: the time by Redis's clock.
        """
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
        token = properties.get("token") or None
        if record["event"] in rules.IDENTITY_EVENTS:
            return self._identity_event(message, record["event"], token)
        time_ms = _time_of(properties, received_ms)
        if time_ms is None:
            return _refused(rules.UNREADABLE_TIME)
        age_ms = now_ms - time_ms
        route, reroute = self.event_route(message.kind, message.api_key, token, age_ms)
        to_import = route is not None and route.destination.endpoint is Endpoint.IMPORT
        breach = rules.import_breach(properties, time_ms, now_ms) if to_import else None
        if breach:
            return _refused(breach)
        identity = self.identity(number)
        stamps = stamp_event(properties, message.text, identity, received_ms, to_import=to_import)
        count = len(properties) + len(stamps.added)
        if count > rules.MAX_COUNT:
            return _refused(rules.too_many_properties(count))
        return _ready(message.kind, stamped_event(message.text, record, stamps), route, reroute)

    def identity(self, number: str) -> str:
        """Return what makes a message this one, and stays so at every redelivery."""
        return f"{self._queue_id}:{number}"

    def event_route(
        self, kind: Kind, api_key: str | None, token: str | None, age_ms: float
    ) -> tuple[Route | None, Kind | None]:
        """Return an event's way, and the lane that it belongs to where that is another."""
        if kind is Kind.IMPORT:
            return self._routes.to_import(api_key, token), None
        if self._routes.account_serves(token):
            return self._routes.to_import(None, token), None
        if age_ms > _TRACK_MS:
            return self._routes.to_import(api_key, token), Kind.IMPORT
        return self.record_route(Endpoint.TRACK, token), None

    def record_route(self, endpoint: Endpoint, token: str | None) -> Route | None:
        """Return the way to an endpoint that finds the token inside each record, if there."""
        return self._routes.to_records(endpoint, token)

    def _identity_event(self, message: Message, name: str, token: str | None) -> Ready | Refused:
        """Send it as it is: a time would let a late replay vanish by its age."""
        if name == "$merge":
            route = self._routes.to_import(message.api_key, token)
        else:
            route = self.record_route(Endpoint.TRACK, token)
        return _ready(message.kind, message.text, route)

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


def _time_of(properties: dict[str, Any], received_ms: int) -> float | None:
    """Return an event's time in milliseconds; None where it cannot be read."""
    time = properties.get("time")
    return received_ms if time is None else milliseconds(time)


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
