"""`/metrics` for Prometheus."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response

from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.metrics.safety import unsafe
from mixrelay.console.status.look import look


def metrics(call: Call) -> Response:
    registry = CollectorRegistry()
    registry.register(
        QueueCollector(
            lambda: look(call.queue, call.place.settings.rq_url, call.place.emptied),
            lambda: unsafe(call.queue.redis),
        )
    )
    encode, content_type = choose_encoder(call.request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})


ROUTES = [route("/metrics", "metrics", metrics)]
