"""One request as a page's handler sees it: the queue, the user, what was asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from mixrelay.console.dashboard.failing import log_answer, path_of, words_for
from mixrelay.console.dashboard.guard import SAFE_METHODS
from mixrelay.console.dashboard.place import Place
from mixrelay.console.failures import Failure, explain, explain_redis
from mixrelay.shared.errors import MixrelayError
from mixrelay.shared.queue import Queue

FORM_BYTES = 4 * 1024 * 1024
"""An edited letter and its form fit in; what is larger is refused unread."""
FORM_TOKEN = "form_token"  # noqa: S105 - the field's name
FIELDS = 10_000
SEE_OTHER = 303
TOO_LARGE = 413
UNAVAILABLE = 503

Form = ImmutableMultiDict[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler is given; it runs in a thread, so it may wait for Redis."""

    request: Request
    place: Place
    form: Form = field(default_factory=ImmutableMultiDict)

    @property
    def queue(self) -> Queue:
        return self.place.queue_by_now()

    @property
    def user(self) -> str:
        """Who asked, for the audit."""
        name: str = self.request.state.user
        return name

    @property
    def query(self) -> ImmutableMultiDict[str, str]:
        return self.request.query_params

    @property
    def path(self) -> dict[str, Any]:
        """The parts of the address that the route names."""
        return self.request.path_params

    def url(self, page: str, /, *, query: dict[str, Any] | None = None, **path: Any) -> str:
        """The address of a page of ours, wherever the application is mounted."""
        # Not the request's url_for: that one asks the host application, whose pages may have
        # the same names.
        under: str = self.request.scope.get("root_path", "")
        found = under.rstrip("/") + self._path_to(page, path)
        asked = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        return f"{found}?{urlencode(asked, doseq=True, errors='replace')}" if asked else found

    def _path_to(self, page: str, path: dict[str, Any]) -> str:
        # An id may be anything that someone wrote into Redis, and must not break the page that
        # lists it; its own page then is not found.
        parts = {name: quote(str(value), safe="") or "-" for name, value in path.items()}
        found: str = self.request.app.url_path_for(page, **parts)
        return found

    def static(self, path: str) -> str:
        """The address of a file, which changes with what we ship: a browser may keep it."""
        return self.place.static_url(self.request, path)

    @property
    def said(self) -> str:
        """What the change before came to; empty where an address says so that is not of ours."""
        said = self.query.get("said", "")
        if not said:
            return ""
        words = (path_of(self.request), *_words(self.query))
        try:
            is_ours = self.place.forms.is_sealed(self.query.get("seal", ""), self.user, *words)
        except RedisError:
            return ""
        return said if is_ours else ""

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page made from a template."""
        text = self.place.render(template, self.request, self.user, {"call": self, **values})
        # Half a character, as a name in JSON may have, is none in UTF-8.
        return HTMLResponse(text.encode(errors="replace"), status)

    def to(self, page: str, /, *, query: dict[str, Any] | None = None, **path: Any) -> Response:
        """On to another page, after a change; what it says there is sealed."""
        asked = query or {}
        if asked.get("said"):
            words = (unquote(self._path_to(page, path)), *_words(asked))
            asked = asked | {"seal": self.place.forms.seal(self.user, *words)}
        return RedirectResponse(self.url(page, query=asked, **path), SEE_OTHER)


def _words(query: Mapping[str, Any]) -> list[str]:
    return [str(query.get(name, "")) for name in ("said", "moved", "of")]


Handler = Callable[[Call], Response]


def route(path: str, name: str, handler: Handler, *methods: str) -> Route:
    """A route whose handler runs in a thread. GET unless methods are named."""

    async def endpoint(request: Request) -> Response:
        place: Place = request.app.state.place
        form = await _form(request)
        return await run_in_threadpool(_answer, handler, Call(request, place, form))

    return Route(path, endpoint, methods=list(methods or ("GET",)), name=name)


def _answer(handler: Handler, call: Call) -> Response:
    try:
        return handler(call) if _is_ours(call) else _send_again(call)
    except RedisError as error:
        return _failure(call, explain_redis(error, call.place.redis_url).failure)
    except MixrelayError as error:
        failure = explain(error)
        if failure is None:
            raise
        return _failure(call, failure)


def _failure(call: Call, failure: Failure) -> Response:
    """Redis cannot be read: said on the page, and in the log."""
    log_answer(call.request.method, path_of(call.request), failure.what, UNAVAILABLE)
    if not hasattr(call.request.state, "user"):
        # Nobody was asked who they are: health says nothing but whether.
        return words_for(call.request, UNAVAILABLE, "The queue cannot be read.")
    return call.page("failure.html", UNAVAILABLE, failure=failure)


def _is_ours(call: Call) -> bool:
    """Whether a change is asked for by a form that one of our pages showed to this user."""
    if call.request.method in SAFE_METHODS:
        return True
    return call.place.forms.is_valid(call.user, call.form.get(FORM_TOKEN, ""))


def _send_again(call: Call) -> Response:
    """Changes nothing, and shows the form's fields with a token that is good."""
    fields = [pair for pair in call.form.multi_items() if pair[0] != FORM_TOKEN]
    return call.page("send_again.html", 403, fields=fields)


async def _form(request: Request) -> Form:
    if request.method in SAFE_METHODS:
        return ImmutableMultiDict()
    body = (await _body(request)).decode(errors="replace")
    try:
        return Form(parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError as error:
        raise HTTPException(TOO_LARGE, "Too many fields for a form of this page.") from error


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > FORM_BYTES:
                raise HTTPException(TOO_LARGE, "Too much for this page: use mixrelay dlq.")
    except ClientDisconnect as error:
        raise HTTPException(400) from error
    return bytes(body)
