"""Every way of being degraded is said by `status`, the page, the alert and the metric alike."""

import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from rq import Queue as RqQueue
from rq import SimpleWorker
from rq.suspension import suspend

from mixrelay.console.alerting.findings import findings
from mixrelay.console.health.judging import judge
from mixrelay.console.health.limits import Limits
from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.status.look import look
from mixrelay.shared.queue import Lane, Pause, PauseKind, Settlement, Shard
from tests.support.bench import event, outage, update
from tests.support.console import called
from tests.support.letters import event as timed
from tests.support.tokens import OURS, leave_unproven, refuse

DAY = (datetime.now(UTC).date() - datetime.fromtimestamp(0, UTC).date()).days
NESTED = {"error": "nests 12 levels deep, at most 3 are allowed", "field": "properties.Cart"}


@pytest.fixture(autouse=True)
def worker(redis):
    """A worker that is there, so that its absence is not what is found."""
    started = SimpleWorker([RqQueue("mixrelay", connection=redis)], connection=redis)
    started.register_birth()
    return started


def die(bench, count, name="Checked Out", **verdict):
    bench.route(*(event(name) for _ in range(count)))
    bench.bury(bench.take(), **verdict)


def deliver(bench, count):
    bench.route(*(event("Page Viewed") for _ in range(count)))
    bench.deliver(bench.take())


def failing(bench, **_):
    deliver(bench, 26)
    die(bench, 24, **NESTED)


def open_circuit(bench, kind=PauseKind.OUTAGE, seconds=120):
    bench.route(event("a"))
    park = replace(outage(), pause=Pause(kind, base_ms=3_600_000))
    batch = bench.take()
    bench.park(batch, park)
    key = bench.key(f"pause:{batch.destination}")
    bench.redis.hset(key, "since", int(bench.redis.time()[0] * 1000) - seconds * 1000)


def no_worker(bench, worker, **_):
    worker.register_death()
    bench.queue.push([event("a")])


def too_old(bench, **_):
    now = bench.redis.time()[0]
    bench.queue.push([timed("a", time=(now - 1_000) * 1000)])


def unproven(bench, **_):
    leave_unproven(bench.queue, OURS)
    key = bench.key("tokens")
    [(name, text)] = bench.redis.hgetall(key).items()
    state = json.loads(text)
    bench.redis.hset(key, name, json.dumps(state | {"since": state["since"] - 600_000}))


def nearly_full(bench, undo, **_):
    undo(lambda: bench.redis.config_set("maxmemory", 0))
    for number in range(20):
        bench.redis.set(f"filler:{number}", b"x" * 1_000_000)
    # The buffers that brought it are freed by and by.
    used = min(bench.redis.info("memory")["used_memory"] for _ in range(50))
    bench.redis.config_set("maxmemory", int(used * 1.05))


def evicting(bench, undo, **_):
    undo(lambda: bench.redis.config_set("maxmemory-policy", "noeviction"))
    bench.redis.config_set("maxmemory-policy", "allkeys-lru")


def unaccounted(bench, **_):
    bench.route(event("a"))
    bench.redis.delete(bench.key("lane:event"))


def refused(bench, **_):
    bench.route(event("a"))
    bench.queue.settle(bench.take(), Settlement(delivered="all", sent=True, refusals=3))


def hot(bench, **_):
    shard = Shard(DAY, "distinct_id", OURS.fingerprint, "", "ann@example.com")
    bench.queue.hot.add({shard: 150_000})


def unknown_outcome(bench, **_):
    now = bench.redis.time()[0] // 60
    bench.redis.hincrby(bench.key(f"minute:{now}"), "ambiguous", 2)


def letters_go(bench, **_):
    die(bench, 9)
    bench.queue.retention.expire(None, 10)
    for minute in bench.redis.keys(bench.key("minute:*")):
        bench.redis.delete(minute)


WAYS = {
    "failing": (failing, "failing", "", "48 % of messages failing since"),
    "outage": (lambda bench, **_: open_circuit(bench), "paused", "outage", "open for 2 min"),
    "wrong settings": (
        lambda bench, **_: open_circuit(bench, PauseKind.CONFIGURATION, 0),
        "paused",
        "configuration",
        "503 from Mixpanel",
    ),
    "paused by an operator": (
        lambda bench, **_: bench.queue.pause(Lane.IMPORT, who="ann", why="a move"),
        "paused",
        "import",
        "has been paused by ann",
    ),
    "no worker": (no_worker, "no_worker", "", "1 message in the backlog, and no worker runs"),
    "too old": (too_old, "oldest", "", "The oldest message is 17 min old"),
    "suspended": (lambda bench, **_: suspend(bench.redis), "suspended", "", "rq suspend"),
    "refused token": (
        lambda bench, **_: refuse(bench.queue, OURS),
        "token_refused",
        "",
        "Mixpanel refuses token",
    ),
    "unproven token": (unproven, "token_unproven", "", "has been unproven"),
    "nearly full": (nearly_full, "unsafe", "memory", "Redis is nearly full: "),
    "evicting": (evicting, "unsafe", "eviction", "allkeys-lru"),
    "unaccounted": (unaccounted, "unsafe", "books", "1 message too few"),
    "refused settlements": (refused, "refused", "", "3 settlements"),
    "hot shard": (hot, "hot_shard", "", "75% of Mixpanel's limit"),
    "letters go": (letters_go, "letters_go", "count", "9 dead letters are 90%"),
}
TICKETS = {
    "new cause": (
        lambda bench, **_: die(bench, 1, **NESTED),
        "new_cause",
        "",
        "properties.Cart: nests 12",
    ),
    "outcome unknown": (unknown_outcome, "ambiguous", "", "The outcome of 2 increments"),
}


def metric(queue, redis_url, kind, cause):
    registry = CollectorRegistry()
    registry.register(QueueCollector(lambda: look(queue, redis_url), dict))
    samples = [
        sample
        for one in registry.collect()
        if one.name == "mixrelay_problem"
        for sample in one.samples
    ]
    fired = {(sample.labels["kind"], sample.labels["cause"]) for sample in samples if sample.value}
    return (kind, cause) in fired, registry.get_sample_value("mixrelay_degraded")


@pytest.fixture
def undo():
    """What puts the server's settings back."""
    done = []
    yield done.append
    for one in done:
        one()


@pytest.fixture
def bring_about(bench, worker, undo):
    """Brings a way of being degraded about."""
    return lambda way: (WAYS | TICKETS)[way][0](bench, worker=worker, undo=undo)


@pytest.mark.parametrize("way", [*WAYS, *TICKETS])
def test_status_page_alert_and_metric_name_the_same_cause(bring_about, queue, redis_url, page, way):
    _, kind, cause, words = (WAYS | TICKETS)[way]
    is_urgent = way in WAYS
    assert look(queue, redis_url).health().state == "well"

    bring_about(way)

    health = look(queue, redis_url).health()
    [found] = [one for one in health.problems if one.kind == kind and words in one.summary]
    assert health.state == ("degraded" if is_urgent else "note"), health
    written, said = called("status", "--json", expect=int(is_urgent), MIXRELAY_REDIS_URL=redis_url)
    told = json.loads(written)["health"]
    assert told["state"] == health.state
    assert (kind, found.severity) in {(one["kind"], one["severity"]) for one in told["problems"]}
    assert words in said
    shown = html.unescape(page.get("/").text)
    assert words in re.search(r'<section class="banner.*?</section>', shown, re.DOTALL)[0]
    [title] = re.findall("<title>(.*?)</title>", shown)
    assert title.startswith("Degraded: " if is_urgent else "Overview"), title
    assert ("icon-" in shown.partition(" data-good")[0]) == is_urgent
    alerted = {one.alert for one in findings(look(queue, redis_url), oldest=300)}
    # A reason that is new altogether has an alert of its own.
    assert kind in alerted or (kind == "new_cause" and "new_reason" in alerted)
    assert metric(queue, redis_url, kind, cause) == (True, is_urgent)


def test_a_queue_that_was_emptied_is_found_by_a_worker_and_told_by_all(
    bench, queue, redis, redis_url
):
    deliver(bench, 3)
    queue.guard()
    assert look(queue, redis_url).health().state == "well"
    for key in redis.keys("{mixpanel_queue}:*"):
        redis.delete(key)
    queue.guard()
    [problem] = look(queue, redis_url).health().urgent
    assert problem.kind == "emptied"
    assert problem.summary.startswith("This queue was emptied")


def test_the_headline_has_a_number_a_time_a_cause_and_the_event(bench, queue, redis_url):
    failing(bench)
    minute = datetime.fromtimestamp(bench.redis.time()[0] // 60 * 60, UTC)
    headline = look(queue, redis_url).health().headline
    assert headline in {
        f"Degraded: 48 % of messages failing since {at:%H:%M} UTC: properties.Cart: nests 12 "
        "levels deep, at most 3 are allowed (24, Checked Out)."
        for at in (minute, datetime.fromtimestamp(minute.timestamp() - 60, UTC))
    }
    for key in bench.redis.keys(bench.key("minute:*")):
        bench.redis.delete(key)  # as minutes go by
    assert look(queue, redis_url).health().state == "note", "it is over, and the letters are kept"


def test_no_alarm_for_an_outage_of_half_a_minute(bench, queue, redis_url):
    open_circuit(bench, seconds=30)
    figures = look(queue, redis_url)
    assert [str(one)[:25] for one in figures.health().notes] == ["The circuit of track/1 has"[:25]]
    assert figures.health().state == "note"
    assert list(findings(figures, oldest=300)) == []
    assert metric(queue, redis_url, "paused", "outage") == (False, 0)


def test_no_alarm_for_ten_bad_events_in_a_million(bench, queue, redis_url):
    die(bench, 10, **NESTED)
    now = bench.redis.time()[0] // 60
    bench.redis.hincrby(bench.key(f"minute:{now}"), "delivered", 1_000_000)
    health = look(queue, redis_url).health()
    assert health.urgent == []
    assert {one.severity for one in health.notifying} == {"ticket"}


def test_no_page_for_one_event_that_fails_alone(bench, queue, redis_url):
    die(bench, 9, **NESTED)
    assert look(queue, redis_url).health().urgent == []
    die(bench, 1, **NESTED)
    assert [one.kind for one in look(queue, redis_url).health().urgent] == ["failing"]


def test_a_cause_that_older_letters_have_is_not_new(bench, queue, redis_url):
    die(bench, 1, **NESTED)
    before = look(queue, redis_url).recent
    assert [one.is_new for one in before.causes] == [True]
    # As if an hour had passed: the index has the time of each letter.
    for index in bench.redis.keys(bench.key("dead*")):
        if bench.redis.type(index) == b"zset":
            for number, at in bench.redis.zrange(index, 0, -1, withscores=True):
                bench.redis.zadd(index, {number: max(0, at - 3_600_000)})
    die(bench, 1, **NESTED)
    die(bench, 1, error="another cause", name="Other")
    found = look(queue, redis_url).recent.causes
    assert {one.cause.error: one.is_new for one in found} == {
        "nests N levels deep, at most N are allowed": False,
        "another cause": True,
    }


def test_an_outage_of_two_hundred_destinations_is_one_problem(bench, queue, redis_url):
    now = bench.redis.time()[0] * 1000
    for number in range(200):
        name = f"import:{number:08x}"
        told = {
            "lane": "import",
            "kind": "outage",
            "reason": "503 from Mixpanel",
            "until": now + 60_000,
            "since": now - 400_000 + number,
        }
        bench.redis.sadd(bench.key("pauses"), name)
        bench.redis.hset(bench.key(f"pause:{name}"), mapping=told)
        pace = json.dumps({"limit": number + 1})
        bench.redis.hset(bench.key("paces"), name, pace)
    figures = look(queue, redis_url)
    [problem] = figures.health().urgent
    assert problem.summary.startswith(
        "The circuits of 200 destinations have been open for up to 7 min (import:00000000, "
    )
    assert [one.name for one in findings(figures, 300)] == ["paused:outage"]
    text, _ = called("status", expect=1, MIXRELAY_REDIS_URL=redis_url)
    assert len(text.splitlines()) < 60
    registry = CollectorRegistry()
    registry.register(QueueCollector(lambda: figures, dict))
    limits = [one for one in registry.collect() if one.name == "mixrelay_concurrency_limit"]
    assert len(limits[0].samples) == 20


def test_in_an_outage_the_age_is_no_second_problem_and_makes_it_a_page(bench, queue, redis_url):
    open_circuit(bench)
    figures = look(queue, redis_url)
    assert [one.severity for one in figures.health().urgent] == ["ticket"]
    later = replace(figures.books, now_ms=figures.books.now_ms + 600_000)
    health = judge(replace(figures, books=later), Limits(oldest=300))
    assert [(one.kind, one.severity) for one in health.urgent] == [("paused", "page")]


def test_an_update_is_named_by_its_type(bench, queue, redis_url):
    bench.route(*(update(f"user-{n}") for n in range(12)))
    bench.bury(bench.take_read(Lane.PROFILE_UPDATE), **NESTED)
    assert "(12, profile_update)" in look(queue, redis_url).health().headline
