"""Updates of group profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from mixrelay.producer.dispatch.on_invalid import forgiving, update_of
from mixrelay.producer.dispatch.outlet import Outlet, R
from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.events import Id, Properties, checked_mapping
from mixrelay.producer.records.id_checks import group_id as checked_group_id
from mixrelay.producer.records.id_checks import reduced
from mixrelay.producer.records.updates import (
    UPDATE_NAMES,
    checked_lists,
    given_update,
    special_properties,
    unset_names,
    update_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class Groups(Generic[R]):
    """Updates of group profiles, as ``tracker.groups``.

    A lookup table's id as group key, and a row's as group id, is the way of Mixpanel's old Ruby
    documentation to change one row. Today's pages know only a table's replacement as a whole:
    ``mixrelay.producer.lookup``.

    ``ip``, ``ignore_time``, special properties, results and errors are as for ``tracker.people``.
    """

    def __init__(self, token: str, outlet: Outlet[R]) -> None:
        self._token = token
        self._outlet = outlet

    @forgiving("group_update", update_of("$set", group=True))
    def set(
        self,
        group_key: str,
        group_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Set properties, over what was there; makes the profile if there is none."""
        beside = special_properties(ip, ignore_time, special)
        return self._change("$set", group_key, group_id, properties, beside)

    @forgiving("group_update", update_of("$set_once", group=True))
    def set_once(
        self,
        group_key: str,
        group_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Set the properties that the profile does not have yet."""
        beside = special_properties(ip, ignore_time, special)
        return self._change("$set_once", group_key, group_id, properties, beside)

    @forgiving("group_update", update_of("$union", group=True))
    def union(
        self,
        group_key: str,
        group_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Add to each named list those of the values that it does not hold yet.

        A single text or number stands for a list of one.
        """
        beside = special_properties(ip, ignore_time, special)
        given = checked_lists(checked_mapping(properties, "properties"))
        return self._update(group_key, group_id, {"$union": given}, beside)

    @forgiving("group_update", update_of("$remove", group=True))
    def remove(
        self,
        group_key: str,
        group_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Take a value out of each named list."""
        beside = special_properties(ip, ignore_time, special)
        return self._change("$remove", group_key, group_id, properties, beside)

    @forgiving("group_update", update_of("$unset", group=True))
    def unset(
        self,
        group_key: str,
        group_id: Id,
        names: str | Iterable[str],
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Remove one property, or several, with their values."""
        operation = {"$unset": unset_names(names)}
        beside = special_properties(ip, ignore_time, special)
        return self._update(group_key, group_id, operation, beside)

    @forgiving("group_update", update_of("$delete", group=True))
    def delete(
        self,
        group_key: str,
        group_id: Id,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Delete a profile for good."""
        beside = special_properties(ip, ignore_time, special)
        return self._update(group_key, group_id, {"$delete": ""}, beside)

    @forgiving("group_update", update_of("", group=True))
    def update(self, record: Properties, meta: Properties | None = None) -> R:
        """Send an update that you put together, as ``group_update`` of Mixpanel's own library.

        Args:
            record: members of the record under Mixpanel's names, with ``$group_key`` and
                ``$group_id``; otherwise as for ``people.update``.
            meta: more of them, which win.
        """
        given, names = given_update(self._token, record, meta)
        key, group = given.get("$group_key"), given.get("$group_id")
        given |= _target(key, group, 'record["$group_key"]', 'record["$group_id"]')
        return self._outlet.deliver("group_update", given, names)

    def _change(
        self,
        operation: str,
        group_key: str,
        group_id: Id,
        properties: Properties,
        beside: dict[str, Any],
    ) -> R:
        given = {operation: checked_mapping(properties, "properties")}
        return self._update(group_key, group_id, given, beside)

    def _update(
        self,
        group_key: str,
        group_id: Id,
        operation: dict[str, Any],
        beside: dict[str, Any],
    ) -> R:
        target = _target(group_key, group_id, "group_key", "group_id")
        record = update_record(self._token, target, operation, beside)
        return self._outlet.deliver("group_update", record, UPDATE_NAMES)


def _target(group_key: object, group_id: object, key_name: str, id_name: str) -> dict[str, Any]:
    """Return which group it is.

    Raises:
        InvalidPropertyError: the key is no text or empty, or the id none.
    """
    key = reduced(group_key)
    if not isinstance(key, str):
        kind = type(group_key).__name__
        raise InvalidPropertyError(key_name, f"must be a str, not {kind}; give the group key")
    if not key:
        raise InvalidPropertyError(key_name, "is empty; give the group key, such as Company")
    return {"$group_key": key, "$group_id": checked_group_id(group_id, id_name)}
