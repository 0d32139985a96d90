"""The device's id: of Mixpanel's browser library where a page uses it, else of our own cookie."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mixrelay.producer.context.known import id_text

if TYPE_CHECKING:
    from mixrelay.producer.context.web_request import WebRequest

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

_PREFIX = "$device:"

_BROWSERS = "_mixpanel="
_OPTED = "__mp_opt_in_out_"
"""What is in the names of the browser library's cookies."""


def new_device_id() -> str:
    """Return a UUID v4, which Original ID Merge wants (Mixpanel: Create Identity)."""
    return str(uuid.uuid4())


def own_device_id(request: WebRequest, name: str) -> str | None:
    """Return what our cookie holds; None where it is absent or somebody changed it."""
    found = request.cookie(name)
    return found if found is not None and _UUID.fullmatch(found) else None


def browsers_device_id(request: WebRequest, token: str) -> str | None:
    """Return the id that Mixpanel's browser library keeps; None where there is none.

    It writes JSON, percent-encoded, into ``mp_<token>_mixpanel`` (Mixpanel: Javascript SDK,
    Cookies and local storage; not where it is told to use local storage).
    """
    if _BROWSERS not in (request.header("cookie") or ""):
        return None
    found = request.cookie(f"mp_{token}_mixpanel")
    if found is None:
        return None
    try:
        kept = json.loads(unquote(found))
    except ValueError:
        return None
    if not isinstance(kept, dict):
        return None
    device = kept.get("$device_id")
    if device is None:
        whose = kept.get("distinct_id")
        if not isinstance(whose, str) or not whose.startswith(_PREFIX):
            return None
        device = whose[len(_PREFIX) :]
    return id_text(device) if isinstance(device, str) else None


def opted_out(request: WebRequest, token: str) -> bool:
    """Whether the visitor opted out in Mixpanel's browser library, where that uses a cookie."""
    is_there = _OPTED in (request.header("cookie") or "")
    return is_there and request.cookie(f"{_OPTED}{token}") == "0"
