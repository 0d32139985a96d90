"""Updates of user profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from mixrelay.producer.delivery import Outlet, R
from mixrelay.producer.events import Id, Properties, checked_mapping
from mixrelay.producer.updates import UPDATE_NAMES, special_properties, unset_names, update_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from mixrelay.producer.plain import Names

_CHARGE_NAMES: Names = {
    **UPDATE_NAMES,
    ("$append", "$transactions"): "properties",
    ("$append", "$transactions", "$amount"): "amount",
}


class People(Generic[R]):
    """Updates of user profiles, as ``tracker.people``.

    What all methods take beside their own arguments:

    - ``ip``: an address to place the user by; 0 for none. Without it Mixpanel places nobody.
    - ``ignore_time``: do not touch the profile's "last seen".
    - further keywords are Mixpanel's special properties: ``ignore_alias=True`` writes
      ``$ignore_alias``, ``time=…`` writes ``$time`` (a datetime becomes milliseconds). One that
      is not known here is given by its own name, ``**{"$name": value}``.

    All return what the tracker's sink returns, False after a failure to deliver, and raise
    ``InvalidPropertyError`` for what is not JSON.
    """

    def __init__(self, token: str, outlet: Outlet[R]) -> None:
        self._token = token
        self._outlet = outlet

    def set(
        self,
        distinct_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Set properties, over what was there; makes the profile if there is none."""
        beside = special_properties(ip, ignore_time, special)
        return self._change("$set", distinct_id, properties, beside)

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
        return self._change("$set_once", distinct_id, properties, beside)

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
        return self._change("$add", distinct_id, properties, beside)

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
        return self._change("$add", distinct_id, {property_name: 1}, beside)

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
        return self._change("$append", distinct_id, properties, beside)

    def union(
        self,
        distinct_id: Id,
        properties: Properties,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Add to each named list those of the values that it does not hold yet."""
        beside = special_properties(ip, ignore_time, special)
        return self._change("$union", distinct_id, properties, beside)

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
        return self._change("$remove", distinct_id, properties, beside)

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

    def track_charge(
        self,
        distinct_id: Id,
        amount: float | Decimal,
        properties: Properties | None = None,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Record a payment; its ``$time`` property, a datetime, says when if not now."""
        given = {} if properties is None else checked_mapping(properties, "properties")
        operation = {"$append": {"$transactions": {**given, "$amount": amount}}}
        beside = special_properties(ip, ignore_time, special)
        return self._update(distinct_id, operation, beside, _CHARGE_NAMES)

    def clear_charges(
        self,
        distinct_id: Id,
        ip: str | int | None = None,
        ignore_time: bool = False,
        **special: Any,
    ) -> R:
        """Remove all charges of a profile."""
        return self.unset(distinct_id, "$transactions", ip, ignore_time, **special)

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

    def _change(
        self,
        operation: str,
        distinct_id: Id,
        properties: Properties,
        beside: dict[str, Any],
    ) -> R:
        given = {operation: checked_mapping(properties, "properties")}
        return self._update(distinct_id, given, beside)

    def _update(
        self,
        distinct_id: Id,
        operation: dict[str, Any],
        beside: dict[str, Any],
        names: Names = UPDATE_NAMES,
    ) -> R:
        target = {"$distinct_id": distinct_id}
        record = update_record(self._token, target, operation, beside)
        return self._outlet.deliver("profile_update", record, names)
