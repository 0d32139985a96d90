"""Django: one batch a request, sent when the server closes the response.

    MIDDLEWARE = ["mixrelay.producer.integrations.django.MixrelayMiddleware", ...]
    MIXRELAY = {"TOKEN": "PROJECT_TOKEN", "TRUSTED_PROXIES": ["10.0.0.0/8"]}

    from mixrelay.producer.integrations.django import get_tracker

    def upgrade(request):
        get_tracker().track(request.user.pk, "Plan Upgraded")

``"CONTEXT": True`` gives each event what its request knows (docs/web.md): True, a
``RequestContext``, or a dict of its arguments. The user is ``request.user``, if something looked.

Settings: in capitals, the name of any argument of ``Tracker``, and ``TRUSTED_PROXIES``; a text
for ``SINK``, ``ERROR_HANDLER``, ``BEFORE_SEND``, ``DEFAULT`` or ``REDIS`` is the path to import it
by. What is not there, or empty, comes from the environment, as for ``Tracker``. ``DISABLED``
switches tracking off, and needs no token.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings  # type: ignore[import-untyped]
from django.core.signals import setting_changed  # type: ignore[import-untyped]
from django.utils.functional import LazyObject  # type: ignore[import-untyped]

from mixrelay.producer.context.current import keep
from mixrelay.producer.context.web_request import EnvironRequest, WebRequest
from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.integrations.asgi import end_awaited
from mixrelay.producer.integrations.request import Requests, check_sync
from mixrelay.producer.integrations.settings import tracker_from
from mixrelay.producer.tracker import Tracker

if TYPE_CHECKING:
    from mixrelay.producer.context.live import LiveRequest

SETTING = "MIXRELAY"


@cache
def get_tracker() -> Tracker[Any]:
    """Return the project's tracker, made by ``settings.MIXRELAY`` when first asked for.

    Raises:
        ConfigurationError: there is no token, or a setting cannot work.
    """
    arguments = {name.lower(): value for name, value in _settings().items()}
    for of_middleware in ("trusted_proxies", "context"):
        arguments.pop(of_middleware, None)
    return tracker_from(arguments, 'MIXRELAY["{}"]')


class MixrelayMiddleware:
    """Gathers what a request tracks and sends it in one pipeline, after the response.

    A streamed response's messages are sent before it, and so are an async tracker's; what the
    stream tracks while it is sent goes with each piece, and has the user's address too. Let this
    one stand first, so that what other middleware track is with them.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        """Read the settings, as Django starts.

        Raises:
            ConfigurationError: there is no token, or a setting cannot work.
        """
        self._get_response = get_response
        tracker = get_tracker()
        self._requests = Requests(
            tracker,
            _settings().get("TRUSTED_PROXIES"),
            _settings().get("CONTEXT", False),
            signed_in,
            'MIXRELAY["CONTEXT"]',
        )
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        else:
            check_sync(tracker)

    def __call__(self, request: Any) -> Any:
        """Answer one request."""
        live = None
        if self._requests.has_context:
            live = self._requests.live(DjangoRequest(request.META, request))
        return self._awaited(live, request) if self._is_async else self._answer(live, request)

    def _batch(self, live: LiveRequest | None, request: Any) -> Batch[Any]:
        requests = self._requests
        return requests.batch_of(request.META) if live is None else requests.batch_for(live)

    def _answer(self, live: LiveRequest | None, request: Any) -> Any:
        batch = self._batch(live, request)
        batch.__enter__()
        try:
            response = self._get_response(request)
            if live is not None:
                self._requests.respond(live, response.status_code, response.get("Content-Type"))
                _set_cookies(response, live)
        except BaseException:
            batch.__exit__()
            raise
        if response.streaming:
            batch.__exit__()
            self._follow(live, request, response)
        else:
            _send_after(response, batch)
        return response

    async def _awaited(self, live: LiveRequest | None, request: Any) -> Any:
        batch = self._batch(live, request)
        batch.begin()
        if live is not None:
            keep(live)  # for tasks that it starts, and nobody waits for
        try:
            response = await self._get_response(request)
            if live is not None:
                kind = response.get("Content-Type")
                await self._requests.respond_awaited(live, response.status_code, kind)
                _set_cookies(response, live)
        except BaseException:
            await end_awaited(batch)
            raise
        if response.streaming or batch.outlet.is_async:
            await end_awaited(batch)
            self._follow(live, request, response)
        else:
            _send_after(response, batch)
        return response

    def _follow(self, live: LiveRequest | None, request: Any, response: Any) -> None:
        """Give what a stream tracks what its request knows, with a batch for each piece."""
        # A file tracks nothing, and servers have quicker ways for it.
        if not response.streaming or getattr(response, "file_to_stream", None) is not None:
            return
        begin = partial(self._batch, live, request)
        follow = _each_awaited if response.is_async else _each
        response.streaming_content = follow(begin, response.streaming_content)


class DjangoRequest(EnvironRequest):
    """Django's, by its ``META``."""

    @property
    def scheme(self) -> str:
        """As ``SECURE_PROXY_SSL_HEADER`` has it."""
        return str(self.native.scheme)

    @property
    def route(self) -> str | None:
        """The pattern of the URL that Django resolved, such as ``shop/<slug:name>``."""
        match = getattr(self.native, "resolver_match", None)
        return None if match is None else f"/{match.route}"


def signed_in(request: WebRequest) -> Any:
    """Return the primary key of ``request.user``, without asking the database.

    Where nothing looked at the user yet, it is the session's user, if that is loaded.
    """
    native = request.native
    user = vars(native).get("user")
    if isinstance(user, LazyObject):
        # What the lazy objects of request.user and request.auser() keep, once they looked.
        user = getattr(native, "_cached_user", None) or getattr(native, "_acached_user", None)
    if user is not None:
        return user.pk if user.is_authenticated else None
    session: Any = getattr(native, "session", None)
    if session is None or "_session_cache" not in vars(session):
        return None
    return session.get("_auth_user_id")


def _set_cookies(response: Any, live: LiveRequest) -> None:
    for cookie in live.begin_response():
        response.set_cookie(
            cookie.name,
            cookie.value,
            max_age=cookie.max_age,
            domain=cookie.domain,
            secure=cookie.secure,
            httponly=True,
            samesite="Lax",
        )


def _each(begin: Callable[[], Batch[Any]], content: Iterable[Any]) -> Iterator[Any]:
    pieces = iter(content)
    while True:
        with begin():  # not around the yield: the server's own code is no part of the request
            try:
                piece = next(pieces)
            except StopIteration:
                return
        yield piece


async def _each_awaited(
    begin: Callable[[], Batch[Any]], content: AsyncIterable[Any]
) -> AsyncIterator[Any]:
    pieces = aiter(content)
    while True:
        batch = begin()
        batch.__enter__()
        try:
            piece = await anext(pieces)
        except StopAsyncIteration:
            return
        finally:
            await end_awaited(batch)
        yield piece


def _send_after(response: Any, batch: Batch[Any]) -> None:
    """End a batch when the server closes the response, or when it is dropped for another."""
    end = weakref.finalize(response, batch.__exit__)
    kind, itself = type(response), weakref.ref(response)  # no cycle, so that it is dropped at once

    def close() -> None:
        try:
            kind.close(itself())
        finally:
            end()

    response.close = close


def _settings() -> dict[str, Any]:
    found: dict[str, Any] = getattr(settings, SETTING, {})
    return found


def _forget(*, setting: str, **_: object) -> None:
    """Let ``override_settings`` have its way, in tests."""
    if setting == SETTING:
        get_tracker.cache_clear()


setting_changed.connect(_forget)
