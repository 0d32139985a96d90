"""A letter as a request that an operator may try in a terminal, without a secret."""

import json
import shlex
from typing import Any

from mixrelay.console.masking import readable
from mixrelay.shared.queue import Letter

_PATHS = {
    "event": "/import?strict=1",
    "import": "/import?strict=1",
    "profile_update": "/engage?verbose=1&ip=0",
    "group_update": "/groups?verbose=1&ip=0",
}
_MOST = 20_000
"""Characters: a longer one is no command line."""


def curl(letter: Letter, base: str) -> str:
    """The command; empty where the message cannot be read, or is too long for one.

    Args:
        letter: whose.
        base: the address of the region.
    """
    value: Any = readable(letter.payload)
    message = value[1] if isinstance(value, list) and len(value) > 1 else None
    data = message.get("data") if isinstance(message, dict) else None
    path = _PATHS.get(letter.type)
    if path is None or not isinstance(data, dict | list):
        return ""
    records = data if isinstance(data, list) else [data]
    body = shlex.quote(json.dumps(records, ensure_ascii=False))
    if len(body) > _MOST:
        return ""
    user = ' -u "$MIXPANEL_TOKEN:"' if path.startswith("/import") else ""
    return f"curl{user} -H 'Content-Type: application/json' '{base}{path}' -d {body}"
