"""Updates of user profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from mixrelay.producer.dispatch.batch import batch_ip
from mixrelay.producer.dispatch.on_invalid import forgiving, update_of
from mixrelay.producer.dispatch.outlet import Outlet, R
from mixrelay.producer.records.events import Id, Properties, checked_mapping
from mixrelay.producer.records.id_checks import profile_id
from mixrelay.producer.records.updates import (
    UPDATE_NAMES,
    check_number,
    checked_lists,
    checked_numbers,
    given_update,
    placed,
    special_properties,
    unset_names,
    update_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from mixrelay.producer.records.strict_json import Names

_CHARGE_NAMES: Names = {
    **UPDATE_NAMES,
    ("$append", "$transactions"): "properties",
    ("$append", "$transactions", "$amount"): "amount",
}


class People(Generic[R]):
    """Updates of user profiles, as ``tracker.people``.

    What all methods take beside their own arguments:

    - ``ip``: an address to place the user by; 0 for none. Without it, and without one of the
      batch, Mixpanel places nobody.
    - ``latitude``, ``longitude``: where the user is, in place of an address.
    - ``ignore_time``: do not touch the profile's "last seen".
    - further keywords are Mixpanel's special properties: ``ignore_alias=True`` writes
      ``$ignore_alias``, ``time=…`` writes ``$time`` (a datetime becomes milliseconds). One that
      is not known here is given by its own name, ``**{"$name": value}``.

    All return what the tracker's sink returns, False after a failure to deliver, and raise
    ``InvalidPropertyError`` for an id or a value that Mixpanel does not take.
    """

    def __init__(self, token: str, outlet: Outlet[R]) -> None:
        self._token = token
        self._outlet = outlet

    @forgiving("profile_update", update_of("$set"))
    def set(
        self,
        distinct_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Set properties, over what was there; makes the profile if there is none.

        ``$latitude`` and ``$longitude`` among them go where Mixpanel reads them, beside ``$set``.
        """
        beside = special_properties(ip, ignore_time, special)
        given = checked_mapping(properties, "properties")
        return self._update(distinct_id, placed("$set", given, beside), beside)

    @forgiving("profile_update", update_of("$set_once"))
    def set_once(
        self,
        distinct_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Set the properties that the profile does not have yet."""
        beside = special_properties(ip, ignore_time, special)
        given = checked_mapping(properties, "properties")
        return self._update(distinct_id, placed("$set_once", given, beside), beside)

    @forgiving("profile_update", update_of("$add"))
    def increment(
        self,
        distinct_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Add to numbers; a negative one subtracts, a property that is absent counts as 0."""
        beside = special_properties(ip, ignore_time, special)
        given = checked_numbers(checked_mapping(properties, "properties"))
        return self._update(distinct_id, {"$add": given}, beside)

    @forgiving("profile_update", update_of("$add"))
    def plus_one(
        self,
        distinct_id: Id,
        property_name: str,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Add 1 to one property."""
        beside = special_properties(ip, ignore_time, special)
        (name,) = unset_names(property_name, "property_name")
        return self._update(distinct_id, {"$add": {name: 1}}, beside)

    @forgiving("profile_update", update_of("$append"))
    def append(
        self,
        distinct_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Add a value to the end of each named list."""
        beside = special_properties(ip, ignore_time, special)
        given = checked_mapping(properties, "properties")
        return self._update(distinct_id, {"$append": given}, beside)

    @forgiving("profile_update", update_of("$union"))
    def union(
        self,
        distinct_id: Id,
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
        return self._update(distinct_id, {"$union": given}, beside)

    @forgiving("profile_update", update_of("$remove"))
    def remove(
        self,
        distinct_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Take a value out of each named list."""
        beside = special_properties(ip, ignore_time, special)
        given = checked_mapping(properties, "properties")
        return self._update(distinct_id, {"$remove": given}, beside)

    @forgiving("profile_update", update_of("$unset"))
    def unset(
        self,
        distinct_id: Id,
        names: str | Iterable[str],
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Remove one property, or several, with their values."""
        operation = {"$unset": unset_names(names)}
        beside = special_properties(ip, ignore_time, special)
        return self._update(distinct_id, operation, beside)

    @forgiving("profile_update", update_of("$append"))
    def track_charge(
        self,
        distinct_id: Id,
        amount: float | Decimal,
        properties: Properties | None = None,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Record a payment; its ``$time`` property, a datetime, says when if not now.

        It is appended to the profile's ``$transactions``. Mixpanel took away its Revenue report,
        which read them, at the end of 2024; an event of each payment feeds today's reports.
        """
        check_number(amount, "amount")
        given = {} if properties is None else checked_mapping(properties, "properties")
        operation = {"$append": {"$transactions": {**given, "$amount": amount}}}
        beside = special_properties(ip, ignore_time, special)
        return self._update(distinct_id, operation, beside, _CHARGE_NAMES)

    @forgiving("profile_update", update_of("$unset"))
    def clear_charges(
        self,
        distinct_id: Id,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Remove all charges of a profile."""
        return self.unset(distinct_id, "$transactions", ip, ignore_time, **special)

    @forgiving("profile_update", update_of("$delete"))
    def delete(
        self,
        distinct_id: Id,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Delete a profile for good; ``ignore_alias=True`` deletes exactly this id."""
        beside = special_properties(ip, ignore_time, special)
        return self._update(distinct_id, {"$delete": ""}, beside)

    @forgiving("profile_update", update_of(""))
    def update(self, record: Properties, meta: Properties | None = None) -> R:
        """Send an update that you put together, as ``people_update`` of Mixpanel's own library.

            tracker.people.update({"$distinct_id": "user-1", "$set": {"a": 1}, "$add": {"n": 1}})

        ``$token`` and ``$time`` are stamped. One record may hold several operations, of those
        that workers know: ``$set``, ``$set_once``, ``$add``, ``$append``, ``$union``,
        ``$remove``, ``$unset``, ``$delete``.

        Args:
            record: members of the record under Mixpanel's names, with ``$distinct_id``.
            meta: more of them, which win.
        """
        given, names = given_update(self._token, record, meta)
        whose = profile_id(given.get("$distinct_id"), 'record["$distinct_id"]')
        given["$distinct_id"] = whose
        return self._deliver(given, names)

    def _update(
        self,
        distinct_id: Id,
        operation: dict[str, Any],
        beside: dict[str, Any],
        names: Names = UPDATE_NAMES,
    ) -> R:
        target = {"$distinct_id": profile_id(distinct_id, "distinct_id")}
        return self._deliver(update_record(self._token, target, operation, beside), names)

    def _deliver(self, record: dict[str, Any], names: Names) -> R:
        if "$ip" not in record:
            ip = batch_ip(self._outlet)
            if ip is not None:
                record["$ip"] = ip
        return self._outlet.deliver("profile_update", record, names)
