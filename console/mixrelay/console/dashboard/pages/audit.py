"""The audit trail: who did what to which letters and lanes, when and why."""

from starlette.responses import Response

from mixrelay.console.dashboard.call import Call, route

PER_PAGE = 100


def audit(call: Call) -> Response:
    before = call.query.get("before", "")
    if not all(part.isdecimal() and part.isascii() for part in before.split("-")):
        before = ""
    entries = call.queue.audit.newest(PER_PAGE, before=before)
    more = entries[-1].id if len(entries) == PER_PAGE else None
    return call.page("audit.html", entries=entries, more=more)


ROUTES = [route("/audit", "audit", audit)]
