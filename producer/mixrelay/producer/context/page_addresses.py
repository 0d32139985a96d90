"""``$current_url``, ``$referrer`` and ``$referring_domain``, without what may be secret."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from urllib.parse import quote, urlencode, urlsplit

from mixrelay.producer.context.text import cut
from mixrelay.producer.context.web_request import query_fields

_IN_PATHS = "/:@!$&'()*+,;=-._~%"


def page_address(scheme: str, host: str, path: str, query: str, kept: Collection[str]) -> str:
    """Return a page's address with those fields of its query alone that are named."""
    address = f"{scheme}://{host}{quote(path, safe=_IN_PATHS)}"
    return cut(address + _kept_of(query, kept))


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
    address = f"{parts.scheme}://{host}{parts.path}{_kept_of(parts.query, kept)}"
    return cut(address), cut(host)


def _kept_of(query: str, kept: Collection[str]) -> str:
    if not query:
        return ""
    fields = [field for field in query_fields(query) if field[0] in kept]
    return f"?{urlencode(fields)}" if fields else ""
