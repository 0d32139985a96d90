"""What all the middleware have in common: one request's batch, and what the request knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.dispatch.reporting import tell
from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.integrations.addresses import ClientAddress
from mixrelay.producer.tracker import Tracker

if TYPE_CHECKING:
    from mixrelay.producer.context.live import LiveRequest
    from mixrelay.producer.context.options import Context
    from mixrelay.producer.context.site import Site
    from mixrelay.producer.context.web_request import WebRequest

TrustedProxies: TypeAlias = "Iterable[str] | None"
"""None: nothing gets an address. Else events and updates of users get the user's, as
``ClientAddress`` finds it."""

LONG = 1.0
"""Seconds after which a response is a stream, whose messages do not wait for its end."""


class Requests:
    """Makes the batch of each request.

    Args:
        tracker: whose messages are gathered.
        trusted_proxies: None leaves geolocation off, unless there is a context; else every event
            that the request tracks, and every update of a user's profile, gets the user's
            address, unless the call gives its own ``ip``.
        context: what else events get of the request: True, a ``RequestContext`` or its arguments.
        find_user: returns the framework's signed-in user's id.
        written: how the user wrote ``context``.

    Raises:
        ConfigurationError: one of them cannot work.
    """

    def __init__(
        self,
        tracker: Tracker[Any],
        trusted_proxies: TrustedProxies = None,
        context: Context = False,
        find_user: Callable[[WebRequest], Any] | None = None,
        written: str = "context",
    ) -> None:
        self._tracker = tracker
        self._address = None if trusted_proxies is None else ClientAddress(trusted_proxies)
        self._site: Site | None = None
        self._answers = False
        if context is not None and context is not False:
            self._site = site_of(tracker, context, self._address, find_user, written)
            options = self._site.options
            self._answers = options.first_touch or options.page_view is not None

    @property
    def has_context(self) -> bool:
        """Whether events get what the request knows."""
        return self._site is not None

    @property
    def answers(self) -> bool:
        """Whether responses track something by themselves."""
        return self._answers

    def batch(self, peer: str | None, forwarded: str | None) -> Batch[Any]:
        """Return a request's batch, not open yet.

        Args:
            peer: the other end of the connection; None or empty for a Unix socket.
            forwarded: the value of ``X-Forwarded-For``.
        """
        # Not the tracker's own method: that of an AsyncTracker makes what only async with begins.
        if self._address is None:
            return Tracker.batch(self._tracker)
        return Tracker.batch(self._tracker, ip=self._address.of(peer, forwarded))

    def batch_of(self, environ: Mapping[str, Any]) -> Batch[Any]:
        """Return the batch of a WSGI request, or of one of Django's ``META``, without context."""
        return self.batch(environ.get("REMOTE_ADDR"), environ.get("HTTP_X_FORWARDED_FOR"))

    def live(self, web: WebRequest, *, can_set_cookies: bool = True) -> LiveRequest:
        """Return a request of which its events know; only where there is a context."""
        from mixrelay.producer.context.live import LiveRequest  # noqa: PLC0415 - as the site

        assert self._site is not None  # noqa: S101 - has_context
        return LiveRequest(web, self._site, can_set_cookies=can_set_cookies)

    def batch_for(self, live: LiveRequest) -> Batch[Any]:
        """Return the batch of a request that is known, not open yet."""
        return Batch(self._tracker._outlet, None, live)  # noqa: SLF001 - the producer's own

    def calls(
        self, live: LiveRequest, status: int, content_type: str | None
    ) -> Iterator[Callable[[], Any]]:
        """Yield what a response tracks by itself, before its cookies are set."""
        from mixrelay.producer.context.page_views import is_page_view  # noqa: PLC0415

        name, part = live.options.page_view, live.part
        tracker = self._tracker
        if name and part("page view", False, is_page_view, live.web, status, content_type):
            route = part("route", None, lambda: live.web.route)
            properties = {} if route is None else {"route": route}
            yield lambda: tracker.track(event=name, properties=properties)
        touch = part("first touch", None, live.first_touch_of_user)
        if touch is not None:
            yield lambda: tracker.people.set_once(*touch)

    def respond(self, live: LiveRequest, status: int, content_type: str | None) -> None:
        """Make those calls, where they are not awaited."""
        for call in self.calls(live, status, content_type):
            live.part("page view", None, call)

    async def respond_awaited(
        self, live: LiveRequest, status: int, content_type: str | None
    ) -> None:
        """Make those calls on an event loop; in a request's batch they push nothing yet."""
        is_async = self._tracker._outlet.is_async  # noqa: SLF001 - the producer's own
        for call in self.calls(live, status, content_type):
            done = live.part("page view", None, call)
            if is_async and done is not None:
                await done


def site_of(
    tracker: Tracker[Any],
    context: Any,
    proxies: ClientAddress | None,
    find_user: Callable[[WebRequest], Any] | None = None,
    written: str = "context",
) -> Site:
    """Return what all requests of a middleware share.

    Raises:
        ConfigurationError: the context cannot work.
    """
    from mixrelay.producer.context.options import read_context  # noqa: PLC0415 - only if wanted
    from mixrelay.producer.context.site import Site  # noqa: PLC0415

    options = read_context(context, written)
    assert options is not None  # noqa: S101 - asked for only where there is one
    outlet = tracker._outlet  # noqa: SLF001 - middleware is the producer's own

    def report(error: Exception) -> None:
        tell(outlet.error_handler, error)

    return Site(options, tracker._token, proxies, find_user or nobody, report)  # noqa: SLF001


def nobody(_: WebRequest) -> None:
    """Know no user, where there is no framework that could."""


def check_sync(tracker: Tracker[Any]) -> None:
    """Refuse a tracker whose calls are awaited, where no event loop runs that could send.

    Raises:
        ConfigurationError: it is such a one.
    """
    if tracker._outlet.is_async:  # noqa: SLF001 - middleware is the producer's own
        raise ConfigurationError(
            "This application is answered by threads, and the tracker's calls are awaited: give "
            "it a Tracker without an async sink, or run it by ASGI."
        )
