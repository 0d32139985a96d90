"""The records of identity events, which belong to Mixpanel's Original ID Merge.

A project with Simplified ID Merge, the default since April 2024, takes them and ignores them
(Mixpanel: ID Management). docs/identity.md says what to call in each.
"""

from __future__ import annotations

from typing import Any

from mixrelay.producer.records.id_checks import anonymous_id, check_two, identity_id


def identify_record(token: str, identified_id: Any, anonymous: Any) -> dict[str, Any]:
    """Return the record of ``$identify`` (Mixpanel: Create Identity).

    Raises:
        InvalidPropertyError: an id is no text or empty, the anonymous one no UUID v4, or both
            are one.
    """
    identified = identity_id(identified_id, "identified_id")
    anon = anonymous_id(anonymous, "anonymous_id")
    check_two(anon, identified, "anonymous_id", "identified_id")
    return _identity("$identify", {"$identified_id": identified, "$anon_id": anon, "token": token})


def merge_record(token: str, id1: Any, id2: Any) -> dict[str, Any]:
    """Return the record of ``$merge`` (Mixpanel: Merge Identities).

    Raises:
        InvalidPropertyError: an id is no text or empty, or both are one.
    """
    first, second = identity_id(id1, "id1"), identity_id(id2, "id2")
    check_two(second, first, "id2", "id1")
    return _identity("$merge", {"$distinct_ids": [first, second], "token": token})


def alias_record(token: str, alias_id: Any, distinct_id: Any) -> dict[str, Any]:
    """Return the record of ``$create_alias`` (Mixpanel: Create Alias).

    Raises:
        InvalidPropertyError: an id is no text or empty, or both are one.
    """
    alias = identity_id(alias_id, "alias_id")
    whose = identity_id(distinct_id, "distinct_id")
    check_two(alias, whose, "alias_id", "distinct_id")
    return _identity("$create_alias", {"distinct_id": whose, "alias": alias, "token": token})


def _identity(event: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return an identity event; Mixpanel wants neither time nor ``$insert_id`` in it."""
    return {"event": event, "properties": properties}
