"""Points in time as an operator writes them: ISO 8601, or an age such as `2h`."""

import re
from datetime import UTC, datetime, timedelta

from mixrelay.shared.reading import shown_value

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def parse(text: str, now: datetime) -> datetime:
    """The moment that the text means; a time without a zone is UTC.

    Args:
        text: `2026-11-24`, `2026-11-24T10:00:00Z`, or an age before now: `90s`, `15m`, `2h`, `3d`.
        now: by the clock that stamped what is looked for.

    Raises:
        ValueError: it is neither.
    """
    age = _AGE.fullmatch(text.strip())
    try:
        if age:
            return now - timedelta(seconds=float(age[1]) * _SECONDS[age[2]])
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(
            f"{shown_value(text)} is no time: write 2026-11-24T10:00:00Z, or an age such as 90s, "
            "15m, 2h, 3d."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
