"""What a webhook gets is what Slack, PagerDuty and Alertmanager take, begun and ended alike."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mixrelay.console.alerting.findings import ALERTS, Finding
from mixrelay.console.alerting.shapes import Extras, Shape, written
from mixrelay.console.alerting.telling import command, webhook
from mixrelay.shared.errors import ConfigurationError

SINCE = datetime(2026, 11, 24, 18, 0, 1, tzinfo=UTC)
AWAY = Finding("redis", "", "s", "w").notice(queue="q", since=SINCE, is_over=False)
EXTRAS = Extras("https://page.example.com", "https://docs.example.com/runbooks.md", "r0utingkey")


def notice(alert: str = "token_refused", *, is_over: bool = False, **more: str) -> dict[str, str]:
    texts = {"summary": "Mixpanel refuses <!channel> & token 3f2a…b7.", "what_to_do": "Set it."}
    finding = Finding(alert, "0bad", **{**texts, **more})
    return EXTRAS.add(finding.notice(queue="q", since=SINCE, is_over=is_over))


def shaped(shape: Shape, **options: Any) -> Any:
    return written(shape, notice(**options), EXTRAS)


def test_plain_json_is_the_contract_with_severity_and_addresses() -> None:
    assert shaped(Shape.JSON) == {
        "event": "firing",
        "alert": "token_refused",
        "name": "token_refused:0bad",
        "queue": "q",
        "summary": "Mixpanel refuses <!channel> & token 3f2a…b7.",
        "what_to_do": "Set it.",
        "since": "2026-11-24T18:00:01.000Z",
        "severity": "page",
        "link": "https://page.example.com",
        "runbook": "https://docs.example.com/runbooks.md#wrong-credentials-or-region",
    }
    assert notice("new_reason", severity="ticket")["severity"] == "ticket"
    bare = Extras().add(
        Finding("redis", "", "s", "w").notice(queue="q", since=SINCE, is_over=False)
    )
    assert not {"link", "runbook"} & set(bare)


def test_slack_gets_a_text_in_which_no_message_mentions_anybody() -> None:
    text = shaped(Shape.SLACK)["text"]
    assert text.startswith(":red_circle: *q*: Mixpanel refuses &lt;!channel&gt; &amp; token")
    assert "<https://page.example.com|Dashboard> · <https://docs.example.com/" in text
    assert shaped(Shape.SLACK, is_over=True)["text"].startswith(":large_green_circle: Resolved")
    assert len(shaped(Shape.SLACK, summary="x" * 9_000)["text"]) <= 2_000


def test_pagerduty_triggers_and_resolves_under_one_key() -> None:
    begun, ended = shaped(Shape.PAGERDUTY), shaped(Shape.PAGERDUTY, is_over=True)
    assert (begun["event_action"], ended["event_action"]) == ("trigger", "resolve")
    assert begun["dedup_key"] == ended["dedup_key"] == "mixrelay/q/token_refused:0bad"
    assert begun["routing_key"] == "r0utingkey"
    payload = begun["payload"]
    assert (payload["severity"], payload["source"]) == ("critical", "q")
    later = shaped(Shape.PAGERDUTY, severity="ticket")["payload"]
    assert later["severity"] == "warning"
    assert begun["links"][1]["href"].endswith("#wrong-credentials-or-region")
    assert len(shaped(Shape.PAGERDUTY, summary="x" * 9_000)["payload"]["summary"]) <= 1_024


def test_alertmanager_gets_the_same_labels_at_the_end() -> None:
    [begun], [ended] = shaped(Shape.ALERTMANAGER), shaped(Shape.ALERTMANAGER, is_over=True)
    assert begun["labels"] == ended["labels"]
    assert begun["labels"]["alertname"] == "MixrelayTokenRefused"
    assert begun["startsAt"] == ended["startsAt"] == "2026-11-24T18:00:01.000Z"
    assert datetime.fromisoformat(begun["endsAt"]) > datetime.now(UTC)
    assert datetime.fromisoformat(ended["endsAt"]) <= datetime.now(UTC)


@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_every_shape(alert: str, shape: Shape) -> None:
    json.dumps(shaped(shape, alert=alert))


def test_pagerduty_without_its_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="MIXRELAY_ALERT_KEY"):
        webhook("https://events.pagerduty.com/v2/enqueue", Shape.PAGERDUTY)


def test_a_command_gets_the_severity_too(tmp_path: Any) -> None:
    out = tmp_path / "out"
    script = f"sh -c 'cat > {out}; echo \"$MIXRELAY_ALERT_SEVERITY\" >> {out}'"
    command(script, EXTRAS)(
        Finding("redis", "", "s", "w").notice(queue="q", since=SINCE, is_over=False)
    )
    assert out.read_text().endswith("page\n")
    assert '"severity": "page"' in out.read_text()
