"""The guide from Mixpanel's Python library: each row of its table, run both ways and compared."""

import inspect
import re

import mixpanel
import orjson
import pytest
from mixpanel.credentials import ServiceAccountCredentials

from mixrelay.producer import Tracker
from mixrelay.producer.testing import capture
from mixrelay.sandbox import Options, Sandbox
from tests.integration.seed.examples import ROOT, blocks_of
from tests.support.works import Works

TOKEN = "YOUR_PROJECT_TOKEN"
GUIDE = (ROOT / "docs/from-python.md").read_text()
ROWS = re.findall(r"^\| `(mp\.\w+\(.*?\))` \| `(tracker\..*?\))` \|", GUIDE, re.MULTILINE)
STAMPS = {"time", "$insert_id", "mp_lib", "$lib_version"}
"""What each library writes for itself; held by tests of their own."""


def kept(code, **names):
    """What a call would queue or send: types and records without what a library stamps."""
    with capture() as sink:
        eval(code, names)
    found = []
    for kind, message in sink.messages:
        record = orjson.loads(message)["data"]
        properties = record.get("properties", record)
        imported = kind == "import" and record["event"] != "$merge"
        dated = {"time": properties["time"]} if imported else {}
        for name in STAMPS | {"$time"}:
            properties.pop(name, None)
        found.append((kind, record | dated))
    return found


@pytest.mark.parametrize(("theirs", "ours"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_writes_the_same_record_both_ways(theirs, ours):
    library = mixpanel.Mixpanel(TOKEN)
    [before] = kept(theirs, mp=library)
    [after] = kept(ours, tracker=Tracker(TOKEN))
    assert after == before


def test_every_method_has_a_row():
    methods = {
        name
        for name, _ in inspect.getmembers(mixpanel.Mixpanel, inspect.isfunction)
        if not name.startswith("_")
    }
    assert {re.match(r"mp\.(\w+)", theirs)[1] for theirs, _ in ROWS} == methods
    rest = GUIDE.partition("What is no method:")[2]
    properties = {
        name
        for name, _ in inspect.getmembers(mixpanel.Mixpanel, lambda one: isinstance(one, property))
    }
    assert properties == {"local_flags", "remote_flags"}
    for name in (*properties, "Consumer", "BufferedConsumer", "DatetimeSerializer"):
        assert name in rest
    assert f"version {mixpanel.__version__}" in GUIDE


def test_the_guides_programs_arrive(redis_url, queue, tmp_path, monkeypatch):
    monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
    with Sandbox(Options(tokens=[TOKEN])) as box:
        works = Works(redis_url, queue, box, tmp_path)
        names = {}
        for block in blocks_of("from-python.md"):
            if block.language == "python":
                exec(compile(block.code, block.heading, "exec"), names)
        names["tracker"].track("user-2", "Sent")
        works.drain()
        assert works.reasons() == []
        assert {(one["event"], one["properties"]["distinct_id"]) for one in box.events} == {
            ("Plan Upgraded", "user-1"),
            ("Sent", "user-2"),
        }
        assert len(box.updates) == 1


def test_what_the_guide_says_of_an_event_is_so():
    with capture() as sink:
        mixpanel.Mixpanel(TOKEN).track("u", "E")
        Tracker(TOKEN).track("u", "E")
    theirs, ours = sink.events
    assert (theirs.properties["mp_lib"], ours.properties["mp_lib"]) == ("python", "mixrelay")
    assert ours.properties["time"] > 10**12
    assert "ip" not in ours.properties  # a worker writes 0: tests/integration/worker


def test_a_consumer_that_is_given_credentials_still_works():
    account = ServiceAccountCredentials("user", "secret", "1")
    with capture() as sink:
        library = mixpanel.Mixpanel(TOKEN, consumer=mixpanel.Consumer(credentials=account))
        library.import_data("KEY", "u", "Past", 1_700_000_000)
    assert sink.assert_tracked("Past").is_import
