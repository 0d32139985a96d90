"""Every request of the worker is as Mixpanel's OpenAPI documents it, but for the table here."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixrelay.producer import Tracker
from mixrelay.shared.mixpanel.rules import PLACEHOLDERS
from mixrelay.shared.settings import Settings
from mixrelay.shared.tuples import write
from tests.integration.openapi.specification import Problem, Sent, judged
from tests.support.works import TOKEN, Works, message

DATA = Path(__file__).parents[2] / "data"
NOW = int(datetime.now(UTC).timestamp())
USER = {"token": TOKEN, "distinct_id": "u", "time": NOW}
GROUP = {"$token": TOKEN, "$group_key": "k", "$group_id": "g"}
PROFILE = {"$token": TOKEN, "$distinct_id": "u"}
IDENTITY = {"token": TOKEN, "$identified_id": "u", "$anon_id": "a"}


class Exempt(NamedTuple):
    """A difference that is meant: why, where it shows, and a tuple that has it."""

    reason: str
    operation: str
    place: str
    rule: str
    sample: bytes

    def excuses(self, problem: Problem) -> bool:
        return (
            re.fullmatch(self.operation, problem.operation) is not None
            and re.fullmatch(self.place, problem.place) is not None
            and self.rule == problem.rule
        )


_EVENTS, _UPDATES = "/track|/import", "/(engage|groups)#.*"
_AS_WRITTEN = "a value that the client wrote and Mixpanel takes goes as written"
_NAMED = "a value that the client wrote; Mixpanel names the record if it refuses it"
_IMPORTED = {"event": "E", "properties": {**USER, "$insert_id": "i"}}


def _event(**properties: Any) -> bytes:
    return message("event", {"event": "E", "properties": {**USER, **properties}})


def _profile(**record: Any) -> bytes:
    return message("profile_update", {**PROFILE, **record})


EXEMPT = [
    Exempt(
        f"{_AS_WRITTEN}: Python's library writes float seconds",
        *(_EVENTS, "properties.time", "type", _event(time=NOW + 0.25)),
    ),
    Exempt(
        f"{_AS_WRITTEN}: a user's number in a database",
        *(_EVENTS, "properties.distinct_id", "type", _event(distinct_id=7)),
    ),
    Exempt(
        f"{_AS_WRITTEN}: the same in an update",
        *(
            _UPDATES,
            r"\$(distinct_id|group_id)",
            "type",
            _profile(**{"$distinct_id": 7, "$set": {}}),
        ),
    ),
    Exempt(
        f"{_AS_WRITTEN}: keys beside event and properties, which Python's `meta` writes",
        *(_EVENTS, "", "additionalProperties"),
        message("event", {"event": "E", "properties": USER, "$ip": "0"}),
    ),
    Exempt(
        "an event of $device_id needs no distinct_id (Mixpanel: Simplified ID Merge)",
        *("/import", "properties.distinct_id", "required"),
        message(
            "import", {"event": "E", "properties": {"token": TOKEN, "time": 1e9, "$device_id": "d"}}
        ),
    ),
    Exempt(
        "Mixpanel: Track Events takes gzip, and the document declares it for /import alone",
        *("/track", "header content-encoding", "undeclared"),
        message("event", {"event": "$identify", "properties": IDENTITY}),
    ),
    Exempt(
        _NAMED,
        *(_UPDATES, r"\$(unset|union|add|append|remove|set|set_once).*", "type"),
        _profile(**{"$unset": "name"}),
    ),
    Exempt(
        _NAMED,
        *(_UPDATES, r"\$union\..*", "oneOf", _profile(**{"$union": {"a": [True]}})),
    ),
    Exempt(
        _NAMED,
        *(_UPDATES, r"\$(union|unset).*", "minItems", _profile(**{"$union": {"a": []}})),
    ),
    Exempt(
        "the document has no $add for groups, and Mixpanel's Ruby library writes it",
        *("/groups", "", "unknown operation"),
        message("group_update", {**GROUP, "$add": {"a": 1}}),
    ),
    Exempt(
        _NAMED,
        *(_UPDATES, r"\$union", "minProperties", _profile(**{"$union": {}})),
    ),
]
"""All differences; whatever else differs is a defect."""


def unexcused(requests: list[Sent]) -> list[Problem]:
    problems = [problem for sent in requests for problem in judged(sent)]
    return [one for one in problems if not any(row.excuses(one) for row in EXEMPT)]


@pytest.mark.parametrize("row", EXEMPT, ids=lambda row: f"{row.operation} {row.place} {row.rule}")
def test_each_exception_is_met_by_its_sample_which_has_no_other_difference(row, works, wire):
    works.push(row.sample)
    works.drain()
    (sent,) = wire.requests
    problems = list(judged(sent))
    assert any(row.excuses(one) for one in problems), problems
    assert unexcused(wire.requests) == []


def test_a_request_that_is_not_as_documented_is_noticed():
    """What the other tests stand on: their judge says no."""
    good = Sent(
        "/import?strict=1", {"content-type": "application/json", "authorization": "Basic eDo="}, b""
    )
    events = b'[{"event":"E","properties":{"time":1,"distinct_id":"u","$insert_id":"i"}}]'
    assert unexcused([good._replace(raw=events)]) == []
    bad = {
        "strict": good._replace(target="/import", raw=events),
        "query x": good._replace(target="/import?strict=1&x=1", raw=events),
        "security": good._replace(headers={"content-type": "application/json"}, raw=events),
        "type": good._replace(headers=good.headers | {"content-type": "text/csv"}, raw=events),
        "time": good._replace(raw=events.replace(b'"time":1,', b"")),
        "event": good._replace(raw=events.replace(b'"E"', b"1")),
        "verbose": Sent("/engage?verbose=2", {"content-type": "application/json"}, b"[{}]"),
        "$set": Sent(
            "/engage",
            {"content-type": "application/json"},
            b'[{"$token":1,"$distinct_id":"u","$set":{}}]',
        ),
    }
    assert {name for name, sent in bad.items() if not unexcused([sent])} == set()


ACCOUNT = {"service_account_username": "svc", "service_account_secret": "secret", "project_id": "9"}


@pytest.mark.parametrize("account", [{}, ACCOUNT], ids=["token", "account"])
@pytest.mark.parametrize("name", ["mixpanel-ruby.jsonl", "mixpanel-ruby-old-versions.jsonl"])
def test_all_that_mixpanels_ruby_library_wrote_is_sent_as_documented(name, account, works, wire):
    payloads = (DATA / name).read_bytes().splitlines()
    # Their token is the worker's, so that the account serves them.
    works.push(*payloads)
    works.drain(to=works.settings(token="00112233445566778899aabbccddeeff", **account))
    assert {sent.endpoint for sent in wire.requests} >= {"/import", "/engage"}
    assert unexcused(wire.requests) == []


FOREIGN = [
    ("events", USER, '{{"event":"E","properties":{0}}}'),
    ("/track", USER, '[{{"event":"E","properties":{0}}},{{"event":"F","properties":{0}}}]'),
    ("imports", USER, '{{"data":{{"event":"E","properties":{0}}},"api_key":"KEY-OF-ITS-OWN"}}'),
    ("/import", {"token": TOKEN, "time": NOW}, '[[{{"event":"E","properties":{0}}}]]'),
    ("people", {**PROFILE, "$set": {"a": 1}}, "{0}"),
    ("/engage", {**PROFILE, "$add": {"a": 1.5}}, "[{0},{0}]"),
    ("groups", {**GROUP, "$delete": ""}, "{0}"),
    ("/groups", {**GROUP, "$union": {"a": ["b"]}}, "{0}"),
]
"""As Python's and Node's libraries name types, and write records bare, in lists, nested too."""


def test_what_clients_of_other_languages_write_is_sent_as_documented(works: Works, wire):
    from json import dumps  # noqa: PLC0415

    for word, record, form in FOREIGN:
        works.push(write(word, form.format(dumps(record))))
    works.drain()
    assert {sent.endpoint for sent in wire.requests} == {"/import", "/engage", "/groups"}
    assert sum(len(sent.body) > 0 for sent in wire.requests) == len(wire.requests)
    assert unexcused(wire.requests) == []
    assert works.letters() == []


def test_an_event_without_time_insert_id_or_user_gets_what_import_needs(works: Works, wire):
    works.push(message("import", {"event": "E", "properties": {"token": TOKEN}}))
    works.drain()
    (sent,) = wire.requests
    assert list(judged(sent)) == []


Call = Callable[[Tracker], object]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
USERS = TEXTS.filter(lambda text: text not in PLACEHOLDERS)
USERS |= st.builds(UUID, int=st.integers(1, 2**128 - 1))
IDS = USERS | st.integers(1, 2**53)
PAIRS = st.lists(USERS.map(str), min_size=2, max_size=2, unique_by=str)
SCALARS = TEXTS | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS |= st.booleans() | st.none() | st.datetimes(timezones=st.just(UTC))
VALUES = SCALARS | st.lists(SCALARS, max_size=4) | st.dictionaries(TEXTS, SCALARS, max_size=3)
PROPERTIES = st.dictionaries(TEXTS.map("p_{}".format), VALUES, max_size=5)
NUMBERS = st.dictionaries(TEXTS, st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9), max_size=3)
LISTS = st.dictionaries(TEXTS, st.lists(TEXTS | st.integers(), min_size=1, max_size=3), min_size=1)
NAMES = TEXTS | st.lists(TEXTS, min_size=1, max_size=3)
MOMENTS = (
    st.none()
    | st.integers(NOW - 86_400, NOW)
    | st.datetimes(
        datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants its bounds naive
        datetime(2026, 1, 1),  # noqa: DTZ001 - the same
        timezones=st.just(UTC),
    )
)


def _event_call(method: str) -> st.SearchStrategy[Call]:
    def call(who: Any, name: str, given: dict[str, Any], moment: Any) -> Call:
        properties = given if moment is None else {**given, "time": moment}
        return lambda tracker: getattr(tracker, method)(who, name, properties)

    return st.builds(call, IDS | st.just(""), TEXTS, PROPERTIES, MOMENTS)


def _call(
    part: str, method: str, *given: st.SearchStrategy[Any], **named: Any
) -> st.SearchStrategy[Call]:
    def call(*values: Any, **options: Any) -> Call:
        return lambda tracker: getattr(getattr(tracker, part, tracker), method)(*values, **options)

    return st.builds(call, *given, **named)


SPECIAL = {"ip": st.sampled_from([None, 0, "192.0.2.1"]), "ignore_time": st.booleans()}
CALLS = st.one_of(
    _event_call("track"),
    _event_call("import_event"),
    st.builds(
        lambda user, device: lambda tracker: tracker.identify(user, str(device)),
        USERS.map(str),
        st.uuids(version=4),
    ),
    st.builds(lambda two: lambda tracker: tracker.merge(*two), PAIRS),
    _call("people", "set", IDS, PROPERTIES, **SPECIAL),
    _call("people", "set_once", IDS, PROPERTIES, **SPECIAL),
    _call("people", "increment", IDS, NUMBERS, **SPECIAL),
    _call("people", "plus_one", IDS, TEXTS),
    _call("people", "append", IDS, PROPERTIES, **SPECIAL),
    _call("people", "union", IDS, LISTS, **SPECIAL),
    _call("people", "remove", IDS, PROPERTIES, **SPECIAL),
    _call("people", "unset", IDS, NAMES, **SPECIAL),
    _call("people", "track_charge", IDS, st.floats(0, 1e6), PROPERTIES, **SPECIAL),
    _call("people", "clear_charges", IDS),
    _call("people", "delete", IDS, ignore_alias=st.booleans()),
    _call("groups", "set", TEXTS, IDS, PROPERTIES, **SPECIAL),
    _call("groups", "set_once", TEXTS, IDS, PROPERTIES),
    _call("groups", "union", TEXTS, IDS, LISTS),
    _call("groups", "remove", TEXTS, IDS, PROPERTIES),
    _call("groups", "unset", TEXTS, IDS, NAMES),
    _call("groups", "delete", TEXTS, IDS),
)


@settings(
    max_examples=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls=st.lists(CALLS, min_size=5, max_size=40), with_account=st.booleans())
def test_whatever_is_called_on_a_tracker_is_sent_as_documented(works, wire, calls, with_account):
    wire.requests.clear()
    pushed: list[bytes] = []
    tracker = Tracker(TOKEN, sink=lambda kind, text: pushed.append(write(kind, text)))
    for call in calls:
        call(tracker)
    assert len(pushed) == len(calls)
    works.push(*pushed)
    to: Settings = works.settings(**(ACCOUNT if with_account else {}))
    works.drain(to=to)
    assert wire.requests
    assert unexcused(wire.requests) == []
