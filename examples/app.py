"""A small web application whose handlers track.

    uvicorn --app-dir examples app:app

POST /signup/ann, /visit/ann?page=/pricing, /buy/ann?amount=9.99
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mixrelay.producer import Tracker

# Reads MIXPANEL_TOKEN, MIXRELAY_REDIS_URL and MIXRELAY_QUEUE; connects at the first call.
tracker = Tracker()


# Plain functions run in a thread of the server's pool, so the Redis round trip blocks nobody.
def signup(request: Request) -> JSONResponse:
    user = request.path_params["user"]
    tracker.track(user, "Signed Up", {"plan": request.query_params.get("plan", "free")})
    tracker.people.set(user, {"$name": user.title()}, ip=0)
    return JSONResponse({"welcome": user}, 201)


def visit(request: Request) -> JSONResponse:
    user = request.path_params["user"]
    tracker.track(user, "Viewed Page", {"page": request.query_params.get("page", "/")})
    tracker.people.increment(user, {"Pages viewed": 1})
    return JSONResponse({"ok": True})


def buy(request: Request) -> JSONResponse:
    user, amount = request.path_params["user"], float(request.query_params["amount"])
    tracker.track(user, "Purchased", {"amount": amount})
    tracker.people.track_charge(user, amount)
    return JSONResponse({"ok": True})


app = Starlette(
    routes=[
        Route("/signup/{user}", signup, methods=["POST"]),
        Route("/visit/{user}", visit, methods=["POST"]),
        Route("/buy/{user}", buy, methods=["POST"]),
    ]
)
