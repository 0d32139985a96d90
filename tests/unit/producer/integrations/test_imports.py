"""Nothing of a framework is loaded unless its own module is imported."""

import json
import sys

import pytest

from tests.support.processes import finished

FRAMEWORKS = ("celery", "django", "fastapi", "flask", "starlette", "werkzeug")


def loaded_by(module: str) -> set[str]:
    code = (
        f"import sys, json, {module}\n"
        f"print(json.dumps([name for name in {FRAMEWORKS!r} if name in sys.modules]))"
    )
    done = finished(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("module", "frameworks"),
    [
        ("mixrelay.producer", set()),
        ("mixrelay.producer.integrations", set()),
        ("mixrelay.producer.integrations.wsgi", set()),
        ("mixrelay.producer.integrations.asgi", set()),
        ("mixrelay.producer.push.async_sink", set()),
        ("mixrelay.producer.integrations.flask", {"flask", "werkzeug"}),
        ("mixrelay.producer.integrations.django", {"django"}),
        ("mixrelay.producer.integrations.starlette", {"starlette"}),
        ("mixrelay.producer.integrations.outside", set()),
        ("mixrelay.producer.context.options", set()),
    ],
)
def test_a_module_loads_its_own_framework_alone(module: str, frameworks: set[str]) -> None:
    assert loaded_by(module) == frameworks
