"""Campaigns: ``utm_…`` and click ids of a link (Mixpanel: Traffic Attribution)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from mixrelay.producer.context.text import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UTM = (
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "utm_id",
    "utm_source_platform",
    "utm_campaign_id",
    "utm_creative_format",
    "utm_marketing_tactic",
)
CLICKS = (
    "dclid",
    "fbclid",
    "gclid",
    "ko_click_id",
    "li_fat_id",
    "msclkid",
    "sccid",
    "ttclid",
    "twclid",
    "wbraid",
)
"""Both as Mixpanel's browser library has them."""

NAMES = frozenset((*UTM, *CLICKS))

SIGNS = ("utm_", "clid", "click_id", "fat_id", "sccid", "msclkid", "wbraid")
"""One of them is in each of the names; a query string without any needs no reading."""


def campaign(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the campaign's properties; values are cut as Mixpanel would cut them."""
    found: dict[str, str] = {}
    for name, value in fields:
        if name in NAMES and value:
            found.setdefault(name, cut(value))
    return found


def first_touch(properties: Mapping[str, str]) -> dict[str, str]:
    """Return what the profile keeps of a first visit, named as the browser library does."""
    found = {f"initial_{name}": properties[name] for name in UTM if name in properties}
    found["$initial_referrer"] = properties.get("$referrer", "$direct")
    found["$initial_referring_domain"] = properties.get("$referring_domain", "$direct")
    return found


def as_cookie(touch: Mapping[str, str]) -> str:
    """Return a first touch as a cookie's value."""
    return urlencode(touch)


def from_cookie(value: str) -> dict[str, str]:
    """Return the first touch that a cookie holds; what is none of its names is left out."""
    known = {f"initial_{name}" for name in UTM} | {"$initial_referrer", "$initial_referring_domain"}
    return {name: cut(text) for name, text in parse_qsl(value) if name in known}
