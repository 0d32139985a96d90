"""``AsyncTracker``: its calls are coroutine functions, whatever an application does with them."""

import asyncio
import gc
import inspect
import json
import pickle
import socket
import sys
import threading
import warnings
from collections.abc import MutableMapping
from pathlib import Path

import pytest
from redis import Redis
from starlette.applications import Starlette
from starlette.background import BackgroundTasks
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mixrelay.producer import AsyncTracker, ConfigurationError, InvalidPropertyError, Tracker
from mixrelay.producer.integrations import wsgi
from mixrelay.producer.integrations.starlette import MixrelayMiddleware, get_async_tracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.testing import capture
from tests.support.fleet import wait_until
from tests.support.patience import joined
from tests.support.ports import free_port
from tests.support.processes import finished

PUBLIC_CALLS = ("track", "import_event", "identify", "merge", "alias")


@pytest.fixture(autouse=True)
def spool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(tmp_path / "spool"))
    return tmp_path / "spool"


@pytest.fixture
def tracker(redis_url: str) -> AsyncTracker:
    return AsyncTracker("token", redis_url=redis_url, queue="q", timeout=5, connect_timeout=5)


def names(redis: Redis) -> list[str]:
    return [json.loads(json.loads(one)[1])["data"]["event"] for one in redis.lrange("q", 0, -1)]


def clients(redis: Redis) -> int:
    return redis.info("clients")["connected_clients"]


def test_every_call_is_a_coroutine_function_with_the_same_signature(tracker: AsyncTracker) -> None:
    plain = Tracker("token", sink=lambda kind, message: True)
    assert all(inspect.iscoroutinefunction(getattr(tracker, name)) for name in PUBLIC_CALLS)
    for ours, theirs in (
        (tracker, plain),
        (tracker.people, plain.people),
        (tracker.groups, plain.groups),
    ):
        for name in dir(theirs):
            call = getattr(ours, name)
            if inspect.iscoroutinefunction(call):
                assert inspect.signature(call) == inspect.signature(getattr(theirs, name)), name
    of_people = {name for name in vars(type(plain.people)) if not name.startswith("_")}
    assert all(inspect.iscoroutinefunction(getattr(tracker.people, name)) for name in of_people)
    of_groups = {name for name in vars(type(plain.groups)) if not name.startswith("_")}
    assert all(inspect.iscoroutinefunction(getattr(tracker.groups, name)) for name in of_groups)


@pytest.mark.parametrize("in_batch", [False, True], ids=["alone", "in a batch"])
def test_tasks_groups_and_other_threads_take_its_calls(
    tracker: AsyncTracker, redis: Redis, in_batch: bool
) -> None:
    async def calls() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(tracker.track("1", "Task"))
        async with asyncio.TaskGroup() as group:
            group.create_task(tracker.track("1", "Group 1"))
            group.create_task(tracker.track("1", "Group 2"))
        assert await task is True
        assert await asyncio.gather(tracker.track("1", "Gathered")) == [True]
        assert await asyncio.wait_for(tracker.track("1", "Waited"), 60) is True
        answers: list[bool] = []

        def other() -> None:
            sent = asyncio.run_coroutine_threadsafe(tracker.track("1", "Thread"), loop)
            answers.append(sent.result(60))

        thread = threading.Thread(target=other)
        thread.start()
        await asyncio.to_thread(joined, thread)
        assert answers == [True]
        assert await tracker.people.clear_charges("1") is True

    async def main() -> None:
        if not in_batch:
            return await calls()
        async with tracker.batch():
            await calls()
        return None

    asyncio.run(main())
    queued = [json.loads(one) for one in redis.lrange("q", 0, -1)]
    events = {json.loads(text)["data"]["event"] for kind, text in queued if kind == "event"}
    assert events == {"Task", "Group 1", "Group 2", "Gathered", "Waited", "Thread"}
    assert len(queued) == 7


@pytest.mark.parametrize("wrapped", [False, True], ids=["no middleware", "middleware"])
def test_background_tasks_of_starlette_await_its_calls(
    tracker: AsyncTracker, redis: Redis, wrapped: bool
) -> None:
    async def upgrade(request: Request) -> PlainTextResponse:
        mine = get_async_tracker(request) if wrapped else tracker
        await mine.track("1", "In the request")
        tasks = BackgroundTasks()
        tasks.add_task(mine.track, "1", "In the background", {"a": 1})
        tasks.add_task(mine.people.set, "1", {"a": 1})
        return PlainTextResponse("done", background=tasks)

    middleware = [Middleware(MixrelayMiddleware, tracker=tracker)] if wrapped else []
    app = Starlette(routes=[Route("/", upgrade)], middleware=middleware)
    sent: list[str] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, object]) -> None:
        sent.append(str(message["type"]))

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert sent == ["http.response.start", "http.response.body"]
    assert redis.llen("q") == 3


def test_a_call_that_nobody_awaits_is_warned_of_and_does_nothing(
    tracker: AsyncTracker, redis: Redis
) -> None:
    async def main() -> None:
        tracker.track("1", "Forgotten")  # type: ignore[unused-coroutine]
        tracker.people.set("1", {"a": 1})  # type: ignore[unused-coroutine]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(main())
    told = [str(one.message) for one in caught if one.category is RuntimeWarning]
    assert told == [
        "coroutine 'AsyncTracker.track' was never awaited",
        "coroutine 'AsyncPeople.set' was never awaited",
    ]
    assert redis.llen("q") == 0


def test_a_with_block_in_place_of_async_with_raises(tracker: AsyncTracker, redis_url: str) -> None:
    with pytest.raises(TypeError, match="write async with"), tracker.batch():  # type: ignore[attr-defined]
        pass

    async def wait() -> None:
        await tracker.batch()  # type: ignore[misc]

    with pytest.raises(TypeError, match="write async with"):
        asyncio.run(wait())
    older = Tracker("token", sink=AsyncRedisSink(redis_url))
    with pytest.raises(TypeError, match="async with"), older.batch():
        pass


def test_a_mistake_is_raised_where_the_call_is_awaited(tracker: AsyncTracker) -> None:
    async def main() -> None:
        with pytest.raises(InvalidPropertyError, match="properties"):
            await tracker.track("1", "E", {"a": float("nan")})

    asyncio.run(main())


def test_what_cannot_work_is_told_as_the_tracker_is_made() -> None:
    with pytest.raises(ConfigurationError, match=r"^redis_url .* cannot be read"):
        AsyncTracker("token", redis_url="redis://localhost:port/0")
    with pytest.raises(ConfigurationError, match="empty part between two dots"):
        AsyncTracker("token", redis_url="redis://redis..svc:6379/0")
    with pytest.raises(ConfigurationError, match="empty part between two dots"):
        Tracker("token", redis_url="redis+cluster://redis..svc:6379")
    with pytest.raises(ConfigurationError, match="empty part between two dots"):
        Tracker("token", redis_url="redis+sentinel://redis..svc:26379/primary")
    with pytest.raises(ConfigurationError, match="coroutine function"):
        AsyncTracker("token", sink=lambda kind, message: True)  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigurationError, match="give them to the sink"):
        AsyncTracker("token", sink=AsyncRedisSink("redis://localhost"), queue="q")
    with pytest.raises(ConfigurationError, match="calls are awaited"):
        wsgi.MixrelayMiddleware(lambda *_: [], AsyncTracker("token"))


def test_it_is_copied_pickled_and_captured_as_any_tracker(tracker: AsyncTracker) -> None:
    async def main() -> None:
        with capture() as captured:
            shop = tracker.with_properties({"App": "shop"})
            again = pickle.loads(pickle.dumps(shop))
            assert isinstance(again, AsyncTracker)
            await again.track("1", "E")
            await again.groups.set("Company", "Acme", {"a": 1})
            captured.assert_tracked("E", App="shop")

    asyncio.run(main())


def test_400_event_loops_leave_no_connection_and_lose_nothing(
    tracker: AsyncTracker, redis: Redis
) -> None:
    before = clients(redis)
    for _ in range(400):
        assert asyncio.run(tracker.track("1", "E")) is True
    assert redis.llen("q") == 400
    assert tracker.counters.as_dict() == {"queued": 400} | dict.fromkeys(
        ("spooled", "dropped", "failed", "refused", "drained", "unanswered", "invalid", "ignored"),
        0,
    )
    wait_until(lambda: clients(redis) <= before, 30, "the end of their connections")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_is_closed_bare_leaves_its_connection_only_to_the_next_call(
    tracker: AsyncTracker, redis: Redis
) -> None:
    before = clients(redis)
    for _ in range(20):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(tracker.track("1", "E")) is True
        loop.close()
    assert clients(redis) <= before + 2
    asyncio.run(tracker.track("1", "E"))
    gc.collect()


ENDS = {
    "cancelled before": (
        "async def call():\n"
        "    try:\n"
        "        await asyncio.wait_for(tracker.track('1', 'E'), 0.05)\n"
        "    except TimeoutError:\n"
        "        pass\n"
        "loop.run_until_complete(call())\n"
    ),
    "a task of its own": (
        "async def call():\n"
        "    tasks.append(asyncio.create_task(tracker.track('1', 'E')))\n"
        "    await asyncio.sleep(0.05)\n"
        "loop.run_until_complete(call())\n"
    ),
    "of another thread": (
        "thread = threading.Thread(target=loop.run_forever)\n"
        "thread.start()\n"
        "tasks.append(asyncio.run_coroutine_threadsafe(tracker.track('1', 'E'), loop))\n"
        "time.sleep(0.05)\n"
        "loop.call_soon_threadsafe(loop.stop)\n"
        "thread.join(30)\n"
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_call_whose_loop_is_closed_bare_is_kept(spool: Path, how: str) -> None:
    """Nothing is told of such an end: no task is cancelled, no generator closed."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        script = (
            "import asyncio, threading, time\n"
            "from mixrelay.producer import AsyncTracker\n"
            f"url = 'redis://127.0.0.1:{hung.getsockname()[1]}/0'\n"
            "tracker = AsyncTracker('token', redis_url=url, timeout=30, connect_timeout=30)\n"
            "loop, tasks = asyncio.new_event_loop(), []\n"
            f"{ENDS[how]}"
            "loop.close()\n"
        )
        finished([sys.executable, "-c", script], capture_output=True, timeout=60)
    kept = [line for one in spool.rglob("*.jsonl") for line in one.read_bytes().split() if line]
    assert len(kept) == 1
    assert b'\\"event\\":\\"E\\"' in kept[0]


def test_a_call_on_a_loop_that_is_closed_raises_as_asyncio_does(tracker: AsyncTracker) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    late = tracker.track("1", "Late")
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        asyncio.run_coroutine_threadsafe(late, loop)
    assert asyncio.run(late) is True, "another loop takes it"


def test_a_call_in_atexit_is_queued_or_kept(redis_url: str, redis: Redis, spool: Path) -> None:
    script = (
        "import asyncio, atexit, sys\n"
        "from mixrelay.producer import AsyncTracker\n"
        "well = AsyncTracker('token', redis_url=sys.argv[1], queue='q')\n"
        "away = AsyncTracker('token', redis_url=sys.argv[2], queue='q')\n"
        "@atexit.register\n"
        "def last():\n"
        "    print(asyncio.run(well.track('1', 'Well')), asyncio.run(away.track('1', 'Away')))\n"
        "    print(well.counters.as_dict(), away.counters.as_dict())\n"
        "asyncio.run(well.track('1', 'Before'))\n"
    )
    well = redis_url.replace("127.0.0.1", "localhost")
    away = f"redis://localhost:{free_port()}/0"
    command = [sys.executable, "-W", "error", "-c", script, well, away]
    done = finished(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "True True" in done.stdout, (done.stdout, done.stderr)
    kept = b"".join(one.read_bytes() for one in spool.rglob("*") if one.is_file())
    # In the queue, or where the interpreter starts no thread any more to look localhost up, kept.
    assert "Before" in names(redis)
    assert "Well" in names(redis) or b"Well" in kept
    assert b"Away" in kept


def test_a_cancelled_call_is_queued_kept_or_told(redis_url: str, redis: Redis, spool: Path) -> None:
    """Cancelled after any number of steps of the event loop, by the caller or by the loop's end."""
    heard: list[Exception] = []
    made: list[str] = []

    async def main(steps: int, *, by_end: bool) -> None:
        name = f"Cancelled {steps} {by_end}"
        made.append(name)
        task = asyncio.create_task(tracker.track("1", name))
        for _ in range(steps + 1):
            await asyncio.sleep(0)
        if not by_end:
            task.cancel()
            await asyncio.wait([task])

    counts = dict.fromkeys(("queued", "spooled", "failed"), 0)
    for by_end in (False, True):
        for steps in range(40):
            tracker = AsyncTracker(
                "token", redis_url=redis_url, queue="q", error_handler=heard.append
            )
            asyncio.run(main(steps, by_end=by_end))
            for name in counts:
                counts[name] += tracker.counters.as_dict()[name]
    kept = b"".join(one.read_bytes() for one in spool.rglob("*") if one.is_file())
    queued = names(redis)
    lost = [name for name in made if name not in queued and name.encode() not in kept]
    assert lost == []
    assert counts["queued"] + counts["spooled"] + counts["failed"] >= len(made)


def test_a_client_of_ones_own_a_policy_and_a_switch_are_given_to_it_too(redis: Redis) -> None:
    given = AsyncTracker("token", queue="q", redis=redis, on_invalid="log", error_handler=print)

    async def main() -> None:
        assert await given.track("1", "") is False
        assert await given.track("1", "E") is True
        async with given.batch():
            await given.track("1", "F")
            assert redis.llen("q") == 1
            assert await given.flush() is True
            assert redis.llen("q") == 2
        assert await given.close() is True
        assert await AsyncTracker(disabled=True).track("1", "E") is True

    asyncio.run(main())
    assert (given.counters.invalid, redis.llen("q")) == (1, 2)
    with pytest.raises(ConfigurationError, match="redis= is for a tracker that has no other sink"):
        AsyncTracker("token", sink=AsyncRedisSink(), redis=redis)
