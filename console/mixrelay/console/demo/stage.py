"""The parts of the demo: Valkey, sandbox, workers, a small web application, the dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from mixrelay.console.demo.children import Child, Children, free_ports, wait_for_port
from mixrelay.console.demo.mixpanel import Mixpanel
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue

TOKEN = "d3m0d3m0d3m0d3m0d3m0d3m0d3m0d3m0"  # noqa: S105 - made up, known to the sandbox alone
WORKERS = 2
_START_SECONDS = 20.0
_END_SECONDS = 15.0
_CLI = "mixrelay.console"
_NAMED = {"MIXRELAY_DASHBOARD_ENVIRONMENT": "demo"}


@dataclass(slots=True)
class Stage:
    """What runs, and where."""

    children: Children
    redis_port: int
    sandbox_port: int
    web_port: int
    page_port: int
    queue: Queue = field(init=False)
    mixpanel: Mixpanel = field(init=False)
    workers: list[Child] = field(default_factory=list)
    others: list[Child] = field(default_factory=list)
    _hired: int = 0

    def __post_init__(self) -> None:
        self.queue = Queue(connect(self.redis_url))
        self.mixpanel = Mixpanel(self.sandbox_url)

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.page_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of workers and web application."""
        return {
            "MIXRELAY_REDIS_URL": self.redis_url,
            "MIXPANEL_TOKEN": TOKEN,
            "MIXPANEL_API_HOST": self.sandbox_url,
            # An outage of seconds is to be seen within seconds.
            # A push that is not answered in time is repeated, and the books are to add up exactly,
            # on a machine that is busy too.
            "MIXRELAY_PUSH_TIMEOUT": "10",
            "MIXRELAY_PUSH_CONNECT_TIMEOUT": "10",
            "MIXRELAY_BACKOFF_BASE": "0.5",
            "MIXRELAY_BACKOFF_CAP": "2",
        }

    def set_up(self, folder: Path) -> None:
        """Starts everything but the workers, all at once, and waits until it answers."""
        redis = ("valkey", "--dir", str(folder / "valkey"), "--port", str(self.redis_port))
        sandbox = ("sandbox", "--port", str(self.sandbox_port), "--token", TOKEN)
        app = "mixrelay.console.demo.shop:app"
        web = (app, "--port", str(self.web_port), "--log-level", "warning", "--no-access-log")
        page = ("dashboard", "--port", str(self.page_port))
        start, environment = self.children.start, self.environment
        started = (
            (start("Valkey", _CLI, *redis, env={}), self.redis_port),
            (start("sandbox", _CLI, *sandbox, env={}), self.sandbox_port),
            (start("web application", "uvicorn", *web, env=environment), self.web_port),
            (start("dashboard", _CLI, *page, env=environment | _NAMED), self.page_port),
        )
        for child, port in started:
            wait_for_port(child, port, _START_SECONDS)
            self.others.append(child)

    def hire(self) -> None:
        """Starts new workers."""
        for _ in range(WORKERS):
            self._hired += 1
            name = f"worker {self._hired}"
            self.workers.append(self.children.start(name, _CLI, "worker", env=self.environment))


@contextmanager
def stage() -> Iterator[Stage]:
    """Sets the parts up in a folder of their own; at the end nothing of them is left."""
    with TemporaryDirectory(prefix="mixrelay-demo-") as folder:
        children = Children(Path(folder))
        try:
            redis, sandbox, web, page = free_ports(4)
            made = Stage(children, redis, sandbox, web, page)
            made.set_up(Path(folder))
            yield made
            made.queue.redis.close()
        finally:
            children.close(_END_SECONDS)
