"""A local stand-in for Mixpanel's ingestion API.

Written from Mixpanel's own documents and from nothing of ours, so that it can catch us.
"""

from mixrelay.sandbox.app import create_app
from mixrelay.sandbox.faults import Fault
from mixrelay.sandbox.options import Options
from mixrelay.sandbox.server import Sandbox, run

__all__ = ["Fault", "Options", "Sandbox", "create_app", "run"]
