"""Which tuples may be pushed again when nobody knows whether Redis took them."""

from __future__ import annotations

from mixrelay.shared.tuples import MalformedTupleError, read


def is_safe_twice(payload: bytes) -> bool:
    """Whether a tuple may be pushed again unseen: all but increments, appends and charges."""
    try:
        records = [one for one, _ in read(payload).records() if isinstance(one, dict)]
    except MalformedTupleError:
        return True  # it changes no profile
    return not any("$add" in record or "$append" in record for record in records)
