"""ASGI, and so Starlette and FastAPI: one batch a request, sent after the response.

application = MixrelayMiddleware(application, tracker)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeAlias

from mixrelay.producer.context.current import keep
from mixrelay.producer.context.web_request import ScopeRequest, WebRequest
from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.integrations.request import LONG, Requests, TrustedProxies
from mixrelay.producer.tracker import Tracker

if TYPE_CHECKING:
    from mixrelay.producer.context.live import LiveRequest
    from mixrelay.producer.context.options import Context

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

STATE = "mixrelay_tracker"
"""The tracker's name in the state of a request."""


class MixrelayMiddleware:
    """Gathers what a request tracks and sends it in one pipeline, after the response.

    What is tracked after that, as in a background task, is sent at once, as are the messages of
    a WebSocket, which may stay open for days. A process that is killed (not terminated) between
    a response and its sending loses the messages of that request.
    """

    def __init__(
        self,
        app: ASGIApp,
        tracker: Tracker[Any],
        *,
        trusted_proxies: TrustedProxies = None,
        context: Context = False,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            tracker: whose messages are gathered. An async one sends on the event loop; for any
                other a thread sends, so that the event loop goes on.
            trusted_proxies: networks whose ``X-Forwarded-For`` is believed; when given, even
                empty, each event and each update of a user gets the client's address.
            context: True gives each event what the request knows (docs/web.md); a
                ``RequestContext``, or a dict of its arguments, chooses the parts.

        Raises:
            ConfigurationError: one of the networks or the context cannot work.
        """
        self._app = app
        self._tracker = tracker
        self._requests = Requests(tracker, trusted_proxies, context, _signed_in)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] in {"http", "websocket"}:
            scope.setdefault("state", {})[STATE] = self._tracker
        if scope["type"] == "http":
            await self._gather(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._place(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _place(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give what a WebSocket tracks the user's address, and gather nothing."""
        _, batch = self._known(scope, can_set_cookies=False)
        batch.begin()
        copy_context().run(batch.__exit__)  # it is over, and still this context's
        try:
            await self._app(scope, receive, send)
        finally:
            batch.leave()

    async def _gather(self, scope: Scope, receive: Receive, send: Send) -> None:
        live, batch = self._known(scope)
        began = time.monotonic()

        async def send_on(message: Message) -> None:
            if live is not None and message["type"] == "http.response.start":
                message = await self._with_cookies(live, message)
            await send(message)
            if _is_last(message) or time.monotonic() - began > LONG:
                await end_awaited(batch)

        batch.begin()
        try:
            await self._app(scope, receive, send_on)
        finally:
            try:
                await end_awaited(batch)
            finally:
                if batch.outlet.is_async:
                    batch.leave()  # a cancelled request's go out in the task that has them
                else:
                    batch.__exit__()

    def _known(
        self, scope: Scope, *, can_set_cookies: bool = True
    ) -> tuple[LiveRequest | None, Batch[Any]]:
        if not self._requests.has_context:
            return None, self._requests.batch(*_ends(scope))
        live = self._requests.live(ScopeRequest(scope), can_set_cookies=can_set_cookies)
        keep(live)  # for tasks that it starts, and nobody waits for
        return live, self._requests.batch_for(live)

    async def _with_cookies(self, live: LiveRequest, message: Message) -> Message:
        """Track a page view, and return the response's beginning with the request's cookies."""
        headers = message.get("headers", ())
        if self._requests.answers:
            kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
            await self._requests.respond_awaited(live, message["status"], kind.decode("latin-1"))
        cookies = live.begin_response()
        if not cookies:
            return message
        added = [(b"set-cookie", cookie.header().encode("latin-1")) for cookie in cookies]
        return {**message, "headers": [*headers, *added]}


def _signed_in(request: WebRequest) -> Any:
    """Return the identity of Starlette's ``AuthenticationMiddleware``, if it let somebody in."""
    user = request.native.get("user")
    if not getattr(user, "is_authenticated", False):
        return None
    try:
        return user.identity
    except NotImplementedError:  # Starlette's BaseUser, whose subclass has a name alone
        return None


async def end_awaited(batch: Batch[Any]) -> None:
    """Send what a batch holds, without holding up the event loop."""
    if batch.outlet.is_async:
        # A cancelled request's messages are sent all the same: it happened.
        await asyncio.shield(batch.__aexit__())
    elif batch.is_open():
        await asyncio.to_thread(batch.__exit__)


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def _ends(scope: Scope) -> tuple[str | None, str | None]:
    """Return the address of the peer, and what ``X-Forwarded-For`` says."""
    client = scope.get("client")
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return client and client[0], b",".join(forwarded).decode("latin-1") or None
