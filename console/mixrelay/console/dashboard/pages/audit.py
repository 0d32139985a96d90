"""The audit trail: who did what to which letters and lanes, when and why."""

from starlette.responses import Response

from mixrelay.console.dashboard.call import Call, route
from mixrelay.shared.reading import count as read_count

PER_PAGE = 100


def audit(call: Call) -> Response:
    before = call.query.get("before", "")
    if any(read_count(part) is None for part in before.split("-")):
        before = ""
    entries = call.queue.audit.newest(PER_PAGE, before=before)
    more = entries[-1].id if len(entries) == PER_PAGE else None
    return call.page("audit.html", entries=entries, more=more)


ROUTES = [route("/audit", "audit", audit)]
