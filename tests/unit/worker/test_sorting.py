import gc
import json

from mixrelay.shared.mixpanel.endpoints import Endpoint
from mixrelay.shared.queue import Batch, Lane, Member, Number
from mixrelay.worker.deliver.classification import profile_of, sort
from mixrelay.worker.deliver.prepare import Preparation

NOW = 1_700_000_000_000
DAY = 86_400_000
PREPARATION = Preparation(queue_id="q", base="https://api.mixpanel.com", token="ours")
TO_TRACK = Preparation(
    queue_id="q", base="https://api.mixpanel.com", token="ours", events=Endpoint.TRACK
)


def event(user: str, *, token: str = "ours", time: int = NOW) -> bytes:
    properties = {"token": token, "distinct_id": user, "time": time}
    data = {"data": {"event": "e", "properties": properties}}
    return json.dumps(["event", json.dumps(data)]).encode()


def batch(*payloads: bytes, lane: Lane = Lane.EVENT) -> Batch:
    members = tuple(
        Member(Number(f"0-{place}"), NOW, 0, payload) for place, payload in enumerate(payloads)
    )
    return Batch("id", "claim", lane, members, "q")


def test_members_are_sorted_by_what_happens_to_them_in_their_order() -> None:
    many = json.dumps(["event", json.dumps({"data": [{}, {}]})]).encode()
    found = sort(
        batch(event("a"), b"junk", many, event("old", time=NOW - 9 * DAY), event("b")),
        TO_TRACK,
        NOW,
    )
    assert [record.number for record in found.records] == ["0-0", "0-4"]
    assert [(dead.number, dead.reason) for dead in found.dead] == [("0-1", "malformed")]
    assert [one.number for one in found.lists] == ["0-2"]
    assert found.moves == {Lane.IMPORT: ["0-3"]}


def test_what_was_found_goes_without_the_garbage_collector() -> None:
    """Or a busy worker holds tens of batches that it is done with, megabytes each."""
    written = b'["event","{\\"data\\":%b}"]' % (
        b'{\\"event\\":\\"e\\",\\"properties\\":'
        b'{\\"token\\":\\"ours\\",\\"distinct_id\\":\\"a\\",\\"time\\":1700000000000}}'
    )
    gc.collect()
    gc.disable()
    try:
        assert sort(batch(written, written), PREPARATION, NOW).count == 2
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_list_of_one_record_is_that_record() -> None:
    one = json.loads(event("a"))
    record = json.loads(one[1])["data"]
    payload = json.dumps(["event", json.dumps({"data": [[record]]})]).encode()
    found = sort(batch(payload), PREPARATION, NOW)
    assert found.lists == []
    assert json.loads(found.body())[0]["properties"]["distinct_id"] == "a"


def test_an_event_that_was_moved_to_the_import_lane_stays_there() -> None:
    old = event("old", time=NOW - 9 * DAY)
    found = sort(batch(old, lane=Lane.IMPORT), TO_TRACK, NOW)
    assert found.moves == {}
    assert found.destination.endpoint == "import"


def test_a_batch_is_the_workers_own_if_any_of_its_records_is() -> None:
    preparation = Preparation(queue_id="q", base="https://api.mixpanel.com")
    by_token = event("a", token="key")
    word, message = json.loads(event("a"))
    by_key = json.dumps([word, json.dumps(json.loads(message) | {"api_key": "key"})]).encode()
    payloads = [by_key] * 100 + [by_token]
    found = [
        sort(batch(*some, lane=Lane.IMPORT), preparation, NOW + 9 * DAY)
        for some in ([by_key], [by_token], payloads, payloads[::-1])
    ]
    assert len({one.destination.name for one in found}) == 1
    assert [one.own for one in found] == [False, True, True, True]


def test_the_body_is_a_list_of_the_records() -> None:
    found = sort(batch(event("a"), event("b")), PREPARATION, NOW)
    users = [one["properties"]["distinct_id"] for one in json.loads(found.body())]
    assert users == ["a", "b"]


def test_records_for_other_destinations_are_grouped() -> None:
    found = sort(
        batch(event("a"), event("x", token="t1"), event("b"), event("y", token="t2")),
        PREPARATION,
        NOW,
    )
    groups = [[record.number for record in group] for group in found.elsewhere()]
    assert groups == [["0-1"], ["0-3"]]


def test_what_does_not_fit_is_cut_off_at_the_end_but_never_all() -> None:
    found = sort(batch(event("a"), event("b"), event("c")), PREPARATION, NOW)
    size = len(found.records[0].ready.body)
    assert found.overflow(most=3, most_bytes=10 * size) == []
    assert found.overflow(most=2, most_bytes=10 * size) == found.records[2:]
    assert found.overflow(most=3, most_bytes=2 * size + 3) == found.records[2:]
    assert found.overflow(most=3, most_bytes=1) == found.records[1:]


def test_the_limit_on_bytes_counts_the_whole_body() -> None:
    found = sort(batch(event("a"), event("b"), event("c")), PREPARATION, NOW)
    whole = len(found.body())
    assert found.overflow(most=9, most_bytes=whole) == []
    assert len(found.overflow(most=9, most_bytes=whole - 1)) == 1


def test_an_update_tells_whose_it_is() -> None:
    update = {"data": {"$token": "ours", "$distinct_id": "p", "$set": {"x": 1}}}
    payload = json.dumps(["profile_update", json.dumps(update)]).encode()
    assert profile_of(payload, PREPARATION) == profile_of(payload, PREPARATION) is not None
    update = {"data": [{"$token": "ours", "$distinct_id": "p", "$set": {"x": 1}}]}
    of_one = json.dumps(["people", json.dumps(update)]).encode()
    assert profile_of(of_one, PREPARATION) == profile_of(payload, PREPARATION)
    assert profile_of(b"junk", PREPARATION) is None
    assert profile_of(event("a"), PREPARATION) is None
