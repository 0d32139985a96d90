"""ASGI, and so Starlette and FastAPI: one batch a request, sent after the response.

application = MixrelayMiddleware(application, tracker)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import copy_context
from typing import Any, TypeAlias

from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.integrations.request import LONG, Requests, TrustedProxies
from mixrelay.producer.tracker import Tracker

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
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            tracker: whose messages are gathered. An async one sends on the event loop; for any
                other a thread sends, so that the event loop goes on.
            trusted_proxies: networks whose ``X-Forwarded-For`` is believed; when given, even
                empty, each event and each update of a user gets the client's address.

        Raises:
            ConfigurationError: one of the networks cannot be read.
        """
        self._app = app
        self._tracker = tracker
        self._requests = Requests(tracker, trusted_proxies)

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
        batch = self._requests.batch(*_ends(scope))
        batch.begin()
        copy_context().run(batch.__exit__)  # it is over, and still this context's
        try:
            await self._app(scope, receive, send)
        finally:
            batch.leave()

    async def _gather(self, scope: Scope, receive: Receive, send: Send) -> None:
        batch = self._requests.batch(*_ends(scope))
        began = time.monotonic()

        async def send_on(message: Message) -> None:
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
