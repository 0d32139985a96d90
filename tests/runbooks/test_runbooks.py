"""Runbooks about Mixpanel, producers and workers: followed to the letter, with traffic going on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Lane, LetterFilter, Queue
from tests.support.fleet import Fleet, wait_until
from tests.support.letters import event
from tests.support.runbook import PATIENCE, TOKEN, Runbook, Traffic, demand_balance

DEEP = [[[[["book"]]]]]
OTHER = "ffeeddccbbaa99887766554433221100"
GRACE = 60.0
_OLD = {"event": "Old", "properties": {"distinct_id": "o", "token": OTHER, "time": 1_790_000_000}}
FOREIGN = json.dumps(["import", json.dumps({"data": _OLD, "api_key": "foreign"})]).encode()


@pytest.fixture
def fleet(redis_url: str, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(redis_url, mixpanel.url, tmp_path, MIXRELAY_LINGER="0.1")
    fleet.start(1)
    yield fleet
    fleet.close()


@pytest.fixture
def traffic(redis_url: str) -> Iterator[Traffic]:
    with Traffic(redis_url) as running:
        yield running


@pytest.fixture
def events(redis_url: str) -> Iterator[Traffic]:
    """Traffic of events alone, which carry no token: they go by the workers'."""
    with Traffic(redis_url, token="") as running:
        yield running


def until(holds: Any, what: str) -> None:
    wait_until(holds, PATIENCE, what)


def has_delivered(queue: Queue, more: int = 10) -> None:
    """Waits until something is delivered from now on."""
    before = queue.books().totals["delivered"]
    until(lambda: queue.books().totals["delivered"] >= before + more, "something is delivered")


def restart(fleet: Fleet, **settings: str) -> None:
    """Each worker by SIGTERM, and a new one in its place, as a supervisor does."""
    for worker in list(fleet.workers):
        assert worker.terminate(GRACE) == 0
        fleet.environment |= settings
        fleet.replace(worker)


def test_an_outage_of_mixpanel(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet, traffic: Traffic
) -> None:
    book = Runbook("An outage of Mixpanel", redis_url)
    has_delivered(queue)
    mixpanel.fault("status", status=503)
    until(lambda: queue.books().paused, "the circuit opens")
    until(lambda: queue.books().waiting > 100, "a backlog")
    assert "503" in book.run("mixrelay status", expect=None)
    book.run("mixrelay doctor", expect=None, **mixpanel_of(fleet))
    assert "Fine" in book.run("mixrelay queue top")
    mixpanel.clear_faults()
    demand_balance(queue, mixpanel, traffic)
    assert queue.books().dead == 0
    book.demand_all_run()


def mixpanel_of(fleet: Fleet) -> dict[str, str]:
    return {name: fleet.environment[name] for name in ("MIXPANEL_API_HOST", "MIXPANEL_TOKEN")}


def test_no_worker_runs(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet, traffic: Traffic
) -> None:
    book = Runbook("No worker runs", redis_url)
    has_delivered(queue)
    assert fleet.workers[0].terminate(GRACE) == 0
    assert "no worker runs" in book.run("mixrelay status", expect=None).lower()
    fleet.start(1, "--processes", "2")
    book.passes_over("mixrelay worker --processes 2")
    demand_balance(queue, mixpanel, traffic)
    book.demand_all_run()


def test_wrong_credentials_or_region(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet, events: Traffic
) -> None:
    book = Runbook("Wrong credentials or region", redis_url)
    has_delivered(queue)
    mixpanel.know_only(OTHER)
    queue.push([FOREIGN])
    until(lambda: queue.books().paused, "the refusal holds messages back")
    book.run("mixrelay doctor", expect=None, **mixpanel_of(fleet))
    assert "MIXPANEL_TOKEN" in book.run("mixrelay config worker", **mixpanel_of(fleet))
    restart(fleet, MIXPANEL_TOKEN=OTHER)
    until(lambda: queue.books().dead == 1, "its own key is refused")
    mixpanel.know("foreign")
    has_delivered(queue)
    assert book.run("mixrelay dlq replay --reason unauthorized --dry-run").startswith(
        "Would replay 1"
    )
    book.run("mixrelay dlq replay --reason unauthorized --yes")
    demand_balance(queue, mixpanel, events)
    assert queue.books().dead == 0
    book.demand_all_run()


def bad(number: int) -> bytes:
    wrong: list[dict[str, Any]] = [
        {"Cart": DEEP},
        {"Fee": number, "Cart": list(range(300))},
        {"time": "yesterday"},
    ]
    return event("Checked Out", f"c{number}", n=number, **wrong[number % 3])


def test_a_bad_release(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet, traffic: Traffic
) -> None:
    many, others = 2_000, 5
    book = Runbook("A bad release", redis_url, EVENT="Checked Out", RELEASE="r7", WHY="wrong")
    queue.push([bad(n) for n in range(many)])
    queue.push([event("Other", f"o{n}", Cart=DEEP) for n in range(others)])
    until(lambda: queue.books().dead == many + others, "all letters")
    assert "mixrelay dlq fix --group" in book.run("mixrelay dlq stats")
    fixes = [one for one in book.commands if one.startswith("mixrelay dlq fix --event")]
    preview, fix = fixes
    assert f"{many:,} would be corrected" in book.run(preview)
    book.run(fix)
    [job] = queue.jobs.newest()
    until(lambda: (queue.jobs.get(job.id) or job).moved > 10, "some are on their way")
    assert "re-queued" in book.run("mixrelay dlq jobs")
    book.values["JOB"] = job.id
    assert "as before the fix" in book.run("mixrelay dlq fix --undo")
    undone = queue.jobs.get(job.id)
    assert undone is not None
    assert undone.undone + undone.moved == many
    book.run(fix)
    [again, _] = queue.jobs.newest()
    book.ended(f"mixrelay dlq rate {again.id} 0", 0, {})
    book.ended(f"mixrelay dlq jobs {again.id} --wait", 0, {})
    demand_balance(queue, mixpanel, traffic)
    mine = [one["properties"] for one in mixpanel.events if one["event"] == "Checked Out"]
    assert sorted(one["n"] for one in mine) == list(range(many))
    left = list(queue.letters.find(LetterFilter()))
    assert [b"Other" in one.payload and not one.edits for one in left] == [True] * others
    book.demand_all_run()


def test_a_rotated_secret(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet, events: Traffic
) -> None:
    book = Runbook("A rotated secret", redis_url)
    mixpanel.know_only(TOKEN)
    has_delivered(queue)
    mixpanel.know(OTHER)
    fleet.start(1)
    until(lambda: len(fleet.workers) == 2, "a second worker")
    restart(fleet, MIXPANEL_TOKEN=OTHER)
    has_delivered(queue)
    book.run("mixrelay queue top")
    until(lambda: not queue.books().paused, "no circuit is open")
    mixpanel.revoke(TOKEN)
    has_delivered(queue, 50)
    assert "refuse" not in book.run("mixrelay status", expect=None)
    demand_balance(queue, mixpanel, events)
    assert queue.books().dead == 0
    book.demand_all_run()


def test_an_upgrade_and_a_downgrade(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet, traffic: Traffic
) -> None:
    book = Runbook("An upgrade, and a downgrade", redis_url)
    fleet.start(1)
    has_delivered(queue)
    for _ in range(2):
        restart(fleet)
        has_delivered(queue)
    book.run("mixrelay status", expect=None)
    book.run("mixrelay doctor", expect=None, **mixpanel_of(fleet))
    demand_balance(queue, mixpanel, traffic)
    assert queue.books().dead == 0
    schema = "{mixpanel_queue}:schema"
    queue.redis.set(schema, 99)
    assert not book.ended("mixrelay dlq replay --all", 4, {}), "an older program changes nothing"
    book.demand_all_run()


def test_a_runaway_producer(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet, traffic: Traffic
) -> None:
    junk = 3_000
    book = Runbook("A runaway producer", redis_url, EVENT="Junk", RELEASE="r42")
    fleet.workers[0].terminate(GRACE)
    queue.push([event("Junk", f"j{n}") for n in range(junk)])
    assert "Junk" in book.run("mixrelay queue top")
    book.run("mixrelay pause event")
    fleet.replace(fleet.workers[0])
    drops = [one for one in book.commands if "queue drop" in one]
    dry, wet = drops
    assert f"Would drop {junk:,} messages" in book.run(dry)
    until(lambda: queue.books().leased[Lane.EVENT] == 0, "no worker holds events")
    assert f"Dropped {junk:,} messages" in book.run(wet)
    book.run("mixrelay dlq replay --reason dropped")
    assert f"Dropped {junk:,} messages" in book.run(wet)
    book.run("mixrelay resume event")
    book.run("mixrelay dlq discard --reason dropped")
    demand_balance(queue, mixpanel, traffic)
    assert not any(one["event"] == "Junk" for one in mixpanel.events)
    assert (queue.books().dead, queue.letters.trash.size().letters) == (0, junk)
    book.demand_all_run()


def test_a_person_to_erase(
    queue: Queue, redis_url: str, mixpanel: Sandbox, fleet: Fleet, traffic: Traffic
) -> None:
    book = Runbook("A person to erase", redis_url, ID="eve", NUMBER="1042")
    queue.push([event("E", who, Cart=DEEP) for who in ("eve", "bob", "eve")])
    until(lambda: queue.books().dead == 3, "letters about them")
    has_delivered(queue)
    dry, wet = book.commands
    assert "Would erase 2 records" in book.run(dry)
    assert "Erased 2 records" in book.run(wet)
    assert "Would erase 0 records" in book.run(dry)
    demand_balance(queue, mixpanel, traffic)
    assert [b"bob" in one.payload for one in queue.letters.find(LetterFilter())] == [True]
    book.demand_all_run()


def test_a_partition_to_add(
    redis_url: str, mixpanel: Sandbox, fleet: Fleet, traffic: Traffic
) -> None:
    book = Runbook("A partition to add", redis_url)
    three = Queue(connect(redis_url), partitions=3)
    has_delivered(three)
    # Producers that were restarted too early: what they push waits until a worker knows of it.
    three.push([event("Spread", f"s{n}") for n in range(60)])
    restart(fleet, MIXRELAY_PARTITIONS="3")
    until(lambda: three.refresh() == 3, "the first worker announces it")
    three.push([event("Spread", f"t{n}") for n in range(60)])
    book.run("mixrelay doctor", expect=None, **mixpanel_of(fleet))
    book.run("mixrelay status", expect=None)
    demand_balance(three, mixpanel, traffic)
    spread = [one for one in mixpanel.events if one["event"] == "Spread"]
    assert len(spread) == 120
    book.demand_all_run()
