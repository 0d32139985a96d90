"""What workers note about project tokens, without a worker."""

import orjson

from mixrelay.shared.queue import Identity, Pause, PauseKind, Queue, Refusal

US = "https://api.mixpanel.com"
OURS = Identity("0badc0de0bad", "3f2a…b7", US, own=True)
THEIRS = Identity("1badc0de0bad", "9c1d…4e", US, own=False)
CIRCUITS = (("import:0badc0de", "event"), ("engage:0badc0de", "profile_update"))
_PAUSE = Pause(PauseKind.CONFIGURATION, base_ms=60_000, cap_ms=3_600_000)
_AGO_MS = 180_000


def prove(queue: Queue, token: Identity = OURS) -> None:
    """`/import` accepted the token."""
    queue.tokens.proven(token, began_ms=1)


def refuse(
    queue: Queue,
    token: Identity = OURS,
    likelier: str = "unknown",
    elsewhere: str | None = None,
    *,
    opens: tuple[tuple[str, str], ...] = (),
) -> None:
    """`/import` answered 401 three minutes ago."""
    refusal = Refusal("Invalid credentials", 401, likelier, elsewhere, opens, _PAUSE)
    queue.tokens.refused(token, refusal)
    _age(queue, token)


def leave_unproven(queue: Queue, token: Identity = OURS) -> None:
    """`/import` answered 503 three minutes ago."""
    queue.tokens.silent(token, Refusal("Mixpanel answered 503."))
    _age(queue, token)


def _age(queue: Queue, token: Identity) -> None:
    """Lets time pass for what is known of a token."""
    key = f"{{{queue.name}}}:tokens"
    stored = orjson.loads(queue.redis.hget(key, token.fingerprint))  # type: ignore[arg-type]
    aged = {name: stored[name] - _AGO_MS for name in ("at", "since")}
    queue.redis.hset(key, token.fingerprint, orjson.dumps(stored | aged))
