"""One lane: what waits in it, who holds it, and the form that pauses or resumes it.

A page of its own: the overview is fetched anew every two seconds, and would lose what one types.
"""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mixrelay.console.dashboard.call import Call, route
from mixrelay.shared.queue import HOLDABLE, Lane
from mixrelay.shared.queue.messages.operator_pause import OPERATOR

_SAID = {
    "pause": "The lane is paused. Requests under way still end.",
    "resume": "The lane is resumed: workers look again within seconds.",
    "was-paused": "Someone else had paused it already: nothing was changed.",
    "was-resumed": "It was not paused any more: nothing was changed.",
}
WHY_MISSING = "Give a reason for the pause: others who find the lane paused need it."


def lane(call: Call) -> Response:
    return _show(call, _lane(call))


def _lane(call: Call) -> Lane:
    name = call.path["lane"]
    if name not in HOLDABLE:
        raise HTTPException(404, f"There is no lane {name[:40]!r} that could be paused.")
    return Lane(name)


def _show(call: Call, shown: Lane, mistake: str = "") -> Response:
    books = call.queue.books()
    return call.page(
        "lane.html",
        422 if mistake else 200,
        lane=shown.value,
        books=books,
        hold=next((hold for hold in books.held if hold.lane is shown), None),
        pauses=[one for one in books.paused if one.lane == shown and one.kind != OPERATOR],
        said=_SAID.get(call.said, ""),
        mistake=mistake,
    )


def change(call: Call) -> Response:
    """Pauses or resumes it."""
    shown, move = _lane(call), call.path["move"]
    why = call.form.get("why", "").strip()
    if move == "pause":
        if not why:
            return _show(call, shown, WHY_MISSING)
        done = call.queue.pause(shown, who=call.user, why=why)
    elif move == "resume":
        done = call.queue.resume(shown, who=call.user, why=why)
    else:
        raise HTTPException(404, "A lane can be paused and resumed.")
    return call.to("lane", lane=shown.value, query={"said": move if done else f"was-{move}d"})


ROUTES = [
    route("/lanes/{lane}", "lane", lane),
    route("/lanes/{lane}/{move}", "lane_change", change, "POST"),
]
