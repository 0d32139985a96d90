"""What is known of one request, and which part of it an event gets."""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias

from mixrelay.producer.records.id_checks import reduced
from mixrelay.shared.mixpanel.rules import PLACEHOLDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixrelay.producer.records.events import Id

MOST_CHARACTERS = 255
"""Of an id; Mixpanel takes no longer one (Mixpanel: Import Events)."""

_IDS = ("distinct_id", "$user_id", "$device_id")

Named: TypeAlias = "tuple[Id | EllipsisType, Mapping[str, Any] | None]"
"""Whose event it is, and its properties."""


class KnownRequest:
    """What is known of a request whose properties were found before: a task's, for example."""

    def __init__(
        self,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        ip: str | None = None,
        properties: Mapping[str, Any] | None = None,
        ignored: bool = False,
    ) -> None:
        self._user = user_id
        self._device = device_id
        self._ip = ip
        self._properties = {} if properties is None else dict(properties)
        self._ignored = ignored

    def is_ignored(self) -> bool:
        """Whether it is a bot's, or of somebody who refused: its events are not queued."""
        return self._ignored

    def user_id(self) -> str | None:
        """Return the signed-in user's id; None where nobody is signed in, or nobody knows."""
        return self._user

    def device_id(self) -> str | None:
        """Return the device's id; None where there is none, or it must not be known."""
        return self._device

    def ip(self) -> str | None:
        """Return the client's address; None where it is not known, or not to be used."""
        return self._ip

    def properties(self) -> Mapping[str, Any]:
        """Return what each event gets beside ids and address; not to be changed."""
        return self._properties

    def set_user(self, user_id: Id) -> None:
        """Say who is signed in, where the framework does not."""
        self._user = id_text(user_id)

    def reset_device(self) -> str | None:
        """Give the device a new id from now on, as after a sign-out; return it.

        None where that cannot be: a response is under way, or the id is not from our cookie.
        """
        return None

    def carry(self) -> dict[str, Any]:
        """Return all of it as JSON, for ``request_context()`` in another process."""
        if self.is_ignored():
            return {"ignored": True}
        found = {
            "user_id": self.user_id(),
            "device_id": self.device_id(),
            "ip": self.ip(),
            "properties": dict(self.properties()),
        }
        return {name: value for name, value in found.items() if value}

    @staticmethod
    def carried(told: Mapping[str, Any]) -> KnownRequest:
        """Return the request that ``carry`` wrote; what is of the wrong type is left out."""
        properties = told.get("properties")
        ip = told.get("ip")
        return KnownRequest(
            user_id=id_text(told.get("user_id")),
            device_id=id_text(told.get("device_id")),
            ip=ip if isinstance(ip, str) else None,
            properties=properties if isinstance(properties, dict) else None,
            ignored=told.get("ignored") is True,
        )

    def of_event(
        self, distinct_id: Id | EllipsisType, given: Mapping[str, Any] | None
    ) -> Named | None:
        """Return an event with what the request knows; None where it is not to be queued.

        What the caller says wins. An event whose caller names the person is the caller's own: it
        is queued whoever asks, but of a bot, or of somebody who refused, it gets nothing.

        Args:
            distinct_id: as the caller gave it; the ellipsis where the caller named nobody.
            given: the caller's properties, with ``user_id`` and ``device_id`` among them.
        """
        own: Mapping[str, Any] = {} if given is None else given
        is_named = distinct_id is not ... or any(name in own for name in _IDS)
        if self.is_ignored():
            return (distinct_id, given) if is_named else None
        ids = self._ids_beside(distinct_id, own) if is_named else self._ids()
        properties = {**self.properties(), **ids, **own}
        return (distinct_id if is_named else properties.pop("distinct_id")), properties

    def _ids(self) -> dict[str, Any]:
        """Return whose event it is where the caller says nothing (Mixpanel: Identifying Users).

        Simplified ID Merge goes by the two ids, Original ID Merge by the ``distinct_id``.
        """
        user, device = self.user_id(), self.device_id()
        found: dict[str, Any] = {"distinct_id": None}
        if device is not None:
            found = {"distinct_id": f"$device:{device}", "$device_id": device}
        if user is not None:
            found |= {"distinct_id": user, "$user_id": user}
        return found

    def _ids_beside(self, distinct_id: Id | EllipsisType, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ids that go with those the caller named, where both are of one person.

        An administrator who acts for somebody else must not be merged with them: the device goes
        along with the request's own user, or with a user id where nobody is signed in yet.
        """
        user, device = self.user_id(), self.device_id()
        named = own.get("$user_id")
        if named is not None:
            is_theirs = user is None or id_text(named) == user
            return {"$device_id": device} if is_theirs and device is not None else {}
        whose = own.get("distinct_id") if distinct_id is ... else distinct_id
        if user is None or id_text(whose) != user:
            return {}
        both = {"$user_id": user, "$device_id": device}
        return {name: value for name, value in both.items() if value is not None}


def id_text(value: Any) -> str | None:
    """Return an id as text; None for what Mixpanel takes for no id."""
    if value is None:
        return None
    plain = value if type(value) is str else reduced(value)
    if isinstance(plain, bool) or not isinstance(plain, str | int):
        return None
    text = str(plain)
    is_id = text and len(text) <= MOST_CHARACTERS and text not in PLACEHOLDERS
    return text if is_id else None
