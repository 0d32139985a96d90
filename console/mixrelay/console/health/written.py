"""The judgement as JSON (a contract)."""

from typing import Any

from mixrelay.console.health.judging import Health


def health_as_json(health: Health) -> dict[str, Any]:
    """The key `health` of `mixrelay status --json`."""
    return {
        "state": health.state,
        "headline": health.headline,
        "problems": [
            {
                "kind": one.kind,
                "about": one.about,
                "severity": one.severity,
                "urgent": one.is_urgent,
                "summary": one.summary,
                "what_to_do": one.what_to_do,
            }
            for one in health.problems
        ],
    }
