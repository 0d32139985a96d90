"""What a sandbox is told at its start: whose credentials it knows, and its limits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

# Mixpanel: 413 Payload Too Large, sample answer. The text says 10 MB; the smaller catches more.
DOCUMENTED_BODY_BYTES = 2_097_152


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings of one sandbox.

    Without any credentials here, `/import` takes every credential that is not empty.

    Args:
        tokens: project tokens. With some given, records of other tokens are dropped in silence.
        service_account_username: with secret and project_id, the account that `/import` takes.
        service_account_secret: its secret.
        project_id: the project that the service account belongs to.
        api_secrets: project secrets and `api_key`s that old clients send to `/import`.
        max_body_bytes: bytes of an uncompressed request body, above which the answer is 413.
        keep: newest entries kept of each log; None keeps all of them.

    Raises:
        TypeError: tokens or api_secrets are a single text.
        ValueError: the service account is given in part, or keep is under 1.
    """

    tokens: Collection[str] = ()
    service_account_username: str | None = None
    service_account_secret: str | None = field(default=None, repr=False)
    project_id: str | None = None
    api_secrets: Collection[str] = field(default=(), repr=False)
    max_body_bytes: int = DOCUMENTED_BODY_BYTES
    keep: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.tokens, str) or isinstance(self.api_secrets, str):
            # A text is a collection of texts too, of which every part would be let in.
            raise TypeError("tokens and api_secrets are lists: write ['a-token'], not 'a-token'.")
        if self.keep is not None and self.keep < 1:
            raise ValueError("keep is the number of entries kept, at least 1; None keeps all.")
        given = [bool(part) for part in self._account()]
        if any(given) and not all(given):
            raise ValueError(
                "A service account is a username, a secret and a project id: give all or none."
            )

    def _account(self) -> tuple[str | None, str | None, str | None]:
        return self.service_account_username, self.service_account_secret, self.project_id

    @property
    def has_credentials(self) -> bool:
        """Whether `/import` compares credentials at all."""
        return bool(self.tokens or self.api_secrets or self.service_account_username)
