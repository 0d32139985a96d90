"""What a sandbox is told at its start: whose credentials it knows, and its limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

IdMerge = Literal["simplified", "original"]

# Mixpanel: 413 Payload Too Large, sample answer. The text says 10 MB; the smaller catches more.
DOCUMENTED_BODY_BYTES = 2_097_152
# Mixpanel: Hot Shard Limits, events of one identifier on one date.
DOCUMENTED_HOT_USER = 200_000
DOCUMENTED_HOT_GROUP = 1_000_000


class Account(NamedTuple):
    """A service account with the project that it may import into."""

    username: str
    secret: str
    project_id: str


def check_account(*parts: str | None) -> None:
    """Raise ValueError if a service account is given in part."""
    given = [bool(part) for part in parts]
    if any(given) and not all(given):
        raise ValueError(
            "A service account is a username, a secret and a project id: give all or none."
        )


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
        keep: newest entries kept of each log, and identifiers kept in each index; None keeps all.
        id_merge: the project's identity system, `simplified` (Mixpanel's default since April 2024)
            or `original`.
        merge_by_token: whether `/import` takes `$merge` under a project token alone. Mixpanel
            documents a service account, a project secret or an OAuth token for it.
        oauth_tokens: bearer tokens that `/import` takes, with a `project_id`.
        hot_shard_limit: events of one distinct_id on one UTC date, above which further events are
            renamed to `$hotshard_events`.
        hot_group_limit: the same for one group.
        group_keys: event properties that name a group; keys seen on `/groups` are added to them.
        lookup_tables: the project's lookup tables, id and name. Without any, each id is taken and
            its table made by the first upload.

    Raises:
        TypeError: a list of texts is given as a single text.
        ValueError: the service account is given in part, a limit is under 1, or there is no such
            id_merge.
    """

    tokens: Collection[str] = ()
    service_account_username: str | None = None
    service_account_secret: str | None = field(default=None, repr=False)
    project_id: str | None = None
    api_secrets: Collection[str] = field(default=(), repr=False)
    max_body_bytes: int = DOCUMENTED_BODY_BYTES
    keep: int | None = None
    id_merge: IdMerge = "simplified"
    merge_by_token: bool = False
    oauth_tokens: Collection[str] = field(default=(), repr=False)
    hot_shard_limit: int = DOCUMENTED_HOT_USER
    hot_group_limit: int = DOCUMENTED_HOT_GROUP
    group_keys: Collection[str] = ()
    lookup_tables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("tokens", "api_secrets", "oauth_tokens", "group_keys"):
            if isinstance(getattr(self, name), str):
                # A text is a collection of texts too, of which every part would be let in.
                raise TypeError(
                    "tokens, api_secrets, oauth_tokens and group_keys are lists: "
                    "write ['a-token'], not 'a-token'."
                )
        if self.keep is not None and self.keep < 1:
            raise ValueError("keep is the number of entries kept, at least 1; None keeps all.")
        for name in ("hot_shard_limit", "hot_group_limit"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is a number of events, at least 1.")
        if self.id_merge not in get_args(IdMerge):
            raise ValueError(f"id_merge is simplified or original, not {self.id_merge!r}.")
        check_account(*self._account())

    def _account(self) -> tuple[str | None, str | None, str | None]:
        return self.service_account_username, self.service_account_secret, self.project_id

    @property
    def account(self) -> Account | None:
        """The service account, if there is one."""
        name, secret, project = self._account()
        return Account(name, secret, project) if name and secret and project else None
