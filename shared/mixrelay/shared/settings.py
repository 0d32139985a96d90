"""What several parts read from the environment: where the queue is, and where Mixpanel is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mixrelay.shared.connection import connect, is_cluster, mask
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.mixpanel.endpoints import Credentials, base_address
from mixrelay.shared.options import ARGUMENT, field_of, load, named_as, option
from mixrelay.shared.queue.base.keys import partition_name
from mixrelay.shared.reading import Form
from mixrelay.shared.variables import (
    ACCOUNT_SECRET,
    ACCOUNT_USERNAME,
    API_HOST,
    MOST_PARTITIONS,
    PROJECT_ID,
    QUEUE,
    REDIS_URL,
    REGION,
    TOKEN,
)


@dataclass(frozen=True, repr=False)
class Settings:
    """Read once, at the start, and passed on.

    Raises:
        ConfigurationError: a value cannot work; the message says what to set.
    """

    redis_url: str = field_of(REDIS_URL)
    rq_redis_url: str = option(
        "",
        "MIXRELAY_RQ_REDIS_URL",
        "The node that keeps RQ's own keys, where that is not the queue's; a cluster needs one.",
        form=Form.ADDRESS,
    )
    queue: str = field_of(QUEUE)
    partitions: int = option(
        1,
        "MIXRELAY_PARTITIONS",
        "How many lists the queue has, each on any node of a cluster. Raise it for workers first, "
        "then for producers.",
        minimum=1,
        maximum=MOST_PARTITIONS,
    )
    token: str = field_of(TOKEN)
    region: str = field_of(REGION)
    api_host: str = field_of(API_HOST)
    project_id: str = field_of(PROJECT_ID)
    service_account_username: str = field_of(ACCOUNT_USERNAME)
    service_account_secret: str = field_of(ACCOUNT_SECRET)
    events_endpoint: str = option(
        "import",
        "MIXRELAY_EVENTS_ENDPOINT",
        "Where workers send events: /import, which names the records that it refuses, or /track, "
        "which drops them without an error.",
        choices=("import", "track"),
    )
    prove_tokens: bool = option(
        True,
        "MIXRELAY_PROVE_TOKENS",
        "Ask /import about a token before anything goes to /engage, /groups or /track under it.",
    )

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] = os.environ,
        given: Mapping[str, Any] | None = None,
        form: str = ARGUMENT,
    ) -> Self:
        """Reads the variables; what is given by the fields' names wins over them. As `load`."""
        return load(cls, environ, given, form)

    def __post_init__(self) -> None:
        if not self.queue:
            raise ConfigurationError("MIXRELAY_QUEUE is empty; set it to the list's name.")
        partition_name(self.queue, self.partitions - 1)
        self._check_account()
        _check_address(self.redis_url, "MIXRELAY_REDIS_URL")
        _check_address(self.rq_redis_url or self.redis_url, "MIXRELAY_RQ_REDIS_URL")
        try:
            base_address(self.region, self.api_host)
        except ValueError as error:
            raise ConfigurationError(f"MIXPANEL_API_HOST or MIXPANEL_REGION: {error}") from error

    def _check_account(self) -> None:
        parts = {
            "MIXPANEL_PROJECT_ID": self.project_id,
            "MIXPANEL_SERVICE_ACCOUNT_USERNAME": self.service_account_username,
            "MIXPANEL_SERVICE_ACCOUNT_SECRET": self.service_account_secret,
        }
        missing = [name for name, value in parts.items() if not value]
        given = [name for name, value in parts.items() if value]
        if missing and len(missing) < len(parts):
            raise ConfigurationError(
                f"A service account needs three variables; {' and '.join(given)} is set, so set "
                f"{' and '.join(missing)} too, or none of them."
            )

    def check_for_worker(self) -> None:
        """Check what only a worker needs.

        Raises:
            ConfigurationError: there is a service account and no token. The account imports the
                records of its own project, and only the token says which records those are.
        """
        if self.project_id and not self.token:
            raise ConfigurationError(
                "MIXPANEL_TOKEN is not set, and a service account imports only the records of its "
                "own project, which carry that project's token: set MIXPANEL_TOKEN to the token of "
                "the project in MIXPANEL_PROJECT_ID, or leave the service account out."
            )

    @property
    def base(self) -> str:
        """Mixpanel's base address."""
        return base_address(self.region, self.api_host)

    @property
    def account(self) -> Credentials | None:
        """The service account, where one is configured."""
        if not self.project_id:
            return None
        return Credentials.service_account(
            self.service_account_username, self.service_account_secret, self.project_id
        )

    @property
    def rq_url(self) -> str:
        """The address of the node that keeps RQ's keys. Raises as `rq_address`."""
        return rq_address(self.rq_redis_url, self.redis_url)

    def __repr__(self) -> str:
        """Names what is set without giving a secret away."""
        account = "set" if self.project_id else "none"
        return (
            f"Settings(redis_url={mask(self.redis_url)!r}, "
            f"rq_redis_url={mask(self.rq_redis_url or self.redis_url)!r}, "
            f"queue={self.queue!r}, partitions={self.partitions}, "
            f"token={'set' if self.token else 'none'}, "
            f"base={self.base!r}, service_account={account}, "
            f"events_endpoint={self.events_endpoint!r}, prove_tokens={self.prove_tokens})"
        )


def _check_address(url: str, variable: str) -> None:
    """Raise ConfigurationError where no client of Redis can be made of an address."""
    try:
        connect(url).close()
    except ConfigurationError as error:
        raise named_as(error, {"MIXRELAY_REDIS_URL": variable}) from None


def rq_address(rq_redis_url: str, redis_url: str) -> str:
    """Where RQ's keys are: of an address of their own, and the queue's.

    RQ's keys have many slots, and its commands several keys, so they need one server.

    Raises:
        ConfigurationError: that would be a cluster.
    """
    url = rq_redis_url or redis_url
    if is_cluster(url):
        variable = "MIXRELAY_RQ_REDIS_URL" if rq_redis_url else "MIXRELAY_REDIS_URL"
        raise ConfigurationError(
            f"{variable} {mask(url)!r} names a cluster, and RQ's own keys need one server: set "
            "MIXRELAY_RQ_REDIS_URL to one, such as redis://host:6379/0, or one with a failover, "
            "redis+sentinel://host1,host2/mymaster/0."
        )
    return url
