"""The Python of the other guides runs as it is printed."""

import asyncio
import json
import sys

import pytest

from mixrelay.producer import InvalidPropertyError, Tracker, current_request
from mixrelay.producer.context.web_request import EnvironRequest
from mixrelay.producer.integrations import celery
from mixrelay.producer.testing import MemorySink
from mixrelay.sandbox import Options, Sandbox
from tests.integration.seed.examples import ROOT, blocks_of
from tests.support.command import COMMAND
from tests.support.processes import finished
from tests.support.works import Works, dropped

TOKEN = "YOUR_PROJECT_TOKEN"


@pytest.fixture
def works(redis_url, queue, tmp_path, monkeypatch):
    with Sandbox(Options(tokens=[TOKEN, "my-token"])) as box:
        monkeypatch.setenv("MIXRELAY_REDIS_URL", redis_url)
        monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
        monkeypatch.setenv("MIXPANEL_API_HOST", box.url)
        yield Works(redis_url, queue, box, tmp_path)


def python(guide):
    return [block for block in blocks_of(guide) if block.language == "python"]


def run(blocks):
    names = {}
    for block in blocks:
        exec(compile(block.code, block.heading, "exec"), names)
    return names


def test_every_block_of_the_producers_guide_runs_and_arrives(works):
    blocks = python("produce.md")
    names = run(block for block in blocks if not block.code.startswith("# test_"))
    asyncio.run(serve(names))
    works.drain()
    assert works.reasons() == []
    assert dropped(works.box) == []
    arrived = [event["event"] for event in works.box.events]
    assert arrived.count("Viewed") == 2
    assert {"Plan Upgraded", "Saved", "Paid", "Job Failed", "Signed Up"} <= set(arrived)
    named = {name for event in works.box.events for name in event["properties"]}
    assert {"App", "Version", "Company", "Invoice"} <= named
    assert "Password" not in named
    operations = {name for update in works.box.updates for name in update if name[0] == "$"}
    assert operations >= {
        *("$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset", "$delete")
    }


def test_every_block_of_the_guide_to_the_web_runs_and_a_visitor_is_known(works):
    names = run(python("web.md"))
    carried = []

    def shop(environ, start_response):
        names["shop"](environ, start_response)
        carried.append(names["enqueue"]())
        current_request().set_user("17")
        names["signed_up"]("17")
        names["signed_out"]()
        return [b"page"]

    names["application"]._app = shop
    environ = {"REQUEST_METHOD": "GET", "REMOTE_ADDR": "8.8.8.8"}
    body = names["application"](environ, lambda *_: None)
    body.close()
    names["job"](carried[0])
    works.drain()
    assert works.reasons() == []
    assert dropped(works.box) == []
    whose = {one["event"]: one["properties"] for one in works.box.events}
    assert whose.keys() == {"Viewed Prices", "Signed Up", "Signed Out", "Invoice Paid"}
    assert len({one["$device_id"] for one in whose.values()}) == 1
    assert {name for name, one in whose.items() if one.get("$user_id") == "17"} == {
        *("Signed Up", "Signed Out"),
    }
    names["careful"].consent(EnvironRequest({"QUERY_STRING": ""}))
    connect = ("before_task_publish", "task_prerun", "task_postrun")
    for signal in connect:
        for name in ("write", "begin", "end"):
            getattr(celery, signal).disconnect(dispatch_uid=f"mixrelay_{name}")


async def serve(names):
    await names["handler"]()
    await names["shutdown"]()


def test_the_test_of_the_producers_guide_passes_and_fails_as_it_says(works, tmp_path):
    [block] = [block for block in python("produce.md") if "test_signup.py" in block.code]
    test = tmp_path / "test_signup.py"
    test.write_text(block.code)
    assert "1 passed" in pytest_run(test)
    test.write_text(block.code.replace('"user-1", Plan="Basic"', '"user-1", Plan="Premium"'))
    failed = pytest_run(test)
    [printed, _] = printed_failures()
    for line in printed.code.splitlines():
        assert line.strip() in failed


def printed_failures():
    return [one for one in blocks_of("produce.md") if one.code.startswith("AssertionError")]


def test_the_claims_of_the_producers_guide_pass_and_its_plan_fails_as_it_says(tmp_path):
    [block] = [block for block in python("produce.md") if "test_claims.py" in block.code]
    test = tmp_path / "test_claims.py"
    test.write_text(block.code)
    assert "4 passed" in pytest_run(test)
    [plan] = [one.code for one in blocks_of("produce.md") if one.language == "json"]
    sink = MemorySink()
    tracker = Tracker(TOKEN, sink=sink)
    tracker.track("user-1", "Paid", {"Price": "9.5"})
    tracker.track("user-1", "Payed")
    with pytest.raises(AssertionError) as caught:
        sink.assert_valid(json.loads(plan))
    [_, printed] = printed_failures()
    assert f"AssertionError: {caught.value}" == printed.code.strip()


def test_the_tests_of_the_whole_road_pass_as_the_guide_has_them(tmp_path):
    [block] = [block for block in python("produce.md") if "test_orders.py" in block.code]
    test = tmp_path / "test_orders.py"
    test.write_text(block.code)
    assert "2 passed" in pytest_run(test)


def pytest_run(path):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", str(path)]
    done = finished(
        command, cwd=path.parent, check=False, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def test_the_error_that_the_guide_prints_is_the_error(works):
    cart = {"items": [{}, {}, {"price": float("nan")}]}
    with pytest.raises(InvalidPropertyError) as caught:
        Tracker(TOKEN).track("user-1", "Event", {"cart": cart})
    printed = f"InvalidPropertyError: {caught.value}\n"
    assert printed in (ROOT / "docs/produce.md").read_text()


def test_the_program_of_the_first_five_minutes_does_what_they_say(works):
    [program] = python("start.md")
    run([program])
    assert works.queue.books().waiting == 4
    works.drain()
    assert [event["event"] for event in works.box.events] == ["Signed Up"]
    assert len(works.box.updates) == 2
    [letter] = works.letters()
    [shown] = [one for one in blocks_of("start.md") if one.code.startswith("id   type")]
    assert letter.id in shown.code
    assert f"{letter.field}: {letter.error}" in shown.code


def test_mixpanels_own_library_queues_as_its_guide_says(works):
    run(python("other-languages.md"))
    works.drain()
    [event], [update] = works.box.events, works.box.updates
    assert event["properties"]["New Plan"] == "Premium"
    assert update["$set"] == {"$email": "ann@example.com"}


def test_the_correction_of_a_bad_release_is_delivered(works, tmp_path):
    [correct] = python("operate.md")
    (tmp_path / "fix.py").write_text(correct.code)
    nested = {"a": {"b": {"c": {"d": 1}}}}
    Tracker(TOKEN).track("user-1", "Checked Out", {"Cart": nested, "cents": 950})
    works.drain()
    assert works.reasons() == ["invalid"]
    program = ("--program", str(tmp_path / "fix.py"), "--delete", "properties.Cart")
    command("dlq", "fix", "--event", "Checked Out", *program, "--yes")
    works.drain()
    [event] = works.box.events
    assert event["properties"]["price"] == 9.5
    assert "Cart" not in event["properties"]
    assert works.letters() == []


def command(*arguments):
    return finished([COMMAND, *arguments], check=True, capture_output=True, timeout=60).stdout
