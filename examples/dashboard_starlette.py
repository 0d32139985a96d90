"""The dashboard in a Starlette application, for whoever is signed in there: /ops/mixrelay/

    uvicorn --app-dir examples dashboard_starlette:app

Sign in with a form at /sign-in, as ann with the password "only-an-example".
"""

from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from mixrelay.console.dashboard import create_app

SECRET = "the key of your sessions"
PASSWORDS = {"ann": "only-an-example"}
FORM = "<form method=post><input name=name><input name=password type=password><button>Sign in"


async def sign_in(request: Request) -> Response:
    if request.method == "GET":
        return HTMLResponse(FORM)
    form = dict(parse_qsl((await request.body()).decode()))
    if PASSWORDS.get(form["name"]) != form["password"]:
        return HTMLResponse(FORM, 403)
    request.session["user"] = form["name"]
    return RedirectResponse("/ops/mixrelay/", 303)


def operator(request: Request) -> str | None:
    """Who asks, for the audit; nobody else gets in."""
    name: str | None = request.session.get("user")
    return name


app = Starlette(
    routes=[
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
        Mount("/ops/mixrelay", create_app(identify=operator, secret=SECRET)),
    ],
    middleware=[Middleware(SessionMiddleware, secret_key=SECRET)],
)
