"""Which responses are page views."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixrelay.producer.context.web_request import WebRequest

_SUCCESS = range(200, 300)


def is_page_view(request: WebRequest, status: int, content_type: str | None) -> bool:
    """Whether a response is a page that somebody sees: HTML, successful, to a GET.

    Where the browser says what it asks for (``Sec-Fetch-Dest``), a part of a page that a script
    fetches is none, and neither is one that it fetches ahead (``Sec-Purpose``).
    """
    if request.method != "GET" or status not in _SUCCESS:
        return False
    if not (content_type or "").lstrip().lower().startswith("text/html"):
        return False
    wanted_as = request.header("sec-fetch-dest")
    is_ahead = "prefetch" in (request.header("sec-purpose") or request.header("purpose") or "")
    return wanted_as in {None, "document"} and not is_ahead
