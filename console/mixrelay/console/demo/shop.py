"""The small web application: a music shop whose handlers track what its visitors do.

It is a plain Starlette application under uvicorn. What mixrelay adds to a handler is one line a
message; each answers with the messages that went into the queue, for the demo's ledger.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mixrelay.producer import Tracker

tracker = Tracker()


def sign_up(request: Request) -> JSONResponse:
    user, number = _visit(request)
    return _answer(
        {
            "event": tracker.track(user, "Signed Up", {"n": number, "plan": "free"}),
            "profile": tracker.people.set(user, {"n": number, "$name": user.title()}),
        }
    )


def play(request: Request) -> JSONResponse:
    user, number = _visit(request)
    return _answer(
        {
            "event": tracker.track(user, "Song Played", {"n": number, "seconds": number % 300}),
            "increment": tracker.people.increment(user, {"plays": 1}),
        }
    )


def join_band(request: Request) -> JSONResponse:
    user, number = _visit(request)
    band = f"band-{number % 7}"
    return _answer(
        {
            "event": tracker.track(user, "Joined Band", {"n": number, "band": band}),
            "profile": tracker.people.set(user, {"n": number, "band": band}),
            "group": tracker.groups.set("band", band, {"n": number}),
        }
    )


def _visit(request: Request) -> tuple[str, int]:
    return request.path_params["user"], int(request.path_params["number"])


def _answer(queued: dict[str, bool]) -> JSONResponse:
    return JSONResponse({"queued": [kind for kind, done in queued.items() if done]})


app = Starlette(
    routes=[
        Route("/{user}/sign-up/{number:int}", sign_up, methods=["POST"]),
        Route("/{user}/play/{number:int}", play, methods=["POST"]),
        Route("/{user}/join-band/{number:int}", join_band, methods=["POST"]),
    ]
)
