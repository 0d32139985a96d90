"""Knows where a cluster's slots are, and asks its nodes when that may have changed.

A node that failed is asked about no more: the next command for one of its slots asks the others
first, and so finds the replica that took its place. Where a slot went is also learnt from the
refusals of nodes (Redis: Cluster specification, MOVED and ASK redirection).
"""

import os
import random
import threading
import time
from typing import Any

from redis.connection import Connection
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterDownError,
    MovedError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from mixrelay.shared.connection.addresses import ClusterAddress
from mixrelay.shared.connection.slots import Place, SlotMap, slot_of

ASK_SECONDS = 1.0
"""What one node may take to tell the slots, before the next one is asked."""

REFUSALS = (AskError, TryAgainError, ClusterDownError)
"""Answers of a node after which nothing ran, and another node or moment may do. (redis-py's
MovedError is an AskError.)"""

_FREE_HOPS = 5
"""Redirections that are followed at once; nodes that send a command to and fro get a pause."""
_PAUSES = (0.02, 0.2)
"""The first pause in seconds, and the longest."""


class NotACluster(ResponseError):
    """A server that was named as a node is one by itself."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"{place} is no node of a cluster; write redis:// in MIXRELAY_REDIS_URL")


class Topology:
    """One cluster, as one process sees it; a child that is forked learns it anew."""

    def __init__(self, address: ClusterAddress, options: dict[str, Any]) -> None:
        """Opens nothing.

        Args:
            address: where to begin.
            options: what connections are made with.
        """
        self._seeds = [Place(*host) for host in address.hosts]
        self.connection_class: type[Connection] = address.connection_class
        self.options = options
        self._begin()

    def _begin(self) -> None:
        # Held while the nodes are asked. Reentrant: a signal handler may track meanwhile.
        self._lock = threading.RLock()
        self._map = SlotMap(self._seeds)
        self._suspects: set[Place] = set()
        self._askings = 0
        """How often the nodes were asked, to the end."""
        self._trouble: Exception | None = None
        """Why the last asking failed."""
        self.answered: Place | None = None
        self._pid = os.getpid()

    def _begin_if_forked(self) -> None:
        """Another thread of the parent may have held the lock."""
        if self._pid != os.getpid():
            self._begin()

    def __str__(self) -> str:
        return ", ".join(map(str, sorted(self._map.places)))

    def place_of(self, key: str | bytes | None) -> Place:
        """The node that serves a key, or any; asks the nodes where that is not known.

        Raises:
            redis.ConnectionError: no node could be asked, each within `ASK_SECONDS`.
            redis.ClusterDownError: none serves the key's slot.
            redis.ResponseError: they may be asked, but not by this user.
        """
        slot = self._some_slot() if key is None else slot_of(key)
        return self.known(slot) or self._learnt(slot)

    def known(self, slot: int) -> Place | None:
        """The node that serves a slot, unless it failed since it was last named."""
        self._begin_if_forked()
        place = self._map.master_of(slot)
        return None if place in self._suspects else place

    def _some_slot(self) -> int:
        """One of the node that answered last: any may be away, and that one hardly."""
        served = [place for place in self._map.masters() if place not in self._suspects]
        if not served:
            return 0
        place = self.answered if self.answered in served else random.choice(served)  # noqa: S311
        return self._map.slot_at(place)

    def masters(self) -> list[Place]:
        """All that serve slots, as the nodes tell it now. Raises as `place_of`."""
        self._begin_if_forked()
        askings = self._askings
        with self._lock:
            self._learn(askings)
        return self._map.masters()

    def suspect(self, place: Place) -> None:
        """It failed: another may have taken its place."""
        self._suspects.add(place)

    def heed(self, refusal: ResponseError, at: Place | None) -> Place | None:
        """Learns from a refusal; a place where the command must be sent behind an ASKING."""
        if isinstance(refusal, AskError):
            host = refusal.host or (at.host if at else "")
            place = Place(host, int(refusal.port))
            if not isinstance(refusal, MovedError):
                return place
            self._map.move(int(refusal.slot_id), place)
        elif isinstance(refusal, ClusterDownError) and at is not None:
            self.suspect(at)
        return None

    def _learnt(self, slot: int) -> Place:
        askings = self._askings
        with self._lock:
            place = self.known(slot)  # another thread may have asked meanwhile
            if place is None:
                self._learn(askings)
                place = self._map.master_of(slot)
        if place is None:
            raise ClusterDownError("Hash slot not served")
        return place

    def _learn(self, askings: int) -> None:
        """Asks the nodes, unless another thread has done so since there were so many askings.

        Where no node answers, each thread would else wait for all that came before it.
        """
        if self._askings == askings:
            try:
                self._map = self._told()
            except (RedisError, OSError) as error:
                self._trouble = error
            else:
                self._trouble = None
                self._suspects.clear()
            self._askings += 1
        if self._trouble is not None:
            raise self._trouble

    def _told(self) -> SlotMap:
        """The slots as the first node tells them that knows of any.

        A node that left the cluster answers too, and knows of none.
        """
        ends = time.monotonic() + self.options["socket_timeout"]
        empty: SlotMap | None = None
        trouble: Exception | None = None
        for place in self._to_ask():
            try:
                told = SlotMap.read(self._slots_from(place), place)
            except (RedisError, OSError) as error:
                trouble = error if trouble is None or _is_answer(error) else trouble
            else:
                told.places.update(self._seeds)
                if told.masters():
                    return told
                empty = told
            if time.monotonic() >= ends:
                break
        if empty is not None and trouble is None:
            return empty
        if trouble is not None and _is_answer(trouble):
            raise trouble
        raise RedisConnectionError(
            f"No node of the cluster can be asked ({self}): {trouble}"
        ) from trouble

    def _to_ask(self) -> list[Place]:
        """In any order, so that a fleet does not ask one; those that failed come last."""
        places = [*self._map.places]
        random.shuffle(places)
        return sorted(places, key=lambda place: place in self._suspects)

    def _slots_from(self, place: Place) -> Any:
        quick = {
            name: min(self.options[name], ASK_SECONDS)
            for name in ("socket_timeout", "socket_connect_timeout")
        }
        # Any, since redis-py does not type its connections.
        connection: Any = self.connection_class(
            host=place.host, port=place.port, **(self.options | quick)
        )
        try:
            connection.connect()
            connection.send_command("CLUSTER", "SLOTS")
            return connection.read_response()
        except ResponseError as error:
            if "cluster support disabled" in str(error):
                raise NotACluster(place) from error
            raise
        finally:
            connection.disconnect()


def _is_answer(error: Exception) -> bool:
    return isinstance(error, ResponseError | AuthenticationError)


class Refusals:
    """Those of one command, none of which ran it, and how long it may be sent again."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._count = 0

    def pause(self, refusal: ResponseError) -> float:
        """Seconds until it may be sent again.

        Raises:
            redis.ResponseError: the refusal, where time is over.
        """
        self._count += 1
        if isinstance(refusal, AskError) and self._count <= _FREE_HOPS:
            return 0.0
        if time.monotonic() >= self._ends:
            raise refusal
        first, longest = _PAUSES
        return min(longest, first * 2.0 ** min(self._count - 1, 8))
