"""What went wrong with Redis, in words that say what to do; and which errors say so."""

from __future__ import annotations

from mixrelay.producer.errors import (
    DeliveryError,
    NotDurableError,
    QueueFullError,
    QueueRefusedError,
    QueueUnavailableError,
)


class Words:
    """Makes the errors of one queue; its password is in none of them."""

    def __init__(self, address: str, queue: str) -> None:
        self.address = address
        """Of Redis, without its password."""
        self._queue = queue

    def refused(self, error: Exception) -> QueueRefusedError:
        """Redis answered with an error."""
        where = f"Redis at {self.address} refused to push to {self._queue!r}"
        text = f"{where}: {_said(error)}. {_advice(error)}"
        return (
            QueueFullError(text) if _first_word(error) == "QUEUEFULL" else QueueRefusedError(text)
        )

    def failed(self, error: Exception, *, was_sent: bool) -> QueueUnavailableError:
        """No answer came."""
        return self.unanswered(error) if was_sent else self.unavailable(error)

    def unavailable(self, error: Exception) -> QueueUnavailableError:
        """No connection came about, so nothing was sent."""
        from mixrelay.shared.connection import certificate_trouble  # noqa: PLC0415 - loads redis-py

        where = f"No connection to Redis at {self.address} for {self._queue!r}"
        advice = "Nothing was sent; is Redis running, and is MIXRELAY_REDIS_URL right?"
        if certificate_trouble(error):
            advice = "Its certificate is not trusted: name the authority, ?ssl_ca_certs=/ca.pem"
        return QueueUnavailableError(f"{where}: {_said(error)}. {advice}")

    def unanswered(self, error: Exception) -> QueueUnavailableError:
        """Something was sent, and no answer came."""
        where = f"No answer from Redis at {self.address} to a push to {self._queue!r}"
        return QueueUnavailableError(
            f"{where}: {_said(error)}. It was sent, so the message may be in the queue.",
            maybe_delivered=True,
        )

    def interrupted(self, *, was_sent: bool) -> QueueUnavailableError:
        """The application ended the call."""
        what = "It was sent, so the message may be in the queue" if was_sent else "Nothing was sent"
        return QueueUnavailableError(
            f"The application ended a push to {self._queue!r} at {self.address}. {what}.",
            maybe_delivered=was_sent,
        )

    def not_tried(self, seconds: float) -> QueueUnavailableError:
        """An earlier call failed a moment ago."""
        return QueueUnavailableError(
            f"Redis at {self.address} failed at the last try; the next one is in "
            f"{seconds:.1f} s. Nothing was sent to {self._queue!r}."
        )

    def no_turn(self, connections: int, seconds: float) -> QueueUnavailableError:
        """All connections are in use."""
        return QueueUnavailableError(
            f"All {connections} connections of this process to Redis at {self.address} were in "
            f"use, and none that answered was free within {seconds:g} s. Nothing was sent to "
            f"{self._queue!r}. Raise MIXRELAY_PUSH_CONNECTIONS if so many threads track at once."
        )

    def not_durable(self, durability: str, reason: str) -> NotDurableError:
        """Redis has the message; what else was to have it did not say so."""
        return NotDurableError(
            f"Redis at {self.address} has the message in {self._queue!r}, but durability="
            f"{durability!r} was not acknowledged: {reason}. It is not pushed again.",
            maybe_delivered=True,
        )


def retold(error: DeliveryError, text: str) -> DeliveryError:
    """Return an error with more to say, of a message that is safe."""
    told = type(error)(text, maybe_delivered=error.maybe_delivered, spooled=True, count=error.count)
    told.__cause__ = error.__cause__
    return told


def troubles() -> tuple[type[Exception], ...]:
    """Return the errors of a network, loaded only once there is one."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - loads redis-py

    return (RedisError, OSError)


def answers() -> tuple[type[Exception], ...]:
    """Return the errors that are answers of the server; redis-py calls some "connection"."""
    from redis import exceptions as redis  # noqa: PLC0415 - loads redis-py

    return (
        redis.ResponseError,
        redis.AuthenticationError,
        redis.AuthorizationError,
        redis.BusyLoadingError,
    )


_ADVICE = {
    "OutOfMemoryError": "It is full: let the workers drain it, or raise its maxmemory.",
    "ReadOnlyError": "It is a replica: point MIXRELAY_REDIS_URL at the primary.",
    "DemotedError": "It is a replica: point MIXRELAY_REDIS_URL at the primary.",
    "NoPermissionError": "Grant this user RPUSH on the list; on a cluster CLUSTER SLOTS, ASKING.",
    "AuthenticationError": "Check the user and password in MIXRELAY_REDIS_URL.",
    "BusyLoadingError": "It is loading its data and will be there soon.",
    "BUSY": "A script keeps it busy; it answers again once that ends.",
    "WRONGTYPE": "That key is no list: choose another MIXRELAY_QUEUE.",
    "MISCONF": "It cannot save to its disk: see its log.",
    "MovedError": "It is a node of a cluster: MIXRELAY_REDIS_URL=redis+cluster://host1,host2.",
    "AskError": "It is a node of a cluster: MIXRELAY_REDIS_URL=redis+cluster://host1,host2.",
    "MOVED": "It is a node of a cluster: MIXRELAY_REDIS_URL=redis+cluster://host1,host2.",
    "ASK": "It is a node of a cluster: MIXRELAY_REDIS_URL=redis+cluster://host1,host2.",
    "ClusterDownError": "No node of the cluster has that list now: see CLUSTER INFO.",
    "TryAgainError": "That list moves to another node of the cluster.",
    "QUEUEFULL": "That is what MIXRELAY_MAX_QUEUE allows: start workers, or raise it.",
}


def _said(error: Exception) -> str:
    return str(error).rstrip(".")


def _first_word(error: Exception) -> str:
    return str(error).partition(" ")[0]


def _advice(error: Exception) -> str:
    return (
        _ADVICE.get(type(error).__name__)
        or _ADVICE.get(_first_word(error))
        or "See the message of Redis above."
    )
