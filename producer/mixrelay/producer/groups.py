"""Updates of group profiles, and of the rows of lookup tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from mixrelay.producer.delivery import Outlet, R
from mixrelay.producer.events import Id, Properties, checked_mapping
from mixrelay.producer.updates import UPDATE_NAMES, special_properties, unset_names, update_record

if TYPE_CHECKING:
    from collections.abc import Iterable


class Groups(Generic[R]):
    """Updates of group profiles, as ``tracker.groups``; a lookup table's id is a group key too.

    ``ip``, ``ignore_time``, special properties, results and errors are as for ``tracker.people``.
    """

    def __init__(self, token: str, outlet: Outlet[R]) -> None:
        self._token = token
        self._outlet = outlet

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

    def union(
        self,
        group_key: str,
        group_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Add to each named list those of the values that it does not hold yet."""
        beside = special_properties(ip, ignore_time, special)
        return self._change("$union", group_key, group_id, properties, beside)

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
        target = {"$group_key": group_key, "$group_id": group_id}
        record = update_record(self._token, target, operation, beside)
        return self._outlet.deliver("group_update", record, UPDATE_NAMES)
