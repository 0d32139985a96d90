"""The dashboard in a FastAPI application, for whoever is signed in there: /ops/mixrelay/

    uvicorn --app-dir examples dashboard_fastapi:app

Sign in with a form at /sign-in, as ann with the password "only-an-example".
"""

import secrets
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from mixrelay.console.dashboard import create_app

SECRET = "the key of your sessions"
PASSWORDS = {"ann": "only-an-example"}
FORM = "<form method=post><input name=name><input name=password type=password><button>Sign in"
sessions: dict[str, str] = {}
"""By cookie; a real application keeps them in its database."""

app = FastAPI()


@app.get("/sign-in")
def ask() -> HTMLResponse:
    return HTMLResponse(FORM)


@app.post("/sign-in")
async def sign_in(request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode()))
    if PASSWORDS.get(form["name"]) != form["password"]:
        return HTMLResponse(FORM, 403)
    cookie = secrets.token_urlsafe()
    sessions[cookie] = form["name"]
    answer = RedirectResponse("/ops/mixrelay/", 303)
    answer.set_cookie("session", cookie, httponly=True, samesite="lax")
    return answer


async def operator(request: Request) -> str | None:
    """Who asks, for the audit; nobody else gets in. It may be async, or a plain function."""
    return sessions.get(request.cookies.get("session", ""))


app.mount("/ops/mixrelay", create_app(identify=operator, secret=SECRET))
