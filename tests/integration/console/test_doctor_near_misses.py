"""Producers that wrote almost the right list, or almost the right token, are found."""

import orjson
import pytest
from redis import Redis

from mixrelay.console.doctor.near_misses import check_near_misses
from mixrelay.shared.mixpanel.endpoints import token_fingerprint
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.tokens.tokens import Identity
from mixrelay.shared.settings import Settings
from tests.support.command import mixrelay
from tests.support.tokens import refuse
from tests.support.works import event, update

QUEUE = "mixpanel_queue"
OURS = "3f2a9c01b7d43f2a9c01b7d43f2a9cb7"


def found(redis_url: str, token: str = "") -> list[tuple[str, str, str]]:
    settings = Settings(redis_url=redis_url, queue=QUEUE, token=token)
    return [(one.check, one.found, one.todo) for one in check_near_misses(settings)]


@pytest.mark.parametrize(
    "name",
    ["mixpanel_queue ", "mixpanel-queue", "Mixpanel_Queue", "mixpanel_queu", "mixpanel_queue\n"],
)
def test_a_list_that_is_almost_the_queue_is_named(redis: Redis, redis_url: str, name: str) -> None:
    redis.rpush(name, event("u1"), event("u2"))
    [(check, text, todo)] = found(redis_url)
    assert check == "lists"
    assert text == (
        f"2 messages in the list {name!r}, which no worker drains: workers read {QUEUE!r}."
    )
    assert f"Set MIXRELAY_QUEUE to {QUEUE!r}" in todo
    assert repr(name) in todo
    assert ("mixrelay worker --burst" in todo) is (name == name.strip())


def test_the_way_to_rescue_a_list_with_a_space_moves_every_message(redis: Redis) -> None:
    redis.rpush("mixpanel_queue ", "a", "b")
    redis.rpush(QUEUE, "first")
    script = "while redis.call('LMOVE',KEYS[1],KEYS[2],'LEFT','RIGHT') do end"
    redis.eval(script, 2, "mixpanel_queue ", QUEUE)
    assert redis.lrange(QUEUE, 0, -1) == [b"first", b"a", b"b"]
    assert not redis.exists("mixpanel_queue ")


def test_other_lists_are_left_alone(redis: Redis, redis_url: str) -> None:
    redis.rpush("mixpanel_queues", "no tuple of ours")
    redis.rpush("orders", event("u1"))
    redis.rpush(f"{QUEUE}.1", event("u1"))  # a partition, which another check sees
    redis.rpush("mixpanel_queue2", event("u1"))
    Queue(redis, "mixpanel_queue2").route()  # a queue with workers of its own
    assert found(redis_url) == []


@pytest.mark.parametrize(
    ("token", "slip"),
    [
        (f"{OURS} ", "white space around it"),
        (f'"{OURS}"', "quotation marks around it"),
        (OURS.swapcase(), "capital and small letters"),
    ],
)
def test_a_token_that_is_almost_the_right_one_is_named(
    redis: Redis, redis_url: str, token: str, slip: str
) -> None:
    redis.rpush(QUEUE, event("u1", token=token), update("u1", token=token, **{"$set": {"a": 1}}))
    [(check, text, _)] = found(redis_url, OURS)
    assert check == "near miss"
    assert f"MIXPANEL_TOKEN but for {slip}" in text
    assert token not in text


def test_a_near_token_that_workers_met_is_named_although_its_messages_are_gone(
    redis: Redis, redis_url: str, queue: Queue
) -> None:
    fingerprint = token_fingerprint("https://api.mixpanel.com", f"{OURS}\n")
    refuse(queue, Identity(fingerprint, "3f2a…b7", "https://api.mixpanel.com", own=False))
    texts = [text for _, text, _ in found(redis_url, OURS)]
    assert any("but for white space around it" in text for text in texts)


def test_right_lists_and_tokens_are_no_finding(redis: Redis, redis_url: str) -> None:
    redis.rpush(QUEUE, event("u1", token=OURS), event("u2", token="quite-another-token"), b"junk")
    assert found(redis_url, OURS) == []


def test_doctor_says_so(redis: Redis, redis_url: str) -> None:
    redis.rpush("mixpanel-queue", event("u1"))
    ended = mixrelay("doctor", "--no-mixpanel", "--json", expect=1, MIXRELAY_REDIS_URL=redis_url)
    told = [orjson.loads(line) for line in ended.stdout.splitlines()]
    [near] = [one for one in told if one["check"] == "lists"]
    assert near["level"] == "error"
    assert "'mixpanel-queue'" in near["found"]
