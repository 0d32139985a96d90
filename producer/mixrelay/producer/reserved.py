"""The properties whose names Mixpanel gives a meaning, for type checkers and editors.

Every one may be left out. Inherit to add an application's own, and misspelt names and wrong
types are found before they are sent:

    class PlanUpgraded(EventProperties, total=False):
        plan: str

    upgraded: PlanUpgraded = {"plan": "Premium", "$city": "Berlin"}
    tracker.track("user-1", "Plan Upgraded", upgraded)

Source: Mixpanel, Property Reference, pages Reserved Properties and Default Properties; of the
latter those that a server can know.
"""

from __future__ import annotations

from datetime import date
from typing import TypeAlias, TypedDict

# Evaluated where a class inherits from these, so no text.
Moment: TypeAlias = date | str
"""A datetime or a date, or its text in UTC, ``YYYY-MM-DDTHH:MM:SS``."""

EventProperties = TypedDict(
    "EventProperties",
    {
        # What tells events and users apart; stamped or filled in when left out.
        "distinct_id": str | int | None,
        "$device_id": str,
        "$user_id": str,
        "time": int | float | date,
        "$insert_id": str,
        # Where somebody was: by an address, or said outright.
        "ip": str | int,
        "$city": str | None,
        "$region": str | None,
        "mp_country_code": str | None,
        "$latitude": float,
        "$longitude": float,
        # What was used.
        "$os": str,
        "$os_version": str,
        "$browser": str,
        "$browser_version": str | int,
        "$device": str,
        "$manufacturer": str,
        "$brand": str,
        "$model": str,
        "$screen_width": int,
        "$screen_height": int,
        "$app_version_string": str,
        "$app_build_number": str,
        "mp_lib": str,
        "$lib_version": str,
        # Which page, and from where.
        "$current_url": str,
        "$referrer": str,
        "$referring_domain": str,
        "$initial_referrer": str,
        "$initial_referring_domain": str,
        "$search_engine": str,
        "mp_keyword": str,
        "utm_source": str,
        "utm_medium": str,
        "utm_campaign": str,
        "utm_content": str,
        "utm_term": str,
        "$duration": float,
        "$source": str,
        # The session replay that the event belongs to, from the browser's library.
        "$mp_replay_id": str,
        "$ignore": bool,
    },
    total=False,
)
"""Of an event, for ``track`` and ``import_event``."""

ProfileProperties = TypedDict(
    "ProfileProperties",
    {
        "$name": str,
        "$first_name": str,
        "$last_name": str,
        "$email": str,
        "$phone": str,
        "$avatar": str,
        "$created": Moment,
        "$city": str | None,
        "$region": str | None,
        "$country_code": str | None,
        "$timezone": str,
        # Written beside the operation, where Mixpanel reads them.
        "$latitude": float,
        "$longitude": float,
        "$os": str,
        "$browser": str,
        "$browser_version": str | int,
        "$initial_referrer": str,
        "$initial_referring_domain": str,
    },
    total=False,
)
"""Of a user's profile, for ``people.set`` and ``people.set_once``."""

GroupProperties = TypedDict(
    "GroupProperties",
    {
        "$name": str,
        "$email": str,
        "$phone": str,
        "$avatar": str,
        "$created": Moment,
    },
    total=False,
)
"""Of a group's profile, for ``groups.set`` and ``groups.set_once``."""
