"""The settings that several parts read, each once, so that all read it alike.

They load nothing but the reader: an application pays for no client of Redis to know them.
"""

from mixrelay.shared.options import Option, named_option
from mixrelay.shared.reading import Form

MOST_PARTITIONS = 64
"""More would cost every look at the queue more than they bring."""

REDIS_URL: Option = named_option(
    "redis_url",
    "redis://localhost:6379/0",
    "MIXRELAY_REDIS_URL",
    "The Redis or Valkey that holds the queue: redis://, rediss://, unix://, "
    "redis+sentinel://host1,host2/service/0 or redis+cluster://host1,host2.",
    form=Form.ADDRESS,
)
QUEUE: Option = named_option(
    "queue",
    "mixpanel_queue",
    "MIXRELAY_QUEUE",
    "The name of the queue's list in Redis.",
    form=Form.LIST,
)
TOKEN: Option = named_option(
    "token", "", "MIXPANEL_TOKEN", "The project token.", secret=True, form=Form.WORD
)
REGION: Option = named_option(
    "region",
    "us",
    "MIXPANEL_REGION",
    "Where the project's data lives.",
    choices=("us", "eu", "in"),
)
API_HOST: Option = named_option(
    "api_host",
    "",
    "MIXPANEL_API_HOST",
    "A base address to use in place of the region's, such as a proxy or the sandbox.",
    form=Form.ADDRESS,
)
PROJECT_ID: Option = named_option(
    "project_id",
    "",
    "MIXPANEL_PROJECT_ID",
    "The service account's project.",
    form=Form.WORD,
)
ACCOUNT_USERNAME: Option = named_option(
    "service_account_username",
    "",
    "MIXPANEL_SERVICE_ACCOUNT_USERNAME",
    "A service account that imports the records of MIXPANEL_TOKEN; its role is Owner or Admin.",
    secret=True,
    form=Form.PASSWORD,
)
ACCOUNT_SECRET: Option = named_option(
    "service_account_secret",
    "",
    "MIXPANEL_SERVICE_ACCOUNT_SECRET",
    "The service account's secret.",
    secret=True,
    form=Form.PASSWORD,
)
CA_FILE: Option = named_option(
    "ca_file",
    "",
    "MIXRELAY_CA_FILE",
    "A file of certificates (PEM) to trust for Mixpanel, in place of the usual ones.",
    form=Form.PATH,
)
PROXY: Option = named_option(
    "proxy",
    "",
    "MIXRELAY_PROXY",
    "An HTTP proxy for requests to Mixpanel, as http://host:port; HTTPS_PROXY and similar "
    "variables are ignored.",
    form=Form.PROXY,
)
OTEL: Option = named_option(
    "otel",
    False,
    "MIXRELAY_OTEL",
    "Record an OpenTelemetry span for each request to Mixpanel; needs mixrelay[otel].",
)
DISABLED: Option = named_option(
    "disabled",
    False,
    "MIXRELAY_DISABLED",
    "Calls return True and do nothing; no token is needed.",
)
