"""Plain WSGI, under gunicorn: POST /upgrade?user=ann

python examples/run.py wsgi        # with a Valkey, a worker and the sandbox
gunicorn --chdir examples --preload --workers 4 wsgi_app:application
"""

from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

from mixrelay.producer import Tracker
from mixrelay.producer.integrations.wsgi import MixrelayMiddleware

# Made before gunicorn forks: it connects at the first call, in each process anew.
tracker = Tracker()


def upgrade(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Track three messages, which go to the queue together, after the response."""
    user = parse_qs(environ["QUERY_STRING"]).get("user", ["somebody"])[0]
    tracker.track(user, "Plan Upgraded", {"New Plan": "Premium"})
    tracker.people.set(user, {"Plan": "Premium"})
    tracker.people.plus_one(user, "Upgrades")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "9")])
    return [b"upgraded\n"]


# Behind nginx or a load balancer: the addresses from which it connects to this server.
application = MixrelayMiddleware(upgrade, tracker, trusted_proxies=["127.0.0.1", "10.0.0.0/8"])
