"""What all requests share: the queue, the settings, the templates."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from redis.exceptions import RedisError
from starlette.requests import Request

from mixrelay.console.dashboard import words
from mixrelay.console.dashboard.assets import fingerprint
from mixrelay.console.dashboard.forms import Forms
from mixrelay.console.dashboard.groups.inbox import Inboxes
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.dashboard.tiles import Ages
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import PageKey, Queue
from mixrelay.shared.settings import Settings

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
VERSION = version("mixrelay")
_REFRESH_SECONDS = 5.0


class Place:
    """Opens nothing: the first request connects."""

    def __init__(
        self, settings: Settings, dashboard: DashboardSettings, *, secret: str = ""
    ) -> None:
        self.settings = settings
        self.dashboard = dashboard
        self.redis_url = settings.redis_url
        self.queue = Queue(
            connect(settings.redis_url), settings.queue, partitions=settings.partitions
        )
        self._refresh_at = 0.0
        self.inboxes = Inboxes()
        self.ages = Ages()
        self.forms = Forms(secret, PageKey(self.queue.redis, self.queue.name).read)
        self.fingerprint = fingerprint(STATIC)
        self._templates = _templates()

    def queue_by_now(self) -> Queue:
        """The queue with the partitions that workers have noted since.

        Raises:
            redis.RedisError: the queue's node is away.
        """
        if time.monotonic() >= self._refresh_at:
            self.queue.refresh()
            self._refresh_at = time.monotonic() + _REFRESH_SECONDS
        return self.queue

    def render(self, template: str, request: Request, user: str, values: dict[str, Any]) -> str:
        """A template with what every page shows."""
        return self._templates.get_template(template).render(
            nonce=request.state.nonce,
            form_token=self._form_token(user),
            version=VERSION,
            queue_name=self.queue.name,
            environment=self.dashboard.environment,
            read_only=self.dashboard.read_only,
            **values,
        )

    def render_words(self, request: Request, title: str, text: str) -> str:
        """A page that says one thing, also to who is not let in: it shows nothing of the queue."""
        page = self._templates.get_template("words.html")
        return page.render(title=title, text=text, css=self.static_url(request, "/page.css"))

    def static_url(self, request: Request, path: str) -> str:
        """The address of a file, wherever the application is mounted."""
        under: str = request.scope.get("root_path", "")
        found = request.app.url_path_for("static", path=path)
        return f"{under.rstrip('/')}{found}?v={self.fingerprint}"

    def _form_token(self, user: str) -> str:
        """Empty where nothing can be changed: there it would make a key for nothing."""
        if self.dashboard.read_only:
            return ""
        try:
            return self.forms.token(user)
        except RedisError:
            return ""  # the form can be sent again once Redis is back

    def close(self) -> None:
        self.queue.redis.close()


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= words.FILTERS
    return made
