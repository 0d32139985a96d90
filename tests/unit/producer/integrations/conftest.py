import json

import pytest

from mixrelay.producer import Tracker


class Recorder:
    """A sink that keeps the events of each sending: one list is one round trip."""

    def __init__(self):
        self.sent = []

    def __call__(self, kind, message):
        return self.send_all([(kind, message)])

    def send_all(self, messages):
        self.sent.append([json.loads(message)["data"] for _, message in messages])
        return True

    @property
    def names(self):
        return [[record["event"] for record in sending] for sending in self.sent]

    @property
    def ips(self):
        return [record["properties"].get("ip") for sending in self.sent for record in sending]


class AsyncRecorder(Recorder):
    async def __call__(self, kind, message):
        return await self.send_all([(kind, message)])

    async def send_all(self, messages):
        return Recorder.send_all(self, messages)


@pytest.fixture
def sink():
    return Recorder()


@pytest.fixture
def tracker(sink):
    return Tracker("token", sink=sink)


@pytest.fixture
def async_sink():
    return AsyncRecorder()


@pytest.fixture
def async_tracker(async_sink):
    return Tracker("token", sink=async_sink)
