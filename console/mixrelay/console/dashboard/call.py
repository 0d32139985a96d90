"""One request as a page's handler sees it: the queue, the user, what was asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from mixrelay.console.dashboard.guard import SAFE_METHODS
from mixrelay.console.dashboard.place import Place
from mixrelay.console.failures import explain_redis
from mixrelay.shared.queue import Queue

FORM_BYTES = 4 * 1024 * 1024
"""An edited letter and its form fit in; what is larger is refused unread."""
FORM_TOKEN = "form_token"  # noqa: S105 - the field's name
SEE_OTHER = 303
TOO_LARGE = 413

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
        found = under.rstrip("/") + self.request.app.url_path_for(page, **path)
        asked = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        return f"{found}?{urlencode(asked, doseq=True)}" if asked else found

    def static(self, path: str) -> str:
        """The address of a file, which changes with what we ship: a browser may keep it."""
        return self.url("static", path=path, query={"v": self.place.fingerprint})

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page made from a template."""
        return HTMLResponse(self.place.render(template, self, values), status)

    def to(self, page: str, /, *, query: dict[str, Any] | None = None, **path: Any) -> Response:
        """On to another page, after a change."""
        return RedirectResponse(self.url(page, query=query, **path), SEE_OTHER)


Handler = Callable[[Call], Response]


def route(path: str, name: str, handler: Handler, *methods: str) -> Route:
    """A route whose handler runs in a thread. GET unless methods are named."""

    async def endpoint(request: Request) -> Response:
        place: Place = request.app.state.place
        form = await _form(request, place)
        return await run_in_threadpool(_answer, handler, Call(request, place, form))

    return Route(path, endpoint, methods=list(methods or ("GET",)), name=name)


def _answer(handler: Handler, call: Call) -> Response:
    try:
        return handler(call)
    except RedisError as error:
        failure = explain_redis(error, call.place.redis_url).failure
        return call.page("failure.html", 503, failure=failure)


async def _form(request: Request, place: Place) -> Form:
    """The fields of a form that one of our pages showed to this user."""
    if request.method in SAFE_METHODS:
        return ImmutableMultiDict()
    form = Form(parse_qsl((await _body(request)).decode(errors="replace"), keep_blank_values=True))
    if not place.forms.is_valid(request.state.user, form.get(FORM_TOKEN, "")):
        raise HTTPException(403, "The form is not one of this page's: nothing was changed.")
    return form


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
