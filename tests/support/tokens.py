"""What workers note about project tokens, without a worker."""

import json
import time
from typing import Any

from mixrelay.shared.queue import Queue

US = "https://api.mixpanel.com"
OURS, THEIRS = ("0badc0de0bad", "3f2a…b7"), ("1badc0de0bad", "9c1d…4e")


def note_token(queue: Queue, token: tuple[str, str], state: str, **facts: Any) -> None:
    """Writes down what `/import` said of a token, three minutes ago."""
    fingerprint, masked = token
    now = int(time.time() * 1000) - 180_000
    told = {
        "state": state,
        "at": now,
        "since": now,
        "masked": masked,
        "base": US,
        "own": token is OURS,
        **facts,
    }
    queue.redis.hset(f"{{{queue.name}}}:tokens", fingerprint, json.dumps(told))
