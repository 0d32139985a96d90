"""The metrics as Prometheus gets them."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.status.look import look
from mixrelay.shared.queue import Queue


@pytest.fixture
def exposition(queue: Queue, redis_url: str) -> str:
    registry = CollectorRegistry()
    registry.register(QueueCollector(lambda: look(queue, redis_url), dict))
    return generate_latest(registry).decode()
