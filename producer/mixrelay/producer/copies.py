"""How a tracker is copied, and how it is pickled for another process."""

from __future__ import annotations

from typing import Any, Self


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
        """Pickle how it was made; the other process reads its own environment for the rest."""
        return _made_again, (type(self), self._made_with, self._defaults)


def _made_again(kind: type[Copied], made_with: dict[str, Any], defaults: dict[str, Any]) -> Copied:
    made = kind(**made_with)
    made._defaults = defaults  # noqa: SLF001 - its own
    return made
