"""A request as WSGI, ASGI and Django have it, in one form: what an application's functions get."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import parse_qsl

from mixrelay.producer.context.cookies import cookie_in

_MOST_FIELDS = 100
"""Of a query string that are read."""

_ALREADY_PLAIN = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


class WebRequest:
    """One request, read when asked; functions of ``RequestContext`` are called with it.

    Attributes:
        native: what the framework has: Django's ``HttpRequest``, WSGI's ``environ``, ASGI's
            ``scope``.
    """

    def __init__(self, native: Any) -> None:
        self.native = native

    @property
    def method(self) -> str:
        """The method, such as ``GET``."""
        raise NotImplementedError

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as the server sees it."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """Without the query; as text, not percent-encoded."""
        raise NotImplementedError

    @property
    def query_string(self) -> str:
        """After the question mark; empty where there is none."""
        raise NotImplementedError

    @property
    def peer(self) -> str | None:
        """The address of the other end of the connection; None for a Unix socket."""
        raise NotImplementedError

    def header(self, name: str) -> str | None:
        """Return a header's value, of several joined by commas; None where there is none.

        Args:
            name: such as ``User-Agent``, in any case.
        """
        raise NotImplementedError

    @property
    def host(self) -> str | None:
        """The host that was asked, with the port if the client named one."""
        return self.header("host")

    @property
    def route(self) -> str | None:
        """The pattern of the route that answers, once the framework has chosen one."""
        return None

    def cookie(self, name: str) -> str | None:
        """Return a cookie's value as it was sent; None where there is none."""
        sent = self.header("cookie")
        return None if sent is None else cookie_in(sent, name)

    @property
    def query(self) -> dict[str, str]:
        """The fields of the query string; of several with one name the first."""
        return dict(reversed(query_fields(self.query_string)))

    def __repr__(self) -> str:
        """Show it without what may be secret."""
        return f"{type(self).__name__}({self.method} {self.path})"


def query_fields(text: str) -> list[tuple[str, str]]:
    """Return the fields of a query string in order; none where there are too many."""
    try:
        return parse_qsl(text, errors="replace", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []


@lru_cache(maxsize=256)
def _environ_name(header: str) -> str:
    key = header.upper().replace("-", "_")
    return key if key in _ALREADY_PLAIN else f"HTTP_{key}"


class EnvironRequest(WebRequest):
    """Of WSGI; and of Django, whose ``META`` is alike."""

    def __init__(self, environ: Mapping[str, Any], native: Any = None) -> None:
        super().__init__(environ if native is None else native)
        self._environ = environ

    @property
    def method(self) -> str:
        """The method, such as ``GET``."""
        return str(self._environ.get("REQUEST_METHOD", "GET"))

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as the server sees it."""
        return str(self._environ.get("wsgi.url_scheme", "http"))

    @property
    def path(self) -> str:
        """Without the query."""
        text: str = self._environ.get("SCRIPT_NAME", "") + self._environ.get("PATH_INFO", "")
        if text.isascii():
            return text
        # WSGI decodes bytes as Latin-1 (PEP 3333).
        return text.encode("latin-1", "replace").decode("utf-8", "replace")

    @property
    def query_string(self) -> str:
        """After the question mark; empty where there is none."""
        return str(self._environ.get("QUERY_STRING", ""))

    @property
    def peer(self) -> str | None:
        """The address of the other end of the connection; None for a Unix socket."""
        return self._environ.get("REMOTE_ADDR") or None

    def header(self, name: str) -> str | None:
        """Return a header's value; None where there is none."""
        found: str | None = self._environ.get(_environ_name(name))
        return found

    @property
    def host(self) -> str | None:
        """The host that was asked; the server's name where the client named none."""
        return self._environ.get("HTTP_HOST") or self._environ.get("SERVER_NAME")

    @property
    def route(self) -> str | None:
        """What the application put into ``environ["mixrelay.route"]``."""
        found = self._environ.get("mixrelay.route")
        return found if isinstance(found, str) else None


@lru_cache(maxsize=256)
def _scope_name(header: str) -> bytes:
    return header.lower().encode("latin-1")


class ScopeRequest(WebRequest):
    """Of ASGI."""

    @property
    def method(self) -> str:
        """The method, such as ``GET``."""
        return str(self.native.get("method", "GET"))

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as the server sees it."""
        scheme = str(self.native.get("scheme", "http"))
        return {"ws": "http", "wss": "https"}.get(scheme, scheme)

    @property
    def path(self) -> str:
        """Without the query."""
        return str(self.native.get("path", ""))

    @property
    def query_string(self) -> str:
        """After the question mark; empty where there is none."""
        found: bytes = self.native.get("query_string", b"")
        return found.decode("latin-1")

    @property
    def peer(self) -> str | None:
        """The address of the other end of the connection; None for a Unix socket."""
        client = self.native.get("client")
        return client[0] if client else None

    def header(self, name: str) -> str | None:
        """Return a header's value, of several joined; None where there is none."""
        found = self._headers.get(_scope_name(name))
        return None if found is None else found.decode("latin-1")

    @cached_property
    def _headers(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for name, value in self.native["headers"]:
            if name in found:
                found[name] += (b"; " if name == b"cookie" else b",") + value
            else:
                found[name] = value
        return found

    @property
    def route(self) -> str | None:
        """The path of the route that Starlette or FastAPI chose, or ``scope["state"]``'s."""
        path = getattr(self.native.get("route"), "path", None)
        if not isinstance(path, str):
            path = self.native.get("state", {}).get("mixrelay_route")
        return f"{self.native.get('root_path', '')}{path}" if isinstance(path, str) else None
