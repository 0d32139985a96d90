"""The calls that track events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, overload

from mixrelay.producer.context.current import current_request
from mixrelay.producer.dispatch.batch import batch_ip
from mixrelay.producer.dispatch.on_invalid import event_of, forgiving
from mixrelay.producer.dispatch.outlet import Outlet, R
from mixrelay.producer.dispatch.reporting import say_that_secrets_end
from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.events import (
    EVENT_NAMES,
    Groupings,
    Id,
    Properties,
    TextId,
    Timestamp,
    checked_groups,
    checked_insert_id,
    checked_mapping,
    checked_time,
    event_record,
    with_meta,
)
from mixrelay.producer.records.id_checks import text_id
from mixrelay.producer.records.identities import alias_record, identify_record, merge_record

if TYPE_CHECKING:
    from types import EllipsisType

    from mixrelay.producer.consumer import Consumer
    from mixrelay.producer.context.known import KnownRequest, Named


class EventCalls(Generic[R]):
    """What ``Tracker`` does with events; made by it alone."""

    _token: str
    _outlet: Outlet[R]
    _defaults: dict[str, Any]

    @overload
    def track(
        self,
        distinct_id: Id,
        event: str,
        properties: Properties | None = None,
        ip: str | int | None = None,
        *,
        groups: Groupings | None = None,
        insert_id: str | None = None,
        user_id: TextId | None = None,
        device_id: TextId | None = None,
        timestamp: Timestamp | None = None,
        meta: Properties | None = None,
    ) -> R: ...

    @overload
    def track(
        self,
        *,
        event: str,
        properties: Properties | None = None,
        ip: str | int | None = None,
        groups: Groupings | None = None,
        insert_id: str | None = None,
        user_id: TextId | None = None,
        device_id: TextId | None = None,
        timestamp: Timestamp | None = None,
        meta: Properties | None = None,
    ) -> R: ...

    @forgiving("event", event_of())
    def track(
        self,
        distinct_id: Id | EllipsisType = ...,
        event: str = "",
        properties: Properties | None = None,
        ip: str | int | None = None,
        *,
        groups: Groupings | None = None,
        insert_id: str | None = None,
        user_id: TextId | None = None,
        device_id: TextId | None = None,
        timestamp: Timestamp | None = None,
        meta: Properties | None = None,
    ) -> R:
        """Track an event.

        ``time`` (milliseconds) and ``$insert_id`` are stamped here. Properties of the caller's
        win over every default, except ``token``, which another value is refused for.

        Within a web request whose middleware has ``context=True``, it gets what the request knows
        (docs/web.md), and whose event it is need not be said.

        Args:
            distinct_id: who did it; None or the empty text for an event of nobody. May be left
                out beside ``user_id`` or ``device_id``, and within such a request.
            event: what was done.
            properties: the circumstances; up to 247, since Mixpanel takes 254 with those that
                are stamped and ``ip``.
            ip: an address to place the user by; 0 for none. Without it, and without one of the
                batch, Mixpanel places nobody.
            groups: which groups it belongs to: a group key and an id, or a list of ids.
            insert_id: your own; calls with the same one, and the same event, user and time, are
                one event (Mixpanel: Event Deduplication). Needs a ``timestamp``, or a ``time``
                among the properties, since the time of the call differs from call to call. Up to
                36 letters, digits and ``-``.
            user_id: the signed-in user, as ``$user_id``: for projects with Simplified ID Merge.
            device_id: the device or browser, as ``$device_id``: the same.
            timestamp: when it was done, if not now: a datetime, seconds or milliseconds.
            meta: members of the record beside ``event`` and ``properties``.

        Raises:
            InvalidPropertyError: an argument cannot become an event that Mixpanel takes.
        """
        if ip is None:
            ip = batch_ip(self._outlet)
        given = self._given(
            properties, groups, insert_id, timestamp, user_id=user_id, device_id=device_id
        )
        request = current_request()
        if request is not None:
            named = self._named_by(request, distinct_id, given)
            if named is None:
                self._outlet.counters.add("ignored")
                return self._outlet.taken
            distinct_id, given = named
        record = event_record(self._token, distinct_id, event, given, ip)
        names = EVENT_NAMES
        if meta is not None:
            record, names = with_meta(record, meta)
        return self._outlet.deliver("event", record, names)

    @overload
    def import_event(
        self,
        distinct_id: Id,
        event: str,
        properties: Properties | None = None,
        api_key: str | None = None,
        ip: str | int | None = None,
        *,
        groups: Groupings | None = None,
        insert_id: str | None = None,
        user_id: TextId | None = None,
        device_id: TextId | None = None,
        timestamp: Timestamp | None = None,
        meta: Properties | None = None,
    ) -> R: ...

    @overload
    def import_event(
        self,
        *,
        event: str,
        properties: Properties | None = None,
        api_key: str | None = None,
        ip: str | int | None = None,
        groups: Groupings | None = None,
        insert_id: str | None = None,
        user_id: TextId | None = None,
        device_id: TextId | None = None,
        timestamp: Timestamp | None = None,
        meta: Properties | None = None,
    ) -> R: ...

    @forgiving("import", event_of())
    def import_event(
        self,
        distinct_id: Id | EllipsisType = ...,
        event: str = "",
        properties: Properties | None = None,
        api_key: str | None = None,
        ip: str | int | None = None,
        *,
        groups: Groupings | None = None,
        insert_id: str | None = None,
        user_id: TextId | None = None,
        device_id: TextId | None = None,
        timestamp: Timestamp | None = None,
        meta: Properties | None = None,
    ) -> R:
        """Track an event of the past: ``timestamp``, or ``time`` among the properties, says when.

        Args:
            distinct_id: as for ``track``, like all that is not named here.
            event: what was done.
            properties: the circumstances.
            api_key: a project secret to import with, written into the message. Deprecated:
                Mixpanel retires project secrets on 2027-03-03, and a worker with a service
                account uses that. Without it, and without an account, the worker imports by the
                token (Mixpanel: Project Secret; Import Events, Authentication).
            ip: an address to place the user by; 0 for none. Without it, that of the batch.
            groups: as for ``track``.
            insert_id: as for ``track``.
            user_id: as for ``track``.
            device_id: as for ``track``.
            timestamp: when it was done.
            meta: as for ``track``.

        Raises:
            InvalidPropertyError: as ``track``.
        """
        if ip is None:
            ip = batch_ip(self._outlet)
        if api_key:
            say_that_secrets_end()
        given = self._given(
            properties, groups, insert_id, timestamp, user_id=user_id, device_id=device_id
        )
        record = event_record(self._token, distinct_id, event, given, ip)
        names = EVENT_NAMES
        if meta is not None:
            record, names = with_meta(record, meta)
        return self._outlet.deliver("import", record, names, api_key)

    @forgiving("event", event_of("$identify"))
    def identify(self, identified_id: Id, anonymous_id: Id) -> R:
        """Connect what somebody did before signing in with who it is, under *Original ID Merge*.

        A project with *Simplified ID Merge*, the default since April 2024, ignores it: there
        ``track(..., user_id=, device_id=)`` connects the two (docs/identity.md).

        Args:
            identified_id: the user's id.
            anonymous_id: the ``distinct_id`` of before; a UUID v4, not connected before
                (Mixpanel: Create Identity).

        Raises:
            InvalidPropertyError: an id is no text or empty, ``anonymous_id`` is no UUID v4, or
                both are one.
        """
        record = identify_record(self._token, identified_id, anonymous_id)
        return self._outlet.deliver("event", record, EVENT_NAMES)

    @forgiving("import", event_of("$merge"))
    def merge(self, id1: Id, id2: Id) -> R:
        """Make two users one, for good, under *Original ID Merge*; Simplified ignores it.

        It goes through ``/import``, and Mixpanel documents it for a service account (Merge
        Identities): set ``MIXPANEL_SERVICE_ACCOUNT_USERNAME``, ``…_SECRET`` and
        ``MIXPANEL_PROJECT_ID`` at the workers.

        Args:
            id1: a user's id.
            id2: another id of the same user.

        Raises:
            InvalidPropertyError: an id is no text or empty, or both are one.
        """
        return self._outlet.deliver("import", merge_record(self._token, id1, id2), EVENT_NAMES)

    @forgiving("event", event_of("$create_alias"))
    def alias(self, alias_id: Id, distinct_id: Id) -> R:
        """Make a second id of a user known, at once, under *Original ID Merge* and legacy projects.

        Always a request of its own that is answered before this returns, past the queue and any
        sink: events that use the alias may follow (Mixpanel: Ruby library, Alias). Up to 10
        seconds, in a thread where calls are awaited; False after a failure, which the error
        handler hears of. A project with Simplified ID Merge ignores it.

        Args:
            alias_id: the second id.
            distinct_id: the id that Mixpanel knows.

        Raises:
            InvalidPropertyError: an id is no text or empty, or both are one.
        """
        record = alias_record(self._token, alias_id, distinct_id)
        return self._outlet.deliver_at_once(self._sender().send, "event", record, EVENT_NAMES)

    def _sender(self) -> Consumer:
        """Return the consumer for what is sent at once."""
        raise NotImplementedError

    def _named_by(
        self, request: KnownRequest, distinct_id: Id | EllipsisType, given: Properties | None
    ) -> Named | None:
        """Return an event with what its request knows; None where it is not to be queued."""
        own = None if given is None else checked_mapping(given, "properties")
        if self._outlet.is_off:  # the call is still checked, and nothing is read or set
            return (None if distinct_id is ... else distinct_id), own
        return request.of_event(distinct_id, own)

    def _given(
        self,
        properties: Properties | None,
        groups: Groupings | None,
        insert_id: str | None,
        timestamp: Timestamp | None,
        *,
        user_id: TextId | None,
        device_id: TextId | None,
    ) -> Properties | None:
        """Return an event's properties, as all that the caller said puts them together."""
        nobody_named = user_id is None and device_id is None
        rest_is_absent = groups is None and insert_id is None and timestamp is None
        if nobody_named and rest_is_absent and not self._defaults:
            return properties
        own = {} if properties is None else checked_mapping(properties, "properties")
        given = {**self._defaults, **own}
        if groups is not None:
            given |= checked_groups(groups)
        if user_id is not None:
            given["$user_id"] = text_id(user_id, "user_id")
        if device_id is not None:
            given["$device_id"] = text_id(device_id, "device_id")
        if timestamp is not None:
            given["time"] = checked_time(timestamp, "timestamp")
        if insert_id is not None:
            given["$insert_id"] = checked_insert_id(insert_id)
            _check_stable_time(given)
        return given


def _check_stable_time(given: Properties) -> None:
    """Refuse an own ``insert_id`` beside the time of the call, which would fold nothing.

    Raises:
        InvalidPropertyError: the caller says no time.
    """
    if "time" not in given:
        raise InvalidPropertyError(
            "insert_id",
            "makes calls one event only where their time is the same too, and each call stamps "
            'its own: give timestamp= or "time" among the properties, such as when it was paid',
        )
