"""The first page: is all well, and if not, what is wrong?"""

from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.dashboard.series import SPANS, series
from mixrelay.console.dashboard.tiles import FIELDS, HOUR, tiles
from mixrelay.console.status.look import look
from mixrelay.console.status.unasked import noticed, sorted_hot


def overview(call: Call) -> Response:
    span = call.query.get("span", "hour")
    return call.page("overview.html", spans=SPANS, chosen=span, **_figures(call))


def live(call: Call) -> Response:
    """The part of the page that is fetched anew every two seconds."""
    return call.page("overview_live.html", **_figures(call))


def chart(call: Call) -> Response:
    span = SPANS.get(call.query.get("span", "hour"))
    if span is None:
        return PlainTextResponse(f"span is one of {', '.join(SPANS)}.", 400)
    return JSONResponse(series(call.queue, span))


def _figures(call: Call) -> dict[str, Any]:
    figures = look(call.queue, call.place.settings.rq_url)
    return {
        "figures": figures,
        "health": figures.health(),
        "tiles": tiles(figures, call.queue.history.minutes(HOUR, FIELDS), call.place.ages),
        "notices": noticed(figures.books),
        "hot": sorted_hot(figures.books),
    }


ROUTES = [
    route("/", "overview", overview),
    route("/live", "overview_live", live),
    route("/series.json", "series", chart),
]
