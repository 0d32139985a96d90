"""What a browser and the log are told where no page can be shown."""

import logging
import re
import time
import traceback
from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from mixrelay.console.secrets_in_text import mask_text
from mixrelay.shared.masking import mask
from mixrelay.shared.reading import shown_value

log = logging.getLogger(__name__)

BROKEN = (
    "This page failed because of a bug in mixrelay. No message is lost by it; the audit shows "
    "whether a change that you asked for was made. The log of this server has the cause."
)
_ADDRESS = re.compile(r"[a-z0-9+.-]+://\S+", re.IGNORECASE)
_QUIET_SECONDS = 60.0
"""Between two lines of the same trouble: each browser asks every two seconds."""
_TOLD_AT_MOST = 100
_SHOWN = 500
"""Characters of an error in the log."""
_FRAMES = 12
"""Of a traceback in the log, the last ones."""
_TITLES = {400: "Not understood", 403: "Not allowed", 404: "Not here", 405: "Not so", 500: "Failed"}


_told: dict[str, float] = {}
"""Until when each trouble is not told again."""


def path_of(request: Request) -> str:
    """What was asked for, below where the page is mounted; without the query."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


def words_for(request: Request, status: int, text: str) -> Response:
    """A page that says what is the matter; for what is no browser the text alone."""
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(text, status)
    try:
        place, title = request.app.state.place, _TITLES.get(status, "Not possible")
        return HTMLResponse(place.render_words(request, title, text), status)
    except Exception:  # noqa: BLE001 - told already, and this must not fail too
        # The mistake may be in what every page shows.
        return PlainTextResponse(text, status)


def log_failure(method: str, path: str, error: BaseException) -> None:
    """One line: what was asked for, what was wrong, and where. Neither query nor form is in it."""
    # No traceback as such: its last line is the error's own text, and that may repeat a message.
    log.error(
        "dashboard_failed: %s %s: %s; %s",
        method,
        shown_value(path),
        " from ".join(map(_named, _chain(error))),
        _where(error),
        extra={"status": 500},
    )


def log_answer(method: str, path: str, what: str, status: int) -> None:
    """What kept a page from being shown that is no mistake of ours, as a Redis that is away."""
    now = time.monotonic()
    if _told.get(what, now) > now:
        return
    if len(_told) >= _TOLD_AT_MOST:
        _told.clear()
    _told[what] = now + _QUIET_SECONDS
    log.warning(
        "dashboard_unavailable: %s %s: %s",
        method,
        shown_value(path),
        _masked(what),
        extra={"status": status},
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {_masked(str(error))}"


def _masked(text: str) -> str:
    masked = " ".join(mask_text(_ADDRESS.sub(lambda found: mask(found[0]), text)).split())
    return masked if len(masked) <= _SHOWN else f"{masked[:_SHOWN]}…"


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = (f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in frames)
    return "at " + ", ".join(places)
