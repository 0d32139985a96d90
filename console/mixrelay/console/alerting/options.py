"""Where `mixrelay alert` sends what it finds, as variables too."""

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
