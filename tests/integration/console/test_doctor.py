"""A broken setup of each kind is found, with a sentence that helps."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq import Worker as RqWorker
from rq.registry import FailedJobRegistry

from mixrelay.console.doctor import delivery, server
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.mixpanel.transport import Transport
from mixrelay.shared.queue import Queue
from mixrelay.shared.settings import Settings
from tests.support.patience import joined
from tests.support.processes import finished
from tests.support.tokens import OURS, THEIRS, leave_unproven, prove, refuse

COMMAND = str(Path(sys.executable).with_name("mixrelay"))
QUEUE = "mixpanel_queue"


def found_in(findings):
    return {f.check: f for f in findings}


def of_server(url, queue=QUEUE):
    return found_in(server.check_server(url, queue))


def of_mixpanel(**settings):
    transport = Transport(deadline=2, connect_timeout=1, read_timeout=2)
    try:
        return found_in(delivery.check_mixpanel(Settings(**settings), transport))
    finally:
        transport.close()


@pytest.fixture
def well(redis: Redis) -> Iterator[Redis]:
    """A server with the settings that the doctor asks for; each test spoils one."""
    wanted = {"appendonly": "yes", "maxmemory": str(2**30), "maxmemory-policy": "noeviction"}
    before = {name: redis.config_get(name)[name] for name in (*wanted, "appendfsync")}
    for name, value in wanted.items():
        redis.config_set(name, value)
    yield redis
    redis.replicaof("NO", "ONE")
    for name, value in before.items():
        redis.config_set(name, value)


def levels(findings):
    return {check: str(f.level) for check, f in findings.items() if f.level != "ok"}


def test_a_good_server_leaves_nothing_to_do(well, redis_url):
    assert levels(of_server(redis_url)) == {}


@pytest.mark.parametrize(
    "spoiled",
    [
        ("appendonly", "no", "persistence", "error", "appendonly yes"),
        ("appendfsync", "no", "persistence", "warning", "appendfsync everysec"),
        ("maxmemory-policy", "allkeys-lru", "eviction", "error", "maxmemory-policy noeviction"),
        ("maxmemory-policy", "volatile-ttl", "eviction", "error", "maxmemory-policy noeviction"),
        ("maxmemory", "0", "memory", "warning", "Set maxmemory"),
        ("maxmemory", "1", "memory", "error", "raise maxmemory"),
    ],
)
def test_a_setting_that_risks_messages_is_found(well, redis_url, spoiled):
    setting, value, check, level, todo = spoiled
    well.config_set(setting, value)

    found = of_server(redis_url)

    refuses = {"writes": "error"} if (setting, value) == ("maxmemory", "1") else {}
    assert levels(found) == {check: level} | refuses
    assert todo in found[check].todo


def test_a_replica_is_no_place_for_a_queue(well, redis_url):
    well.replicaof("127.0.0.1", "1")

    found = of_server(redis_url)["role"]

    assert found.level == "error"
    assert "primary" in found.todo


def test_another_programs_key_is_told(well, redis_url):
    well.hset(QUEUE, "a", "b")

    found = of_server(redis_url)["queue"]

    assert found.found == "The key 'mixpanel_queue' holds a hash, not a list."
    assert "MIXRELAY_QUEUE" in found.todo


def test_books_that_do_not_balance_are_told(well, redis_url):
    well.hset(f"{{{QUEUE}}}:totals", "received", 3)

    assert of_server(redis_url)["queue"].level == "error"


def test_a_server_that_is_away_or_mute_is_one_finding():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    found = of_server(f"redis://user:secret@127.0.0.1:{port}")

    assert levels(found) == {"connection": "error"}
    assert "cannot be reached" in found["connection"].found
    assert "secret" not in found["connection"].found


def test_a_user_that_may_not_ask_is_told_what_to_allow(well, redis_url):
    well.acl_setuser(
        "eve",
        enabled=True,
        passwords=["+pw"],
        keys=["*"],
        commands=["+@all", "-info", "-config"],
    )
    try:
        found = of_server(redis_url.replace("redis://", "redis://eve:pw@"))
    finally:
        well.acl_deluser("eve")

    assert levels(found) == {"rights": "warning"}
    assert "+info" in found["rights"].todo


def test_a_wrong_password_is_told(redis_url):
    found = of_server(redis_url.replace("redis://", "redis://nobody:secret@"))

    assert "refused the user name or password" in found["connection"].found
    assert "secret" not in str(found)


def test_good_credentials_are_proven_without_a_record(mixpanel):
    found = of_mixpanel(
        api_host=mixpanel.url,
        token="t" * 32,
        project_id="1",
        service_account_username="u",
        service_account_secret="s",
    )

    assert levels(found) == {}
    assert found.keys() >= {"/track", "/engage", "/groups", "token", "service account", "clock"}
    assert mixpanel.events == mixpanel.updates == []


def test_unknown_credentials_are_told():
    with Sandbox(Options(tokens=frozenset({"known"}))) as mixpanel:
        found = of_mixpanel(api_host=mixpanel.url, token="unknown")

    assert levels(found) == {"token": "error"}
    assert "401" in found["token"].found


def test_a_token_that_no_region_knows_is_compared_with_the_project_s(monkeypatch):
    with (
        Sandbox(Options(tokens=frozenset({"someone else's"}))) as us,
        Sandbox(Options(tokens=frozenset({"another's"}))) as others,
    ):
        regions = {"us": us.url, "eu": others.url, "in": others.url}
        monkeypatch.setattr("mixrelay.shared.mixpanel.proving.REGIONS", regions)
        monkeypatch.setattr("mixrelay.shared.mixpanel.endpoints.REGIONS", regions)
        found = of_mixpanel(token="mine")

    assert "in region us, and so do the other regions: 401" in found["token"].found
    assert found["token"].todo.startswith("Compare MIXPANEL_TOKEN with Mixpanel's project settings")
    assert "MIXPANEL_REGION" not in found["token"].todo


def test_a_refused_service_account_is_said_to_need_a_role(mixpanel_of_one_account):
    found = of_mixpanel(
        api_host=mixpanel_of_one_account,
        token="mine",
        project_id="1",
        service_account_username="mallory",
        service_account_secret="s",
    )

    assert levels(found) == {"service account": "error"}
    assert "role in the project must be Owner or Admin" in found["service account"].todo


@pytest.fixture
def mixpanel_of_one_account():
    known = {"service_account_username": "u", "service_account_secret": "s", "project_id": "1"}
    with Sandbox(Options(tokens=frozenset({"mine"}), **known)) as sandbox:
        yield sandbox.url


def test_where_events_go_is_told(mixpanel):
    found = of_mixpanel(api_host=mixpanel.url, token="t")
    assert "Events go to /import." in found["service account"].found

    found = of_mixpanel(api_host=mixpanel.url, token="t", events_endpoint="track")
    assert "/track, which drops what it refuses" in found["service account"].found


def test_tokens_that_workers_met_are_listed_without_asking_mixpanel(well, redis_url):
    queue = Queue(well, QUEUE)
    refuse(queue, OURS, likelier="region", elsewhere="eu")
    leave_unproven(queue, THEIRS)
    found = listed(redis_url)

    assert found["tokens", OURS.masked]["level"] == "error"
    assert found["tokens", OURS.masked]["todo"].startswith("Set MIXPANEL_REGION=eu")
    assert found["tokens", THEIRS.masked]["level"] == "warning"

    prove(queue, OURS)
    assert listed(redis_url)["tokens", OURS.masked]["level"] == "ok"


def test_a_container_of_redis_is_not_ill_because_a_token_is_refused(well, redis_url):
    refuse(Queue(well, QUEUE), OURS)
    assert doctor(redis_url, "--redis-only").returncode == 0


def test_a_tracking_plan_is_read(well, redis_url, tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text('[{"entityType": "event", "name": "Paid", "schemaJson": {}}]')
    found = listed(redis_url, MIXRELAY_TRACKING_PLAN=str(plan))["settings", "tracking plan"]
    assert (found["level"], found["found"]) == (
        "ok",
        f"{plan} has 1 event; records that are not as it says: sent and counted.",
    )
    plan.write_text('[{"entityType": "event", "name": "Paid"}]')
    found = listed(redis_url, MIXRELAY_TRACKING_PLAN=str(plan))["settings", "tracking plan"]
    assert found["level"] == "error"
    assert "event 'Paid': [0].schemaJson is no object" in found["found"]
    assert ("settings", "tracking plan") not in listed(redis_url)


def test_a_service_account_without_a_token_is_told(well, redis_url):
    account = {"USERNAME": "u", "SECRET": "s"}
    variables = {f"MIXPANEL_SERVICE_ACCOUNT_{name}": value for name, value in account.items()}
    found = listed(redis_url, MIXPANEL_PROJECT_ID="1", **variables)["settings", "variables"]

    assert found["level"] == "error"
    assert "MIXPANEL_TOKEN is not set" in found["found"]


def test_a_missing_token_is_told(mixpanel):
    assert levels(of_mixpanel(api_host=mixpanel.url)) == {"token": "warning"}
    account = {
        "project_id": "1",
        "service_account_username": "u",
        "service_account_secret": "s",
    }
    found = of_mixpanel(api_host=mixpanel.url, **account)
    assert levels(found) == {"token": "error"}
    assert "MIXPANEL_PROJECT_ID" in found["token"].todo


def test_the_region_that_knows_the_project_is_named(monkeypatch):
    with (
        Sandbox(Options(tokens=frozenset({"someone else's"}))) as us,
        Sandbox(Options(tokens=frozenset({"mine"}))) as eu,
    ):
        regions = {"us": us.url, "eu": eu.url, "in": us.url}
        monkeypatch.setattr("mixrelay.shared.mixpanel.proving.REGIONS", regions)
        monkeypatch.setattr("mixrelay.shared.mixpanel.endpoints.REGIONS", regions)
        found = of_mixpanel(token="mine")

    assert found["token"].found == "Mixpanel refuses it in region us, and knows it in eu."
    assert found["token"].todo == "Set MIXPANEL_REGION=eu and restart the workers."


@pytest.mark.parametrize("fault", ["html", "redirect", "empty"])
def test_a_page_of_something_else_is_not_mixpanel(mixpanel, fault):
    mixpanel.fault(fault)

    found = of_mixpanel(api_host=mixpanel.url, token="t")

    assert levels(found)["/track"] == "error"
    assert "MIXPANEL_API_HOST" in found["/track"].todo


def test_an_outage_is_a_warning(mixpanel):
    mixpanel.fault("status", status=503)

    assert levels(of_mixpanel(api_host=mixpanel.url, token="t"))["/track"] == "warning"


def test_a_host_that_is_not_there_is_told():
    found = of_mixpanel(api_host="http://127.0.0.1:1", token="t")

    assert "no connection" in found["/track"].found
    assert "firewall" in found["/track"].todo


@contextmanager
def answering_with_date(date):
    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp=None):
            return date

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "12")
            self.end_headers()
            self.wfile.write(b'{"status":1}')

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        joined(thread)


def test_a_clock_that_is_wrong_is_told():
    with answering_with_date("Mon, 01 Jan 2024 00:00:00 GMT") as url:
        found = of_mixpanel(api_host=url, token="t")

    assert "NTP" in found["clock"].todo


def doctor(redis_url, *options, **environment):
    return finished(
        [COMMAND, "doctor", "--redis-url", redis_url, *options],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def listed(redis_url, **environment):
    ended = doctor(redis_url, "--no-mixpanel", "--json", **environment)
    return {(f["area"], f["check"]): f for f in map(json.loads, ended.stdout.splitlines())}


def test_no_worker_is_told(well, redis_url):
    found = listed(redis_url)["workers", "running"]

    assert found["level"] == "error"
    assert "mixrelay worker" in found["todo"]


def test_workers_of_another_list_are_named(well, redis_url):
    other = RqWorker([RqQueue("mixrelay:other", connection=well)], connection=well)
    other.register_birth()

    found = listed(redis_url)["workers", "running"]

    assert "mixrelay:other" in found["found"]
    assert "MIXRELAY_QUEUE" in found["todo"]


def test_what_rq_gave_up_is_told(well, redis_url):
    queue = RqQueue("mixrelay", connection=well)
    RqWorker([queue], connection=well).register_birth()
    FailedJobRegistry(queue=queue).add(queue.enqueue("builtins.print"), ttl=60)

    found = listed(redis_url)

    assert found["workers", "running"]["level"] == "ok"
    assert found["workers", "rq's failed jobs"]["level"] == "warning"


def test_settings_that_do_not_fit_are_told(well, redis_url):
    found = listed(redis_url, MIXRELAY_DEADLINE="40", MIXRELAY_LEASE="30")

    assert "MIXRELAY_DEADLINE" in found["settings", "variables"]["found"]


def test_the_page_for_people_says_what_to_do_and_ends_with_1(well, redis_url):
    ended = doctor(redis_url, "--no-mixpanel")

    assert ended.returncode == 1
    assert "error    running: No worker runs." in ended.stdout
    assert "→ Start some: mixrelay worker --processes 2." in ended.stdout


def test_a_sound_setup_ends_with_0(well, redis_url, mixpanel):
    RqWorker([RqQueue("mixrelay", connection=well)], connection=well).register_birth()

    ended = doctor(redis_url, MIXPANEL_API_HOST=mixpanel.url, MIXPANEL_TOKEN="t")

    assert ended.returncode == 0, ended.stdout
    assert "nothing to do" in ended.stdout
