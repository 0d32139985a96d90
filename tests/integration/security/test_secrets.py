"""Secrets stay where they were put: real processes, and all that they write is searched."""

import json
import os
import re
import sys
import threading
import traceback
import zlib
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from mixrelay.producer import Tracker
from mixrelay.shared.connection import connect, mask
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint
from mixrelay.shared.mixpanel.transport import Answer, Transport
from mixrelay.shared.queue import Queue
from mixrelay.shared.settings import Settings
from mixrelay.worker import WorkerSettings
from mixrelay.worker.drain.session import Setup
from tests.support.command import mixrelay
from tests.support.patience import joined
from tests.support.processes import finished
from tests.support.works import Running, Works, children, event, imported, update, wait_until

TOKEN = "tok3n-0123456789abcdef0123456789"
FOREIGN_TOKEN = "f0reign-token-abcdef0123456789"
API_KEY = 'ap1"key/0123456789é'
ACCOUNT = "service.account.1234"
ACCOUNT_SECRET = "acc0unt-secret-zyxwvu"
REDIS_PASSWORD = "r3dis-pass-word"
PROXY_PASSWORD = "pr0xy-pass-word"
BASIC = b64encode(f"{ACCOUNT}:{ACCOUNT_SECRET}".encode()).decode()
PRIVATE = (ACCOUNT_SECRET, REDIS_PASSWORD, PROXY_PASSWORD, BASIC)
"""What no message holds."""
IN_MESSAGES = (TOKEN, FOREIGN_TOKEN, API_KEY, json.dumps(API_KEY)[1:-1])
KEYS = IN_MESSAGES[2:]
SECRETS = (*PRIVATE, *IN_MESSAGES)

MESSAGE = re.compile(rb'"message": .*')
"""Of a letter as JSON: messages are shown, with the project's token, which every web page has."""

# Everything that any library would log, at its most talkative.
LOUD = """
import logging, sys
from mixrelay.shared.settings import Settings
from mixrelay.worker.base import logs
from mixrelay.worker.process import main as run
from mixrelay.worker.base.settings import WorkerSettings
logs.configure = lambda *_: logging.basicConfig(level=logging.DEBUG)
logs.configure()
logging.getLogger("rq").setLevel(logging.DEBUG)
settings, worker = Settings.from_environment(), WorkerSettings.from_environment()
logging.debug("%r %r %r", settings, worker, settings.account)
sys.exit(run.run(settings, worker))
"""


class Parrot(BaseHTTPRequestHandler):
    """A gateway that repeats the whole request in its refusal."""

    timeout = 5

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = zlib.decompress(body, 31)
        said = f"{self.path} {dict(self.headers)} {body.decode()}"
        answer = json.dumps({"error": said, "status": 0}).encode()
        self.send_response(_status(self.path))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


def _status(path: str) -> int:
    return {"track": 400, "import": 401}.get(path.strip("/").partition("?")[0], 500)


@pytest.fixture
def parrot() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    joined(thread)
    server.server_close()


@pytest.fixture
def guarded(redis: Redis) -> Iterator[str]:
    """The server's address with a user name and a password."""
    redis.acl_setuser(
        "worker",
        enabled=True,
        passwords=[f"+{REDIS_PASSWORD}"],
        categories=["+@all"],
        keys=["*"],
        channels=["*"],
    )
    where = redis.connection_pool.connection_kwargs
    yield f"redis://worker:{REDIS_PASSWORD}@{where['host']}:{where['port']}/0"
    redis.acl_deluser("worker")


def environment(guarded: str, parrot: str) -> dict[str, str]:
    query = f"?username=worker&password={REDIS_PASSWORD}"
    return {
        "MIXRELAY_REDIS_URL": guarded,
        "MIXRELAY_RQ_REDIS_URL": f"redis://{guarded.rpartition('@')[2]}{query}",
        "MIXPANEL_API_HOST": parrot,
        "MIXPANEL_TOKEN": TOKEN,
        "MIXPANEL_PROJECT_ID": "4321",
        "MIXPANEL_SERVICE_ACCOUNT_USERNAME": ACCOUNT,
        "MIXPANEL_SERVICE_ACCOUNT_SECRET": ACCOUNT_SECRET,
    }


@pytest.fixture
def loud(works: Works, guarded: str, parrot: str, tmp_path: Path) -> Iterator[Running]:
    """Two talkative workers under a supervisor, in the midst of refusals of every kind."""
    works.push(
        event("own", token=TOKEN),
        event("foreign", token=FOREIGN_TOKEN),
        imported("keyed", api_key=API_KEY, token=FOREIGN_TOKEN),
        update("profile", token=TOKEN, **{"$set": {"a": 1}}),
        b'["import", {"api_key": "' + API_KEY.encode() + b'", "data": broken',
    )
    own = environment(guarded, parrot) | {"MIXRELAY_PROCESSES": "2", "MIXRELAY_LINGER": "0.05"}
    running = Running([sys.executable, "-c", LOUD], os.environ | own, tmp_path / "loud.log")
    # The key's letter and the unreadable one; the account's circuit, and those of two tokens.
    wait_until(
        lambda: (
            works.books.dead == 2 and [one.state for one in works.books.tokens] == ["refused"] * 2
        ),
        "refusals",
    )
    yield running
    running.end()


def found_in(text: str | bytes, secrets: tuple[str, ...] = SECRETS) -> list[str]:
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
    return [secret for secret in secrets if secret.encode() in raw]


def tree(pid: int) -> list[int]:
    return [pid, *(each for child in children(pid) for each in tree(child))]


def test_no_secret_is_in_any_log_at_any_level(loud: Running) -> None:
    assert len(loud.log) > 2_000
    assert "DEBUG" in loud.log
    assert found_in(loud.log) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="lists processes as Linux does")
def test_no_secret_is_in_a_process_title(loud: Running) -> None:
    wait_until(lambda: len(tree(loud.pid)) >= 5, "a supervisor, two workers, two work-horses")
    for pid in tree(loud.pid):
        for file in ("cmdline", "comm", "status"):
            assert found_in(Path(f"/proc/{pid}/{file}").read_bytes()) == []


def test_no_secret_is_in_what_redis_keeps_but_for_the_messages(loud: Running, redis: Redis) -> None:
    kept = dict(everything(redis))
    assert any(key.startswith(b"rq:job:") for key in kept)
    assert any(b":pause:" in key for key in kept)
    for key, values in kept.items():
        for value in (key, *values):
            assert found_in(value, PRIVATE) == [], key
            assert found_in(_without_message(key, value)) == [], key


def everything(redis: Redis) -> Iterator[tuple[bytes, list[bytes]]]:
    for key in redis.scan_iter():
        yield key, list(_values(redis, key))


def _values(redis: Redis, key: bytes) -> Iterator[bytes]:
    match redis.type(key):
        case b"string":
            yield redis.get(key) or b""  # type: ignore[misc, unused-ignore]
        case b"list":
            yield from redis.lrange(key, 0, -1)  # type: ignore[misc, unused-ignore]
        case b"set":
            yield from redis.smembers(key)  # type: ignore[misc, unused-ignore]
        case b"zset":
            yield from redis.zrange(key, 0, -1)  # type: ignore[misc, unused-ignore]
        case b"hash":
            for pair in redis.hgetall(key).items():  # type: ignore[union-attr, unused-ignore]
                yield from pair
        case b"stream":
            yield repr(redis.xrange(key)).encode()


def _without_message(key: bytes, value: bytes) -> bytes:
    name = key.partition(b"}:")[2]
    if name.startswith((b"lane:", b"batch:")) or key == b"mixpanel_queue":
        return b""
    return value.partition(b"\n")[0] if name == b"letters" else value


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "status --json",
        "dlq list",
        "dlq list --json",
        "dlq stats",
        "dlq export",
        "dlq replay --all --dry-run",
        "dlq fix --all --set properties.fixed=1 --dry-run",
        "worker --help",
        "doctor",
        "status --redis-url redis://worker:{wrong}@127.0.0.1:1/0",
        "status --redis-url redis://worker:a/{wrong}@127.0.0.1:1/0",
    ],
)
def test_no_secret_is_in_what_a_command_shows(
    loud: Running, guarded: str, parrot: str, command: str
) -> None:
    words = command.format(wrong=REDIS_PASSWORD).split()
    ended = mixrelay(*words, expect=None, **environment(guarded, parrot))
    shown = ended.stdout + ended.stderr
    assert shown
    assert found_in(shown, (*PRIVATE, *KEYS)) == []
    assert found_in(MESSAGE.sub(b"", shown)) == []


def test_a_letter_shown_whole_masks_its_key_and_only_raw_shows_it(
    loud: Running, works: Works, guarded: str, parrot: str
) -> None:
    variables = environment(guarded, parrot)
    for letter in works.letters():
        ended = mixrelay("dlq", "show", letter.id, **variables)
        assert found_in(ended.stdout + ended.stderr, (*PRIVATE, *KEYS)) == []
        assert found_in(json.dumps([letter.error, letter.field, letter.reason])) == []
    raw = mixrelay("dlq", "export", "--raw", **variables).stdout
    assert json.dumps(API_KEY)[1:-1].encode() in raw


def settings() -> Settings:
    return Settings(
        redis_url=f"redis://worker:{REDIS_PASSWORD}@h/0",
        rq_redis_url=f"redis://h/0?password={REDIS_PASSWORD}",
        token=TOKEN,
        project_id="4321",
        service_account_username=ACCOUNT,
        service_account_secret=ACCOUNT_SECRET,
    )


def test_no_secret_is_in_the_repr_of_anything() -> None:
    credentials = Credentials.service_account(ACCOUNT, ACCOUNT_SECRET, "4321")
    worker = WorkerSettings(proxy=f"http://u:{PROXY_PASSWORD}@h:1")
    transport = Transport(proxy=worker.proxy)
    tracker = Tracker(TOKEN, redis_url=settings().redis_url, spool_dir="off")
    destination = Destination(Endpoint.IMPORT, "http://h", credentials, TOKEN)
    assert destination.authorization, "made, and kept by it"
    assert destination.secrets
    things = (settings(), worker, Setup(settings(), worker), credentials, destination, transport)
    shown = " ".join(f"{thing!r} {thing!s}" for thing in (*things, tracker, tracker.people))
    transport.close()
    assert found_in(shown) == []
    assert "proxy='http://u:***@h:1'" in shown


ADDRESSES = [
    "redis://:{}@h:1/0",
    "redis://u:{}@h/0",
    "redis://u:a@{}@h/0",
    "redis://u:a/{}@h/0",
    "redis://u:a?{}@h/0",
    "redis://u:a#{}@h/0",
    "redis://u:{}:b@h:x/0",
    "redis://{}@h/0",
    "redis://u:[{}@h/0",
    "u:{}@h",
    "rediss://h?a=b&ssl_password={}&password={}",
    "redis://h?Password={}",
    "unix://u:{}@/tmp/x.sock",
    "unix:///tmp/x.sock?password={}#{}",
    "redis+sentinel://u:{}@h1:1,h2/name/0?sentinel_password={}",
    "redis+sentinel://u:a/{}@h1,h2/name/0",
    "redis+sentinel://u:{}@h1:x/name/0",
    "redis+sentinel://u:{}@h1/name/x",
    "redis+cluster://u:{}@h1,h2",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_password_anywhere_in_an_address_is_masked(address: str) -> None:
    url = address.replace("{}", REDIS_PASSWORD)
    assert found_in(mask(url)) == []
    assert "***" in mask(url)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_password_is_in_the_traceback_of_an_address_that_cannot_be_used(address: str) -> None:
    url = address.replace("{}", REDIS_PASSWORD)
    with pytest.raises((ConfigurationError, RedisError, TypeError)) as raised:
        Queue(connect(url, timeout=0.2, connect_timeout=0.2)).books()
    trace = "".join(traceback.format_exception(raised.value))
    assert found_in(trace) == []


def test_the_traceback_of_a_failed_request_holds_no_secret() -> None:
    credentials = Credentials.service_account(ACCOUNT, ACCOUNT_SECRET, "4321")
    transport = Transport(proxy=f"http://u:{PROXY_PASSWORD}@127.0.0.1:1", connect_timeout=0.5)
    failure = transport.post(Destination(Endpoint.IMPORT, "http://h", credentials), b"[]")
    transport.close()
    assert not isinstance(failure, Answer)
    assert found_in(repr(failure)) == []


@pytest.mark.parametrize(
    "secret", ['quo"te-and\\slash', "slash/and%percent", "ключ-доступа", "a b+c&d"]
)
def test_a_secret_that_an_answer_repeats_in_another_spelling_is_masked(
    parrot: str, secret: str
) -> None:
    transport = Transport()
    account = Credentials.service_account("someone", secret, secret)
    answer = transport.post(Destination(Endpoint.IMPORT, parrot, account), secret.encode())
    transport.close()
    assert isinstance(answer, Answer)
    said = json.loads(answer.body)["error"]
    assert secret not in said
    assert "***" in said


def test_a_fingerprint_tells_credentials_apart_and_cannot_be_turned_back() -> None:
    one = Credentials.service_account(ACCOUNT, ACCOUNT_SECRET, "4321")
    other = Credentials.service_account(ACCOUNT, ACCOUNT_SECRET + "x", "4321")
    assert one.fingerprint() != other.fingerprint()
    # 48 bits of a hash of at least 128: for each name there are 2**80 secrets.
    assert len(one.fingerprint()) == 12


def test_secrets_are_no_options_of_a_command_line() -> None:
    shown = finished(
        [sys.executable, "-m", "mixrelay.console", "worker", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    assert "--token" not in shown
    assert "--service-account-secret" not in shown
