"""WSGI: one batch a request, sent when the server closes the response.

application = MixrelayMiddleware(application, tracker)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.integrations.request import LONG, Requests, TrustedProxies, check_sync
from mixrelay.producer.tracker import Tracker

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


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
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            tracker: whose messages are gathered; its sink must not be an async one.
            trusted_proxies: networks whose ``X-Forwarded-For`` is believed; when given, even
                empty, each event and each update of a user gets the client's address.

        Raises:
            ConfigurationError: one of the networks cannot be read, or the tracker's calls are
                awaited.
        """
        check_sync(tracker)
        self._app = app
        self._requests = Requests(tracker, trusted_proxies)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
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


def _is_file(body: object, environ: WSGIEnvironment) -> bool:
    return isinstance(body, environ.get("wsgi.file_wrapper", ()))
