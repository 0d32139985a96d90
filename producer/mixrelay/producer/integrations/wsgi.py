"""WSGI: one batch a request, sent when the server closes the response.

application = MixrelayMiddleware(application, tracker)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self

from mixrelay.producer.context.web_request import EnvironRequest, WebRequest
from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.integrations.request import LONG, Requests, TrustedProxies, check_sync
from mixrelay.producer.tracker import Tracker

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from mixrelay.producer.context.live import LiveRequest
    from mixrelay.producer.context.options import Context


class MixrelayMiddleware:
    """Gathers what a request tracks and sends it in one pipeline, after the response.

    A process that is killed (not terminated) between a response and its sending loses the
    messages of that request.
    """

    def __init__(
        self,
        app: WSGIApplication,
        tracker: Tracker[Any],
        *,
        trusted_proxies: TrustedProxies = None,
        context: Context = False,
        find_user: Callable[[WebRequest], Any] | None = None,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            tracker: whose messages are gathered; its sink must not be an async one.
            trusted_proxies: networks whose ``X-Forwarded-For`` is believed; when given, even
                empty, each event and each update of a user gets the client's address.
            context: True gives each event what the request knows (docs/web.md); a
                ``RequestContext``, or a dict of its arguments, chooses the parts.
            find_user: returns the signed-in user's id; else ``REMOTE_USER`` of the environ.

        Raises:
            ConfigurationError: one of the networks or the context cannot work, or the tracker's
                calls are awaited.
        """
        check_sync(tracker)
        self._app = app
        self._requests = Requests(tracker, trusted_proxies, context, find_user or _remote_user)
        self._web: Callable[[WSGIEnvironment], WebRequest] = EnvironRequest

    @classmethod
    def around(
        cls,
        app: WSGIApplication,
        requests: Requests,
        web: Callable[[WSGIEnvironment], WebRequest],
    ) -> Self:
        """Wrap a framework's application, for its integration."""
        made = cls.__new__(cls)
        made._app, made._requests, made._web = app, requests, web  # noqa: SLF001 - its own
        return made

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if self._requests.has_context:
            live = self._requests.live(self._web(environ))
            start_response = responding(self._requests, live, start_response)
            request = _Request(self._requests.batch_for(live))
        else:
            request = _Request(self._requests.batch_of(environ))
        try:
            body: Iterable[bytes] = request.run(self._app, environ, start_response)
            if _is_file(body, environ):
                # The server hands the file itself to the system, unless it is wrapped.
                request.end()
                return body
            return _Body(body, request)
        except BaseException:
            request.end()
            raise


class _Request:
    """A request's batch, in a context of its own.

    The server calls in several times: for the response, for each piece of it, at the end. In
    between its thread may serve others, and some middleware never gets to the end.
    """

    def __init__(self, batch: Batch[Any]) -> None:
        self._context = copy_context()
        self._batch = batch
        self._began = time.monotonic()
        self.run(batch.__enter__)

    def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call with this request's batch as the open one."""
        return self._context.run(call, *arguments)

    def end_if_long(self) -> None:
        """End the batch of a stream; what it tracks further is sent at once.

        In a copy of the context: in this one the batch goes on to say the user's address.
        """
        if time.monotonic() - self._began > LONG:
            self._context.copy().run(self._batch.__exit__)

    def end(self) -> None:
        """Send what was gathered; a second time there is nothing."""
        self.run(self._batch.__exit__)


class _Body:
    """A response's body, which the server iterates and then closes."""

    def __init__(self, body: Iterable[bytes], request: _Request) -> None:
        self._body = body
        self._request = request
        self._pieces: Iterator[bytes] = request.run(iter, body)

    def __iter__(self) -> Iterator[bytes]:
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece; the server has sent the one before."""
        self._request.end_if_long()
        piece: bytes = self._request.run(next, self._pieces)
        return piece

    def close(self) -> None:
        """Close the application's body, which may track too, and send."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                self._request.run(close)
        finally:
            self._request.end()

    def __del__(self) -> None:
        """Send though nobody closed it, as some middleware does not."""
        self._request.end()


def responding(
    requests: Requests, live: LiveRequest, start_response: StartResponse
) -> StartResponse:
    """Return a ``start_response`` that tracks a page view, and sets the cookies of a request."""

    def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        if requests.answers:
            kind = next((value for name, value in headers if name.lower() == "content-type"), None)
            requests.respond(live, int(status[:3]) if status[:3].isdecimal() else 0, kind)
        added = [("Set-Cookie", cookie.header()) for cookie in live.begin_response()]
        return start_response(status, headers + added, *exc_info)

    return start


def _remote_user(request: WebRequest) -> Any:
    return request.native.get("REMOTE_USER") or None


def _is_file(body: object, environ: WSGIEnvironment) -> bool:
    return isinstance(body, environ.get("wsgi.file_wrapper", ()))
