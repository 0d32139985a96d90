"""Seeing in a test what code tracks, without Redis and without Mixpanel.

    sink = MemorySink()
    sign_up(Tracker("token", sink=sink), "user-1")
    sink.assert_tracked("Signed Up", distinct_id="user-1", Plan="Premium")
    sink.assert_valid("tracking-plan.json")

With pytest the fixture ``mixrelay_events`` does it for trackers that exist already; elsewhere
``with capture() as sink:`` does.
"""

from mixrelay.producer.testing.capturing import NEVER_OFF as NEVER_OFF
from mixrelay.producer.testing.capturing import capture
from mixrelay.producer.testing.failing import Refuse
from mixrelay.producer.testing.seen import Event, Refused, Update
from mixrelay.producer.testing.sink import MemorySink
from mixrelay.shared.plan import TrackingPlan

__all__ = [
    "Event",
    "MemorySink",
    "Refuse",
    "Refused",
    "TrackingPlan",
    "Update",
    "capture",
]
