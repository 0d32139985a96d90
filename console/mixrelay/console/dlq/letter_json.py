"""A dead letter as one JSON object (product contract: `mixrelay dlq list --json`)."""

import base64
import json
from typing import Any

from mixrelay.console import masking
from mixrelay.console.text import iso
from mixrelay.shared.queue import Letter


def line(letter: Letter, *, raw: bool = False) -> str:
    """The object on one line, secrets masked.

    Args:
        letter: what to show.
        raw: leave secrets in, and add the tuple's exact bytes: as `payload`, or as
            `payload_base64` where they are no UTF-8; and its earlier deaths.
    """
    shown = {**facts(letter), "message": masking.readable(letter.payload, raw=raw)}
    return json.dumps(shown | _exact(letter.payload) | _history(letter) if raw else shown)


def facts(letter: Letter) -> dict[str, Any]:
    """What is known of it, without its message."""
    return {
        "id": letter.id,
        "type": letter.type,
        "reason": letter.reason,
        "status": letter.status,
        "error": letter.error,
        "field": letter.field,
        "attempts": letter.attempts,
        "replays": letter.replays,
        "first_seen": iso(letter.first_seen),
        "dead_since": iso(letter.dead_since),
        "requeued_by": letter.requeued_by or None,
    }


def _exact(payload: bytes) -> dict[str, str]:
    try:
        return {"payload": payload.decode()}
    except UnicodeDecodeError:
        return {"payload_base64": base64.b64encode(payload).decode()}


def _history(letter: Letter) -> dict[str, Any]:
    return {
        "deaths": [
            {
                "reason": death.reason,
                "status": death.status,
                "error": death.error,
                "at": iso(death.at),
                "replayed_at": iso(death.replayed_at),
            }
            for death in letter.deaths
        ]
    }
