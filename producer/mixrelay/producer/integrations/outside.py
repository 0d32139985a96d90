"""What a request knows, for code that no middleware wraps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mixrelay.producer.context.current import enter, leave
from mixrelay.producer.context.known import KnownRequest
from mixrelay.producer.context.live import LiveRequest
from mixrelay.producer.context.web_request import EnvironRequest, ScopeRequest, WebRequest
from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.integrations.addresses import ClientAddress
from mixrelay.producer.integrations.request import TrustedProxies, site_of
from mixrelay.producer.tracker import Tracker


@contextmanager
def request_context(
    request: Any,
    tracker: Tracker[Any] | None = None,
    context: Any = True,
    *,
    trusted_proxies: TrustedProxies = None,
) -> Iterator[KnownRequest]:
    """Give what is tracked in a block what a request knows.

        with request_context(environ, tracker):
            tracker.track(event="Viewed")

    No cookie can be set here: a device that has none stays unknown.

    Args:
        request: WSGI's ``environ``, ASGI's ``scope``, Django's ``HttpRequest``; or, in another
            process, what ``current_request().carry()`` returned.
        tracker: needed for the first three: whose token and error handler are used.
        context: as for the middleware.
        trusted_proxies: as for the middleware.

    Raises:
        ConfigurationError: it is no request, or the context cannot work.
    """
    known = _known(request, tracker, context, trusted_proxies)
    outer = enter(known)
    try:
        yield known
    finally:
        leave(known, outer)


def _known(
    request: Any, tracker: Tracker[Any] | None, context: Any, trusted_proxies: TrustedProxies
) -> KnownRequest:
    if tracker is None:
        if not isinstance(request, Mapping):
            raise ConfigurationError(
                "request_context(): give the tracker beside a request; without one it takes what "
                "current_request().carry() returned."
            )
        return KnownRequest.carried(request)
    proxies = None if trusted_proxies is None else ClientAddress(trusted_proxies)
    web, find_user = _web_request(request)
    site = site_of(tracker, context or {}, proxies, find_user)
    return LiveRequest(web, site, can_set_cookies=False)


def _web_request(request: Any) -> tuple[WebRequest, Any]:
    if isinstance(request, Mapping):
        if "REQUEST_METHOD" in request:
            return EnvironRequest(request), None
        if request.get("type") in {"http", "websocket"}:
            return ScopeRequest(request), None
    elif hasattr(request, "META"):
        from mixrelay.producer.integrations.django import (  # noqa: PLC0415 - loads Django
            DjangoRequest,
            signed_in,
        )

        return DjangoRequest(request.META, request), signed_in
    raise ConfigurationError(
        f"request_context(): a {type(request).__name__} is no request; give WSGI's environ, "
        "ASGI's scope, or Django's HttpRequest."
    )
