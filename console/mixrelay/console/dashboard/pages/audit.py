"""The audit trail: who did what to which letters and lanes, when and why."""

import re

from starlette.responses import Response

from mixrelay.console.dashboard.call import Call, route

PER_PAGE = 100
_PLACE = re.compile(r"[0-9]{1,18}(-[0-9]{1,18}(-[0-9]{1,3})?)?")
"""An entry's id, within what Redis and Python take for a number."""


def audit(call: Call) -> Response:
    before = call.query.get("before", "")
    if not _PLACE.fullmatch(before):
        before = ""
    entries = call.queue.audit.newest(PER_PAGE, before=before)
    more = entries[-1].id if len(entries) == PER_PAGE else None
    return call.page("audit.html", entries=entries, more=more)


ROUTES = [route("/audit", "audit", audit)]
