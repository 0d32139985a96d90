"""The guide for Rails: its Ruby, as printed, on the queue that Python pushes to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue
from tests.support.processes import finished
from tests.support.works import TOKEN, Works

PAGE = Path(__file__).parents[3] / "docs/frameworks/rails.md"
FENCED = re.compile(r"^```ruby\n# (\w+\.rb)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(FENCED.findall(PAGE.read_text()))
DEVICE = "5d958f87-542d-4c10-9422-0ed75893dc81"

SCRIPT = """
require_relative "mixrelay"
require_relative "tracks_visits"

# What a controller of Rails has of its own.
Request = Struct.new(:remote_ip, :tls) { def ssl? = tls }
User = Struct.new(:id)

class Controller
  include TracksVisits
  attr_reader :cookies, :request
  attr_accessor :current_user

  def initialize(cookies)
    @cookies, @request = cookies, Request.new("203.0.113.7", true)
  end
end

known = Controller.new({ "mixrelay_device" => ARGV[0] })
known.track("Viewed")
known.current_user = User.new(17)
known.track("Ordered", "Item" => "Tee \\u00e9\\u{1F600}")
Mixrelay.update(17, "$set" => { "Plan" => "Basic" })
Mixrelay.track("Invoice Paid", {}, user_id: 17)

forged = Controller.new({ "mixrelay_device" => "anonymous" })
forged.track("Viewed Anew")
cookie = forged.cookies["mixrelay_device"]
puts cookie[:value], cookie[:secure], cookie[:httponly], cookie[:same_site]
before = forged.device_id
puts forged.new_device != before
"""


def missing() -> str | None:
    """Why the Ruby of the page cannot run here."""
    ruby = shutil.which("ruby")
    if ruby is None:
        return "ruby is not installed: apt-get install ruby ruby-redis"
    command = [ruby, "-e", 'require "redis"']
    done = finished(command, check=False, timeout=60, capture_output=True)
    return None if done.returncode == 0 else "redis-rb is not installed: apt-get install ruby-redis"


@pytest.fixture(scope="module")
def ruby() -> str:
    why = missing()
    if why:
        pytest.skip(why)
    return shutil.which("ruby") or ""


def run(
    ruby: str, folder: Path, script: str, *arguments: str, redis: str
) -> subprocess.CompletedProcess[str]:
    for name, code in FILES.items():
        (folder / name).write_text(code)
    (folder / "script.rb").write_text(script)
    command = [ruby, "-w", str(folder / "script.rb"), *arguments]
    variables = {"MIXRELAY_REDIS_URL": redis, "MIXPANEL_TOKEN": TOKEN}
    env = os.environ | {"LANG": "C.UTF-8"} | variables
    return finished(command, check=False, timeout=60, capture_output=True, text=True, env=env)


def test_ruby_and_python_are_one_visitor_on_one_queue(
    ruby: str, redis_url: str, queue: Queue, tmp_path: Path
) -> None:
    with Sandbox(Options(tokens=[TOKEN])) as box:
        works = Works(redis_url, queue, box, tmp_path)
        tracker = Tracker(TOKEN, redis_url=redis_url)
        tracker.track(event="Landed", device_id=DEVICE)
        done = run(ruby, tmp_path, SCRIPT, DEVICE, redis=redis_url)
        assert done.returncode == 0, done.stderr
        tracker.track(event="Paid", device_id=DEVICE, user_id="17")
        works.drain()
        assert works.reasons() == []
        events = {one["event"]: one["properties"] for one in box.events}
        [update] = box.updates
    new_device, *cookie, is_new = done.stdout.split()
    assert (cookie, is_new) == (["true", "true", "lax"], "true")
    ids = {
        name: (one.get("$device_id"), one.get("$user_id"), one.get("ip"))
        for name, one in events.items()
    }
    assert ids == {
        "Landed": (DEVICE, None, 0),
        "Viewed": (DEVICE, None, "203.0.113.7"),
        "Ordered": (DEVICE, "17", "203.0.113.7"),
        "Invoice Paid": (None, "17", 0),
        "Paid": (DEVICE, "17", 0),
        "Viewed Anew": (new_device, None, "203.0.113.7"),
    }
    assert events["Ordered"]["Item"] == "Tee é\U0001f600"
    assert (update["$distinct_id"], update["$set"]) == ("17", {"Plan": "Basic"})


def test_the_tuples_are_the_documented_ones(
    ruby: str, redis_url: str, queue: Queue, tmp_path: Path
) -> None:
    script = 'require_relative "mixrelay"\nexit Mixrelay.track("E", { "a" => 1 }, user_id: 1)\n'
    done = run(ruby, tmp_path, script, redis=redis_url)
    assert done.returncode == 0, done.stderr
    [pushed] = queue.redis.lrange("mixpanel_queue", 0, -1)
    kind, message = json.loads(pushed)
    properties = json.loads(message)["data"]["properties"]
    assert kind == "event"
    assert properties["time"] > 10**12
    assert (properties["token"], properties["distinct_id"], properties["a"]) == (TOKEN, "1", 1)
    assert 0 < len(properties["$insert_id"]) <= 36


def test_a_call_ends_in_false_where_redis_is_away(ruby: str, tmp_path: Path) -> None:
    script = 'require_relative "mixrelay"\nputs Mixrelay.track("E").inspect\n'
    done = run(ruby, tmp_path, script, redis="redis://127.0.0.1:1/0")
    assert done.stdout.strip() == "false", done.stderr
    assert "mixrelay: not queued" in done.stderr


def test_the_page_has_both_files() -> None:
    assert set(FILES) == {"mixrelay.rb", "tracks_visits.rb"}
