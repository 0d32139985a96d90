"""``$current_url``, ``$referrer`` and ``$referring_domain``, without what may be secret."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

from mixrelay.producer.context.text import cut
from mixrelay.producer.context.web_request import query_fields

_IN_PATHS = "/:@!$&'()*+,;=-._~%"
_PLAIN = re.compile(r"[A-Za-z0-9/._~-]*")


def page_address(scheme: str, host: str, path: str, fields: Collection[tuple[str, str]]) -> str:
    """Return a page's address with these fields alone of its query."""
    escaped = path if _PLAIN.fullmatch(path) else quote(path, safe=_IN_PATHS)
    address = f"{scheme}://{host}{escaped}"
    return cut(f"{address}?{urlencode([*fields])}" if fields else address)


@lru_cache(maxsize=1024)
def referrer(header: str, kept: frozenset[str]) -> tuple[str, str] | None:
    """Return a referrer's address and domain; None where it is no address of the web.

    What stands before an ``@`` and after a ``#`` is left out, and the query as above.
    """
    try:
        parts = urlsplit(header)
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme not in {"http", "https"} or not host:
        return None
    query = urlencode([field for field in query_fields(parts.query) if field[0] in kept])
    address = f"{parts.scheme}://{host}{parts.path}"
    return cut(f"{address}?{query}" if query else address), cut(host)
