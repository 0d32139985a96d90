"""Who may come in, and from where a change may be asked for; and what a browser is told.

A probe of health is answered by any name. Another request is let through in this order: its Host
is one of ours (an attacker's name that resolves to this machine is not) or it brings the password
as a bearer token, its user is known, and a change comes from a page of ours (the browser
says so in Sec-Fetch-Site or Origin) and carries that page's form token.
"""

import binascii
import hmac
import inspect
import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mixrelay.console.dashboard.failing import BROKEN, log_failure, path_of, words_for
from mixrelay.console.dashboard.options import DashboardSettings

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
SAFE_METHODS = frozenset({"GET", "HEAD"})
LOCAL_USER = "local"
"""The name in the audit where nobody is asked for one."""

BEARER = "bearer"
"""Who brings the password as a bearer token."""
NAME_CHARACTERS = 100
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
"""Where other ports are other people's programs, and no proxy stands before."""

Identify = Callable[[Request], str | Awaitable[str | None] | None]
"""Names the user of a request, None for a stranger: the host application's own way.

A plain function is called in a thread, so it may ask a database.
"""


@dataclass(frozen=True, slots=True)
class Users:
    """Who is let in."""

    settings: DashboardSettings
    identify: Identify | None = None

    async def name_of(self, request: Request) -> str | None:
        """The user's name; None for a stranger."""
        if self.identify is None:
            return self._by_password(request)
        if inspect.iscoroutinefunction(self.identify):
            named = await self.identify(request)
        else:
            named = await run_in_threadpool(self.identify, request)
            named = await named if inspect.isawaitable(named) else named
        return named or None

    def refusal(self, request: Request) -> Response:
        """What a stranger is told."""
        if self.identify is not None:
            # A browser must not ask for a password that nobody here knows.
            return words_for(
                request, 403, "Sign in to the application first, as someone who may see this."
            )
        challenge = {"WWW-Authenticate": 'Basic realm="mixrelay", charset="UTF-8"'}
        answer = words_for(request, 401, "A name and the right password are needed.")
        answer.headers.update(challenge)
        return answer

    def _by_password(self, request: Request) -> str | None:
        if self.settings.is_open:
            return LOCAL_USER
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == BEARER:
            return BEARER if self._is_token(value.strip()) else None
        if kind.lower() != "basic":
            return None
        name, _, password = _decoded(value).partition(":")
        known = self.settings.passwords.get(name)
        if known is not None:
            return name if _same(password, known) else None
        return _own_name(name) if self._is_token(password) else None

    def _is_token(self, value: str) -> bool:
        return bool(self.settings.token) and _same(value, self.settings.token)


def _own_name(name: str) -> str:
    """The name that someone gives; the audit keeps it, and terminals show it."""
    return name if name.isprintable() and 0 < len(name) <= NAME_CHARACTERS else "anyone"


def _decoded(value: str) -> str:
    try:
        return b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _same(given: str, known: str) -> bool:
    # A variable in another encoding than UTF-8 has lone surrogates.
    known_bytes = known.encode(errors="surrogateescape")
    return hmac.compare_digest(given.encode(errors="surrogateescape"), known_bytes)


def is_from_our_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a change was asked for by a page of this address.

    What is no browser sends neither header, and carries no cookie or password that a page of
    somebody else's could make use of.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is None:
        return True
    asked, served = urlsplit(origin), headers.get("host", "")
    if served == asked.netloc:
        return True
    # A proxy may leave the port out (nginx's $host); the form's token is asked for all the same.
    return served == asked.hostname and served not in _LOOPBACK


class Guard:
    """The outermost layer of the page."""

    def __init__(
        self, app: ASGIApp, *, users: Users, hosts: frozenset[str] | None, read_only: bool
    ) -> None:
        """None for `hosts` lets any through: a host application checks its own."""
        self._app = app
        self._users = users
        self._hosts = hosts
        self._read_only = read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        nonce = secrets.token_urlsafe(16)
        request.state.nonce = nonce
        answer = _Answer(send, nonce)
        try:
            respond: ASGIApp = await self._refusal(request) or self._app
            await respond(scope, receive, answer)
        except Exception as error:
            # Whatever it was: the browser is told in our words, the log in full.
            log_failure(request.method, path_of(request), error)
            if answer.begun:
                raise
            await words_for(request, 500, BROKEN)(scope, receive, answer)

    async def _refusal(self, request: Request) -> Response | None:
        # A probe asks a pod by its address, and there is nothing to see.
        if path_of(request) in OPEN_PATHS:
            return None
        is_ours = self._hosts is None or _host_of(request.headers) in self._hosts
        if not is_ours and not await self._is_scraper(request):
            return words_for(
                request,
                400,
                "This page is not served under this name. Add it to MIXRELAY_DASHBOARD_HOSTS "
                "if it should be.",
            )
        user = await self._users.name_of(request)
        if user is None:
            return self._users.refusal(request)
        request.state.user = user
        if request.method in SAFE_METHODS:
            return None
        if self._read_only:
            return words_for(request, 403, "This page is read-only: nothing was changed.")
        if not is_from_our_page(request.headers):
            return words_for(
                request, 403, "A page of another address asked for this: nothing was changed."
            )
        return None

    async def _is_scraper(self, request: Request) -> bool:
        """Whether a request brings the password as a bearer token, as Prometheus does.

        It asks a pod by its address. No browser sends such a token unless a page knows it.
        """
        kind = request.headers.get("authorization", "").partition(" ")[0].lower()
        return kind == BEARER and await self._users.name_of(request) == BEARER


def _host_of(headers: Headers) -> str:
    try:
        return (urlsplit(f"//{headers.get('host', '')}").hostname or "").lower()
    except ValueError:
        return ""


class _Answer:
    """Sends an answer with the headers that every one of ours has."""

    def __init__(self, send: Send, nonce: str) -> None:
        self._send = send
        self._nonce = nonce
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in _headers(self._nonce).items():
                headers.setdefault(name, value)
            if to := headers.get("location"):
                headers["location"] = _within(to)
        await self._send(message)


def _within(address: str) -> str:
    """A redirect without scheme and host: behind a proxy, this process knows neither."""
    parts = urlsplit(address)
    return parts._replace(scheme="", netloc="").geturl() if parts.netloc else address


def _headers(nonce: str) -> dict[str, str]:
    policy = (
        "default-src 'none'; "
        f"script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
