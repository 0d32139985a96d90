"""A tracking plan: which events there are and which properties each has, as in Lexicon.

    plan = TrackingPlan.of("tracking-plan.json")
    plan.breaches(Kind.EVENT, {"event": "Signed Up", "properties": {"Plan": 7}})

Needs ``jsonschema-rs``, the extra ``mixrelay[plan]``; importing this does not.
"""

from mixrelay.shared.plan.breaches import OffPlan
from mixrelay.shared.plan.plan import Source, TrackingPlan

__all__ = ["OffPlan", "Source", "TrackingPlan"]
