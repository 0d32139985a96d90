"""The credentials that a sandbox knows, which may change while it runs.

A token that is taken back, or another one that becomes known, is what a wrong region, a deleted
project or a corrected setting look like to a client.
"""

from __future__ import annotations

import threading
from typing import Any

from mixrelay.sandbox.options import Account, Options, check_account


class Known:
    """Tokens, secrets and the service account of one sandbox.

    Any thread may change it. Each value is replaced as a whole, so that the server may read it
    without the lock.

    Attributes:
        tokens: project tokens; None as long as every token is known.
        revoked: tokens that are not known although all others are.
        account: the service account that `/import` takes, if any.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Go back to the credentials of the options."""
        options = self._options
        with self._lock:
            self.tokens = frozenset(options.tokens) or None
            self.revoked: frozenset[str] = frozenset()
            self.account = options.account
            self.api_secrets = frozenset(options.api_secrets)
            self.oauth_tokens = frozenset(options.oauth_tokens)

    @property
    def compares(self) -> bool:
        """Whether `/import` compares credentials at all."""
        return self.tokens is not None or bool(
            self.api_secrets or self.oauth_tokens or self.account
        )

    def knows(self, token: str) -> bool:
        """Whether records under this token are kept."""
        return token in self.tokens if self.tokens is not None else token not in self.revoked

    @property
    def only_token(self) -> str | None:
        """The token of the only project there is, if tokens are given at all."""
        tokens = self.tokens
        return next(iter(tokens)) if tokens and len(tokens) == 1 else None

    def know(self, *tokens: str) -> None:
        """Know these tokens too. A sandbox that knows all of them only stops refusing these."""
        with self._lock:
            self.revoked -= set(tokens)
            if self.tokens is not None:
                self.tokens |= set(tokens)

    def know_only(self, *tokens: str) -> None:
        """Know these tokens and no others, as the host of another region does."""
        with self._lock:
            self.tokens, self.revoked = frozenset(tokens), frozenset()

    def revoke(self, *tokens: str) -> None:
        """Know these tokens no more; the others stay as they are."""
        with self._lock:
            self.revoked |= set(tokens)
            if self.tokens is not None:
                self.tokens -= set(tokens)

    def set_account(
        self, username: str | None, secret: str | None = None, project_id: str | None = None
    ) -> None:
        """Replace the service account; None takes it away.

        Raises:
            ValueError: it is given in part.
        """
        check_account(username, secret, project_id)
        with self._lock:
            self.account = (
                Account(username, secret, project_id)
                if username and secret and project_id
                else None
            )

    def shown(self) -> dict[str, Any]:
        """Everything but the secrets."""
        account = self.account
        return {
            "tokens": None if self.tokens is None else sorted(self.tokens),
            "revoked": sorted(self.revoked),
            "service_account": account
            and {"username": account.username, "project_id": account.project_id},
            "api_secrets": len(self.api_secrets),
            "oauth_tokens": len(self.oauth_tokens),
        }
