"""Why a message becomes a dead letter."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The reason of a dead letter, as operators filter by it."""

    MALFORMED = "malformed"
    """Not a tuple that can be read."""
    INVALID = "invalid"
    """Breaks a documented rule: found here before it was sent, or named by Mixpanel."""
    OFF_PLAN = "off_plan"
    """Not as the tracking plan says (`MIXRELAY_TRACKING_PLAN_ACTION=dead-letter`)."""
    REJECTED = "rejected"
    """Mixpanel refused it standing alone, without naming a field."""
    TOO_LARGE = "too_large"
    """Over the size of one record, or refused with 413 standing alone."""
    UNAUTHORIZED = "unauthorized"
    """Mixpanel refused the message's own api_key or a foreign token."""
    EXHAUSTED = "exhausted"
    """It alone still failed, after every attempt, while others passed."""
    POISON = "poison"
    """It killed the work-horse that held it alone, twice."""
    AMBIGUOUS = "ambiguous"
    """Sent without an answer, not safe to send twice, and the policy asks for a judge."""
    DROPPED = "dropped"
    """An operator took it out of what waits (`mixrelay queue drop`); a replay puts it back."""
