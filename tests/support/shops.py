"""One small shop, written for six frameworks: who visits it, signs up, pays and leaves.

Each is a function of a tracker and of the middleware's options; it yields the shop's address.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from types import ModuleType, SimpleNamespace
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from mixrelay.producer import AsyncTracker, Tracker, current_request, request_context
from tests.support.pages import serving
from tests.support.patience import joined

SESSION = "session_of"
PAGE = "<!doctype html><title>Shop</title><h1>Shop</h1>"


class Desk:
    """What the shop tracks, whatever the framework; `original` is the project's ID merge."""

    def __init__(self, tracker: Tracker[Any], *, original: bool) -> None:
        self.tracker = tracker
        self._original = original
        self._threads: list[threading.Thread] = []

    def signed_up(self, user: str) -> None:
        """Of somebody whom the framework knows by now."""
        if self._original:
            self.tracker.identify(user, f"$device:{current_request().device_id()}")
        self.tracker.track(event="Signed Up")
        self.tracker.people.set(user, {"Plan": "Free"})

    def signing_out(self) -> None:
        self.tracker.track(event="Signed Out")
        current_request().reset_device()

    def pay_later(self) -> None:
        """In another thread, which has only what the request carries."""
        carried = current_request().carry()

        def pay() -> None:
            with request_context(carried):
                self.tracker.track(event="Invoice Paid")

        self._threads.append(threading.Thread(target=pay))
        self._threads[-1].start()

    def close(self) -> None:
        for thread in self._threads:
            joined(thread)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, since a browser opens some that it does not use yet."""

    daemon_threads = True


@contextmanager
def serving_wsgi(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, _Server, _Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        joined(thread)
        server.server_close()


def _session(request: Any) -> str | None:
    return request.cookie(SESSION)


@contextmanager
def wsgi(desk: Desk, options: dict[str, Any], proxies: list[str]) -> Iterator[str]:
    from mixrelay.producer.integrations.wsgi import MixrelayMiddleware  # noqa: PLC0415

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        headers = [("Content-Type", "text/html")]
        page, _, rest = environ["PATH_INFO"].lstrip("/").partition("/")
        environ["mixrelay.route"] = f"/{page}/<rest>" if rest else f"/{page}"
        if page == "prices":
            desk.tracker.track(event="Viewed Prices")
        elif page == "signup":
            current_request().set_user(rest)
            headers.append(("Set-Cookie", f"{SESSION}={rest}; Path=/"))
            desk.signed_up(rest)
        elif page == "invoice":
            desk.tracker.track(event="Viewed Invoice")
        elif page == "pay":
            desk.pay_later()
        elif page == "signout":
            desk.signing_out()
            headers.append(("Set-Cookie", f"{SESSION}=; Path=/; Max-Age=0"))
        start_response("200 OK", headers)
        return [PAGE.encode()]

    context = {**options, "user": _session}
    wrapped = MixrelayMiddleware(app, desk.tracker, trusted_proxies=proxies, context=context)
    with serving_wsgi(wrapped) as url:
        yield url


@contextmanager
def asgi(desk: Desk, options: dict[str, Any], proxies: list[str]) -> Iterator[str]:
    from mixrelay.producer.integrations.asgi import MixrelayMiddleware  # noqa: PLC0415

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(b"content-type", b"text/html")]
        page, _, rest = scope["path"].lstrip("/").partition("/")
        scope["state"]["mixrelay_route"] = f"/{page}/<rest>" if rest else f"/{page}"
        if page == "prices":
            desk.tracker.track(event="Viewed Prices")
        elif page == "signup":
            current_request().set_user(rest)
            headers.append((b"set-cookie", f"{SESSION}={rest}; Path=/".encode()))
            desk.signed_up(rest)
        elif page == "invoice":
            desk.tracker.track(event="Viewed Invoice")
        elif page == "signout":
            desk.signing_out()
            headers.append((b"set-cookie", f"{SESSION}=; Path=/; Max-Age=0".encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE.encode()})
        if page == "pay":  # after the response
            desk.tracker.track(event="Invoice Paid")

    context = {**options, "user": _session}
    wrapped = MixrelayMiddleware(app, desk.tracker, trusted_proxies=proxies, context=context)
    with serving(wrapped) as url:
        yield url


@contextmanager
def flask(desk: Desk, options: dict[str, Any], proxies: list[str]) -> Iterator[str]:
    import flask  # noqa: PLC0415
    import flask_login  # noqa: PLC0415

    from mixrelay.producer.integrations.flask import Mixrelay  # noqa: PLC0415

    class User(flask_login.UserMixin):
        def __init__(self, id_: str) -> None:
            self.id = id_

    app = flask.Flask("shop")
    app.config |= {
        "SECRET_KEY": "secret",
        "MIXRELAY_CONTEXT": options,
        "MIXRELAY_TRUSTED_PROXIES": proxies,
    }
    login = flask_login.LoginManager(app)
    login.user_loader(User)
    Mixrelay(app, tracker=desk.tracker)

    @app.get("/prices")
    def prices() -> str:
        desk.tracker.track(event="Viewed Prices")
        return PAGE

    @app.post("/signup/<rest>")
    def signup(rest: str) -> str:
        flask_login.login_user(User(rest))
        desk.signed_up(rest)
        return PAGE

    @app.get("/invoice/<rest>")
    def invoice(rest: str) -> str:
        desk.tracker.track(event="Viewed Invoice")
        return PAGE

    @app.post("/pay")
    def pay() -> str:
        desk.pay_later()
        return PAGE

    @app.post("/signout")
    def signout() -> str:
        desk.signing_out()
        flask_login.logout_user()
        return PAGE

    with serving_wsgi(app) as url:
        yield url


class Session:
    """Middleware that knows who is signed in, as Django's own does: lazily."""

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> Any:
        from django.utils.functional import SimpleLazyObject  # noqa: PLC0415

        def look() -> Any:
            pk = request.COOKIES.get(SESSION)
            request._cached_user = SimpleNamespace(pk=pk, is_authenticated=pk is not None)
            return request._cached_user

        request.user = SimpleLazyObject(look)
        return self._get_response(request)


@contextmanager
def django(desk: Desk, options: dict[str, Any], proxies: list[str]) -> Iterator[str]:
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415
    from django.http import HttpResponse  # noqa: PLC0415
    from django.test import override_settings  # noqa: PLC0415
    from django.urls import path  # noqa: PLC0415

    from mixrelay.producer.integrations import django as integration  # noqa: PLC0415
    from tests.support import django_project  # noqa: F401, PLC0415 - its settings first

    def prices(_: Any) -> Any:
        integration.get_tracker().track(event="Viewed Prices")
        return HttpResponse(PAGE)

    def signup(request: Any, rest: str) -> Any:
        request.user = SimpleNamespace(pk=rest, is_authenticated=True)
        desk.signed_up(rest)
        response = HttpResponse(PAGE)
        response.set_cookie(SESSION, rest)
        return response

    def invoice(request: Any, rest: str) -> Any:
        assert request.user.is_authenticated
        integration.get_tracker().track(event="Viewed Invoice")
        return HttpResponse(PAGE)

    def pay(request: Any) -> Any:
        assert request.user.is_authenticated
        desk.pay_later()
        return HttpResponse(PAGE)

    def signout(request: Any) -> Any:
        assert request.user.is_authenticated
        desk.signing_out()
        response = HttpResponse(PAGE)
        response.delete_cookie(SESSION)
        return response

    urls = ModuleType("shop_urls")
    urls.urlpatterns = [
        path("prices", prices),
        path("signup/<rest>", signup),
        path("invoice/<rest>", invoice),
        path("pay", pay),
        path("signout", signout),
    ]
    with override_settings(
        ROOT_URLCONF=urls,
        MIDDLEWARE=[
            "mixrelay.producer.integrations.django.MixrelayMiddleware",
            "tests.support.shops.Session",
        ],
        MIXRELAY={"TOKEN": desk.tracker._token, "CONTEXT": options, "TRUSTED_PROXIES": proxies},
    ):
        desk.tracker = integration.get_tracker()
        with serving_wsgi(WSGIHandler()) as url:
            yield url


class Member:
    """Somebody who is signed in, for Starlette."""

    is_authenticated = True

    def __init__(self, identity: str) -> None:
        self.identity = identity


@contextmanager
def starlette(desk: Desk, options: dict[str, Any], proxies: list[str]) -> Iterator[str]:
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.background import BackgroundTask  # noqa: PLC0415
    from starlette.middleware import Middleware  # noqa: PLC0415
    from starlette.middleware.authentication import AuthenticationMiddleware  # noqa: PLC0415
    from starlette.responses import HTMLResponse  # noqa: PLC0415
    from starlette.routing import Mount, Route  # noqa: PLC0415

    from mixrelay.producer.integrations.starlette import MixrelayMiddleware  # noqa: PLC0415

    class Backend:
        async def authenticate(self, connection: Any) -> Any:
            user = connection.cookies.get(SESSION)
            return None if user is None else ([], Member(user))

    def prices(_: Any) -> Any:
        desk.tracker.track(event="Viewed Prices")
        return HTMLResponse(PAGE)

    def signup(request: Any) -> Any:
        user = request.path_params["rest"]
        request.scope["user"] = Member(user)
        desk.signed_up(user)
        response = HTMLResponse(PAGE)
        response.set_cookie(SESSION, user)
        return response

    def invoice(_: Any) -> Any:
        desk.tracker.track(event="Viewed Invoice")
        return HTMLResponse(PAGE)

    def pay(_: Any) -> Any:
        task = BackgroundTask(desk.tracker.track, event="Invoice Paid")
        return HTMLResponse(PAGE, background=task)

    def signout(_: Any) -> Any:
        desk.signing_out()
        response = HTMLResponse(PAGE)
        response.delete_cookie(SESSION)
        return response

    app = Starlette(
        routes=[
            Route("/prices", prices),
            Route("/signup/{rest}", signup, methods=["POST"]),
            Mount("/invoice", routes=[Route("/{rest}", invoice)]),
            Route("/pay", pay, methods=["POST"]),
            Route("/signout", signout, methods=["POST"]),
        ],
        middleware=[
            Middleware(
                MixrelayMiddleware, tracker=desk.tracker, trusted_proxies=proxies, context=options
            ),
            Middleware(AuthenticationMiddleware, backend=Backend()),
        ],
    )
    with serving(app) as url:
        yield url


@contextmanager
def fastapi(desk: Desk, options: dict[str, Any], proxies: list[str]) -> Iterator[str]:
    """With an ``AsyncTracker``; who is signed in, a dependency says."""
    from fastapi import BackgroundTasks, Cookie, Depends, FastAPI  # noqa: PLC0415
    from fastapi.responses import HTMLResponse  # noqa: PLC0415

    from mixrelay.producer.integrations.fastapi import (  # noqa: PLC0415
        CurrentAsyncTracker,
        MixrelayMiddleware,
    )

    tracker = AsyncTracker(desk.tracker._token)

    async def member(session_of: str | None = Cookie(default=None)) -> None:
        current_request().set_user(session_of)

    app = FastAPI(default_response_class=HTMLResponse, dependencies=[Depends(member)])
    app.add_middleware(
        MixrelayMiddleware, tracker=tracker, trusted_proxies=proxies, context=options
    )

    @app.get("/prices")
    async def prices(tracker: CurrentAsyncTracker) -> HTMLResponse:
        await tracker.track(event="Viewed Prices")
        return HTMLResponse(PAGE)

    @app.post("/signup/{rest}")
    async def signup(rest: str, tracker: CurrentAsyncTracker) -> HTMLResponse:
        current_request().set_user(rest)
        if desk._original:
            await tracker.identify(rest, f"$device:{current_request().device_id()}")
        await tracker.track(event="Signed Up")
        await tracker.people.set(rest, {"Plan": "Free"})
        response = HTMLResponse(PAGE)
        response.set_cookie(SESSION, rest)
        return response

    @app.get("/invoice/{rest}")
    async def invoice(rest: str, tracker: CurrentAsyncTracker) -> HTMLResponse:
        await tracker.track(event="Viewed Invoice")
        return HTMLResponse(PAGE)

    @app.post("/pay")
    async def pay(tasks: BackgroundTasks, tracker: CurrentAsyncTracker) -> HTMLResponse:
        tasks.add_task(tracker.track, event="Invoice Paid")
        return HTMLResponse(PAGE, background=tasks)

    @app.post("/signout")
    async def signout(tracker: CurrentAsyncTracker) -> HTMLResponse:
        await tracker.track(event="Signed Out")
        current_request().reset_device()
        response = HTMLResponse(PAGE)
        response.delete_cookie(SESSION)
        return response

    with serving(app) as url:
        yield url


SHOPS = {
    "wsgi": wsgi,
    "asgi": asgi,
    "flask": flask,
    "django": django,
    "starlette": starlette,
    "fastapi": fastapi,
}
ROUTES = {
    "wsgi": "/invoice/<rest>",
    "asgi": "/invoice/<rest>",
    "flask": "/invoice/<rest>",
    "django": "/invoice/<rest>",
    "starlette": "/invoice/{rest}",
    "fastapi": "/invoice/{rest}",
}
