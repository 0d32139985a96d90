"""What the page is told: where it listens, who may come in, what they may do."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mixrelay.console.dashboard.users import read_users
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.options import ARGUMENT, load, option
from mixrelay.shared.reading import Form

_MOST_PORT = 65_535


@dataclass(frozen=True)
class DashboardSettings:
    """Read once, at the start.

    Raises:
        ConfigurationError: it would be open to everyone, or a value cannot be read.
    """

    host: str = option(
        "127.0.0.1", "MIXRELAY_DASHBOARD_HOST", "The address to listen on.", form=Form.WORD
    )
    port: int = option(
        8321,
        "MIXRELAY_DASHBOARD_PORT",
        "The port; 0 takes a free one.",
        minimum=0,
        maximum=_MOST_PORT,
    )
    token: str = option(
        "",
        "MIXRELAY_DASHBOARD_TOKEN",
        "The dashboard's password; also accepted as a bearer token.",
        secret=True,
        form=Form.PASSWORD,
    )
    users: str = option(
        "",
        "MIXRELAY_DASHBOARD_USERS",
        "Names with passwords, as name:password,name:password; where a password has a comma, as "
        'JSON: {"name": "password"}.',
        secret=True,
        form=Form.PASSWORD,
    )
    hosts: str = option(
        "",
        "MIXRELAY_DASHBOARD_HOSTS",
        "Host names that requests may use beside the address: ops.example.com,a.example.com",
    )
    path: str = option(
        "",
        "MIXRELAY_DASHBOARD_PATH",
        "The path under which a proxy serves the page, such as /mixrelay; the proxy removes it.",
    )
    read_only: bool = option(
        False, "MIXRELAY_DASHBOARD_READ_ONLY", "Show everything, change nothing."
    )
    mask: bool = option(
        False, "MIXRELAY_DASHBOARD_MASK", "Show the payloads' fields without their values."
    )
    environment: str = option(
        "", "MIXRELAY_DASHBOARD_ENVIRONMENT", "A name shown on each page, such as production."
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

    @property
    def passwords(self) -> dict[str, str]:
        """Each user's password.

        Raises:
            ConfigurationError: a user without a password, or named twice.
        """
        return read_users(self.users)

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked for a password."""
        return not (self.token or self.users)

    @property
    def root_path(self) -> str:
        """`path` as servers write it: with a slash before it and none behind."""
        named = self.path.strip("/")
        return f"/{named}" if named else ""

    def check(self) -> None:
        """Refuses at the start what no page could be served with.

        Raises:
            ConfigurationError: others than this machine could come in unasked, or the users cannot
                be read.
        """
        self.passwords  # noqa: B018 - raises where they cannot be read
        self.check_open()

    def check_open(self) -> None:
        """Raises ConfigurationError where others than this machine could come in unasked."""
        if not self.is_open:
            return
        if not is_loopback(self.host):
            raise ConfigurationError(
                f"The page would be open to everyone at {self.host}: set "
                "MIXRELAY_DASHBOARD_TOKEN or MIXRELAY_DASHBOARD_USERS, or listen on 127.0.0.1."
            )
        if self.hosts or self.path:
            raise ConfigurationError(
                "MIXRELAY_DASHBOARD_HOSTS and _PATH say that a proxy serves the page, and it would "
                "be open to everyone: set MIXRELAY_DASHBOARD_TOKEN or MIXRELAY_DASHBOARD_USERS."
            )

    def allowed_hosts(self) -> frozenset[str]:
        """Names that a request's Host may hold."""
        named = {name.strip().lower() for name in self.hosts.split(",") if name.strip()}
        return frozenset({"localhost", "127.0.0.1", "::1", self.host.lower(), *named})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
