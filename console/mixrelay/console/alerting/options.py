"""Where `mixrelay alert` sends what it finds, as variables too."""

from mixrelay.console.alerting.shapes import Shape
from mixrelay.shared.options import named_option
from mixrelay.shared.reading import Form

WEBHOOK = named_option(
    "webhook",
    "",
    "MIXRELAY_ALERT_WEBHOOK",
    "POST each alert there as JSON. Where the address is a secret, use the variable.",
    form=Form.ADDRESS,
    secret=True,
)
COMMAND = named_option(
    "command",
    "",
    "MIXRELAY_ALERT_COMMAND",
    "Run this for each alert: JSON on stdin, MIXRELAY_ALERT_SUMMARY and its like in the "
    "environment. No shell.",
    form=Form.PASSWORD,
)
FORMAT = named_option(
    "format",
    "json",
    "MIXRELAY_ALERT_FORMAT",
    "Whose form the webhook gets.",
    choices=tuple(Shape),
)
KEY = named_option(
    "key",
    "",
    "MIXRELAY_ALERT_KEY",
    "PagerDuty's routing key.",
    form=Form.PASSWORD,
    secret=True,
)
PAGE = named_option(
    "page",
    "",
    "MIXRELAY_ALERT_PAGE",
    "The dashboard's address, for a link in each notice.",
    form=Form.ADDRESS,
)
RUNBOOKS = named_option(
    "runbooks",
    "",
    "MIXRELAY_ALERT_RUNBOOKS",
    "Where you keep docs/runbooks.md, for a link to the alert's own in each notice.",
    form=Form.ADDRESS,
)
