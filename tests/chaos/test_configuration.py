"""Wrong credentials, addresses and certificates pause a destination, loudly, and cost nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import PausedDestination, Queue
from tests.support.command import mixrelay
from tests.support.fleet import Fleet, wait_until
from tests.support.ports import free_port
from tests.support.private_ca import Certificate
from tests.support.tls_proxy import TlsProxy
from tests.support.traffic import TOKEN
from tests.support.works import Works, event, imported

CERTIFICATES = Path(__file__).parents[1] / "data" / "tls"
NEVER = {"MIXRELAY_BACKOFF_BASE": "300", "MIXRELAY_BACKOFF_CAP": "300"}
OFTEN = {"MIXRELAY_BACKOFF_BASE": "0.1", "MIXRELAY_BACKOFF_CAP": "0.3"}


@pytest.fixture
def works(redis_url: str, queue: Queue, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Works]:
    running = Works(redis_url, queue, mixpanel, tmp_path)
    yield running
    running.end()


@pytest.fixture
def guarded() -> Iterator[Sandbox]:
    """One that takes a service account's credentials, and no others."""
    account = Options(
        service_account_username="svc", service_account_secret="right", project_id="1"
    )
    with Sandbox(account) as running:
        yield running


def account(sandbox: Sandbox, secret: str) -> dict[str, str]:
    return {
        "MIXPANEL_API_HOST": sandbox.url,
        "MIXPANEL_SERVICE_ACCOUNT_USERNAME": "svc",
        "MIXPANEL_SERVICE_ACCOUNT_SECRET": secret,
        "MIXPANEL_PROJECT_ID": "1",
    }


def paused(fleet: Fleet) -> PausedDestination:
    wait_until(lambda: bool(fleet.queue.books().paused), 60, "a pause")
    return fleet.queue.books().paused[0]


def open_circuits(fleet: Fleet) -> set[str]:
    return {one.destination.partition(":")[0] for one in fleet.queue.books().paused}


def events(count: int) -> list[bytes]:
    return [event(f"u{n}", token=TOKEN) for n in range(count)]


ALL_OF_A_TOKEN = {"import", "track", "engage", "groups"}
"""Endpoints whose circuits the refusal of a token opens."""


@pytest.mark.timeout(120)
def test_refused_credentials_are_told_and_the_lane_resumes_once_they_are_taken_again(
    fleet_of: Callable[..., Fleet], mixpanel: Sandbox, redis_url: str
) -> None:
    fleet = fleet_of(**OFTEN)
    refusal = mixpanel.fault("unauthorized", endpoint="/import")
    fleet.queue.push(events(500))
    fleet.start(1)
    assert (paused(fleet).kind, paused(fleet).status) == ("configuration", 401)
    told = mixrelay("status", "--json", expect=ExitCode.FINDING, MIXRELAY_REDIS_URL=redis_url)
    assert b"Mixpanel refuses token " in told.stderr
    shown = orjson.loads(told.stdout)["paused"]
    assert all("401" in one["reason"] for one in shown), shown
    assert "import" in {one["destination"].partition(":")[0] for one in shown}
    # Those behind which nothing waits close when their time is up, until the next refusal.
    wait_until(lambda: open_circuits(fleet) == ALL_OF_A_TOKEN, 30, "all of its circuits are open")
    assert {one["status"] for one in orjson.loads(told.stdout)["tokens"]} == {401}
    assert "token_refused: " in fleet.workers[0].log.read_text()
    wait_until(lambda: len(mixpanel.requests) > 4, 30, "it is tried again and again")
    assert (fleet.queue.books().waiting, fleet.queue.books().dead) == (500, 0)
    mixpanel.clear_faults(refusal)
    fleet.wait_until_drained(30)
    assert len(mixpanel.events) == 500


@pytest.mark.timeout(120)
def test_changed_credentials_are_used_at_once_whatever_the_pause(
    fleet_of: Callable[..., Fleet], guarded: Sandbox
) -> None:
    wrong = fleet_of(**NEVER, **account(guarded, "wrong"))
    wrong.queue.push(events(500))
    wrong.start(1)
    assert paused(wrong).seconds > 100
    assert wrong.workers[0].terminate(20) == 0
    right = fleet_of(**NEVER, **account(guarded, "right"))
    right.start(1)
    right.wait_until_drained(30)
    assert len(guarded.events) == 500
    assert right.queue.books().dead == 0


@pytest.mark.timeout(120)
def test_a_messages_own_wrong_key_pauses_nothing(
    fleet_of: Callable[..., Fleet], guarded: Sandbox, redis_url: str
) -> None:
    fleet = fleet_of(**NEVER, **account(guarded, "right"))
    fleet.queue.push(
        [*events(50), imported("x", api_key="of-its-own", token="of-others"), *events(50)]
    )
    fleet.start(1)
    fleet.wait_until_drained(60)
    listed = mixrelay("dlq", "list", "--json", MIXRELAY_REDIS_URL=redis_url).stdout
    [letter] = map(orjson.loads, listed.splitlines())
    assert (letter["reason"], letter["status"]) == ("unauthorized", 401)
    assert fleet.queue.books().paused == ()
    assert "misconfigured" not in fleet.workers[0].log.read_text()


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_of_the_whole_keeps_everything_until_it_is_put_right(
    works: Works, status: int
) -> None:
    works.push(*(event(f"u{n}") for n in range(50)))
    works.box.fault("status", status=status)
    works.drain_while(lambda: len(works.box.requests) < 4, attempts=1, part_attempts=1)
    circuits = works.books.paused
    assert {(one.kind, one.status) for one in circuits} == {("configuration", status)}
    # A 404 says nothing about the token.
    assert len(circuits) == (1 if status == 404 else len(ALL_OF_A_TOKEN))
    proof = 1
    assert {one.records for one in works.box.requests} <= {50, proof}, "it is kept together"
    assert (works.books.waiting, works.books.dead) == (50, 0)
    works.box.clear_faults()
    works.drain()
    assert len(works.users()) == 50


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed_and_nothing_goes_elsewhere(works: Works, status: int) -> None:
    works.push(event("a"))
    with Sandbox() as elsewhere:
        works.box.fault("redirect", status=status, location=f"{elsewhere.url}/import")
        works.drain_while(lambda: len(works.box.requests) < 3)
        assert elsewhere.requests == []
    [pause] = works.books.paused
    assert (pause.kind, pause.status) == ("configuration", status)
    assert elsewhere.url in pause.reason
    assert (works.books.waiting, works.books.dead) == (1, 0)
    works.box.clear_faults()
    works.drain()
    assert works.users() == ["a"]


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("empty", {}),
        ("empty", {"status": 204}),
        ("status", {"status": 200, "body": "{}"}),
        ("status", {"status": 200, "body": "null"}),
        ("status", {"status": 200, "body": '{"status": "1"}'}),
        ("truncate", {}),
        ("trickle", {"seconds": 0.5}),
        ("huge", {}),
        ("html", {"status": 502}),
    ],
)
def test_what_is_no_whole_answer_of_mixpanels_is_no_success(
    works: Works, kind: str, how: dict[str, object]
) -> None:
    works.push(event("a"), event("b"))
    works.box.fault(kind, count=2, **how)
    works.drain(max_answer_bytes=100_000, deadline=1.0)
    assert works.users() == ["a", "b"]
    assert all(one.same for one in works.box.duplicates), "sent again as they were"
    assert len(works.box.requests) == 3
    assert (works.books.totals["delivered"], works.books.dead) == (2, 0)


@pytest.mark.parametrize(
    ("host", "word"), [("http://nowhere.invalid", "name was not found"), ("refused", "refused")]
)
def test_where_nothing_can_be_sent_everything_is_kept(works: Works, host: str, word: str) -> None:
    address = f"http://127.0.0.1:{free_port()}" if host == "refused" else host
    works.push(event("a"), event("b"))
    failures: list[int] = []

    def few_failures() -> bool:
        failures[:] = [pause.failures for pause in works.books.paused]
        return not failures or failures[0] < 4

    works.drain_while(few_failures, to=works.settings(api_host=address), attempts=1)
    [pause] = works.books.paused
    assert pause.kind == "outage"
    assert word in pause.reason.lower()
    assert (works.books.waiting, works.books.dead) == (2, 0)
    works.drain()
    assert works.users() == ["a", "b"]


@pytest.mark.parametrize(
    ("certificate", "trusted", "said"),
    [
        ("localhost", False, "self-signed certificate"),
        ("elsewhere", True, "not valid for 'localhost'"),
        ("expired", True, "expired"),
    ],
)
def test_a_certificate_that_is_not_valid_pauses_until_it_is(
    works: Works, certificate: str, said: str, *, trusted: bool
) -> None:
    works.push(event("a"))
    file, key = (CERTIFICATES / f"{certificate}.{end}" for end in ("pem", "key"))
    well = CERTIFICATES / "localhost.pem"
    proxy = TlsProxy(Certificate(file, key, file), int(works.box.url.rpartition(":")[2]))
    try:
        to = works.settings(api_host=f"https://localhost:{proxy.port}")
        ca_file = str(file) if trusted else ""
        works.drain_while(lambda: not works.books.paused, to=to, ca_file=ca_file)
        [pause] = works.books.paused
        assert pause.kind == "configuration"
        assert said in pause.reason
        assert works.box.requests == []
        assert (works.books.waiting, works.books.dead) == (1, 0)
        proxy.present(well, CERTIFICATES / "localhost.key")
        works.drain(to=to, ca_file=str(well))
        assert works.users() == ["a"]
    finally:
        proxy.close()


def test_a_server_that_speaks_no_tls_is_an_outage(works: Works) -> None:
    works.push(event("a"))
    to = works.settings(api_host=works.box.url.replace("http://", "https://"))
    works.drain_while(lambda: not works.books.paused, to=to)
    [pause] = works.books.paused
    assert pause.kind == "outage"
    assert (works.books.waiting, works.books.dead) == (1, 0)
