"""Operators at two dashboards want the same letters, and a dashboard and a worker are killed."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from html import unescape
from pathlib import Path
from random import Random

import httpx
import orjson
import pytest

from mixrelay.shared.queue import (
    Batch,
    Dead,
    Job,
    Lane,
    LetterFilter,
    Limits,
    Member,
    Queue,
    Settlement,
)
from mixrelay.shared.queue import new_id as new_claim
from tests.chaos.ledger import Findings, Ledger, number_of
from tests.chaos.partitioned import one_and_several
from tests.support.command import COMMAND, environment
from tests.support.fleet import Fleet, wait_until
from tests.support.ports import free_port
from tests.support.processes import Process

TOKEN = "the-operators-password"
SHORT, FULL = 2_400, 40_000
REASONS = (("invalid", 400), ("rejected", 400), ("exhausted", 500), ("unauthorized", 401))
"""A quarter each; the last is nobody's business."""
JOB_SECONDS = 4.0
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
BOX = re.compile(r'name="id" value="([^"]+)"')


class Dashboard:
    """`mixrelay dashboard` at a port that stays the same when it is started again."""

    def __init__(self, redis_url: str, folder: Path, partitions: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment(
            MIXRELAY_REDIS_URL=redis_url,
            MIXRELAY_PARTITIONS=str(partitions),
            MIXRELAY_DASHBOARD_TOKEN=TOKEN,
        )
        self._log = folder / f"dashboard-{self.port}.log"
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as output:
            command = [COMMAND, "dashboard", "--port", str(self.port)]
            self.process = Process(command, env=self._environment, stdout=output, stderr=output)
        wait_until(self._answers, 30, f"{self.url}\n{self._log.read_text()}")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=10).is_success
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def dashboards(redis_url: str, tmp_path: Path, partitions: int) -> Iterator[list[Dashboard]]:
    started = [Dashboard(redis_url, tmp_path, partitions) for _ in range(2)]
    yield started
    for dashboard in started:
        dashboard.kill()


def bury(queue: Queue) -> None:
    """Makes a letter of every message that waits."""
    while any(queue.route()):
        pass
    for lane in Lane:
        limits = Limits(linger_seconds=0)
        while isinstance(
            batch := queue.reserve(
                lane, owner="bury", claim=new_claim(), lease_seconds=60, limits=limits
            ),
            Batch,
        ):
            dead = [Dead(one.number, *verdict(one)) for one in batch.members]
            queue.settle(batch, Settlement(dead=dead))


def verdict(member: Member) -> tuple[str, str, str, int]:
    message = orjson.loads(orjson.loads(member.payload)[1])
    reason, status = REASONS[(number_of(message["data"]) or 0) % len(REASONS)]
    return reason, "said so", "", status


class Operator:
    """Someone with a browser, who goes to the other dashboard when one is away."""

    def __init__(self, name: str, urls: list[str], client: httpx.Client) -> None:
        self.name = name
        self._urls = urls
        self._client = client

    def _ask(self, how: str, path: str, **options: object) -> httpx.Response:
        for _ in range(100):
            try:
                return self._client.request(how, self._urls[0] + path, **options)
            except httpx.TransportError:
                # A form may have arrived, or not: it is sent once more, as people do.
                self._urls.reverse()
                time.sleep(0.1)
        raise AssertionError("no dashboard answers")

    def get(self, path: str) -> str:
        answer = self._ask("GET", path)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    def post(self, path: str, form: dict[str, object]) -> httpx.Response:
        answer = self._ask("POST", path, data=form)
        assert answer.status_code == 303, answer.text
        return answer

    def start(self, kind: str, query: str, **form: str) -> str:
        """Plans, confirms and starts a bulk job; its id."""
        shown = self.get(f"/jobs/plan/{kind}?{query}")
        fields = dict(HIDDEN.findall(shown))
        answer = self.post(
            f"/jobs/start/{kind}", fields | {"typed": fields["planned"], "why": self.name} | form
        )
        return answer.headers["Location"].rpartition("/")[2]

    def work_off(self, query: str, chance: Random) -> None:
        """Chooses all letters of the first page and moves them, until none is left."""
        token = dict(HIDDEN.findall(self.get("/letters?reason=unauthorized")))["form_token"]
        while ids := BOX.findall(self.get(f"/letters?{query}")):
            move = chance.choice(("replay", "discard"))
            form = {"form_token": token, "id": ids, "move": move, "why": self.name}
            self.post("/letters/selected", form)


@pytest.fixture
def operator(dashboards: list[Dashboard]) -> Iterator[Callable[[str, int], Operator]]:
    """Someone of a name, who begins at one of the dashboards."""
    with ExitStack() as opened:

        def at(name: str, place: int) -> Operator:
            urls = [dashboards[place].url, dashboards[1 - place].url]
            client = httpx.Client(auth=(name, TOKEN), timeout=20)
            return Operator(name, urls, opened.enter_context(client))

        yield at


@pytest.mark.timeout(400)
@one_and_several
def test_each_letter_is_moved_once_whoever_asks_and_whoever_dies(  # noqa: PLR0917 - fixtures
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    dashboards: list[Dashboard],
    operator: Callable[[str, int], Operator],
    chance: Random,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    messages, queue = size(SHORT, FULL), ledger.queue
    quarter = messages // len(REASONS)
    ledger.push(messages)
    bury(queue)
    assert queue.books().dead == messages
    fleet = fleet_of(MIXRELAY_LEASE="6", MIXRELAY_EXTEND_EVERY="2", MIXRELAY_DEADLINE="4")
    fleet.start(2)
    ann, bob = operator("ann", 0), operator("bob", 1)

    job_id = ann.start("replay", "reason=rejected", rate=str(quarter / JOB_SECONDS))
    # The same letters at once: by the same filter, by another, and page by page.
    with_bob = [bob.start("discard", query) for query in ("status=500", "reason=exhausted")]
    hands = [
        threading.Thread(
            target=operator(f"hand-{place}", place % 2).work_off,
            args=("reason=invalid", Random(chance.random())),
        )
        for place in range(4)
    ]
    for hand in hands:
        hand.start()
    wait_until(lambda: moved(queue, job_id) >= quarter / 5, 60, "the job is in its middle")
    dashboards[0].kill()
    victim = fleet.workers[0]
    victim.kill_horse()
    victim.kill_parents()
    assert moved(queue, job_id) < quarter, "it was killed in the middle of the job"
    fleet.replace(victim)
    dashboards[0].start()
    for hand in hands:
        hand.join(200)
        assert not hand.is_alive()
    jobs = [over(queue, each) for each in (job_id, *with_bob)]
    fleet.wait_until_drained(120)

    books = queue.books()
    replayed, discarded = books.totals["replayed"], books.totals["discarded"]
    told = Counter[str]()
    for entry in queue.audit.newest(10_000):
        told[entry.what] += entry.count
    arrived = Counter(map(number_of, ledger.mixpanel.events)).keys()
    arrived |= Counter(map(number_of, ledger.mixpanel.updates)).keys()
    assert (told["replay"], told["discard"]) == (replayed, discarded), "the audit adds up"
    assert replayed + discarded == 3 * quarter, "each letter was moved once"
    assert len(arrived) == replayed, "what was discarded was not sent, what was replayed was"
    assert {entry.who for entry in queue.audit.newest(10_000)} >= {"ann", "bob"}
    assert jobs[0].moved == quarter
    assert sum(job.moved for job in jobs[1:]) == quarter
    assert "done" in ann.get(f"/jobs/{job_id}")
    assert queue.letters.count(LetterFilter()) == quarter
    found = ledger.findings()
    assert found.books == found.doubled == 0
    assert found.lost == discarded
    tell("operators at two dashboards; one and a worker killed", replace(found, lost=0))


def moved(queue: Queue, job_id: str) -> int:
    job = queue.jobs.get(job_id)
    return job.moved if job else 0


def over(queue: Queue, job_id: str) -> Job:
    """The job, once it has ended."""

    def has_ended() -> bool:
        job = queue.jobs.get(job_id)
        return job is not None and job.state.is_over

    wait_until(has_ended, 150, f"the end of job {job_id}")
    job = queue.jobs.get(job_id)
    assert job is not None
    assert job.state == "done", job
    return job
