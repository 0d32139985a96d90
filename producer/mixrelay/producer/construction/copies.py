"""How a tracker is copied, and how it is pickled for another process."""

from __future__ import annotations

from typing import Any, Self

from mixrelay.producer.errors import ConfigurationError


class Copied:
    """Shares what belongs to the process; is made again in another one."""

    _made_with: dict[str, Any]
    """The arguments it was made with."""
    _defaults: dict[str, Any]

    def __copy__(self) -> Self:
        """Return one that shares everything with this one."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __deepcopy__(self, _memo: object) -> Self:
        """Return the same: connections, counters and batches are a process's, not an object's."""
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle how it was made; the other process reads its own environment for the rest.

        Raises:
            ConfigurationError: it has a client of the application's.
        """
        refuse_client(self._made_with)
        return _made_again, (type(self), self._made_with, self._defaults)


def refuse_client(made_with: dict[str, Any]) -> None:
    """Refuse to pickle what was made with the application's own client, which is a process's.

    The path of one can be pickled.

    Raises:
        ConfigurationError: it was.
    """
    if not isinstance(made_with.get("redis", ""), str):
        raise ConfigurationError(
            "A tracker with redis= cannot be pickled, since a client's connections belong to one "
            "process: give it redis_url=, MIXRELAY_REDIS_URL or the client's dotted path, or make "
            "it in the other process."
        )


def _made_again(kind: type[Copied], made_with: dict[str, Any], defaults: dict[str, Any]) -> Copied:
    made = kind(**made_with)
    made._defaults = defaults  # noqa: SLF001 - its own
    return made
