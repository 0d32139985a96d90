"""Django: one batch a request, sent when the server closes the response.

    MIDDLEWARE = ["mixrelay.producer.integrations.django.MixrelayMiddleware", ...]
    MIXRELAY = {"TOKEN": "PROJECT_TOKEN", "TRUSTED_PROXIES": ["10.0.0.0/8"]}

    from mixrelay.producer.integrations.django import get_tracker

    def upgrade(request):
        get_tracker().track(request.user.pk, "Plan Upgraded")

Settings: in capitals, the name of any argument of ``Tracker``, and ``TRUSTED_PROXIES``; a text
for ``SINK``, ``ERROR_HANDLER``, ``BEFORE_SEND``, ``DEFAULT`` or ``REDIS`` is the path to import it
by. What is not there, or empty, comes from the environment, as for ``Tracker``. ``DISABLED``
switches tracking off, and needs no token.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings  # type: ignore[import-untyped]
from django.core.signals import setting_changed  # type: ignore[import-untyped]

from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.integrations.asgi import end_awaited
from mixrelay.producer.integrations.request import Requests, check_sync
from mixrelay.producer.integrations.settings import tracker_from
from mixrelay.producer.tracker import Tracker

SETTING = "MIXRELAY"


@cache
def get_tracker() -> Tracker[Any]:
    """Return the project's tracker, made by ``settings.MIXRELAY`` when first asked for.

    Raises:
        ConfigurationError: there is no token, or a setting cannot work.
    """
    arguments = {name.lower(): value for name, value in _settings().items()}
    arguments.pop("trusted_proxies", None)
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
        self._requests = Requests(tracker, _settings().get("TRUSTED_PROXIES"))
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        else:
            check_sync(tracker)

    def __call__(self, request: Any) -> Any:
        """Answer one request."""
        batch = self._requests.batch_of(request.META)
        return self._awaited(batch, request) if self._is_async else self._answer(batch, request)

    def _answer(self, batch: Batch[Any], request: Any) -> Any:
        batch.__enter__()
        try:
            response = self._get_response(request)
        except BaseException:
            batch.__exit__()
            raise
        if response.streaming:
            batch.__exit__()
            self._follow(request, response)
        else:
            _send_after(response, batch)
        return response

    async def _awaited(self, batch: Batch[Any], request: Any) -> Any:
        batch.begin()
        try:
            response = await self._get_response(request)
        except BaseException:
            await end_awaited(batch)
            raise
        if response.streaming or batch.outlet.is_async:
            await end_awaited(batch)
            self._follow(request, response)
        else:
            _send_after(response, batch)
        return response

    def _follow(self, request: Any, response: Any) -> None:
        """Give what a stream tracks as it is sent the request's address, a batch for each piece."""
        # A file tracks nothing, and servers have quicker ways for it.
        if not response.streaming or getattr(response, "file_to_stream", None) is not None:
            return
        begin = partial(self._requests.batch_of, request.META)
        follow = _each_awaited if response.is_async else _each
        response.streaming_content = follow(begin, response.streaming_content)


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
