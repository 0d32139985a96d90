"""The plain case against one by one: whatever is read together gets what each gets by itself."""

import json
import random
import secrets
from collections import Counter
from itertools import chain
from pathlib import Path

import orjson
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from mixrelay.shared.mixpanel import rules
from mixrelay.shared.mixpanel.endpoints import Credentials, Endpoint
from mixrelay.shared.mixpanel.times import milliseconds, span
from mixrelay.shared.queue import Batch, Lane
from mixrelay.shared.queue.messages.members import Members
from mixrelay.shared.tuples import Kind, read
from mixrelay.worker.counting import shards
from mixrelay.worker.counting.shards import ShardReader
from mixrelay.worker.deliver import classification as sorting
from mixrelay.worker.deliver.bulk_decode import read_alike
from mixrelay.worker.deliver.classification import sort
from mixrelay.worker.deliver.prepare import Preparation

TESTS = Path(__file__).parents[2]
NOW = 1_795_520_500_000
DAY = 86_400_000
OURS, THEIRS = "00112233445566778899aabbccddeeff", "theirs"
ACCOUNT = Credentials.service_account("svc-user", "svc-secret", "98765")
PREPARATIONS = [
    Preparation(
        queue_id="q", base="https://api.mixpanel.com", token=token, account=account, events=events
    )
    for token in (OURS, None)
    for account in (None, ACCOUNT)
    for events in (Endpoint.IMPORT, Endpoint.TRACK)
]
SEED = secrets.randbits(32)


@pytest.fixture(autouse=True)
def _told():
    print(f"seed {SEED}")


def batch(payloads, lane=Lane.EVENT, received=lambda _at: NOW):
    stored = [b"0-%d %d 0 %b" % (at, received(at), one) for at, one in enumerate(payloads, 1)]
    lengths = b",".join(b"%d" % len(one) for one in stored)
    return Batch("id", "claim", lane, Members.parse(b"".join(stored), lengths), "q")


def outcome(payloads, preparation, lane, received):
    """All that delivery looks at, of the records together first, then of each."""
    found = sort(batch(payloads, lane, received), preparation, NOW)
    together = (
        found.body(),
        found.count,
        found.doubtful,
        (found.destination.name, found.own) if found.count else None,
        [found.overflow(most=most, most_bytes=size) for most, size in ((3, 9**9), (99, 700))],
        [[one.number for one in group] for group in found.elsewhere()] if found.count else [],
        list(found.found()),
    )
    return together, found.records, found.dead, found.ignored, found.moves, found.lists


def one_by_one(monkeypatch):
    monkeypatch.setattr(sorting, "read_alike", lambda _payloads: None)


def compare(monkeypatch, payloads, preparation, lane=Lane.EVENT, received=lambda _at: NOW):
    together = outcome(payloads, preparation, lane, received)
    with monkeypatch.context() as patched:
        one_by_one(patched)
        alone = outcome(payloads, preparation, lane, received)
    assert together == alone


def is_plain(*payloads, preparation=PREPARATIONS[0], received=lambda _at: NOW):
    members = batch(payloads, received=received).members
    alike = read_alike(members.payloads())
    return bool(alike and sorting.plain(alike, members, preparation, NOW))


def event(properties=(), *, without=(), name="E", kind="event", tail="}"):
    full = {"distinct_id": "u", "token": OURS, "time": NOW, "$insert_id": "a" * 32, "n": 1.5}
    full = {key: value for key, value in full.items() if key not in without} | dict(properties)
    record = orjson.dumps({"event": name, "properties": full}).decode()
    return orjson.dumps([kind, f'{{"data":{record}{tail}'])


def update(operation="$set", value=None, **more):
    record = {"$token": OURS, "$distinct_id": "u", "$time": NOW, operation: value or {"a": 1}}
    text = orjson.dumps({"data": record | more}).decode()
    return orjson.dumps(["profile_update", text])


PLAIN = {
    "as our producer writes it": event(),
    "with an address": event({"ip": "203.0.113.7"}),
    "as Ruby's library writes it": event(without=["$insert_id"]),
    "with a list": event({"tags": ["a", "b"]}),
    "with an object": event({"x": {"y": {"z": [1]}}}),
    "with seconds": event({"time": NOW // 1000}),
    "an import": event(kind="import", tail=',"api_key":"KEY"}'),
    "with a word of Python's library": event(kind="events"),
    "an import by its token": event(kind="import"),
    "an import in seconds": event({"time": NOW // 1000}, kind="import"),
    "with a space": event().replace(b'","{', b'", "{'),
    "with escapes": event({"x": '"\\ü\u2028😀'}),
    "an update": update(),
    "an unset": update("$unset", ["a"]),
    "an update that adds": update("$add"),
    "an update that appends": update("$append"),
    "in parts of a second": event({"time": NOW / 1000}),
    "with a cart": event({"cart": [{"sku": "a", "tags": ["x"]}, {"sku": "b", "price": 1.5}] * 3}),
}

UNUSUAL = {
    "no tuple": b"junk",
    "no data around it": orjson.dumps(["event", "{}"]),
    "an object as message": orjson.dumps(["event", orjson.loads(orjson.loads(event())[1])]),
    "without a time": event(without=["time"]),
    "with a text as time": event({"time": str(NOW)}),
    "with a boolean as time": event({"time": True}),
    "in nanoseconds": event({"time": NOW * 1_000_000}),
    "before 1970": event({"time": -1}),
    "too old for /track": event({"time": NOW - 6 * DAY}),
    "of another project": event({"token": THEIRS}),
    "without a project": event(without=["token"]),
    "with a list as token": event({"token": [OURS]}),
    "with an empty token": event({"token": ""}),
    "without a name": event(name=""),
    "with a number as name": event(name=1),
    "ahead of time": event({"time": NOW + 2 * DAY}),
    "an import of 1970": event({"time": 1_000}, kind="import"),
    "of a boolean": event({"distinct_id": True}),
    "of null": event({"distinct_id": None}),
    "of nobody at all": event(without=["distinct_id"]),
    "of a device": event({"$device_id": "d"}, without=["distinct_id"]),
    "of null and a device": event({"$device_id": "d", "distinct_id": None}),
    "of a list": event({"distinct_id": ["u"]}),
    "of an object": event({"distinct_id": {"id": 1}}),
    "of zero": event({"distinct_id": 0}),
    "by its other name": event({"$distinct_id": "u"}, without=["distinct_id"]),
    "with a time's other name": event({"$time": NOW}, without=["time"]),
    "with a null address": event({"ip": None}),
    "with an empty address": event({"ip": ""}),
    "of a placeholder": event({"distinct_id": "null"}),
    "with another object behind": event().replace(b'}}}"]', b'},\\"x\\":{}}}"]'),
    "an identity event": event(name="$identify"),
    "an identity event that may be sent": event(
        {"$identified_id": "u", "$anon_id": "a"}, name="$identify"
    ),
    "a merge": event({"$distinct_ids": ["a", "b"]}, name="$merge"),
    "a merge by a key": event(
        {"$distinct_ids": ["a", "b"]}, name="$merge", kind="import", tail=',"api_key":"KEY"}'
    ),
    "a merge of one": event({"$distinct_ids": ["a", "a"]}, name="$merge"),
    "an insert id too long": event({"$insert_id": "a" * 37}),
    "an insert id with a space": event({"$insert_id": "a b"}),
    "an insert id that is none": event({"$insert_id": None}),
    "an empty insert id": event({"$insert_id": ""}),
    "a placeholder as insert id": event({"$insert_id": "null"}),
    "too many properties": event({f"p{n}": n for n in range(260)}),
    "almost too many properties": event({f"p{n}": n for n in range(249)}, without=["$insert_id"]),
    "lists too deep": event({"x": [[[[1]]]]}),
    "objects too deep": event({"x": {"a": {"b": {"c": {}}}}}),
    "a list too long": event({"x": list(range(300))}),
    "too large": event({"x": "a" * 1_000_000}),
    "too deep for the parser": event().replace(b"1.5}", b"[" * 1_100 + b"]" * 1_100 + b"}"),
    "a third member": event(tail=',"more":1}'),
    "another key": event(kind="import", tail=',"api_key":"K\\"EY"}'),
    "properties before the name": orjson.dumps(
        ["event", f'{{"data":{{"properties":{{"token":"{OURS}","time":{NOW}}},"event":"E"}}}}']
    ),
    "a list of records": orjson.dumps(["event", '{"data":[{"event":"E"}]}']),
    "a doubled key": event(tail=',"data":{}}'),
    "closes the list": b'["event","{\\"data\\":{}}"]' + event() + b'["event","{\\"data\\":{}}"]',
    "swallows its neighbour": event()[:-2],
    "a broken escape at the end": event()[:-4] + b'\\}}"]',
    "two records in one": event().replace(b'}}}"]', b'}},{\\"a\\":{}}}"]'),
    "space behind the record": event().replace(b'}}}"]', b'}} }"]'),
    "space inside the record": event().replace(b'}}}"]', b'} }}"]'),
    "no UTF-8": event().replace(b"1.5", b'\\"\xff\\"'),
    "a lone surrogate": event().replace(b"1.5", b'\\"\\\\ud800\\"'),
    "an update without an operation": update("other"),
    "an update with a text as time": update(**{"$time": str(NOW)}),
    "an update of nobody": update(**{"$distinct_id": ""}),
    "an update of a boolean": update(**{"$distinct_id": True}),
    "an update of a placeholder": update(**{"$distinct_id": "null"}),
    "an update of zero": update(**{"$distinct_id": 0}),
}  # fmt: skip
LONG = "x" * 256
NOTED = {
    "ignored": event({"$ignore": True}),
    "ignored by a text": event({"$ignore": "false"}),
    "ignored and invalid": event({"$ignore": True, "time": "noon"}),
    "not ignored": event({"$ignore": False}),
    "nor by an empty text": event({"$ignore": ""}),
    "an import that is ignored": event({"$ignore": True}, kind="import"),
    "a text that is cut": event({"x": LONG}),
    "a text that is cut with quotes": event({"x": '"' + "x" * 120 + '"' + "x" * 140}),
    "a text that fits with quotes": event({"x": '"' * 255}),
    "a text that just fits": event({"x": "ü" * 255}),
    "a name that is cut": event(name=LONG),
    "a property's name that is cut": event({LONG: 1}),
    "a list that is cut": event({"x": ["y" * 100] * 90}),
    "an object that is cut": event({"x": {f"k{n}": "y" * 100 for n in range(90)}}),
    "a large list of digits that fits": event({"x": [10**17] * 200}),
    "a hidden name": event({"bucket": 1}),
    "another hidden name": event({"$bucket": 1}),
    "a name that looks like it": event({"my bucket": 1}),
    "an update that is cut": update(value={"x": LONG, "bucket": 2}),
    "an update of many properties": update(value={f"p{n}": n for n in range(1_800)}),
    "an update of a large list": update("$union", {"x": ["y" * 100] * 2_600}),
    "an update with $ignore": update(value={"$ignore": True}),
}
"""What Mixpanel drops, cuts or hides without an error, and what only looks like it."""
HEAD, TAIL = b'["event","{\\"data\\":', b'}"]'
RECORD = event().removeprefix(HEAD).removesuffix(TAIL)
ACCOMPLICES = {
    "by their strings": (
        HEAD + RECORD + b'",["{}}' + TAIL,
        HEAD + b'{}}"],"' + RECORD + TAIL,
    ),
    "by their records": (
        HEAD + RECORD + b',[{\\"a\\":{}}' + TAIL,
        HEAD + b'{\\"a\\":{}}],' + RECORD + TAIL,
    ),
}
"""Two that would take the mark between them into a list, and be two values all the same."""
EVERY = [*PLAIN.values(), *UNUSUAL.values()]


@pytest.mark.parametrize("name", PLAIN)
def test_the_common_forms_are_plain(name):
    payload = PLAIN[name]
    assert is_plain(payload, payload, payload)


def test_the_unusual_is_looked_at_closely():
    taken = [name for name, payload in UNUSUAL.items() if is_plain(payload)]
    # Alone it goes its own way, and of any age to /import.
    assert taken == ["too old for /track", "of another project"]
    assert not is_plain(event(), event({"token": THEIRS}))


@pytest.mark.parametrize("seconds", [False, True])
def test_events_that_were_received_one_after_the_other_are_plain(monkeypatch, seconds):
    """Under traffic the last of a hundred happens after the first was received."""

    def happened(at):
        return NOW // 1_000 - 200 + at if seconds else NOW - 200_000 + 1_000 * at

    def received(at):
        return NOW - 199_500 + 1_000 * at

    events = [event({"time": happened(at)}) for at in range(1, 101)]
    assert is_plain(*events, received=received)
    compare(monkeypatch, events, PREPARATIONS[0], received=received)
    ahead = [*events[:50], event({"time": happened(52)}), *events[51:]]
    assert not is_plain(*ahead, received=received)
    compare(monkeypatch, ahead, PREPARATIONS[0], received=received)
    compare(monkeypatch, events, PREPARATIONS[0], received=lambda at: NOW + 9 * DAY * (at == 50))


def test_times_in_every_unit_are_plain_together(monkeypatch):
    times = [NOW, NOW // 1_000, NOW / 1_000, NOW - 30 * DAY, NOW // 1_000 - 86_400 * 9]
    events = [event({"time": time, "n": at}) for at, time in enumerate(times * 20)]
    assert is_plain(*events)
    compare(monkeypatch, events, PREPARATIONS[0])
    ahead = [*events, event({"time": NOW // 1_000 + 60})]
    assert not is_plain(*ahead)
    compare(monkeypatch, ahead, PREPARATIONS[0])


@pytest.mark.parametrize("unusual", UNUSUAL)
def test_an_unusual_record_leaves_the_others_of_its_hundred_together(monkeypatch, unusual):
    judged = []

    class Counting(Preparation):
        def prepare(self, message, **told):
            judged.append(message)
            return super().prepare(message, **told)

    preparation = Counting(queue_id="q", base="https://api.mixpanel.com", token=OURS, account=None)
    hundred = [event({"n": at}) for at in range(100)]
    hundred[37] = UNUSUAL[unusual]
    found = sort(batch(hundred), preparation, NOW)
    assert len(judged) < sorting.WORTH_HALVING
    assert found.count >= len(hundred) - 1
    compare(monkeypatch, hundred, PREPARATIONS[0])


def test_increments_are_known_as_such_together(monkeypatch):
    updates = [update(), update("$add"), update("$append", {"a": [1]}), update("$set_once")] * 25
    found = sort(batch(updates, Lane.PROFILE_UPDATE), PREPARATIONS[0], NOW)
    assert found.doubtful == 50
    assert [one.ready.doubtful for one in found.records] == [False, True, True, False] * 25
    compare(monkeypatch, updates, PREPARATIONS[0], Lane.PROFILE_UPDATE)


@pytest.mark.parametrize("way", ACCOMPLICES)
def test_no_two_messages_can_vouch_for_each_other(monkeypatch, way):
    first, second = ACCOMPLICES[way]
    assert read_alike([first, second]) is None
    compare(monkeypatch, [event(), first, second, event()], PREPARATIONS[0])


@pytest.mark.parametrize("preparation", PREPARATIONS)
@pytest.mark.parametrize("unusual", UNUSUAL)
def test_one_unusual_message_changes_nothing_for_its_neighbours(monkeypatch, unusual, preparation):
    for plain in random.Random(SEED).sample(list(PLAIN.values()), 9):
        compare(monkeypatch, [plain, UNUSUAL[unusual], plain], preparation)
        compare(monkeypatch, [UNUSUAL[unusual], plain, UNUSUAL[unusual]], preparation)


@pytest.mark.parametrize("name", NOTED)
def test_what_mixpanel_does_unasked_is_found_on_both_ways(monkeypatch, name):
    lane = Lane.PROFILE_UPDATE if name.startswith("an update") else Lane.EVENT
    for beside in (*PLAIN.values(), *NOTED.values()):
        compare(monkeypatch, [beside, NOTED[name], beside], PREPARATIONS[0], lane)


def test_whose_events_they_are_is_read_alike_on_both_ways(monkeypatch):
    for name in ("SAMPLE", "EVERY_OTHER", "IN_A_HUNDRED"):
        monkeypatch.setattr(shards, name, 1)
    reader = ShardReader(base="https://api.mixpanel.com", token=OURS)
    midnight = NOW // DAY * DAY
    events = [
        event({"distinct_id": user, "time": (midnight + hours * 3_600_000) / unit, "team": team})
        for user in ("a", "", 7)
        for hours, unit in ((-1, 1), (0, 1_000))
        for team in ("red", ["red", "blue"], 3)
    ]
    group = {"$token": OURS, "$group_key": "team", "$group_id": "red", "$set": {"a": 1}}
    learned = orjson.dumps(["group_update", orjson.dumps({"data": group}).decode()])

    def seen():
        counts = Counter()
        for one in sort(batch(events), PREPARATIONS[0], NOW, reader).shards(frozenset()):
            counts.update((one.family, name) for name in one.ids if name)
        return counts

    sort(batch([learned] * 3, Lane.GROUP_UPDATE), PREPARATIONS[0], NOW, reader)
    together = seen()
    assert is_plain(*events)
    with monkeypatch.context() as patched:
        one_by_one(patched)
        assert seen() == together
    day = NOW // DAY
    named = {(of.day - day, of.kind, name): n for (of, name), n in together.items()}
    assert named == {
        **{(back, "distinct_id", name): 3 for back in (-1, 0) for name in ("a", "7")},
        **{(back, "group", name): n for back in (-1, 0) for name, n in TEAMS.items()},
    }


TEAMS = {"red": 6, "blue": 3, "3": 3}


def test_every_pair_of_messages_gets_what_each_gets_alone(monkeypatch):
    for first in EVERY:
        for second in EVERY:
            if max(len(first), len(second)) < 100_000:
                compare(monkeypatch, [first, second], PREPARATIONS[0])


def samples():
    for name in ("mixpanel-ruby.jsonl", "mixpanel-ruby-old-versions.jsonl"):
        yield from (TESTS / "data" / name).read_bytes().splitlines()
    for path in sorted((TESTS / "fuzz" / "corpus").glob("*/*")):
        yield path.read_bytes()


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_samples_and_corpus_in_any_company(monkeypatch, preparation):
    chance = random.Random(SEED)
    known = [*samples(), *EVERY]
    for _ in range(150):
        some = chance.choices(known, k=chance.choice([1, 2, 5, 130]))
        more = chance.choice([[], [chance.choice(list(PLAIN.values()))] * 120])
        compare(monkeypatch, some + more, preparation, chance.choice(list(Lane)[:4]))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.sampled_from(["null", "a" * 36, OURS, str(NOW), "", "{[", "]"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner),
    max_leaves=5,
)  # fmt: skip
TIMES = st.integers(NOW - 6 * DAY, NOW + DAY) | st.floats(NOW / 1000 - 5e5, NOW / 1000) | VALUES
PROPERTIES = st.fixed_dictionaries(
    {"token": st.sampled_from([OURS, OURS, OURS, THEIRS]), "time": TIMES},
    optional={
        "$insert_id": st.from_regex("[A-Za-z0-9-]{1,37}", fullmatch=True) | VALUES,
        "distinct_id": VALUES,
        "$distinct_id": VALUES,
        "$device_id": VALUES,
        "$user_id": VALUES,
        "$time": TIMES,
        "$identified_id": VALUES,
        "$anon_id": VALUES,
        "$distinct_ids": st.lists(st.sampled_from(["a", "b", "", 1]), max_size=3),
        "ip": VALUES,
        "$ignore": VALUES,
        "bucket": VALUES,
        "x": VALUES,
        "y": VALUES,
    },
)
RECORDS = st.fixed_dictionaries(
    {"event": st.sampled_from(["E", "F", "{", "$merge", "$identify", ""]), "properties": PROPERTIES}
) | st.fixed_dictionaries(
    {"$token": st.just(OURS)},
    optional={
        "$distinct_id": VALUES, "$group_key": VALUES, "$group_id": VALUES, "$time": TIMES,
        "$set": VALUES, "$add": VALUES, "$unset": VALUES, "$union": VALUES,
    },
)  # fmt: skip


@seed(SEED)
@settings(deadline=None, max_examples=300, derandomize=False)
@given(
    st.lists(RECORDS, min_size=1, max_size=4),
    st.tuples(
        st.sampled_from(list(Kind)),
        st.sampled_from(["}", ',"api_key":"KEY"}', ',"api_key":null}']),
    ),
    st.sampled_from(PREPARATIONS),
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.lists(st.integers(NOW - DAY, NOW + 2 * 3_600_000), min_size=4, max_size=4),
)
def test_any_records_get_together_what_each_gets_alone(
    records, frame, preparation, separators, receipts
):
    kind, tail = frame
    texts = [json.dumps(one, separators=separators, ensure_ascii=False) for one in records]
    payloads = [orjson.dumps([kind, f'{{"data":{text}{tail}']) for text in texts]
    with pytest.MonkeyPatch.context() as monkeypatch:
        compare(monkeypatch, payloads, preparation, Lane(kind), lambda at: receipts[(at - 1) % 4])


@seed(SEED)
@given(st.lists(TIMES, min_size=1, max_size=5))
def test_a_span_holds_every_one_of_its_times(times):
    found = span(times)
    if found is None:
        return
    each = [milliseconds(time) for time in times]
    assert found == (min(each), max(each))


@seed(SEED)
@given(st.lists(st.from_regex("[A-Za-z0-9-]{0,37}", fullmatch=True) | VALUES, min_size=1))
def test_ids_together_are_what_each_is(values):
    assert rules.are_insert_ids(values) == all(map(rules.is_insert_id, values))


@seed(SEED)
@given(st.dictionaries(st.text(max_size=2), VALUES, max_size=4))
def test_what_seems_to_nest_little_does(properties):
    text = json.dumps({"event": "E", "properties": properties})
    if not rules.may_nest_much(text):
        assert rules.nesting_breach(properties) is None


@seed(SEED)
@given(st.lists(VALUES, max_size=4) | st.dictionaries(st.text(max_size=2), VALUES, max_size=4))
def test_what_is_shallow_breaks_no_rule_of_nesting(value):
    if rules.is_shallow(value):
        assert rules._structure(value) is None


@pytest.mark.parametrize("elements", [[1] * 255, [[]], ["]"] + [1] * 254, [[[[1]]]], [{}] * 255])
def test_what_breaks_a_rule_of_nesting_always_seems_to(elements):
    text = json.dumps({"event": "E", "properties": {"x": elements}}, separators=(",", ":"))
    breach = rules.nesting_breach({"x": elements})
    assert breach is None or rules.may_nest_much(text)
    assert rules.is_shallow(elements) == (breach is None)


def test_a_batch_is_read_from_its_members_or_from_a_tuple_of_them(monkeypatch):
    payloads = [*chain.from_iterable([PLAIN.values()] * 3)]
    whole = batch(payloads)
    tuples = Batch("id", "claim", Lane.EVENT, tuple(whole.members), "q")
    assert sort(whole, PREPARATIONS[0], NOW).body() == sort(tuples, PREPARATIONS[0], NOW).body()
    assert [read(one) for one in whole.members.payloads()] == [read(one) for one in payloads]
