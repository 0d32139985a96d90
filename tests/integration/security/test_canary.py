"""One secret in each setting that holds one, and one in messages of odd shapes: nobody shows it.

Every command, page, metric, alert and log line is searched for them. What is shown on purpose is
the letter as it is (with ``export --raw``); see SECURITY.md.
"""

import base64
import json
import logging
import shlex
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from redis import Redis

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.producer import AsyncTracker, ConfigurationError, Tracker
from mixrelay.shared.queue import LetterFilter, Queue
from mixrelay.shared.settings import Settings
from tests.support import letters
from tests.support.console import called
from tests.support.pages import browsing
from tests.support.patience import joined
from tests.support.ports import free_port

KEY = "c4nary-ap1-key"
SHAPES = (
    b'["import","{\\"api_key\\":\\"%s\\",\\"data\\":{\\"event\\":\\"x\\",\\"properties\\":{}}}"]',
    b'["import",{"api_key":"%s","data":{"event":"x"}}]',
    b'["import", {"api_key": "%s", "data": broken',
    b'{"api_key": "%s", "type": "import"}',
    b'[["api_key", "%s"], 1]',
    b'["import", "{\\"data\\":{\\"event\\":\\"x\\"},\\"apiKey\\":\\"%s\\"}", "more"]',
    b"['import', {'api_key': '%s'}]",
    b"event=x&api_key=%s&data=y",
    b'{"name":"api_key","value":"%s"}',
    b'["import","{\\\\\\"api_key\\\\\\":\\\\\\"%s\\\\\\""]',
    b'\xff\xfe["import",{"api_key":"%s"}]',
    b'["import",{"API-Key":"%s"}] trailing',
)
SECRETS = {
    "redis": "c4nary-redis-pass",
    "rq": "c4nary-rq-pass",
    "account": "c4nary-account-name",
    "secret": "c4nary-account-secret",
    "proxy": "c4nary-proxy-pass",
    "page": "c4nary-page-token",
    "user": "c4nary-user,pass",
    "hook": "c4nary-hook-path",
}
PACKED = [base64.b64encode(shape.replace(b"%s", KEY.encode())).decode() for shape in SHAPES]
NEVER = (*PACKED, *SECRETS.values(), KEY, quote(SECRETS["user"]))


class Hook(BaseHTTPRequestHandler):
    """Keeps what alerts say, and is not content with it."""

    heard: list[bytes] = []  # noqa: RUF012 - one server of a test at a time
    timeout = 5

    def do_POST(self) -> None:
        self.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.heard.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{SECRETS['hook']}?key={SECRETS['hook']}"
    server.shutdown()
    joined(thread)
    server.server_close()


@pytest.fixture
def url(redis: Redis) -> Iterator[str]:
    """The server's address, with a password."""
    words = ["on", f">{SECRETS['redis']}", f">{SECRETS['rq']}", "~*", "&*", "+@all"]
    redis.execute_command("ACL", "SETUSER", "canary", *words)
    where = redis.connection_pool.connection_kwargs
    yield f"redis://canary:{SECRETS['redis']}@{where['host']}:{where['port']}/0"
    redis.acl_deluser("canary")


@pytest.fixture
def variables(url: str, hook: str) -> dict[str, str]:
    return {
        "MIXRELAY_REDIS_URL": url,
        "MIXRELAY_RQ_REDIS_URL": url.replace(SECRETS["redis"], SECRETS["rq"]),
        "MIXPANEL_TOKEN": "own-token-0123456789",
        "MIXPANEL_PROJECT_ID": "4321",
        "MIXPANEL_SERVICE_ACCOUNT_USERNAME": SECRETS["account"],
        "MIXPANEL_SERVICE_ACCOUNT_SECRET": SECRETS["secret"],
        "MIXPANEL_API_HOST": f"http://127.0.0.1:{free_port()}",
        "MIXRELAY_PROXY": f"http://p:{SECRETS['proxy']}@127.0.0.1:{free_port()}",
        "MIXRELAY_DASHBOARD_TOKEN": SECRETS["page"],
        "MIXRELAY_DASHBOARD_USERS": json.dumps({"ann": SECRETS["user"]}),
        "MIXRELAY_ALERT_WEBHOOK": hook,
    }


@pytest.fixture
def queue(url: str, redis: Redis) -> Queue:
    """Letters of each shape, and one that was edited; a lane that is paused."""
    made = Queue(redis)
    letters.bury(made, [letters.event("a"), letters.imported("b", KEY), letters.profile("x", a=1)])
    odd = [shape.replace(b"%s", KEY.encode()) for shape in SHAPES]
    packed = [b'["event","data=' + one.encode() + b'"]' for one in PACKED]
    letters.bury(made, [*odd, *packed], "malformed", error="no tuple")
    return made


def found_in(text: str | bytes) -> list[str]:
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
    return [one for one in NEVER if one.encode() in raw or base64.b64encode(one.encode()) in raw]


COMMANDS = """
status
status --json
doctor
doctor --json
config worker
config worker --json
config page
config page --json
config producer
config producer --json
dlq list
dlq list --json
dlq stats
dlq export
dlq audit
dlq jobs
dlq show {number}
dlq show {number} --json
dlq replay --all --dry-run
dlq fix --all --set properties.canary=1 --delete $set --dry-run
dlq fix --all --set properties.canary=1 --delete $set --dry-run --json
dlq discard --all --dry-run
dlq replay --all --rate nonsense
dlq replay --id 0-1 --why canary
alert --once
alert --webhook {hook} --once
pause event --why canary
resume event
status --redis-url {wrong}
status --redis-url {foreign}
push {folder}/none
push {folder}
dlq import {folder}/none
nonsense --token {secret}
"""


def test_no_command_shows_a_secret(
    queue: Queue, variables: dict[str, str], hook: str, url: str, tmp_path: Path
) -> None:
    numbers = [letter.id for letter in queue.letters.find(LetterFilter())]
    assert len(numbers) >= len(SHAPES)
    values = {
        "number": numbers[0],
        "hook": hook,
        "folder": str(tmp_path),
        "wrong": url.replace("0.1:", "0.1:1"),
        "foreign": url.replace("canary:", "nobody:"),
        "secret": "x",
    }
    asked = [line.format(**values) for line in COMMANDS.strip().splitlines()]
    asked += [f"dlq show {number}" for number in numbers]
    searched = 0
    for line in asked:
        shown = "".join(called(*shlex.split(line), expect=None, **variables))
        # The address that was given as an option is repeated in a mistake, without its password.
        assert found_in(shown) == [], line
        searched += len(shown)
    assert searched > 10_000
    raw = "".join(called("dlq", "export", "--raw", **variables))
    assert raw.count(KEY) > len(SHAPES), "there was something to find"
    assert Hook.heard, "an alert was told"
    assert [found_in(one) for one in Hook.heard] == [[]] * len(Hook.heard)


def test_no_page_metric_or_log_shows_a_secret(
    queue: Queue, variables: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(
        Settings.from_environment(variables),
        DashboardSettings.from_environment(variables),
        mounted=False,
    )
    numbers = [letter.id for letter in queue.letters.find(LetterFilter())]
    paths = [f"/letters/{number}{end}" for number in numbers for end in ("", "/edit")]
    paths += ["/", "/live", "/letters", "/jobs", "/audit", "/workers", "/lanes/event", "/metrics"]
    paths += ["/series.json", "/healthz", "/readyz", "/nothing", "/jobs/plan/replay", "/jobs/x"]
    with caplog.at_level(logging.DEBUG), browsing(app) as page:
        for auth in (("ann", SECRETS["user"]), ("me", SECRETS["page"]), ("ann", "wrong"), None):
            for path in paths if auth == ("ann", SECRETS["user"]) else paths[-12:]:
                answer = page.get(path, auth=auth, headers={"Accept": "text/html"})
                assert found_in(answer.content) == [], (path, auth)
                assert found_in(str(answer.headers)) == [], path
        broken = page.post("/lanes/event/pause", data={"form_token": "x"}, auth=("me", "x"))
        assert found_in(broken.content) == []
    assert found_in(caplog.text) == []


def test_what_is_kept_in_files_is_its_owners_alone(tmp_path: Path) -> None:
    """A spool and its folders; nothing else is written but to stdout, and to a drafts' folder."""
    tracker = Tracker("t", redis_url="redis://127.0.0.1:1/0", spool_dir=str(tmp_path / "a" / "b"))
    assert tracker.track("ann", "Kept") is True
    made = list((tmp_path / "a").rglob("*"))
    assert made
    for path in made:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


@pytest.mark.parametrize("kind", [Tracker, AsyncTracker])
@pytest.mark.parametrize(
    "options",
    [
        {"redis_url": "redis://u:c4nary-redis-pass@h:x/0"},
        {"redis_url": "rediss://u:c4nary-redis-pass@h/0?ssl_cert_reqs=none"},
        {"redis_url": "redis://h/0?password=c4nary-redis-pass&nonsense=1"},
        {"redis_url": "http://u:c4nary-redis-pass@h/0"},
    ],
)
def test_no_tracker_shows_a_secret_when_it_is_refused(
    kind: type[Tracker], options: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        kind("t", **options)
    assert found_in(f"{raised.value!r} {raised.value}") == []
